//! Sorted, disjoint ranges in pieces of bounded length. One more range costs the same whether there
//! are ten or a million: a search over the pieces, and a move within one.
//!
//! Used under the lock of the table that owns them. A full piece is split in two, an empty one is unmapped.
//! Sparse neighbours are not joined: the number of pieces stays at what the largest number of
//! ranges needed. The kernel is called only for memory. Zero-initialised is empty.
#![allow(unsafe_code)]

use core::ptr::NonNull;

use crate::table::arena;

/// There is no memory for another range.
#[derive(Debug)]
pub struct Full;

/// What lies in the pieces: something at `[start, end)`.
///
/// # Safety
/// Every bit pattern of zeroed memory is a valid value.
pub unsafe trait Range: Copy {
    /// Its first address.
    fn start(&self) -> usize;

    /// One past its last address.
    fn end(&self) -> usize;
}

/// Bytes of a piece: the most that is ever moved.
const PIECE_BYTES: usize = 16 << 10;
/// Pieces that the first directory has room for: one page of them.
const FIRST: usize = 4096 / size_of::<Piece<()>>();

/// A region of [`PIECE_BYTES`], of which the first `len` ranges are in use.
#[derive(Debug)]
struct Piece<T> {
    region: *mut T,
    len: usize,
}

impl<T> Clone for Piece<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Piece<T> {}

impl<T: Range> Piece<T> {
    /// Ranges of a piece.
    const PIECE: usize = PIECE_BYTES / size_of::<T>();

    fn map() -> Result<Piece<T>, Full> {
        let region = arena::map(PIECE_BYTES).ok_or(Full)?.as_ptr().cast();
        Ok(Piece { region, len: 0 })
    }

    fn unmap(self) {
        if let Some(region) = NonNull::new(self.region) {
            // SAFETY: mapped by `map` with this size, and forgotten by the caller.
            unsafe { arena::unmap(region.cast(), PIECE_BYTES) };
        }
    }

    fn slots(&mut self) -> &mut [T] {
        // SAFETY: the region was mapped for that many ranges, every bit pattern of zeroed memory
        // is valid, and a piece is reached only by `&mut Pieces`.
        unsafe { core::slice::from_raw_parts_mut(self.region, Self::PIECE) }
    }

    fn ranges(&self) -> &[T] {
        // SAFETY: as in `slots`, with `&self` for as long as the slice lives.
        let slots = unsafe { core::slice::from_raw_parts(self.region, Self::PIECE) };
        slots.get(..self.len).unwrap_or_default()
    }

    fn ends_by(&self, start: usize) -> bool {
        let last = self.ranges().last();
        last.is_none_or(|last| last.end() <= start)
    }

    fn position(&self, start: usize) -> usize {
        self.ranges().partition_point(|range| range.end() <= start)
    }

    fn take(&mut self, at: usize) {
        let len = self.len;
        if let Some(ranges) = self.slots().get_mut(..len)
            && at < len
        {
            ranges.copy_within(at + 1.., at);
            self.len -= 1;
        }
    }

    /// There must be room.
    fn put(&mut self, range: T) {
        let (at, len) = (self.position(range.start()), self.len);
        let slots = self.slots();
        if len < slots.len() {
            slots.copy_within(at..len, at + 1);
            if let Some(slot) = slots.get_mut(at) {
                *slot = range;
                self.len += 1;
            }
        }
    }

    /// Moves the upper half to a new piece.
    fn split(&mut self) -> Result<Piece<T>, Full> {
        let mut upper = Piece::map()?;
        let middle = self.len / 2;
        for (to, from) in upper
            .slots()
            .iter_mut()
            .zip(self.ranges().iter().skip(middle))
        {
            *to = *from;
        }
        upper.len = self.len - middle;
        self.len = middle;
        Ok(upper)
    }
}

/// The ranges, by address. No piece is empty, unless it is the only one.
#[derive(Debug)]
pub struct Pieces<T> {
    directory: Option<NonNull<Piece<T>>>,
    room: usize,
    count: usize,
    ranges: usize,
}

impl<T: Range> Pieces<T> {
    /// No range, all zero.
    pub const EMPTY: Pieces<T> = Pieces {
        directory: None,
        room: 0,
        count: 0,
        ranges: 0,
    };

    /// How many ranges there are.
    pub fn len(&self) -> usize {
        self.ranges
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.ranges == 0
    }

