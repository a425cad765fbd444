//! How threads that may not enter the JVM have the helper do what needs it.
//!
//! A thread of ours is unknown to libc: it says here what is to be done, wakes the helper, and waits
//! until that has answered, the JVM is gone, or patience is at its end.
//!
//! Source: futex(2).

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::{COLLECT_FIRST, is_open};
use crate::platform::sys;

/// How often was asked, and the number that was answered last. Release by who counts up pairs with
/// Acquire by who waits for it.
static ASKED: AtomicU32 = AtomicU32::new(0);
static ANSWERED: AtomicU32 = AtomicU32::new(0);

/// What is to be done, a bit for each [`Work`]. Set by who asks, with Release, before [`ASKED`];
/// taken by the helper with Acquire.
static WORK: AtomicU32 = AtomicU32::new(0);

/// Longest that an asker waits, as a rule and when a collection was asked for: a thread that wants in
/// waits for a collection under way.
const PATIENCE_MS: u64 = 2_000;
const PATIENCE_COLLECTING_MS: u64 = 8_000;

/// After so long an asker looks whether the JVM is still there.
const SLICE_MS: u64 = 50;

/// What the helper can do.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Work {
    /// Learn what lives, after a collection if the configuration wants one.
    Sweep = 1,
    /// Have the JVM sample as the control wants.
    Settle = 2,
    /// Forget all samples.
    Forget = 4,
}

/// Sleeps until something is asked for, has `serve` do it, and wakes who waits. On the helper's thread.
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

/// The JVM is gone: lets those who wait look again, and the thread end, so that it is not the last
/// one of a program whose own threads end.
pub fn release() {
    sys::futex_wake(&ANSWERED, u32::MAX >> 1);
    ASKED.fetch_add(1, Release);
    sys::futex_wake(&ASKED, 1);
}

/// Has `work` done, and returns when it is, the JVM is gone, or patience is at its end. For a thread
/// that holds no lock of anybody's.
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
        // A later answer, to one who asked meanwhile, does for this one too.
        if answered.wrapping_sub(asked).cast_signed() >= 0 || left == 0 {
            return;
        }
        sys::futex_wait_for(&ANSWERED, answered, left.min(SLICE_MS));
    }
}
