//! The kernel's part: a futex, and a clock that stands still or has run out.
//!
//! The kernel compares the word and goes to sleep as one step, under a lock that the waking thread
//! takes too. Here that lock is loom's mutex. One condition variable serves all words. A thread
//! that is woken for another word looks again, as every caller must.

use std::sync::atomic::{AtomicBool, Ordering};

use loom::sync::{Condvar, Mutex};

use crate::atomic::AtomicU32;

loom::lazy_static! {
    static ref SLEEPERS: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());
}

/// Nobody has patience: each wait with a limit ends at once.
pub static TIME_IS_UP: AtomicBool = AtomicBool::new(false);

/// Sleeps while `word` is `expected`, or until somebody is woken.
pub fn futex_wait(word: &AtomicU32, expected: u32) {
    let (lock, woken) = &*SLEEPERS;
    let held = lock.lock().expect("no panic");
    if word.load(loom::sync::atomic::Ordering::SeqCst) == expected {
        drop(woken.wait(held).expect("no panic"));
    }
}

/// As [`futex_wait`]: time stands still.
pub fn futex_wait_for(word: &AtomicU32, expected: u32, _ms: u64) -> bool {
    futex_wait(word, expected);
    true
}

/// No program here has a sandbox.
pub fn is_sandboxed() -> bool {
    false
}

/// Wakes all.
pub fn futex_wake(_word: &AtomicU32, _count: u32) {
    let (lock, woken) = &*SLEEPERS;
    let _held = lock.lock().expect("no panic");
    woken.notify_all();
}

/// Now. When time is up every look at the clock is later than all deadlines before.
pub fn monotonic_ms() -> u64 {
    static LOOKS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    if TIME_IS_UP.load(Ordering::Relaxed) {
        LOOKS.fetch_add(1 << 20, Ordering::Relaxed)
    } else {
        0
    }
}
