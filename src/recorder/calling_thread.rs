//! What the calling thread asks of the recorder for itself, as a program of jemalloc does by
//! `thread.prof.name` and `thread.prof.active`.
//!
//! It takes no table lock and may grow the arena.
//!
//! # Safety
//! See `recorder`: the guard makes the caller the only user of its thread's block.
#![allow(unsafe_code)]

use core::ffi::CStr;

use super::sampling::thread_of;
use super::thread::Thread;
use super::{switch, thread_name};
use crate::platform::tls::{self, Guard, PARKED};

/// Runs `work` on the block of the calling thread. `None`: a signal handler interrupted our code, or
/// there is no room for a block.
fn with_own<T>(work: impl FnOnce(&mut Thread, &mut Guard) -> T) -> Option<T> {
    let tls = tls::current();
    let mut guard = tls.enter()?;
    let thread = thread_of(tls)?;
    // SAFETY: the guard makes us the only user of this thread's block.
    Some(work(unsafe { &mut *thread }, &mut guard))
}

/// Switches sampling on or off, and the calling thread follows at once. Other threads follow at the
/// end of their gaps.
pub fn switch_here(on: bool) {
    switch(on);
    with_own(wake);
}

/// The thread draws a gap at its next allocation.
fn wake(thread: &mut Thread, guard: &mut Guard) {
    thread.disarm();
    guard.rearm(0);
}

/// Is the calling thread one that is sampled while sampling is on?
pub fn is_sampled() -> Option<bool> {
    with_own(|thread, _| thread.is_sampled())
}

/// Shall it be? Returns what was so before.
pub fn set_sampled(sampled: bool) -> Option<bool> {
    with_own(|thread, guard| {
        let before = thread.is_sampled();
        thread.choose(sampled);
        wake(thread, guard);
        if !sampled {
            guard.rearm(PARKED);
        }
        before
    })
}

/// The name of the calling thread in the dumps; valid until the thread changes it.
pub fn name() -> Option<&'static CStr> {
    with_own(|thread, _| thread.known_uid().map_or(c"", thread_name::kept))
}

/// Gives the calling thread a name; what is longer than `thread_name::LONGEST` is cut off. `None`: there is
/// no room for it.
pub fn set_name(name: &[u8]) -> Option<()> {
    with_own(|thread, _| thread_name::keep(thread.uid(false), name)).flatten()
}
