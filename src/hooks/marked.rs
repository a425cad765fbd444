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
/// From this size on a kept block gives its pages back.
const SPARSE: usize = 16 << 10;
/// Where a sampled block begins.
pub(super) const ALIGN: usize = 4096;
/// jemalloc's `MALLOCX_LG_ALIGN(12) | MALLOCX_ZERO` and the former alone.
const MALLOCX_ALIGN: c_int = 12;
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
}

impl Shape {
    /// A block as malloc makes it.
    pub(super) fn plain(size: usize) -> Self {
        Shape {
            size,
            align: 1,
            zeroed: false,
        }
    }

    /// An aligned block.
    pub(super) fn aligned(size: usize, align: usize) -> Self {
        Shape {
            size,
            align,
            zeroed: false,
        }
    }

    /// A block as calloc makes it.
    pub(super) fn zeroed(size: usize) -> Self {
        Shape {
            size,
            align: 1,
            zeroed: true,
        }
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
        && let Some(block) = spare::take(shape.size)
    {
        if shape.zeroed {
            // SAFETY: a spare of this class holds that many bytes, and was taken out for us.
            unsafe { core::ptr::write_bytes(block, 0, shape.size) };
        }
        return block;
    }
    let size = spare::rounded(shape.size);
    // SAFETY: the calls have the alignment they ask for: a power of two, at least a page.
    unsafe {
        if shape.zeroed {
            let by_itself = next
                .mallocx(size, MALLOCX_ALIGN | MALLOCX_ZERO)
                .or_else(|| next.mi_zalloc_aligned(size, align));
            if let Some(block) = by_itself {
                return block;
            }
        }
        let block = next
            .memalign(align, size)
            .or_else(|| next.aligned_alloc(align, size))
            .unwrap_or(core::ptr::null_mut());
        if shape.zeroed && !block.is_null() {
            core::ptr::write_bytes(block, 0, shape.size);
        }
        block
    }
}

/// realloc into a block that carries the mark. On failure the old block is as it was.
pub(super) fn move_marked(block: Block, size: usize) -> Block {
    let next = next::allocator();
    if size >= BIG {
        // SAFETY: the program's block and size.
        let moved = unsafe { next.rallocx(block, size, MALLOCX_ALIGN) }
            .unwrap_or_else(|| plain_realloc(block, size));
        if moved.is_null() || is_marked(moved) {
            return moved;
        }
        return copy_to_marked(moved, size).unwrap_or(moved);
    }
    copy_to_marked(block, size).unwrap_or_else(|| plain_realloc(block, size))
}

fn copy_to_marked(block: Block, size: usize) -> Option<Block> {
    let errno = Errno::save();
    // SAFETY: the alignment is a page.
    let fresh = unsafe { aligned_block(next::allocator(), Shape::plain(size)) };
    if fresh.is_null() {
        errno.restore();
        return None;
    }
    copy_usable(block, fresh, size);
    // SAFETY: the program gave the block away with its call of realloc.
    unsafe { next::allocator().free(block) };
    Some(fresh)
}

/// Copies what `from` holds, at most `size` bytes.
pub(super) fn copy_usable(from: Block, to: Block, size: usize) {
    // SAFETY: both blocks are live and distinct; the usable size of the old one is what the
    // allocator itself would copy at most, and the new one holds `size` bytes.
    unsafe {
        let usable = next::allocator().malloc_usable_size(from).unwrap_or(0);
        core::ptr::copy_nonoverlapping(from, to, usable.min(size));
    }
}

/// Keeps a freed sampled block for the next sample of its size.
pub(super) fn keep(block: Block, size: usize) -> bool {
    if forward::mode() != Mode::Marked || !(block as usize).is_multiple_of(ALIGN) {
        return false;
    }
    // SAFETY: the block is not freed yet.
    let usable = unsafe { next::allocator().malloc_usable_size(block) }.unwrap_or(0);
    if !spare::has_room(size, usable) {
        return false;
    }
    if size >= SPARSE {
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

fn plain_realloc(block: Block, size: usize) -> Block {
    // SAFETY: the program's own arguments.
    unsafe { next::allocator().realloc(block, size) }.unwrap_or(core::ptr::null_mut())
}
