//! `libmalloscope.so`: expands the hooks into the exported C symbols and starts the library. It
//! does nothing else.
#![no_std]
#![allow(unsafe_code)]

use core::ffi::{c_char, c_int};

mod memory;

rooms::export_hooks!();

/// Runs before `main`. glibc passes it the arguments of `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static START: unsafe extern "C" fn(c_int, *const *const c_char, *const *const c_char) = start;

unsafe extern "C" fn start(
    _count: c_int,
    _arguments: *const *const c_char,
    environment: *const *const c_char,
) {
    // SAFETY: glibc passes the environment as third argument to `.init_array` functions.
    unsafe { rooms::boot::start(environment, &HOOKS, &EXTENSIONS, extensions) }
}

// The prebuilt `core` names this function in its unwind tables. It is never called, because none of
// our code unwinds: panics abort, and no C++ exception passes through a frame of ours.
core::arch::global_asm!(
    ".hidden rust_eh_personality",
    ".globl rust_eh_personality",
    ".type rust_eh_personality,@function",
    "rust_eh_personality:",
    "ud2",
    ".size rust_eh_personality, . - rust_eh_personality",
);

/// The lints make this unreachable: the rooms do not panic. If it happened all the same, an endless
/// loop and an abort would both harm the program. An abort at least leaves a trace.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    // SAFETY: abort(3) has no precondition.
    unsafe { libc::abort() }
}
