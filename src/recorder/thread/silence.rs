//! Threads that are not sampled while others are: jemalloc's `prof.thread_active_init` and
//! `thread.prof.active`.
//!
//! A thread that is sampled pays nothing for the question: it is asked only where a thread is about to draw
//! its first gap, and one that is not sampled never draws one.

use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use super::super::DORMANT;
use super::Thread;
use crate::platform::tls::PARKED;

/// Are threads that begin now sampled? Written by the start, and by the program.
static NEW_SAMPLED: AtomicBool = AtomicBool::new(true);

/// Did a user switch sampling on for all threads that have not chosen by themselves? Written by any thread,
/// never taken back.
static ALL_SAMPLED: AtomicBool = AtomicBool::new(false);

/// Are threads that begin now sampled?
pub fn is_new_sampled() -> bool {
    NEW_SAMPLED.load(Relaxed)
}

/// Shall threads that begin from now on be sampled? Returns what was so before.
pub fn set_new_sampled(sampled: bool) -> bool {
    NEW_SAMPLED.swap(sampled, Relaxed)
}

/// From now on every thread is sampled that has not chosen otherwise.
pub fn end() {
    ALL_SAMPLED.store(true, Relaxed);
    NEW_SAMPLED.store(true, Relaxed);
}

impl Thread {
    /// Is this thread sampled while sampling is on?
    pub fn is_sampled(&self) -> bool {
        let began = self.began_sampled || ALL_SAMPLED.load(Relaxed);
        self.chosen.unwrap_or(began)
    }

    /// The thread chooses for itself.
    pub fn choose(&mut self, sampled: bool) {
        self.chosen = Some(sampled);
    }

    /// The countdown of a thread that is not sampled: what it chose itself only it can take back.
    pub(super) fn silence(&self) -> u64 {
        match self.chosen {
            Some(_) => PARKED,
            None => DORMANT.load(Relaxed),
        }
    }
}
