//! Keeps threads out of the tables while the process forks, so that the child finds them whole.
//!
//! A lock held over fork would be simpler, but it can deadlock: between our fork handler and the
//! fork itself glibc takes locks of its own (stdio's list), and their holder may be in malloc,
//! waiting for our lock. So no thread waits here for ever. A thread that finds the gate closed
//! waits a while and then continues without entering (a sample is lost, a free is postponed), and
//! no other thread waits for that fork. The forking thread waits a while for the threads inside and
//! then forks anyway. The child is told, and abandons the tables that it inherited.
//!
//! Every use of the tables is between [`ForkGate::enter`] and the drop of the pass; the fork
//! handlers close and open the gate. A thread inside waits for nothing but the tables' own locks,
//! and it may not enter twice.
//!
//! In the program's sandbox (`sys`) no thread can wait in the kernel. There one thread at a time is
//! inside, so that no lock of the tables is waited for, and a thread that finds another one inside
//! continues without entering.
//!
//! Orderings: a thread that enters counts itself and then looks whether the gate is closed. The
//! thread that closes it says so and then looks whether a thread is inside. Sequential consistency
//! makes one of them see the other (Dekker); it also orders what was written inside before the
//! fork.

use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicU32};

use crate::platform::sys;

/// Longest wait on either side.
const PATIENCE_MS: u64 = 200;

/// How often a thread looks where it cannot wait.
const LOOKS: u32 = 10_000;

/// The gate before the stack table, the live table and the list of threads.
pub static TABLES: ForkGate = ForkGate::new();

/// The gate. Zero is "open, no thread inside".
pub struct ForkGate {
    /// Threads inside. Written by every thread that passes.
    inside: AtomicU32,
    /// Forks in progress. Written by the fork handlers.
    closed: AtomicU32,
    /// The fork in progress was waited for in vain: it may itself wait for a thread that waits
    /// here. Written by a thread that gave up and, before each fork, by the forking thread. Read
    /// before a wait, to make it shorter; it publishes nothing.
    stalled: AtomicBool,
}

/// Proof of being inside; dropping it leaves.
#[must_use]
pub struct Pass<'a>(&'a ForkGate);

impl ForkGate {
    const fn new() -> ForkGate {
        ForkGate {
            inside: AtomicU32::new(0),
            closed: AtomicU32::new(0),
            stalled: AtomicBool::new(false),
        }
    }

    /// Enters; `None` when a fork takes too long.
    #[inline]
    pub fn enter(&self) -> Option<Pass<'_>> {
        if sys::is_sandboxed() {
            return self.enter_alone();
        }
        self.inside.fetch_add(1, SeqCst);
        if self.closed.load(SeqCst) == 0 {
            return Some(Pass(self));
        }
        self.leave();
        self.wait_and_enter()
    }

    #[cold]
    fn enter_alone(&self) -> Option<Pass<'_>> {
        for _ in 0..LOOKS {
            let is_alone = self.inside.compare_exchange(0, 1, SeqCst, Relaxed).is_ok();
            if is_alone && self.closed.load(SeqCst) == 0 {
                return Some(Pass(self));
            }
            if is_alone {
                self.leave();
            }
            core::hint::spin_loop();
        }
        None
    }

    #[cold]
    fn wait_and_enter(&self) -> Option<Pass<'_>> {
        let deadline = sys::monotonic_ms() + PATIENCE_MS;
        loop {
            let closed = self.closed.load(SeqCst);
            let left = deadline.saturating_sub(sys::monotonic_ms());
            let is_hopeless = left == 0 || self.stalled.load(Relaxed) || sys::is_sandboxed();
            if closed != 0 && is_hopeless {
                self.stalled.store(true, Relaxed);
                return None;
            }
            if closed != 0 {
                sys::futex_wait_for(&self.closed, closed, left);
                continue;
            }
            self.inside.fetch_add(1, SeqCst);
            if self.closed.load(SeqCst) == 0 {
                return Some(Pass(self));
            }
            self.leave();
        }
    }

    fn leave(&self) {
        if self.inside.fetch_sub(1, SeqCst) == 1 && self.closed.load(SeqCst) != 0 {
            sys::futex_wake(&self.inside, 1);
        }
    }

    /// Closes the gate before a fork. True when no thread is inside.
    pub fn close(&self) -> bool {
        if self.closed.fetch_add(1, SeqCst) == 0 {
            self.stalled.store(false, Relaxed);
        }
        let deadline = sys::monotonic_ms() + PATIENCE_MS;
        let mut looks = 0;
        loop {
            let inside = self.inside.load(SeqCst);
            let left = deadline.saturating_sub(sys::monotonic_ms());
            if inside == 0 || left == 0 || looks == LOOKS {
                return inside == 0;
            }
            looks += u32::from(sys::is_sandboxed());
            sys::futex_wait_for(&self.inside, inside, left);
        }
    }

    /// Opens it in the parent.
    pub fn open(&self) {
        self.closed.fetch_sub(1, SeqCst);
        sys::futex_wake(&self.closed, u32::MAX >> 1);
    }

    /// Opens it in the child, where the caller is the only thread.
    pub fn reset(&self) {
        self.inside.store(0, Relaxed);
        self.closed.store(0, Relaxed);
    }
}

impl Drop for Pass<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    #[test]
    fn nobody_is_inside_while_it_is_closed() {
        let gate = ForkGate::new();
        let (forking, stop) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(SeqCst) {
                        let pass = gate.enter().expect("forks here are short");
                        assert!(!forking.load(SeqCst));
                        drop(pass);
                    }
                });
            }
            for _ in 0..2000 {
                assert!(gate.close());
                forking.store(true, SeqCst);
                std::hint::spin_loop();
                forking.store(false, SeqCst);
                gate.open();
            }
            stop.store(true, SeqCst);
        });
    }

    #[test]
    fn neither_side_waits_for_ever() {
        let gate = ForkGate::new();
        let inside = gate.enter().expect("open");
        assert!(!gate.close(), "somebody stays inside");
        assert!(gate.enter().is_none(), "it stays closed");
        assert!(gate.enter().is_none(), "and is not waited for again");
        drop(inside);
        gate.open();
        assert!(gate.enter().is_some());
        assert!(gate.close());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| gate.enter().is_some());
            std::thread::sleep(Duration::from_millis(20));
            gate.open();
            assert!(waiting.join().expect("no panic"), "let in when it opens");
        });
    }
}
