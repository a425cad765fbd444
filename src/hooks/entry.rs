//! Entries of the cold twins: they save what the unwinder needs of the caller and call the twin.
//! Each family of functions makes its own entries with the macros here.
//!
//! The hooks jump to them, so the stack looks as if the program had called them: the return address
//! is on top, and `rbp` and `rbx` are still the program's. The unwinder starts from these three
//! only (every rule that it knows finds the frame by rsp, rbp or rbx), and a pointer to them is
//! passed as the last argument.
//!
//! Source: SysV ABI for x86-64.

use crate::unwind::Registers;

/// What an entry leaves on the stack, lowest address first; the caller's stack begins after it.
#[repr(C)]
pub struct Context {
    bx: u64,
    bp: u64,
    return_address: u64,
}

impl Context {
    /// The registers of the program at the return from the hook.
    pub fn registers(&self) -> Registers {
        Registers {
            pc: self.return_address,
            sp: core::ptr::from_ref(self).wrapping_add(1) as u64,
            bp: self.bp,
            bx: self.bx,
        }
    }
}

/// Begins an entry: a [`Context`] is on the stack.
macro_rules! save_context {
    () => {
        ".cfi_startproc
        push rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 0
        push rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbx, 0"
    };
}

/// Continues: the program's arguments are kept for the operator, and the register after them points
/// to the context.
macro_rules! save_arguments {
    ($context:literal) => {
        concat!(
            "mov rax, rsp
            push rdi
            .cfi_adjust_cfa_offset 8
            push rsi
            .cfi_adjust_cfa_offset 8
            push rdx
            .cfi_adjust_cfa_offset 8
            mov ",
            $context,
            ", rax"
        )
    };
}

/// Undoes both and does not change the flags.
macro_rules! restore_arguments {
    () => {
        "pop rdx
        .cfi_adjust_cfa_offset -8
        pop rsi
        .cfi_adjust_cfa_offset -8
        pop rdi
        .cfi_adjust_cfa_offset -8
        lea rsp, [rsp + 16]
        .cfi_adjust_cfa_offset -16"
    };
}

macro_rules! entries {
    ($($name:ident ($context:literal) => $target:path;)+) => {$(
        #[doc = concat!("Saves the caller's registers for `", stringify!($target), "`.")]
        ///
        /// # Safety
        /// Reached by a jump from the hook, with the arguments of that C function.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                $crate::hooks::entry::save_context!(),
                concat!("mov ", $context, ", rsp"),
                "push rax",
                ".cfi_adjust_cfa_offset 8",
                "call {target}",
                "add rsp, 24",
                ".cfi_adjust_cfa_offset -24",
                "ret",
                ".cfi_endproc",
                target = sym $target,
            )
        }
    )+};
}

/// Entries of operators: where the twin made no block, the operator itself is called by a jump.
macro_rules! operator_entries {
    ($($name:ident ($context:literal): $field:ident after $target:path;)+) => {$(
        #[doc = concat!("Saves the caller's registers for `", stringify!($target), "`.")]
        /// If that made no block, jumps to the operator itself.
        ///
        /// # Safety
        /// Reached by a jump from the hook, with the arguments of that C++ operator.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                $crate::hooks::entry::save_context!(),
                $crate::hooks::entry::save_arguments!($context),
                "call {target}",
                "test rax, rax",
                $crate::hooks::entry::restore_arguments!(),
                "jz 2f",
                "ret",
                "2:",
                "jmp qword ptr [rip + {real} + {operator}]",
                ".cfi_endproc",
                target = sym $target,
                real = sym $crate::next::REAL,
                operator = const core::mem::offset_of!($crate::next::Functions, $field),
            )
        }
    )+};
}

pub(crate) use {entries, save_context};
pub(super) use {operator_entries, restore_arguments, save_arguments};
