//! Room for one stack while it is put together: too large for the stack of a thread that may be
//! near its end.
//!
//! Called by `sample`. The pieces come from the arena, one for each thread that samples at the same
//! moment, and are used again by whoever comes next.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU64};

use super::jvmti::FrameInfo;
use crate::arena;

/// Deepest Java stack that is kept.
pub const MOST: usize = 512;

/// Pieces, one bit of [`TAKEN`] each.
const PIECES: usize = u64::BITS as usize;

/// Which pieces are in use. Acquire on taking pairs with Release on giving back.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// The pieces; null until first used. Written by who has taken the bit.
static POOL: [AtomicPtr<Room>; PIECES] = [const { AtomicPtr::new(null_mut()) }; PIECES];

/// The room itself; zero is valid.
pub struct Room {
    /// As the JVM says it.
    pub infos: [FrameInfo; MOST],
    /// The object's class and the frames.
    pub frames: [u64; MOST + 1],
}

/// A piece in use.
pub struct Scratch {
    number: usize,
    room: *mut Room,
}

/// Takes a piece; `None` when all are in use, or there is no memory.
pub fn take() -> Option<Scratch> {
    let mut number = PIECES;
    let taken = TAKEN.fetch_update(AcqRel, Acquire, |taken| {
        number = taken.trailing_ones() as usize;
        (number < PIECES).then(|| taken | 1 << number)
    });
    taken.ok()?;
    let mut scratch = Scratch {
        number,
        room: null_mut(),
    };
    let slot = POOL.get(number)?;
    scratch.room = slot.load(Relaxed);
    if scratch.room.is_null() {
        scratch.room = arena::alloc(Layout::new::<Room>())?.cast().as_ptr();
        slot.store(scratch.room, Relaxed);
    }
    Some(scratch)
}

impl Scratch {
    /// The room.
    pub fn room(&mut self) -> &mut Room {
        // SAFETY: arena memory of that layout, zeroed, this piece's alone, and the piece is ours.
        unsafe { &mut *self.room }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Release: pairs with Acquire in `take`.
        TAKEN.fetch_and(!(1 << self.number), Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_has_one_user() {
        let mut pieces: Vec<_> = (0..PIECES).map(|_| take().expect("a piece")).collect();
        assert!(take().is_none());
        let rooms: std::collections::HashSet<_> = pieces.iter().map(|piece| piece.room).collect();
        assert_eq!(rooms.len(), PIECES);
        pieces[5].room().frames[MOST] = 7;
        let number = pieces[5].number;
        drop(pieces.remove(5));
        assert_eq!(take().expect("the one given back").number, number);
    }
}
