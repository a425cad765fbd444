//! Blocks that can be told from unsampled ones by their address: page-aligned, of the next
//! allocator itself.
//!
//! Called by `cold` and `resize`. Asks the next allocator for what it makes aligned by itself where
//! it can: a big block should be neither copied nor touched. A failure is the caller's to take as
//! "not sampled".
//!
//! # Safety
//! The blocks are the program's, under the contracts of malloc(3) and realloc(3).
#![allow(unsafe_code)]

use core::ffi::c_int;
use core::ptr::NonNull;

use super::MARK;
use super::forward::{self, Mode};
use super::spare;
use crate::next::{self, Block, Functions};
use crate::sys;

/// From this size on the next allocator is asked for a plain block first: it may carry the mark
/// by itself (glibc maps it), and a big block should be neither copied nor touched.
const BIG: usize = 128 << 10;
/// From this size on a kept block gives its pages back, unless few are kept.
const SPARSE: usize = 16 << 10;
/// Where a sampled block begins.
pub(super) const ALIGN: usize = 4096;
/// jemalloc's flags: the binary logarithm of the alignment stands in the low bits, above them
/// whether the block is to be zeroed, above these the cache and the arena it comes from.
const MALLOCX_LG_ALIGN: c_int = 0x3f;
const MALLOCX_ZERO: c_int = 0x40;

/// What a sampled block must be.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// In bytes, as the program asked.
    pub(super) size: usize,
    /// A power of two.
    pub(super) align: usize,
    /// All bytes zero.
    pub(super) zeroed: bool,
    /// jemalloc's flags for where the block is to come from.
    pub(super) source: c_int,
}

impl Shape {
    /// A block as malloc makes it.
    pub(super) fn plain(size: usize) -> Self {
        Shape {
            size,
            align: 1,
            zeroed: false,
            source: 0,
        }
    }

    /// An aligned block.
    pub(super) fn aligned(size: usize, align: usize) -> Self {
        Shape {
            align,
            ..Shape::plain(size)
        }
    }

    /// A block as calloc makes it.
    pub(super) fn zeroed(size: usize) -> Self {
        Shape {
            zeroed: true,
            ..Shape::plain(size)
        }
    }

    /// A block as jemalloc's mallocx makes it.
    pub(super) fn extended(size: usize, flags: c_int) -> Self {
        Shape {
            size,
            align: 1 << (flags & MALLOCX_LG_ALIGN),
            zeroed: flags & MALLOCX_ZERO != 0,
            source: flags & !(MALLOCX_LG_ALIGN | MALLOCX_ZERO),
        }
    }

    /// The same zeroed.
    pub(super) fn and_zeroed(self) -> Self {
        Shape {
            zeroed: true,
            ..self
        }
    }

    /// jemalloc's flags for it when it is aligned to `align`.
    fn flags(self, align: usize) -> c_int {
        let zero = if self.zeroed { MALLOCX_ZERO } else { 0 };
        self.source | zero | align.trailing_zeros() as c_int
    }
}

/// Does the address carry the mark?
pub(super) fn is_marked(block: Block) -> bool {
    block as usize & MARK as usize == 0
}

/// A block whose address can be told from an unsampled one's; null when there is none to be had.
///
/// # Safety
/// `plain` makes a block of this shape.
pub(super) unsafe fn marked_block(shape: Shape, plain: impl Fn() -> Block) -> Block {
    let next = next::allocator();
    if forward::mode() != Mode::Marked {
        return plain();
    }
    if shape.size >= BIG || shape.align >= ALIGN {
        let block = plain();
        if block.is_null() || is_marked(block) {
            return block;
        }
        // SAFETY: the block was made just now and nobody else knows it.
        unsafe { next.free(block) };
    }
    // SAFETY: the sizes are the program's; `align` is a power of two, checked by who made `shape`.
    let block = unsafe { aligned_block(next, shape) };
    if block.is_null() { plain() } else { block }
}

/// # Safety
/// `shape.align` is a power of two.
unsafe fn aligned_block(next: &Functions, shape: Shape) -> Block {
    let align = shape.align.max(ALIGN);
    if align == ALIGN
        && shape.source == 0
        && let Some(block) = spare::take(shape.size)
    {
        if shape.zeroed {
            // SAFETY: a spare of this class holds that many bytes, and was taken out for us.
            unsafe { core::ptr::write_bytes(block, 0, shape.size) };
        }
        return block;
    }
    let size = match next::is_glibc() {
        true => spare::rounded(shape.size),
        false => shape.size,
    };
    // SAFETY: as promised by the caller; a page at least.
    unsafe { fresh_aligned(next, Shape { size, ..shape }, align) }
}

/// # Safety
/// `align` is a power of two.
unsafe fn fresh_aligned(next: &Functions, shape: Shape, align: usize) -> Block {
    let size = shape.size;
    // SAFETY: the calls have the alignment they ask for, a power of two, and the flags of a call of
    // the program's for mallocx.
    unsafe {
        if shape.zeroed || shape.source != 0 {
            let by_itself = next
                .mallocx(size, shape.flags(align))
                // Zeroes no more than it is asked for, where mi_zalloc zeroes all that the block holds.
                .or_else(|| next.mi_zalloc_aligned(next::usable_size_of(size), align));
            if let Some(block) = by_itself {
                return block;
            }
        }
        let block = next
            .memalign(align, size)
            .or_else(|| next.aligned_alloc(align, size))
            .unwrap_or(core::ptr::null_mut());
        if shape.zeroed && !block.is_null() {
            core::ptr::write_bytes(block, 0, size);
        }
        block
    }
}

