//! How threads wake the helper, and whether there is one.
//!
//! Source: futex(2).

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::platform::sys;

/// The process in which the helper runs; 0: it runs in none. Written in the constructor.
static RUNS_IN: AtomicU32 = AtomicU32::new(0);

/// Questions so far; the helper sleeps on this. Written by threads that ask.
static QUESTIONS: AtomicU32 = AtomicU32::new(0);

/// The helper runs in this process from now on.
pub fn begin() {
    RUNS_IN.store(sys::getpid().unsigned_abs(), SeqCst);
}

/// Does the helper run in this process? Not in a fork's child.
pub fn runs_here() -> bool {
    RUNS_IN.load(Relaxed) == sys::getpid().unsigned_abs()
}

/// There is a question.
pub fn wake() {
    QUESTIONS.fetch_add(1, SeqCst);
    sys::futex_wake(&QUESTIONS, 1);
}

/// Questions so far. To be taken before they are answered.
pub fn questions() -> u32 {
    QUESTIONS.load(SeqCst)
}

/// Sleeps until there are more questions than `seen`.
pub fn wait(seen: u32) {
    sys::futex_wait(&QUESTIONS, seen);
}
