//! Entries of the cold twins: they save what the unwinder needs of the caller and call `cold`.
//!
//! Jumped to from the hooks, so the stack looks as if the program had called them: the return
//! address on top, `rbp` and `rbx` still the program's. These three are all the unwinder starts
//! from (every rule it knows finds the frame by rsp, rbp or rbx), and a pointer to them is passed
//! as the last argument.
//!
//! # Safety
//! Naked functions with the System V calling convention; each balances the stack and its CFI.
#![allow(unsafe_code)]

use core::arch::naked_asm;

use super::forward::{self, FORWARD, Forward};
use super::{cold, extended, mapping};
use crate::next::{Functions, REAL};
use crate::platform::tls::COUNTDOWN;
use crate::unwind::Registers;

/// What an entry leaves on the stack, lowest address first; the caller's stack begins behind it.
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

/// Goes on: the program's arguments are kept for the operator, and the register behind them points
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

/// Undoes both and leaves the flags alone.
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
            naked_asm!(
                save_context!(),
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

// The register named is the one behind the function's own arguments.
entries! {
    malloc_event("rsi") => cold::malloc_event;
    calloc_event("rdx") => cold::calloc_event;
    realloc_event("rdx") => cold::realloc_event;
    realloc_sampled("rdx") => cold::realloc_sampled;
    reallocarray("rcx") => cold::reallocarray;
    posix_memalign("rcx") => cold::posix_memalign;
    aligned_alloc("rdx") => cold::aligned_alloc;
    memalign("rdx") => cold::memalign;
    valloc("rsi") => cold::valloc;
    pvalloc("rsi") => cold::pvalloc;
    dlclose("rsi") => cold::dlclose;
    munmap("rdx") => mapping::munmap;
    mremap("r9") => mapping::mremap;
    brk("rsi") => mapping::brk;
    sbrk("rsi") => mapping::sbrk;
    // Six arguments fill the registers: the seventh is what the entry pushes.
    mmap("rax") => mapping::mmap;
    mmap64("rax") => mapping::mmap64;
    mallocx_event("rdx") => extended::mallocx_event;
    rallocx("rcx") => extended::rallocx;
    xallocx("r8") => extended::xallocx;
    tc_malloc_skip_new_handler("rsi") => extended::tc_malloc_skip_new_handler;
    mi_zalloc("rsi") => extended::mi_zalloc;
    mi_mallocn("rdx") => extended::mi_mallocn;
    mi_malloc_aligned("rdx") => extended::mi_malloc_aligned;
    mi_zalloc_aligned("rdx") => extended::mi_zalloc_aligned;
    mi_calloc_aligned("rcx") => extended::mi_calloc_aligned;
    mi_reallocn("rcx") => extended::mi_reallocn;
    mi_reallocf("rdx") => extended::mi_reallocf;
    mi_reallocarr("rcx") => extended::mi_reallocarr;
    mi_rezalloc("rdx") => extended::mi_rezalloc;
    mi_recalloc("rcx") => extended::mi_recalloc;
    mi_realloc_aligned("rcx") => extended::mi_realloc_aligned;
    mi_rezalloc_aligned("rcx") => extended::mi_rezalloc_aligned;
    mi_recalloc_aligned("r8") => extended::mi_recalloc_aligned;
    mi_strdup("rsi") => extended::mi_strdup;
    mi_strndup("rdx") => extended::mi_strndup;
}

macro_rules! operator_entries {
    ($($name:ident ($context:literal): $field:ident after $target:path;)+) => {$(
        #[doc = concat!("Saves the caller's registers for `", stringify!($target), "`; goes on to the operator itself if that made no block.")]
        ///
        /// # Safety
        /// Reached by a jump from the hook, with the arguments of that C++ operator.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            naked_asm!(
                save_context!(),
                save_arguments!($context),
                "call {target}",
                "test rax, rax",
                restore_arguments!(),
                "jz 2f",
                "ret",
                "2:",
                "jmp qword ptr [rip + {real} + {operator}]",
                ".cfi_endproc",
                target = sym $target,
                real = sym REAL,
                operator = const core::mem::offset_of!(Functions, $field),
            )
        }
    )+};
}

operator_entries! {
    new_event("rsi"): new after cold::new_event;
    new_array_event("rsi"): new_array after cold::new_array_event;
    new_nothrow_event("rdx"): new_nothrow after cold::new_nothrow_event;
    new_array_nothrow_event("rdx"): new_array_nothrow after cold::new_array_nothrow_event;
    new_aligned_event("rdx"): new_aligned after cold::new_aligned_event;
    new_array_aligned_event("rdx"): new_array_aligned after cold::new_array_aligned_event;
    new_aligned_nothrow_event("rcx"): new_aligned_nothrow after cold::new_aligned_nothrow_event;
    new_array_aligned_nothrow_event("rcx"): new_array_aligned_nothrow after cold::new_array_aligned_nothrow_event;
    mi_new_n("rdx"): mi_new_n after extended::mi_new_n;
    mi_new_realloc("rdx"): mi_new_realloc after extended::mi_new_realloc;
    mi_new_reallocn("rcx"): mi_new_reallocn after extended::mi_new_reallocn;
}

macro_rules! late_entries {
    ($($name:ident ($context:literal) else $find:ident;)+) => {$(
        #[doc = concat!("Saves the caller's registers for `cold::", stringify!($name), "`; where that made no block, goes to the operator of whatever library has one now.")]
        ///
        /// # Safety
        /// Reached by a jump from the hook, with the arguments of that C++ operator.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            naked_asm!(
                save_context!(),
                save_arguments!($context),
                "call {target}",
                "test rax, rax",
                "jnz 2f",
                "call {find}",
                "mov r11, rax",
                "xor eax, eax",
                "2:",
                "test rax, rax",
                restore_arguments!(),
                "jz 3f",
                "ret",
                "3:",
                "jmp r11",
                ".cfi_endproc",
                target = sym cold::$name,
                find = sym cold::$find,
            )
        }
    )+};
}

