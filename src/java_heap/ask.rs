//! How threads that may not enter the JVM ask the helper to do it.
//!
//! A thread of ours is unknown to libc. It notes here what to do, wakes the helper, and waits until
//! the helper has answered, the JVM is gone, or the waiting time is over.
//!
//! Source: futex(2).

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::{COLLECT_FIRST, is_open};
use crate::platform::sys;

/// How many requests there were, and the number of the last one answered. Release by the thread
/// that counts up pairs with Acquire by the thread that waits for it.
static ASKED: AtomicU32 = AtomicU32::new(0);
static ANSWERED: AtomicU32 = AtomicU32::new(0);

/// What to do: a bit for each [`Work`]. Set by the asking thread with Release, before [`ASKED`];
/// taken by the helper with Acquire.
static WORK: AtomicU32 = AtomicU32::new(0);

/// The longest that an asking thread waits, usually and when a collection was asked for: a thread
/// that attaches waits for a collection that runs.
const PATIENCE_MS: u64 = 2_000;
const PATIENCE_COLLECTING_MS: u64 = 8_000;

/// After this time an asking thread looks whether the JVM still exists.
const SLICE_MS: u64 = 50;

/// What the helper can do.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Work {
    /// Find out what lives, after a collection if the configuration wants one.
    Sweep = 1,
    /// Make the JVM sample as the control wants.
    Settle = 2,
    /// Forget all samples.
    Forget = 4,
}

/// Sleeps until there is a request, runs `serve` for it, and wakes the threads that wait. On the
/// helper's thread.
pub fn answer(serve: impl FnOnce(u32)) {
    // Acquire: pairs with Release in `ask`.
    let asked = ASKED.load(Acquire);
    if asked == ANSWERED.load(Relaxed) {
        sys::futex_wait(&ASKED, asked);
        return;
    }
    serve(WORK.swap(0, AcqRel));
    // Release: pairs with Acquire in `ask`.
    ANSWERED.store(asked, Release);
    sys::futex_wake(&ANSWERED, u32::MAX >> 1);
}

/// The JVM is gone. Makes the waiting threads look again, and lets the helper's thread end, so that
/// it is not the last thread of a program whose own threads end.
pub fn release() {
    sys::futex_wake(&ANSWERED, u32::MAX >> 1);
    ASKED.fetch_add(1, Release);
    sys::futex_wake(&ASKED, 1);
}

/// Asks for `work`, and returns when it is done, the JVM is gone, or the waiting time is over. The
/// calling thread holds no lock at all.
pub fn ask(work: Work) {
    if !is_open() {
        return;
    }
    let collects = matches!(work, Work::Sweep) && COLLECT_FIRST.load(Relaxed);
    let patience = if collects {
        PATIENCE_COLLECTING_MS
    } else {
        PATIENCE_MS
    };
    let deadline = sys::monotonic_ms() + patience;
    // Release, both: pair with Acquire in `answer`.
    WORK.fetch_or(work as u32, Release);
    let asked = ASKED.fetch_add(1, Release).wrapping_add(1);
    sys::futex_wake(&ASKED, 1);
    while is_open() {
        // Acquire: pairs with Release in `answer`.
        let answered = ANSWERED.load(Acquire);
        let left = deadline.saturating_sub(sys::monotonic_ms());
        // A later answer, to a thread that asked meanwhile, counts for this one too.
        if answered.wrapping_sub(asked).cast_signed() >= 0 || left == 0 {
            return;
        }
        sys::futex_wait_for(&ANSWERED, answered, left.min(SLICE_MS));
    }
}
