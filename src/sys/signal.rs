//! The signal mask of the calling thread, by the kernel's own calls.
//!
//! Called by `trigger`. Sets are the kernel's: bit n-1 is signal n. Source: rt_sigprocmask(2),
//! rt_sigpending(2), rt_sigtimedwait(2).
#![allow(unsafe_code)]

use super::{SIGSET_BYTES, arch::syscall, as_arg};

/// Sets the mask; what it was before.
pub fn set_signal_mask(set: u64) -> u64 {
    let mut before = 0u64;
    let (new, old) = (&raw const set as usize, &raw mut before as usize);
    // SAFETY: the kernel reads one set and writes the other, both ours and of its size.
    unsafe {
        syscall(
            libc::SYS_rt_sigprocmask,
            [as_arg(libc::SIG_SETMASK), new, old, SIGSET_BYTES, 0, 0],
        )
    };
    before
}

/// Signals that wait for this thread or its process.
pub fn pending_signals() -> u64 {
    let mut pending = 0u64;
    // SAFETY: the kernel writes a set of its size.
    unsafe {
        syscall(
            libc::SYS_rt_sigpending,
            [&raw mut pending as usize, SIGSET_BYTES, 0, 0, 0, 0],
        )
    };
    pending
}

/// Takes a blocked, pending signal of `set` away; returns at once when there is none.
pub fn consume_signal(set: u64) {
    let at_once = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel reads the set and the timeout and, the info pointer being null, writes
    // nothing.
    unsafe {
        syscall(
            libc::SYS_rt_sigtimedwait,
            [
                &raw const set as usize,
                0,
                &raw const at_once as usize,
                SIGSET_BYTES,
                0,
                0,
            ],
        )
    };
}