late_entries! {
    late_new("rsi") else find_new;
    late_new_array("rsi") else find_new_array;
    late_new_nothrow("rdx") else find_new_nothrow;
    late_new_array_nothrow("rdx") else find_new_array_nothrow;
    late_new_aligned("rdx") else find_new_aligned;
    late_new_array_aligned("rdx") else find_new_array_aligned;
    late_new_aligned_nothrow("rcx") else find_new_aligned_nothrow;
    late_new_array_aligned_nothrow("rcx") else find_new_array_aligned_nothrow;
}

macro_rules! counted {
    ($($name:ident: $field:ident else $event:ident;)+) => {$(
        #[doc = concat!("The hot twin of `", stringify!($field), "` when the next allocator's own does not pass through malloc.")]
        ///
        /// # Safety
        /// As the C++ function of that name.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            naked_asm!(
                ".cfi_startproc",
                "mov rax, qword ptr [rip + malloscope_tls@gottpoff]",
                "sub qword ptr fs:[rax + {countdown}], rdi",
                "jbe {event}",
                "jmp qword ptr [rip + {real} + {target}]",
                ".cfi_endproc",
                countdown = const COUNTDOWN,
                event = sym $event,
                real = sym REAL,
                target = const core::mem::offset_of!(Functions, $field),
            )
        }
    )+};
}

counted! {
    count_new: new else new_event;
    count_new_array: new_array else new_array_event;
    count_new_nothrow: new_nothrow else new_nothrow_event;
    count_new_array_nothrow: new_array_nothrow else new_array_nothrow_event;
    count_new_aligned: new_aligned else new_aligned_event;
    count_new_array_aligned: new_array_aligned else new_array_aligned_event;
    count_new_aligned_nothrow: new_aligned_nothrow else new_aligned_nothrow_event;
    count_new_array_aligned_nothrow: new_array_aligned_nothrow else new_array_aligned_nothrow_event;
}

/// The hot twin of jemalloc's mallocx.
///
/// # Safety
/// As that function.
#[unsafe(naked)]
pub unsafe extern "C" fn mallocx() {
    naked_asm!(
        ".cfi_startproc",
        "mov rax, qword ptr [rip + malloscope_tls@gottpoff]",
        "sub qword ptr fs:[rax + {countdown}], rdi",
        "jbe {event}",
        "jmp qword ptr [rip + {forward} + {target}]",
        ".cfi_endproc",
        countdown = const COUNTDOWN,
        event = sym mallocx_event,
        forward = sym FORWARD,
        target = const core::mem::offset_of!(Forward, mallocx),
    )
}

macro_rules! forwarded {
    ($($name:ident;)+) => {$(
        #[doc = concat!("The hot twin of jemalloc's `", stringify!($name), "`.")]
        ///
        /// # Safety
        /// As that function.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            naked_asm!(
                ".cfi_startproc",
                "jmp qword ptr [rip + {forward} + {target}]",
                ".cfi_endproc",
                forward = sym FORWARD,
                target = const core::mem::offset_of!(Forward, $name),
            )
        }
    )+};
}

forwarded! {
    dallocx;
    sdallocx;
}

macro_rules! bootstrap {
    ($($name:ident: $field:ident;)+) => {$(
        #[doc = concat!("Resolves the next allocator, then goes where `", stringify!($field), "` goes from now on.")]
        ///
        /// # Safety
        /// Jumped to from the hook.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            naked_asm!(
                ".cfi_startproc",
                "push rdi",
                ".cfi_adjust_cfa_offset 8",
                "push rsi",
                ".cfi_adjust_cfa_offset 8",
                "push rdx",
                ".cfi_adjust_cfa_offset 8",
                "call {resolve}",
                "pop rdx",
                ".cfi_adjust_cfa_offset -8",
                "pop rsi",
                ".cfi_adjust_cfa_offset -8",
                "pop rdi",
                ".cfi_adjust_cfa_offset -8",
                "jmp qword ptr [rip + {forward} + {target}]",
                ".cfi_endproc",
                resolve = sym forward::bootstrap,
                forward = sym FORWARD,
                target = const core::mem::offset_of!(Forward, $field),
            )
        }
    )+};
}

bootstrap! {
    boot_malloc: malloc;
    boot_calloc: calloc;
    boot_realloc: realloc;
    boot_new: new;
    boot_new_array: new_array;
    boot_new_nothrow: new_nothrow;
    boot_new_array_nothrow: new_array_nothrow;
    boot_new_aligned: new_aligned;
    boot_new_array_aligned: new_array_aligned;
    boot_new_aligned_nothrow: new_aligned_nothrow;
    boot_new_array_aligned_nothrow: new_array_aligned_nothrow;
    boot_delete: delete;
    boot_delete_array: delete_array;
    boot_delete_sized: delete_sized;
    boot_delete_array_sized: delete_array_sized;
    boot_delete_nothrow: delete_nothrow;
    boot_delete_array_nothrow: delete_array_nothrow;
    boot_delete_aligned: delete_aligned;
    boot_delete_array_aligned: delete_array_aligned;
    boot_delete_sized_aligned: delete_sized_aligned;
    boot_delete_array_sized_aligned: delete_array_sized_aligned;
    boot_delete_aligned_nothrow: delete_aligned_nothrow;
    boot_delete_array_aligned_nothrow: delete_array_aligned_nothrow;
}
