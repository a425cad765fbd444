//! Blocks that are allocated before the loader has relocated us.
//!
//! The loader relocates the objects of a program from the last to the first, and calls the
//! resolvers of their IFUNCs meanwhile. A resolver that allocates reaches our hooks while our
//! tables of pointers, and the calls that leave this object, are still null. Its blocks come from a
//! region of our own, and their address identifies them for ever. They are never passed to another
//! allocator, and never reused.
//!
//! Nothing here may read a pointer that the loader must relocate, nor call another object: no
//! `memcpy`, no formatting, no panic. The program has one thread then; later calls only read. The
//! page filter counts their pages, so that every hook that frees takes its sampled path.
//!
//! Sources: glibc 2.36 `elf/rtld.c` (order of relocation), `elf/do-rel.h` (IFUNCs come last).
//!
//! # Safety
//! The pointers are the program's, under the contracts of malloc(3).
#![allow(unsafe_code)]

use core::arch::asm;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::next::{Block, plain_call};
use crate::platform::sys::PAGE;
use crate::platform::tls;
use crate::recorder;

const PAGES: usize = 64;

#[repr(C, align(4096))]
struct Region(UnsafeCell<[u8; PAGE * PAGES]>);

// SAFETY: each block belongs to the caller that `allocate` gave it to; no other code reads or
// writes it.
unsafe impl Sync for Region {}

/// The blocks. Written by the program; zero until then, as calloc requires.
static REGION: Region = Region(UnsafeCell::new([0; PAGE * PAGES]));

/// Number of pages used. Written by [`allocate`].
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Bytes of the block that begins at each page. Written by [`allocate`].
static SIZES: [AtomicUsize; PAGES] = [const { AtomicUsize::new(0) }; PAGES];

/// Are we still not relocated?
#[inline(always)]
pub fn is_now() -> bool {
    tls::offset() == 0
}

/// Is the block from this region?
#[inline(always)]
pub fn owns(block: Block) -> bool {
    offset(block) < PAGE * PAGES
}

#[inline(always)]
fn offset(block: Block) -> usize {
    (block as usize).wrapping_sub(REGION.0.get() as usize)
}

/// A zeroed block of `size` bytes; null when there is no room left.
///
/// The countdown of this call is now a spare word of the TCB, see `tls`. It is set back to zero, as
/// glibc has it, and so the next call comes here too.
#[cold]
pub fn allocate(size: usize) -> Block {
    tls::current().countdown.store(0, Relaxed);
    let taken = TAKEN.load(Relaxed);
    let pages = size.max(1).div_ceil(PAGE);
    let Some(slot) = SIZES.get(taken).filter(|_| pages <= PAGES - taken) else {
        return core::ptr::null_mut();
    };
    if taken == 0 {
        recorder::PAGES.hold(REGION.0.get() as usize, PAGES);
    }
    TAKEN.store(taken + pages, Relaxed);
    slot.store(size, Relaxed);
    REGION.0.get().cast::<u8>().wrapping_add(taken * PAGE)
}

/// The same, aligned to `align`: null when that is more than a page.
#[cold]
pub fn allocate_aligned(align: usize, size: usize) -> Block {
    match align <= PAGE {
        true => allocate(size),
        false => core::ptr::null_mut(),
    }
}

/// Operators new. Their jump targets are null until we are relocated. They do not return without a
/// block, and nothing can be thrown or called yet.
pub extern "C" fn new(size: usize) -> Block {
    or_trap(allocate(size))
}

/// As [`new`].
pub extern "C" fn new_aligned(size: usize, align: usize) -> Block {
    or_trap(allocate_aligned(align, size))
}

/// Operators new that may return null.
pub extern "C" fn new_nothrow(size: usize) -> Block {
    allocate(size)
}

/// As [`new_nothrow`].
pub extern "C" fn new_aligned_nothrow(size: usize, align: usize) -> Block {
    allocate_aligned(align, size)
}

/// Operators delete, for blocks of this file: no others exist yet.
pub extern "C" fn delete(_block: Block) {}

fn or_trap(block: Block) -> Block {
    if block.is_null() {
        // SAFETY: ends the process, which cannot continue.
        unsafe { asm!("ud2", options(noreturn)) }
    }
    block
}

/// The `size` with which the block was allocated. The block is from this region.
#[cold]
pub fn asked(block: Block) -> usize {
    let slot = SIZES.get(offset(block) / PAGE);
    slot.map_or(0, |slot| slot.load(Relaxed))
}

/// realloc of a block from this region, and of null while [`is_now`]. The new block is not sampled.
#[cold]
pub fn reallocate(block: Block, size: usize) -> Block {
    if is_now() {
        tls::current().countdown.store(0, Relaxed);
    }
    let known = owns(block);
    if known && size == 0 {
        return core::ptr::null_mut();
    }
    let fresh = match is_now() {
        true => allocate(size),
        false => plain_call!(malloc(size)),
    };
    if known && !fresh.is_null() {
        let length = asked(block).min(size);
        // SAFETY: both blocks hold `length` bytes and are distinct; the ABI clears the direction
        // flag. `rep movsb`, because memcpy belongs to another object.
        unsafe {
            asm!("rep movsb", inout("rcx") length => _, inout("rsi") block => _,
                inout("rdi") fresh => _, options(nostack, preserves_flags));
        }
    }
    fresh
}
