//! All memory of the library: it comes from the kernel, counts against a ceiling, and is never the
//! host's heap.
//!
//! The tables, the per-thread blocks and the dump's buffers are here. [`map`] and [`unmap`] serve
//! regions that grow by being replaced; [`alloc`] returns pieces that stay for ever. Nothing here
//! takes a lock, so it may be called under any lock of ours. Each growth is one mmap(2). At the
//! ceiling [`exhausted`] is set and stays set: sampling stops, the program continues. Where the
//! kernel refuses memory, one sample is lost and the next one asks again: a process may be short of
//! memory for a moment. In the program's sandbox the kernel is not asked: only memory that exists
//! can be used.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize};

use crate::diag::{self, Counter};
use crate::platform::sys;

/// The ceiling until the configuration says otherwise; `prof_mem_max` has the same default.
pub const DEFAULT_CEILING: usize = 256 << 20;

/// Bytes that the bump allocator asks the kernel for at a time. A piece larger than a quarter of it
/// gets a region of its own.
const CHUNK: usize = 256 << 10;

/// Written once by the configuration, read at each growth. Relaxed: the number refers to nothing
/// else.
static CEILING: AtomicUsize = AtomicUsize::new(DEFAULT_CEILING);
/// Bytes mapped now. Written at each growth and return. The addition itself decides which growth is
/// within the ceiling, so Relaxed is enough.
static USED: AtomicUsize = AtomicUsize::new(0);
/// Set when the ceiling is reached first, cleared by `abandon`. Relaxed: a hint to stop sampling,
/// no data depends on it.
static EXHAUSTED: AtomicBool = AtomicBool::new(false);
/// The chunk that pieces are cut from. Written by a thread that found it full: Release there pairs
/// with Acquire in `alloc`, so that the header is seen filled in. Chunks are never unmapped, so ABA
/// cannot happen.
static CURRENT: AtomicPtr<Chunk> = AtomicPtr::new(core::ptr::null_mut());

/// Bytes of [`RESERVE`]: a configuration and the block of a thread.
const RESERVED: usize = 1008;

/// Where the first small pieces come from. A process that samples nothing, like most that a shell
/// starts, needs no memory but this, which lies beside our other variables.
static RESERVE: Reserve = Reserve {
    bytes: UnsafeCell::new([0; RESERVED]),
    cursor: AtomicUsize::new(0),
};

#[repr(C, align(16))]
struct Reserve {
    bytes: UnsafeCell<[u8; RESERVED]>,
    /// As [`Chunk::cursor`]. [`abandon`] does not reset it: the configuration stays.
    cursor: AtomicUsize,
}

// SAFETY: each byte belongs to the caller that `Reserve::cut` gave it to; no other code reads or
// writes it.
unsafe impl Sync for Reserve {}

impl Reserve {
    fn cut(&self, layout: Layout) -> Option<NonNull<u8>> {
        if layout.align() > align_of::<Reserve>() {
            return None;
        }
        let start = cut(&self.cursor, layout, RESERVED)?;
        NonNull::new(self.bytes.get().cast::<u8>().wrapping_add(start))
    }
}

/// The head of each chunk.
struct Chunk {
    /// Offset of the first free byte; grows only. Relaxed: the exchange gives each byte to one
    /// thread, and that thread publishes what it writes there.
    cursor: AtomicUsize,
}

/// Sets the ceiling. Memory that is held already stays.
pub fn set_ceiling(bytes: usize) {
    CEILING.store(bytes, Relaxed);
}

/// Bytes mapped now.
pub fn used() -> usize {
    USED.load(Relaxed)
}

/// Whether the ceiling was reached since the start: then sampling stops.
#[inline]
pub fn exhausted() -> bool {
    EXHAUSTED.load(Relaxed)
}

fn whole_pages(len: usize) -> Option<usize> {
    len.checked_next_multiple_of(sys::PAGE)
}

/// A zeroed region of at least `len` bytes in whole pages, or `None` when the ceiling or the kernel
/// forbids it.
pub fn map(len: usize) -> Option<NonNull<u8>> {
    if sys::is_sandboxed() {
        return None;
    }
    let len = whole_pages(len)?;
    let before = USED.fetch_add(len, Relaxed);
    let within = before
        .checked_add(len)
        .is_some_and(|sum| sum <= CEILING.load(Relaxed));
    let region = if within { sys::mmap_anon(len) } else { None };
    if region.is_none() {
        USED.fetch_sub(len, Relaxed);
        // Memory that the kernel refuses now it may give later.
        if within || !EXHAUSTED.swap(true, Relaxed) {
            diag::count(Counter::ArenaExhausted);
        }
    }
    region
}

/// Gives a region back.
///
/// # Safety
/// `map(len)` returned `p`, with the same `len`, and nothing points into it any more.
pub unsafe fn unmap(p: NonNull<u8>, len: usize) {
    if let Some(len) = whole_pages(len) {
        // SAFETY: the region is whole pages from `sys::mmap_anon`, by the contract above.
        unsafe { sys::munmap(p, len) };
        USED.fetch_sub(len, Relaxed);
    }
}

/// Gives the pages of a region back and leaves its addresses mapped, where they read as zero: for a
/// region that a late reader may still look at.
///
/// # Safety
/// `map(len)` returned `p`, with the same `len`, and nothing relies on its contents.
pub unsafe fn retire(p: NonNull<u8>, len: usize) {
    if let Some(len) = whole_pages(len) {
        // SAFETY: whole pages of a region of ours, by the contract above. Where the kernel refuses,
        // they stay as they are.
        unsafe { sys::madvise(p, len, libc::MADV_DONTNEED) };
        USED.fetch_sub(len, Relaxed);
    }
}

