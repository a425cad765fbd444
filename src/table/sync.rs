//! A lock that neither allocates nor calls pthread, for the tables and the few cold rooms that
//! share state.
//!
//! It guards no data by type: a comment at each lock says what it protects. It may not be taken
//! twice by one thread, nor while another lock of ours is held. Zero is "unlocked", so a static
//! full of them lives in `.bss`. If a thread holds one while another thread forks,
//! [`SpinLock::force_unlock`] frees it in the child. In the program's sandbox (`sys`) no thread can
//! be put to sleep or woken: there a thread spins, and one that slept when the sandbox went up
//! wakes by itself. Source: Drepper, "Futexes are tricky", mutex 2.
#![allow(unsafe_code)]

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::platform::sys;

const FREE: u32 = 0;
const TAKEN: u32 = 1;
/// Taken, and another thread may sleep on it: the thread that frees it must wake.
const AWAITED: u32 = 2;

/// How often a thread looks before it sleeps: our critical sections are some hundred instructions,
/// a futex call is a thousand.
const SPINS: u32 = 100;

/// Longest sleep: the thread that frees the lock may have lost the right to wake meanwhile.
const NAP_MS: u64 = 50;

/// A mutex of one word: spins for a short time, then sleeps in the kernel.
#[derive(Debug, Default)]
pub struct SpinLock {
    /// Written by the threads that lock and unlock. Acquire on taking pairs with Release on
    /// freeing, so that each holder sees what the last one wrote.
    state: AtomicU32,
}

/// Holds a [`SpinLock`]; dropping it frees the lock.
#[derive(Debug)]
#[must_use = "the lock is free again as soon as this is dropped"]
pub struct LockGuard<'a> {
    lock: &'a SpinLock,
}

impl SpinLock {
    /// An unlocked lock, all zero.
    pub const fn new() -> Self {
        Self {
            state: AtomicU32::new(FREE),
        }
    }

    /// Takes the lock; waits for it if necessary.
    #[inline]
    pub fn lock(&self) -> LockGuard<'_> {
        // Acquire: pairs with the Release in `unlock`. Relaxed on failure: nothing was entered.
        if self
            .state
            .compare_exchange(FREE, TAKEN, Acquire, Relaxed)
            .is_err()
        {
            self.lock_contended();
        }
        LockGuard { lock: self }
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> Option<LockGuard<'_>> {
        // Orderings as in `lock`.
        self.state
            .compare_exchange(FREE, TAKEN, Acquire, Relaxed)
            .ok()
            .map(|_| LockGuard { lock: self })
    }

    #[cold]
    fn lock_contended(&self) {
        for _ in 0..SPINS {
            // Relaxed: only a look; the exchange takes it.
            if self.state.load(Relaxed) == FREE
                && self
                    .state
                    .compare_exchange(FREE, TAKEN, Acquire, Relaxed)
                    .is_ok()
            {
                return;
            }
            core::hint::spin_loop();
        }
        // From here on this thread holds it as AWAITED even if no other thread sleeps: one wake too
        // many is harmless, one too few is a deadlock. Acquire: as in `lock`, when the exchange
        // finds it free.
        while self.state.swap(AWAITED, Acquire) != FREE {
            sys::futex_wait_for(&self.state, AWAITED, NAP_MS);
            core::hint::spin_loop();
        }
    }

    /// Frees the lock: the guard does this at its end.
    ///
    /// # Safety
    /// The calling thread holds the lock and no guard of it is left.
    #[inline]
    unsafe fn unlock(&self) {
        // Release: pairs with the Acquire of the next holder.
        if self.state.swap(FREE, Release) == AWAITED {
            sys::futex_wake(&self.state, 1);
        }
    }

    /// Frees the lock for any holder, and wakes no thread.
    ///
    /// # Safety
    /// The caller is the only thread of its process (a fork's child), so the holder and all waiting
    /// threads are gone. What the lock protects is whole or about to be abandoned.
    pub unsafe fn force_unlock(&self) {
        // Relaxed: there is no second thread to order against, and starting one later orders by
        // itself.
        self.state.store(FREE, Relaxed);
    }
}

impl Drop for LockGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this guard is the proof that the lock is held, and it ends here.
        unsafe { self.lock.unlock() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::UnsafeCell;

    struct Guarded {
        lock: SpinLock,
        value: UnsafeCell<(u64, u64)>,
    }

    // SAFETY: `value` is touched only under `lock`.
    unsafe impl Sync for Guarded {}

    #[test]
    fn one_at_a_time() {
        let rounds = if cfg!(miri) { 20 } else { 20_000 };
        let shared = Guarded {
            lock: SpinLock::new(),
            value: UnsafeCell::new((0, 0)),
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let shared = &shared;
                scope.spawn(move || {
                    for _ in 0..rounds {
                        let _held = shared.lock.lock();
                        // SAFETY: the lock is held.
                        let pair = unsafe { &mut *shared.value.get() };
                        assert_eq!(pair.0, pair.1);
                        pair.0 += 1;
                        pair.1 += 1;
                    }
                });
            }
        });
        assert_eq!(shared.value.into_inner(), (4 * rounds, 4 * rounds));
    }

    #[test]
    fn try_lock_does_not_wait() {
        let lock = SpinLock::new();
        let held = lock.try_lock().expect("it is free");
        assert!(lock.try_lock().is_none());
        drop(held);
        assert!(lock.try_lock().is_some());
    }

    #[test]
    fn a_sleeper_is_woken() {
        let lock = SpinLock::new();
        std::thread::scope(|scope| {
            let held = lock.lock();
            let waiter = scope.spawn(|| drop(lock.lock()));
            while lock.state.load(Relaxed) != AWAITED {
                std::thread::yield_now();
            }
            drop(held);
            waiter.join().expect("the waiter got it");
        });
        assert_eq!(lock.state.load(Relaxed), FREE);
    }

    #[test]
    fn a_lost_lock_can_be_forced() {
        let lock = SpinLock::new();
        core::mem::forget(lock.lock());
        assert!(lock.try_lock().is_none());
        // SAFETY: no other thread knows this lock.
        unsafe { lock.force_unlock() };
        core::mem::forget(lock.lock());
        // SAFETY: held by the line above, without a guard.
        unsafe { lock.unlock() };
        assert!(lock.try_lock().is_some());
    }
}
