//! The functions that jemalloc, tcmalloc and mimalloc offer beside the family of malloc, where they
//! are no mere other names of it.
//!
//! Called by `entry`, through hooks that `binding` shows to the program only when the next
//! allocator has the functions itself: so what `next` calls here is always there. As in `cold`,
//! whose rules hold here too, every call is made exactly as the program made it.
//!
//! Not covered, and so neither sampled nor hooked: mimalloc's heaps (`mi_heap_*`), whose blocks may
//! go all at once with their heap, its blocks aligned at an offset (`*_at`), `mi_expand`, which never moves a block nor takes more memory, and the rarer functions
//! that make strings (`mi_realpath`, `mi_dupenv_s`, `mi_mbsdup`, `mi_wcsdup`).
//!
//! Sources: jemalloc(3) of 5.3, `gperftools/tcmalloc.h` 2.10, `mimalloc.h` 2.0.
//!
//! # Safety
//! As `cold`: the arguments are the program's, under the contracts of these functions.
#![allow(unsafe_code)]

use core::ffi::{c_char, c_int};
use core::ptr::null_mut;

use super::cold::{count, plain_call, sample};
use super::entry::Context;
use super::resize::{reallocate, record_resized};
use super::{early, release};
use crate::next::{self, Block};
use crate::recorder::{self, Before, Hook};

/// jemalloc's mallocx when the countdown ran out, or in exact mode.
pub(crate) extern "C" fn mallocx_event(size: usize, flags: c_int, context: &Context) -> Block {
    let plain = || plain_call!(mallocx(size, flags));
    sample(Hook::Malloc, context, size, plain)
}

/// jemalloc's rallocx, which takes no null.
pub(crate) extern "C" fn rallocx(
    block: Block,
    size: usize,
    flags: c_int,
    context: &Context,
) -> Block {
    let plain = |block: Block| match block.is_null() {
        true => plain_call!(mallocx(size, flags)),
        false => plain_call!(rallocx(block, size, flags)),
    };
    resize(block, size, context, &plain)
}

/// jemalloc's xallocx, which never moves a block, and may refuse.
///
/// A block that grows is sampled as with realloc. One that is made smaller, or
/// is left as it is, stays what it is, sampled with the size it had or not. In exact mode every
/// call that gives what was asked for is a new allocation.
pub(crate) extern "C" fn xallocx(
    block: Block,
    size: usize,
    extra: usize,
    flags: c_int,
    context: &Context,
) -> usize {
    let next = next::allocator();
    // SAFETY: the program's block.
    let held = unsafe { next.sallocx(block, flags) }.unwrap_or(0);
    let before = match recorder::may_be_sampled(block as usize) {
        true => recorder::detach(block as usize),
        false => Ok(None),
    };
    let Ok(before) = before else {
        return held;
    };
    let may_be_new = size > held || recorder::is_exact();
    let due = may_be_new && recorder::count_down(size) && !next::is_shadowed();
    let sampling = due.then(|| recorder::enter_event(size)).flatten();
    // SAFETY: the program's own arguments.
    let got = unsafe { next.xallocx(block, size, extra, flags) }.unwrap_or(0);
    if !(may_be_new && got >= size) {
        drop(sampling);
        before.into_iter().for_each(recorder::attach);
        return got;
    }
    let before = Before {
        sample: before,
        usable: held,
    };
    let size = got.min(size.saturating_add(extra));
    record_resized(sampling, before, block, size, Hook::Realloc, context);
    got
}

/// tcmalloc's tc_malloc_skip_new_handler
pub(crate) extern "C" fn tc_malloc_skip_new_handler(size: usize, context: &Context) -> Block {
    let plain = || plain_call!(tc_malloc_skip_new_handler(size));
    count(Hook::Malloc, context, size, plain)
}

/// Counts a block that changes its size, and gives it that; `plain` as `reallocate` has it.
fn resize(block: Block, size: usize, context: &Context, plain: &dyn Fn(Block) -> Block) -> Block {
    if early::owns(block) {
        return early::reallocate(block, size);
    }
    let due = recorder::count_down(size);
    reallocate(block, size, Hook::Realloc, context, due, plain)
}

/// The sizes of arrays: without an overflow they are counted, with one the program's call is made.
macro_rules! product {
    ($count:expr, $size:expr, $plain:expr $(, $block:expr)?) => {
        match usize::checked_mul($count, $size) {
            Some(bytes) => bytes,
            None => return $plain($($block)?),
        }
    };
}

/// mimalloc's mi_zalloc
pub(crate) extern "C" fn mi_zalloc(size: usize, context: &Context) -> Block {
    let plain = || plain_call!(mi_zalloc(size));
    count(Hook::Calloc, context, size, plain)
}

/// mimalloc's mi_mallocn
pub(crate) extern "C" fn mi_mallocn(number: usize, size: usize, context: &Context) -> Block {
    let plain = || plain_call!(mi_mallocn(number, size));
    let bytes = product!(number, size, plain);
    count(Hook::Malloc, context, bytes, plain)
}

/// mimalloc's mi_malloc_aligned
pub(crate) extern "C" fn mi_malloc_aligned(size: usize, align: usize, context: &Context) -> Block {
    let plain = || plain_call!(mi_malloc_aligned(size, align));
    count(Hook::Memalign, context, size, plain)
}

/// mimalloc's mi_zalloc_aligned
pub(crate) extern "C" fn mi_zalloc_aligned(size: usize, align: usize, context: &Context) -> Block {
    let plain = || plain_call!(mi_zalloc_aligned(size, align));
    count(Hook::Memalign, context, size, plain)
}

