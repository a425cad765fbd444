//! What a fork does to the tables: kept whole for the child, or abandoned by it.
//!
//! It runs in the fork handlers and, for children of forks that ran none (`_Fork`, raw clone),
//! at the next sample: a wiped word shows such a fork.
//!
//! # Safety
//! See `recorder`; the child of a fork has one thread.
#![allow(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicPtr, AtomicU32};

use super::thread::{self, current_thread};
use super::{LIVE, MAP_STACKS, RANGES, STACKS, reseed};
use crate::diag::{self, Counter};
use crate::table::frame_table::FRAMES;
use crate::{
    platform::{sys, tls},
    runtime,
    table::{arena, fork_gate},
    unwind,
};

/// The process whose samples these are. Written by [`watch`] and in a fork's child.
static PID: AtomicU32 = AtomicU32::new(0);

/// A word that a child made by a fork without our handlers finds wiped to zero (MADV_WIPEONFORK).
/// Null before `boot` and where the kernel cannot do it. Written by `boot`.
static FORK_WORD: AtomicPtr<AtomicU32> = AtomicPtr::new(core::ptr::null_mut());

/// The process whose samples these are. A vfork child shares our memory, and is another.
pub fn pid() -> u32 {
    PID.load(Relaxed)
}

/// Is this a child that runs in our process's memory (vfork, CLONE_VM)? What is kept here is then not its
/// own.
pub fn is_borrowed() -> bool {
    // SAFETY: null, or the page that `watch` mapped for good.
    let word = unsafe { FORK_WORD.load(Relaxed).as_ref() };
    let is_whole = word.is_some_and(|word| word.load(Relaxed) != 0);
    is_whole && sys::getpid().unsigned_abs() != pid()
}

/// Begins to watch for forks, at the start.
pub(super) fn watch() {
    PID.store(sys::getpid().unsigned_abs(), Relaxed);
    let Some(word) = sys::mmap_anon(sys::PAGE) else {
        return;
    };
    // SAFETY: the page is ours; WIPEONFORK (Linux 4.14) changes only what a child sees of it.
    if unsafe { sys::madvise(word, sys::PAGE, libc::MADV_WIPEONFORK) } != 0 {
        // SAFETY: never published.
        unsafe { sys::munmap(word, sys::PAGE) };
        return;
    }
    FORK_WORD.store(word.as_ptr().cast(), Relaxed);
    announce_fork();
}

/// How a fork found the tables: the thread was inside them (a signal handler forks), others stayed
/// inside too long, or nobody was inside and the child inherits them whole.
const INSIDE: u32 = 0;
const CROWDED: u32 = 1;
const WHOLE: u32 = 2;

/// Before fork, by our handler: keeps other threads out of the tables.
pub fn before_fork() {
    let tls = tls::current();
    if tls.forks.fetch_add(1, Relaxed) == 0 {
        let state = match tls.before_fork().then(|| fork_gate::TABLES.close()) {
            None => INSIDE,
            Some(false) => CROWDED,
            Some(true) => WHOLE,
        };
        tls.fork_state.store(state, Relaxed);
    }
}

/// After fork, in the parent.
pub fn after_fork_in_parent() {
    let tls = tls::current();
    if tls.forks.fetch_sub(1, Relaxed) == 1 && tls.fork_state.load(Relaxed) != INSIDE {
        fork_gate::TABLES.open();
        tls.after_fork();
    }
}

/// After fork, in the child. What is not whole is abandoned at the next sample, by the wiped word;
/// not here, where an interrupted thread may still be in the midst of it.
pub fn after_fork_in_child(seed: u64) {
    let tls = tls::current();
    let is_last = tls.forks.fetch_sub(1, Relaxed) == 1;
    let state = tls.fork_state.load(Relaxed);
    reseed(seed);
    if is_last && state != INSIDE {
        fork_gate::TABLES.reset();
        tls.after_fork();
        // The inherited countdown belongs to the parent; this thread draws its own.
        tls.countdown.store(0, Relaxed);
    }
    if is_last && state == WHOLE {
        PID.store(sys::getpid().unsigned_abs(), Relaxed);
        announce_fork();
        // SAFETY: the block of this very thread, the only one here.
        if let Some(thread) = unsafe { current_thread().as_mut() } {
            thread.refresh_tid();
        }
    }
}

fn announce_fork() {
    // SAFETY: null, or the page that `watch` mapped for good.
    if let Some(word) = unsafe { FORK_WORD.load(Relaxed).as_ref() } {
        word.store(1, Relaxed);
    }
}

/// In the child of a fork that ran no handlers: abandons what another thread of the parent may
/// have left half-written, and starts afresh. True when it did.
pub(super) fn abandon_if_wiped() -> bool {
    // SAFETY: null, or the page that `watch` mapped for good.
    let Some(word) = (unsafe { FORK_WORD.load(Relaxed).as_ref() }) else {
        return false;
    };
    if word.load(Relaxed) != 0 {
        return false;
    }
    word.store(1, Relaxed);
    // SAFETY: WIPEONFORK zeroed the word, so this is a new process, whose only thread we are; all
    // pointers into the arena are dropped here.
    unsafe {
        arena::abandon();
        STACKS.abandon();
        FRAMES.abandon();
        LIVE.abandon();
        MAP_STACKS.abandon();
        RANGES.abandon();
        runtime::abandon();
        unwind::abandon();
    }
    thread::abandon();
    fork_gate::TABLES.reset();
    PID.store(sys::getpid().unsigned_abs(), Relaxed);
    tls::current().thread.store(core::ptr::null_mut(), Relaxed);
    diag::count(Counter::ForkAbandoned);
    true
}
