//! The functions that jemalloc has besides the malloc family.
//!
//! The program sees their hooks only when the next allocator itself has the functions (`unveil`).
//! So the functions that are called by `next` here always exist. Every call is made exactly as the
//! program made it.
//!
//! Source: jemalloc(3) of 5.3.
//!
//! # Safety
//! The arguments are the program's, under the contracts of these functions.
#![allow(unsafe_code)]

use core::arch::naked_asm;
use core::ffi::c_int;

use super::entry::Context;
use super::forward::{FORWARD, Forward};
use super::resize::{record_resized, resize};
use super::sample::sample;
use crate::next::{self, Block, plain_call};
use crate::platform::tls::COUNTDOWN;
use crate::recorder::{self, Before, Hook};

/// The entries of these functions. The named register is the one after the function's own
/// arguments.
#[allow(unsafe_code)]
pub mod entries {
    use crate::hooks::entry::entries;

    entries! {
        mallocx_event("rdx") => super::mallocx_event;
        rallocx("rcx") => super::rallocx;
        xallocx("r8") => super::xallocx;
    }
}

/// jemalloc's mallocx when the countdown ran out, or in exact mode.
pub(crate) extern "C" fn mallocx_event(size: usize, flags: c_int, context: &Context) -> Block {
    let plain = || plain_call!(mallocx(size, flags));
    sample(Hook::Malloc, context, size, plain)
}

/// jemalloc's rallocx, which does not accept null.
pub(crate) extern "C" fn rallocx(
    block: Block,
    size: usize,
    flags: c_int,
    context: &Context,
) -> Block {
    let plain = |block: Block| match block.is_null() {
        true => plain_call!(mallocx(size, flags)),
        false => plain_call!(rallocx(block, size, flags)),
    };
    resize(block, size, context, &plain)
}

/// jemalloc's xallocx, which never moves a block, and may refuse.
///
/// A block that grows is sampled as with realloc. A block that shrinks or does
/// not change keeps its state: if it is sampled, then with its old size. In exact mode every call
/// that succeeds is a new allocation.
pub(crate) extern "C" fn xallocx(
    block: Block,
    size: usize,
    extra: usize,
    flags: c_int,
    context: &Context,
) -> usize {
    let next = next::allocator();
    // SAFETY: the program's block.
    let held = unsafe { next.sallocx(block, flags) }.unwrap_or(0);
    let before = match recorder::may_be_sampled(block as usize) {
        true => recorder::detach(block as usize),
        false => Ok(None),
    };
    let Ok(before) = before else {
        return held;
    };
    let may_be_new = size > held || recorder::is_exact();
    let due = may_be_new && recorder::count_down(size) && !next::is_shadowed();
    let sampling = due.then(|| recorder::enter_event(size)).flatten();
    // SAFETY: the program's own arguments.
    let got = unsafe { next.xallocx(block, size, extra, flags) }.unwrap_or(0);
    if !(may_be_new && got >= size) {
        drop(sampling);
        before.into_iter().for_each(recorder::attach);
        return got;
    }
    let before = Before {
        sample: before,
        usable: held,
    };
    let size = got.min(size.saturating_add(extra));
    record_resized(sampling, before, block, size, Hook::Realloc, context);
    got
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
        event = sym entries::mallocx_event,
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
