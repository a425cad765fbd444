//! Memory for the tables. The real arena gives zeroed memory, and zero is a valid atomic that was
//! never written. Here every word is one of loom's atomics, with the value 0.
//!
//! The allocating thread alone makes these atomics. If another thread looks at one without a
//! Release and an Acquire in between, loom reports it.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::RefCell;
use std::ptr::NonNull;

use loom::sync::atomic::{AtomicU64, Ordering};

const WORD: usize = size_of::<AtomicU64>();
const _: () = assert!(WORD == 8 && size_of::<crate::atomic::AtomicU32>() == WORD);

thread_local! {
    /// All memory that was given out since [`reset`]. loom runs all threads of a test on the test's
    /// thread.
    static PIECES: RefCell<Vec<(usize, Layout)>> = const { RefCell::new(Vec::new()) };
}

/// Takes everything back. At the start of each run of a test.
pub fn reset() {
    for (at, layout) in PIECES.take() {
        // SAFETY: allocated by `take` with this layout, and its run is over.
        unsafe { dealloc(at as *mut u8, layout) };
    }
}

fn take(size: usize) -> Option<NonNull<u8>> {
    let layout = Layout::from_size_align(size.next_multiple_of(WORD), 16).ok()?;
    // SAFETY: nobody asks for nothing.
    let piece = NonNull::new(unsafe { alloc_zeroed(layout) })?;
    let kept = (piece.as_ptr() as usize, layout);
    PIECES.with_borrow_mut(|pieces| pieces.push(kept));
    Some(piece)
}

/// A piece that stays, full of atomics.
pub fn alloc(layout: Layout) -> Option<NonNull<u8>> {
    let piece = take(layout.size())?;
    for word in 0..layout.size().div_ceil(WORD) {
        // SAFETY: within the piece, aligned by `take`.
        unsafe { piece.cast::<AtomicU64>().add(word).write(AtomicU64::new(0)) };
    }
    Some(piece)
}

/// A region, full of atomics.
pub fn map(len: usize) -> Option<NonNull<u8>> {
    alloc(Layout::from_size_align(len, WORD).ok()?)
}

/// What is read of a region by late readers reads as zero from now on: the kernel's work.
///
/// # Safety
/// As the real one. The region is one of the live table: two words of head, then a word for each
/// slot, then seven for each, which are no atomics any more.
pub unsafe fn retire(p: NonNull<u8>, len: usize) {
    let slots = (len / WORD - 2) / 8;
    for word in core::iter::once(0).chain(2..2 + slots) {
        // SAFETY: within the region, and an atomic since `alloc`.
        let word = unsafe { p.cast::<AtomicU64>().add(word).as_ref() };
        word.store(0, Ordering::Relaxed);
    }
}

/// Gives a region back: with the next [`reset`].
///
/// # Safety
/// As the real one.
pub unsafe fn unmap(_p: NonNull<u8>, _len: usize) {}