/// An unsampled block of that shape.
pub(super) fn unmarked_block(shape: Shape) -> Block {
    if shape.zeroed || shape.source != 0 || shape.align > 1 {
        // SAFETY: `align` is a power of two, checked by who made `shape`.
        return unsafe { fresh_aligned(next::allocator(), shape, shape.align.max(16)) };
    }
    // SAFETY: malloc has no precondition.
    unsafe { next::allocator().malloc(shape.size) }.unwrap_or(core::ptr::null_mut())
}

/// Moves a block into one of that shape that carries the mark; `plain` is the call that the program
/// made. On failure the old block is as it was.
pub(super) fn move_marked(block: Block, shape: Shape, plain: &dyn Fn() -> Block) -> Block {
    if shape.size < BIG {
        return copy_to_marked(block, shape).unwrap_or_else(plain);
    }
    let flags = shape.flags(shape.align.max(ALIGN));
    // SAFETY: the program's block and size, and the flags of its call where that was rallocx.
    let moved = unsafe { next::allocator().rallocx(block, shape.size, flags) };
    let moved = moved.unwrap_or_else(plain);
    if moved.is_null() || is_marked(moved) {
        return moved;
    }
    copy_to_marked(moved, shape).unwrap_or(moved)
}

fn copy_to_marked(block: Block, shape: Shape) -> Option<Block> {
    let errno = Errno::save();
    // SAFETY: the alignment is a power of two, checked by who made `shape`.
    let fresh = unsafe { aligned_block(next::allocator(), shape) };
    if fresh.is_null() {
        errno.restore();
        return None;
    }
    copy_usable(block, fresh, shape.size);
    give_back(block, shape.source);
    Some(fresh)
}

/// Frees a block that the program gave away with its call; `source` as in [`Shape`].
fn give_back(block: Block, source: c_int) {
    let next = next::allocator();
    // SAFETY: the program gave the block away.
    unsafe {
        if source == 0 || next.dallocx(block, source).is_none() {
            next.free(block);
        }
    }
}

/// What the next allocator says that the block holds.
pub(super) fn usable_size(block: Block) -> usize {
    // SAFETY: a block of the program's.
    unsafe { next::allocator().malloc_usable_size(block) }.unwrap_or(0)
}

/// What the program is told that a sampled block holds which was asked for with `size` bytes and
/// holds `usable`: as much as any other of that size.
pub(super) fn told(usable: usize, size: usize) -> usize {
    match forward::mode() {
        Mode::Marked => usable.min(next::usable_size_of(size)),
        _ => usable,
    }
}

/// Zeroes a sampled block behind the `held` bytes that the program knows of: a call that zeroes what
/// it adds begins where the next allocator says the block ends.
pub(super) fn clear_slack(block: Block, held: usize) {
    if forward::mode() != Mode::Marked {
        return;
    }
    let slack = usable_size(block).saturating_sub(held);
    // SAFETY: within the block's usable size, where the program has nothing.
    unsafe { core::ptr::write_bytes(block.wrapping_add(held), 0, slack) };
}

/// Copies what `from` holds, at most `size` bytes.
pub(super) fn copy_usable(from: Block, to: Block, size: usize) {
    // SAFETY: both blocks are live and distinct; the usable size of the old one is what the
    // allocator itself would copy at most, and the new one holds `size` bytes.
    unsafe { core::ptr::copy_nonoverlapping(from, to, usable_size(from).min(size)) };
}

/// Keeps a freed sampled block for the next sample of its size. Behind glibc alone: others keep
/// page-sized blocks together by themselves, and some have arenas or heaps that are destroyed with
/// all their blocks, ours included.
pub(super) fn keep(block: Block, size: usize) -> bool {
    let is_spare = forward::mode() == Mode::Marked
        && next::is_glibc()
        && (block as usize).is_multiple_of(ALIGN);
    if !is_spare {
        return false;
    }
    let usable = usable_size(block);
    if !spare::has_room(size, usable) {
        return false;
    }
    if size >= SPARSE && spare::is_ample(size) {
        forget_pages(block, size);
    }
    spare::keep(block, size, usable)
}

/// Gives the whole pages of a freed block back to the kernel: a program that writes to a part of
/// its block only shall find the rest unused, as in a fresh one.
fn forget_pages(block: Block, size: usize) {
    let whole = size & !(ALIGN - 1);
    if let Some(block) = NonNull::new(block) {
        // SAFETY: the program gave the block away, it begins at a page, and nobody else has it
        // yet. Where the kernel refuses (locked memory), the pages stay.
        unsafe { sys::madvise(block, whole, libc::MADV_DONTNEED) };
    }
}

/// A failed attempt to align leaves ENOMEM behind though the program's call then succeeds.
pub(super) struct Errno(c_int);

impl Errno {
    /// As it is now.
    pub(super) fn save() -> Self {
        // SAFETY: glibc's errno location is valid for the calling thread.
        Errno(unsafe { *libc::__errno_location() })
    }

    /// As it was.
    pub(super) fn restore(self) {
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = self.0 }
    }
}
