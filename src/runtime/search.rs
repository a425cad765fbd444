//! The search for a runtime that has not been found yet: does the stack of a sample lead through an object
//! that has one of its functions? A runtime may be the program itself, or a library that is opened later.
//!
//! Most processes never have it, so a process searches less often the longer it runs. It runs on the sampled
//! path, and asks the loader nothing that takes its lock.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use crate::platform::elf::{Object, Symbol};
use crate::unwind::modules;

/// The time between two searches is a quarter of the process's age, between these bounds.
const LEAST_MS: u64 = 10;
const MOST_MS: u64 = 2000;

/// When to search next, in milliseconds of the recorder's clock. Any thread writes.
pub struct Search(AtomicU64);

impl Search {
    /// At the first sample.
    pub const fn new() -> Search {
        Search(AtomicU64::new(0))
    }

    /// Is it time?
    #[inline]
    pub fn is_due(&self, now_ms: u64) -> bool {
        now_ms >= self.0.load(Relaxed)
    }

    /// Never again.
    pub fn stop(&self) {
        self.0.store(u64::MAX, Relaxed);
    }

    /// True for one thread when it is time; then it is not for a while.
    pub fn begin(&self, now_ms: u64) -> bool {
        let due = self.0.load(Relaxed);
        let next = now_ms.saturating_add((now_ms / 4).clamp(LEAST_MS, MOST_MS));
        let exchange = || self.0.compare_exchange(due, next, Relaxed, Relaxed);
        now_ms >= due && exchange().is_ok()
    }
}

/// The first object through which a stack leads that defines the function `name`, with that function. The
/// frames are on the stack of this thread, so their objects stay.
pub fn object_with(frames: &[u64], name: &[u8]) -> Option<(Object, Symbol)> {
    let mut last = None;
    let objects = frames.iter().filter_map(|pc| modules::object(*pc));
    let mut others = objects.filter(|object| last.replace(*object) != Some(*object));
    others.find_map(|object| Some((object, object.symbol(name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_process_searches_seldom() {
        let search = Search::new();
        assert!(search.begin(0));
        assert!(!search.is_due(9) && !search.begin(9));
        assert!(search.begin(10) && !search.begin(19) && search.begin(1_000));
        assert!(!search.begin(1_249) && search.begin(100_000));
        assert!(!search.begin(101_999) && search.begin(102_000));
        search.stop();
        assert!(!search.begin(u64::MAX - 1));
    }
}
