//! Pieces of memory that are needed for a moment: too large for the stack of a thread that may be
//! near its end, and too large to be kept for each of many threads.
//!
//! The runtimes and the Java heap have one pool each. The pieces come from the arena, one for each
//! thread that needs one at the same moment, and are used again. No thread waits: one that finds
//! all pieces in use continues without.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ops::{Deref, DerefMut};
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU64};

use crate::table::arena;

/// Pieces, one bit of `taken` each.
const PIECES: usize = u64::BITS as usize;

/// The pieces of one kind. All zero: no piece is made yet.
pub struct Pool<T> {
    /// Which pieces are in use. Acquire on taking pairs with Release on giving back.
    taken: AtomicU64,
    /// Null until first used. Written by the thread that has taken the bit.
    pieces: [AtomicPtr<T>; PIECES],
}

/// A piece in use, with the contents that its last user left.
pub struct Piece<T: 'static> {
    pool: &'static Pool<T>,
    number: usize,
    at: NonNull<T>,
}

impl<T> Pool<T> {
    /// A pool without pieces.
    ///
    /// # Safety
    /// Zeroed memory is a valid `T`, and a `T` may go from thread to thread.
    pub const unsafe fn new() -> Pool<T> {
        Pool {
            taken: AtomicU64::new(0),
            pieces: [const { AtomicPtr::new(null_mut()) }; PIECES],
        }
    }

    /// Takes a piece; `None` when all are in use, or there is no memory.
    pub fn take(&'static self) -> Option<Piece<T>> {
        let mut number = PIECES;
        let taken = self.taken.fetch_update(AcqRel, Acquire, |taken| {
            number = taken.trailing_ones() as usize;
            (number < PIECES).then(|| taken | 1 << number)
        });
        taken.ok()?;
        let at = self.piece(number);
        if at.is_none() {
            self.give_back(number);
        }
        let pool = self;
        at.map(|at| Piece { pool, number, at })
    }

    /// The piece whose bit the caller has taken.
    fn piece(&self, number: usize) -> Option<NonNull<T>> {
        let slot = self.pieces.get(number)?;
        let known = NonNull::new(slot.load(Relaxed));
        known.or_else(|| {
            let fresh = arena::alloc(Layout::new::<T>())?.cast::<T>();
            slot.store(fresh.as_ptr(), Relaxed);
            Some(fresh)
        })
    }

    fn give_back(&self, number: usize) {
        // Release: pairs with Acquire in `take`.
        self.taken.fetch_and(!(1 << number), Release);
    }

    /// Forgets all pieces.
    ///
    /// # Safety
    /// As `arena::abandon`, which is called with it.
    pub unsafe fn abandon(&self) {
        for piece in &self.pieces {
            piece.store(null_mut(), Relaxed);
        }
        self.taken.store(0, Release);
    }
}

impl<T> Deref for Piece<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: arena memory of that layout, valid from the start (`Pool::new`), never freed, and
        // the piece is ours.
        unsafe { self.at.as_ref() }
    }
}

impl<T> DerefMut for Piece<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { self.at.as_mut() }
    }
}

impl<T> Drop for Piece<T> {
    fn drop(&mut self) {
        self.pool.give_back(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_has_one_user() {
        // SAFETY: zeroed words are words.
        static POOL: Pool<[u64; 100]> = unsafe { Pool::new() };
        let mut pieces: Vec<_> = (0..PIECES).map(|_| POOL.take().expect("one")).collect();
        assert!(POOL.take().is_none());
        let places: std::collections::HashSet<_> = pieces.iter().map(|piece| piece.at).collect();
        assert_eq!(places.len(), PIECES);
        pieces[5][99] = 7;
        let number = pieces[5].number;
        drop(pieces.remove(5));
        let again = POOL.take().expect("the one given back");
        assert_eq!((again.number, again[99]), (number, 7));
        // SAFETY: only this thread knows the pool.
        unsafe { POOL.abandon() };
        assert_eq!(POOL.take().expect("a fresh one")[99], 0);
    }
}
