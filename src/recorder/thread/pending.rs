//! Frees by signal handlers that interrupted our work on the tables. Such a handler must not touch
//! the tables, so it notes the address in the block of its thread, and the thread frees it when its
//! work is done.
//!
//! # Safety
//! Signal handlers of the same thread fill the list, so it consists of atomics and is reached by
//! pointer.
#![allow(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::Thread;

impl Thread {
    /// Adds to the pending list, in a signal handler of this thread. False when the list is full.
    ///
    /// # Safety
    /// `thread` is the calling thread's block.
    pub unsafe fn pend(thread: *mut Thread, address: usize) -> bool {
        // SAFETY: a shared view of two fields made of atomics.
        let (pending, any) = unsafe { (&(*thread).pending, &(*thread).has_pending) };
        any.store(true, Relaxed);
        pending
            .iter()
            .any(|slot| slot.compare_exchange(0, address, Relaxed, Relaxed).is_ok())
    }

    /// May there be something on the pending list?
    ///
    /// # Safety
    /// As [`Thread::pend`].
    #[inline(always)]
    pub unsafe fn has_pending(thread: *mut Thread) -> bool {
        // SAFETY: a shared view of an atomic.
        unsafe { &(*thread).has_pending }.load(Relaxed)
    }

    /// Takes one address from the pending list.
    ///
    /// # Safety
    /// As [`Thread::pend`].
    pub unsafe fn take_pending(thread: *mut Thread) -> Option<usize> {
        // SAFETY: as above.
        let (pending, any) = unsafe { (&(*thread).pending, &(*thread).has_pending) };
        if !any.load(Relaxed) {
            return None;
        }
        let taken = pending
            .iter()
            .map(|slot| slot.swap(0, Relaxed))
            .find(|address| *address != 0);
        if taken.is_none() {
            any.store(false, Relaxed);
        }
        taken
    }
}
