//! C++ operators new: counted at their own hooks where the next allocator's operators do not call
//! malloc.
//!
//! An operator that no object defines when the program starts can come only from a library that is
//! opened later and may be closed again. Such an operator is *late*, and gets a twin of ours that
//! calls malloc.
//!
//! Source: the Itanium C++ ABI (mangled names), [new.delete] of the C++ standard.
//!
//! # Safety
//! The pointers come from the program under the contracts of malloc(3), posix_memalign(3) and
//! operator new; they are passed on.
#![allow(unsafe_code)]

use core::arch::naked_asm;

use super::entry::Context;
use super::sample::{count, sample};
use crate::next::{self, Block, Functions, REAL, plain_call};
use crate::platform::tls::COUNTDOWN;
use crate::recorder::Hook;

macro_rules! operators {
    ($($name:ident, $late:ident, $find:ident = $symbol:literal($($arg:ident),*): $field:ident, $hook:ident, $align:expr;)+) => {$(
        #[doc = concat!("The next allocator's own `", stringify!($field), "` when the countdown ran out.")]
        ///
        /// Null makes the entry continue to the operator itself, as if nothing had been sampled.
        /// What the operator does when memory is short (handler, exception) then happens in frames
        /// without us.
        pub(crate) extern "C" fn $name(size: usize, $($arg: usize,)* context: &Context) -> Block {
            sample(Hook::$hook, context, size, || new_by_malloc(size, $align))
        }

        #[doc = concat!("Operator `", stringify!($field), "` of a library that was opened after the start.")]
        pub(crate) extern "C" fn $late(size: usize, $($arg: usize,)* context: &Context) -> Block {
            count(Hook::$hook, context, size, || new_by_malloc(size, $align))
        }

        #[doc = concat!("Where `", $symbol, "` is now, when memory is short.")]
        pub(crate) extern "C" fn $find() -> usize {
            next::find_operator($symbol.as_bytes())
        }
    )+};
}

operators! {
    new_event, late_new, find_new = "_Znwm"(): new, New, 1;
    new_array_event, late_new_array, find_new_array = "_Znam"(): new_array, NewArray, 1;
    new_nothrow_event, late_new_nothrow, find_new_nothrow = "_ZnwmRKSt9nothrow_t"(_tag): new_nothrow, New, 1;
    new_array_nothrow_event, late_new_array_nothrow, find_new_array_nothrow = "_ZnamRKSt9nothrow_t"(_tag): new_array_nothrow, NewArray, 1;
    new_aligned_event, late_new_aligned, find_new_aligned = "_ZnwmSt11align_val_t"(align): new_aligned, New, align;
    new_array_aligned_event, late_new_array_aligned, find_new_array_aligned = "_ZnamSt11align_val_t"(align): new_array_aligned, NewArray, align;
    new_aligned_nothrow_event, late_new_aligned_nothrow, find_new_aligned_nothrow = "_ZnwmSt11align_val_tRKSt9nothrow_t"(align, _tag): new_aligned_nothrow, New, align;
    new_array_aligned_nothrow_event, late_new_array_aligned_nothrow, find_new_array_aligned_nothrow = "_ZnamSt11align_val_tRKSt9nothrow_t"(align, _tag): new_array_aligned_nothrow, NewArray, align;
}

/// What every operator new does while there is memory. Allocators with operators of their own free
/// its blocks and malloc's in the same way; a library's operators (libstdc++, libc++) call malloc
/// and free.
fn new_by_malloc(size: usize, align: usize) -> Block {
    let size = size.max(1);
    match align {
        1 => plain_call!(malloc(size)),
        // Also for 16: some allocators align blocks of 8 bytes only to 8.
        _ => plain_call!(memalign(align, size)),
    }
}

/// The entries of the operators. The named register is the one after the operator's own arguments.
#[allow(unsafe_code)]
pub mod entries {
    use core::arch::naked_asm;

    use crate::hooks::entry::{operator_entries, restore_arguments, save_arguments, save_context};

    operator_entries! {
        new_event("rsi"): new after super::new_event;
        new_array_event("rsi"): new_array after super::new_array_event;
        new_nothrow_event("rdx"): new_nothrow after super::new_nothrow_event;
        new_array_nothrow_event("rdx"): new_array_nothrow after super::new_array_nothrow_event;
        new_aligned_event("rdx"): new_aligned after super::new_aligned_event;
        new_array_aligned_event("rdx"): new_array_aligned after super::new_array_aligned_event;
        new_aligned_nothrow_event("rcx"): new_aligned_nothrow after super::new_aligned_nothrow_event;
        new_array_aligned_nothrow_event("rcx"): new_array_aligned_nothrow after super::new_array_aligned_nothrow_event;
    }

    macro_rules! late_entries {
        ($($name:ident ($context:literal) else $find:ident;)+) => {$(
            #[doc = concat!("Saves the caller's registers for `", stringify!($name), "`.")]
            /// Where that made no block, jumps to the operator of a library that was opened since.
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
                    target = sym super::$name,
                    find = sym super::$find,
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
}

macro_rules! counted {
    ($($name:ident: $field:ident else $event:ident;)+) => {$(
        #[doc = concat!("The hot twin of `", stringify!($field), "`.")]
        /// For a next allocator whose own operator does not call malloc.
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
                event = sym entries::$event,
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