    /// Calls `f` for each range.
    pub fn for_each(&mut self, f: &mut dyn FnMut(&T)) {
        for piece in self.pieces() {
            piece.ranges().iter().for_each(&mut *f);
        }
    }

    /// Removes the first range that ends after `start`, if it begins before `end`.
    pub fn take_first(&mut self, start: usize, end: usize) -> Option<T> {
        let at = self.position(start);
        let piece = self.pieces().get_mut(at)?;
        let within = piece.position(start);
        let range = *piece.ranges().get(within)?;
        if range.start() >= end {
            return None;
        }
        piece.take(within);
        let is_empty = piece.len == 0;
        self.ranges -= 1;
        if is_empty && self.count > 1 {
            self.drop_piece(at);
        }
        Some(range)
    }

    /// The range that holds `at`.
    pub fn find(&mut self, at: usize) -> Option<&mut T> {
        let piece = self.position(at);
        let piece = self.pieces().get_mut(piece)?;
        let (within, len) = (piece.position(at), piece.len);
        let range = piece.slots().get_mut(..len)?.get_mut(within)?;
        (range.start() <= at).then_some(range)
    }

    /// Adds a range that overlaps no other.
    pub fn put(&mut self, range: T) -> Result<(), Full> {
        if self.count == self.room {
            self.grow()?;
        }
        if self.count == 0 {
            self.insert_piece(0, Piece::map()?);
        }
        let mut at = self.position_for(range.start());
        let piece = self.pieces().get_mut(at).ok_or(Full)?;
        if piece.len == Piece::<T>::PIECE {
            let upper = piece.split()?;
            self.insert_piece(at + 1, upper);
            at = self.position_for(range.start());
        }
        self.pieces().get_mut(at).ok_or(Full)?.put(range);
        self.ranges += 1;
        Ok(())
    }

    /// Gives all memory back.
    pub fn clear(&mut self) {
        for piece in self.pieces() {
            piece.unmap();
        }
        self.unmap_directory();
        *self = Pieces::EMPTY;
    }

    fn unmap_directory(&mut self) {
        if let Some(directory) = self.directory.take() {
            // SAFETY: mapped by `grow` with this size; the only pointer to it is gone.
            unsafe { arena::unmap(directory.cast(), self.room * size_of::<Piece<T>>()) };
        }
    }

    fn grow(&mut self) -> Result<(), Full> {
        let room = (self.room * 2).max(FIRST);
        let fresh = arena::map(room * size_of::<Piece<T>>()).ok_or(Full)?;
        let mut grown = Pieces {
            directory: Some(fresh.cast()),
            room,
            ..*self
        };
        for (to, from) in grown.slots().iter_mut().zip(self.pieces()) {
            *to = *from;
        }
        self.unmap_directory();
        *self = grown;
        Ok(())
    }

    /// There must be room.
    fn insert_piece(&mut self, at: usize, piece: Piece<T>) {
        let count = self.count;
        let slots = self.slots();
        if count < slots.len() {
            slots.copy_within(at..count, at + 1);
            if let Some(slot) = slots.get_mut(at) {
                *slot = piece;
                self.count += 1;
            }
        }
    }

    fn drop_piece(&mut self, at: usize) {
        let pieces = self.pieces();
        if let Some(piece) = pieces.get(at).copied() {
            pieces.copy_within(at + 1.., at);
            self.count -= 1;
            piece.unmap();
        }
    }

    fn slots(&mut self) -> &mut [Piece<T>] {
        match self.directory {
            None => &mut [],
            // SAFETY: the region was mapped for `room` pieces, every bit pattern of zeroed memory
            // is valid, and `&mut self` is the only way to it.
            Some(first) => unsafe { core::slice::from_raw_parts_mut(first.as_ptr(), self.room) },
        }
    }

    fn pieces(&mut self) -> &mut [Piece<T>] {
        let count = self.count;
        self.slots().get_mut(..count).unwrap_or_default()
    }

    /// The first piece with a range that ends after `start`.
    fn position(&mut self, start: usize) -> usize {
        self.pieces().partition_point(|piece| piece.ends_by(start))
    }

    /// The piece that a range at `start` belongs to: the last piece takes what lies behind all
    /// others.
    fn position_for(&mut self, start: usize) -> usize {
        self.position(start).min(self.count.saturating_sub(1))
    }
}