/// mimalloc's mi_calloc_aligned
pub(crate) extern "C" fn mi_calloc_aligned(
    number: usize,
    size: usize,
    align: usize,
    context: &Context,
) -> Block {
    let plain = || plain_call!(mi_calloc_aligned(number, size, align));
    let bytes = product!(number, size, plain);
    count(Hook::Memalign, context, bytes, plain)
}

/// mimalloc's mi_reallocn
pub(crate) extern "C" fn mi_reallocn(
    block: Block,
    number: usize,
    size: usize,
    context: &Context,
) -> Block {
    let plain = |block| plain_call!(mi_reallocn(block, number, size));
    let bytes = product!(number, size, plain, block);
    resize(block, bytes, context, &plain)
}

/// mimalloc's mi_reallocf: realloc that frees the block when it fails.
pub(crate) extern "C" fn mi_reallocf(block: Block, size: usize, context: &Context) -> Block {
    let plain = |block| plain_call!(realloc(block, size));
    let moved = resize(block, size, context, &plain);
    if moved.is_null() {
        // SAFETY: the program gave the block away whatever comes.
        unsafe { release::late_delete(block) };
    }
    moved
}

/// mimalloc's mi_reallocarr: the pointer to the block is changed in place. What goes wrong is told
/// by the function itself, which fails again.
pub(crate) extern "C" fn mi_reallocarr(
    place: *mut Block,
    number: usize,
    size: usize,
    context: &Context,
) -> c_int {
    // SAFETY: the program's own arguments.
    let real =
        || unsafe { next::allocator().mi_reallocarr(place, number, size) }.unwrap_or(libc::ENOMEM);
    if place.is_null() {
        return real();
    }
    let bytes = product!(number, size, real);
    // SAFETY: not null, so it points to the program's pointer.
    let block = unsafe { place.read() };
    let plain = |block| plain_call!(mi_reallocn(block, number, size));
    let moved = resize(block, bytes, context, &plain);
    if moved.is_null() {
        return real();
    }
    // SAFETY: as above.
    unsafe { place.write(moved) };
    0
}

/// mimalloc's mi_rezalloc
pub(crate) extern "C" fn mi_rezalloc(block: Block, size: usize, context: &Context) -> Block {
    let plain = |block| plain_call!(mi_rezalloc(block, size));
    resize(block, size, context, &plain)
}

/// mimalloc's mi_recalloc
pub(crate) extern "C" fn mi_recalloc(
    block: Block,
    number: usize,
    size: usize,
    context: &Context,
) -> Block {
    let plain = |block| plain_call!(mi_recalloc(block, number, size));
    let bytes = product!(number, size, plain, block);
    resize(block, bytes, context, &plain)
}

/// mimalloc's mi_realloc_aligned
pub(crate) extern "C" fn mi_realloc_aligned(
    block: Block,
    size: usize,
    align: usize,
    context: &Context,
) -> Block {
    let plain = |block| plain_call!(mi_realloc_aligned(block, size, align));
    resize(block, size, context, &plain)
}

/// mimalloc's mi_rezalloc_aligned
pub(crate) extern "C" fn mi_rezalloc_aligned(
    block: Block,
    size: usize,
    align: usize,
    context: &Context,
) -> Block {
    let plain = |block| plain_call!(mi_rezalloc_aligned(block, size, align));
    resize(block, size, context, &plain)
}

/// mimalloc's mi_recalloc_aligned
pub(crate) extern "C" fn mi_recalloc_aligned(
    block: Block,
    number: usize,
    size: usize,
    align: usize,
    context: &Context,
) -> Block {
    let plain = |block| plain_call!(mi_recalloc_aligned(block, number, size, align));
    let bytes = product!(number, size, plain, block);
    resize(block, bytes, context, &plain)
}

/// mimalloc's mi_new_n; null, here and below, sends the entry on to the function itself, which
/// calls the handler and throws.
pub(crate) extern "C" fn mi_new_n(number: usize, size: usize, context: &Context) -> Block {
    let bytes = product!(number, size, null_mut);
    let plain = || plain_call!(malloc(bytes));
    count(Hook::New, context, bytes, plain)
}

/// mimalloc's mi_new_realloc
pub(crate) extern "C" fn mi_new_realloc(block: Block, size: usize, context: &Context) -> Block {
    let plain = |block| plain_call!(realloc(block, size));
    resize(block, size, context, &plain)
}

/// mimalloc's mi_new_reallocn
pub(crate) extern "C" fn mi_new_reallocn(
    block: Block,
    number: usize,
    size: usize,
    context: &Context,
) -> Block {
    let bytes = product!(number, size, null_mut);
    let plain = |block| plain_call!(realloc(block, bytes));
    resize(block, bytes, context, &plain)
}

/// mimalloc's mi_strdup
pub(crate) extern "C" fn mi_strdup(text: *const c_char, context: &Context) -> Block {
    if text.is_null() {
        return null_mut();
    }
    // SAFETY: the program's string.
    copy(text, unsafe { libc::strlen(text) }, context)
}

/// mimalloc's mi_strndup
pub(crate) extern "C" fn mi_strndup(text: *const c_char, most: usize, context: &Context) -> Block {
    if text.is_null() {
        return null_mut();
    }
    // SAFETY: the program's string, of which `most` bytes are looked at.
    copy(text, unsafe { libc::strnlen(text, most) }, context)
}

fn copy(text: *const c_char, length: usize, context: &Context) -> Block {
    let size = length.saturating_add(1);
    let plain = || plain_call!(malloc(size));
    let block = count(Hook::Malloc, context, size, plain);
    if !block.is_null() {
        // SAFETY: the text has `length` bytes, the block one more.
        unsafe {
            core::ptr::copy_nonoverlapping(text.cast(), block, length);
            block.add(length).write(0);
        }
    }
    block
}