/// A zeroed piece that is never given back, or `None` when the arena is exhausted or `layout` needs
/// more than a page of alignment.
pub fn alloc(layout: Layout) -> Option<NonNull<u8>> {
    if layout.align() > sys::PAGE {
        return None;
    }
    if layout.size() > CHUNK / 4 {
        return map(layout.size());
    }
    if let Some(piece) = RESERVE.cut(layout) {
        return Some(piece);
    }
    loop {
        // Acquire: pairs with the Release in `renew`.
        let chunk = CURRENT.load(Acquire);
        // SAFETY: null, or a chunk published by `renew` and seen filled in by that Acquire.
        let piece = NonNull::new(chunk).and_then(|chunk| unsafe { cut_off(chunk, layout) });
        if piece.is_some() {
            return piece;
        }
        renew(chunk)?;
    }
}

/// Cuts a piece off `chunk`; `None` when too little is left.
///
/// # Safety
/// `chunk` heads a region of [`CHUNK`] bytes that is never unmapped.
unsafe fn cut_off(chunk: NonNull<Chunk>, layout: Layout) -> Option<NonNull<u8>> {
    // SAFETY: the contract above; the head belongs to no piece.
    let start = cut(unsafe { &(*chunk.as_ptr()).cursor }, layout, CHUNK)?;
    // SAFETY: `start + size <= CHUNK`, within the region.
    Some(unsafe { chunk.cast::<u8>().add(start) })
}

/// The offset of a piece that ends at `most` or before.
fn cut(cursor: &AtomicUsize, layout: Layout, most: usize) -> Option<usize> {
    let mut start = 0;
    let taken = cursor.fetch_update(Relaxed, Relaxed, |cursor| {
        // Offsets stay below CHUNK + PAGE + size: no overflow.
        start = cursor.next_multiple_of(layout.align());
        let end = start + layout.size();
        (end <= most).then_some(end)
    });
    taken.ok().map(|_| start)
}

/// Puts a fresh chunk in the place of `full`, unless another thread was faster.
fn renew(full: *mut Chunk) -> Option<()> {
    let fresh = map(CHUNK)?.cast::<Chunk>();
    // SAFETY: a zeroed region, page-aligned, which belongs to us alone until it is published below.
    unsafe {
        fresh.write(Chunk {
            cursor: AtomicUsize::new(size_of::<Chunk>()),
        })
    };
    // Release: pairs with the Acquire in `alloc`. AcqRel and Acquire on the rest, because the loser
    // reads the winner's chunk next.
    if CURRENT
        .compare_exchange(full, fresh.as_ptr(), AcqRel, Acquire)
        .is_err()
    {
        // SAFETY: never published, so nothing points into it.
        unsafe { unmap(fresh.cast(), CHUNK) };
    }
    Some(())
}

/// Forgets all chunks so far (they stay mapped) and starts afresh: for a fork's child that ran no
/// handlers, whose tables may be half-written.
///
/// # Safety
/// The caller is the only thread of its process, and drops every pointer into the arena.
pub unsafe fn abandon() {
    // Release: pairs with Acquire in `alloc`. With one thread nothing needs it yet.
    CURRENT.store(core::ptr::null_mut(), Release);
    USED.store(0, Relaxed);
    EXHAUSTED.store(false, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("a layout")
    }

    #[test]
    fn regions_are_zero_counted_and_given_back() {
        let p = map(5 * sys::PAGE - 1).expect("memory");
        // SAFETY: five fresh pages of ours.
        let bytes = unsafe { core::slice::from_raw_parts_mut(p.as_ptr(), 5 * sys::PAGE) };
        assert!(bytes.iter().all(|&byte| byte == 0));
        bytes.fill(9);
        assert!(used() >= 5 * sys::PAGE);
        // SAFETY: mapped above, `bytes` is not used again.
        unsafe { unmap(p, 5 * sys::PAGE - 1) };
    }

    #[test]
    fn pieces_are_aligned_disjoint_and_zero() {
        let threads: Vec<_> = (0..4_u8)
            .map(|mark| {
                std::thread::spawn(move || {
                    let mut pieces = Vec::new();
                    for round in 0..if cfg!(miri) { 30 } else { 400_usize } {
                        let size = 1 + (round * 37) % 5000;
                        let align = 1 << (round % 9);
                        let p = alloc(layout(size, align)).expect("memory");
                        assert_eq!(p.as_ptr() as usize % align, 0);
                        // SAFETY: a fresh piece of `size` bytes, which belongs to this thread
                        // alone.
                        let piece = unsafe { core::slice::from_raw_parts_mut(p.as_ptr(), size) };
                        assert!(piece.iter().all(|&byte| byte == 0));
                        piece.fill(mark + 1);
                        pieces.push(piece);
                    }
                    assert!(
                        pieces
                            .iter()
                            .all(|piece| piece.iter().all(|&byte| byte == mark + 1))
                    );
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no piece was given twice");
        }
    }

    #[test]
    fn large_pieces_and_odd_wishes() {
        let p = alloc(layout(CHUNK * 3, 4096)).expect("memory");
        assert_eq!(p.as_ptr() as usize % 4096, 0);
        assert!(alloc(layout(8, 8192)).is_none());
    }
}
