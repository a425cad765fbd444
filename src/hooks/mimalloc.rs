//! The functions that mimalloc has besides the malloc family, except those that are only other
//! names.
//!
//! The program sees their hooks only when the next allocator itself has the functions (`unveil`).
//!
//! Not covered, so neither sampled nor hooked: mimalloc's heaps (`mi_heap_*`), whose blocks may
//! vanish all at once with their heap; its blocks aligned at an offset (`*_at`); `mi_expand`, which
//! never moves a block and takes no memory; and the rarer functions that make strings
//! (`mi_realpath`, `mi_dupenv_s`, `mi_mbsdup`, `mi_wcsdup`).
//!
//! Source: `mimalloc.h` 2.0.
//!
//! # Safety
//! The arguments are the program's, under the contracts of these functions.
#![allow(unsafe_code)]

use core::ffi::{c_char, c_int};
use core::ptr::null_mut;

use super::entry::Context;
use super::release;
use super::resize::resize;
use super::sample::count;
use crate::next::{self, Block, plain_call};
use crate::recorder::Hook;

/// The entries of these functions. The named register is the one after the function's own
/// arguments.
#[allow(unsafe_code)]
pub mod entries {
    use crate::hooks::entry::{entries, operator_entries};

    entries! {
        mi_zalloc("rsi") => super::mi_zalloc;
        mi_mallocn("rdx") => super::mi_mallocn;
        mi_malloc_aligned("rdx") => super::mi_malloc_aligned;
        mi_zalloc_aligned("rdx") => super::mi_zalloc_aligned;
        mi_calloc_aligned("rcx") => super::mi_calloc_aligned;
        mi_reallocn("rcx") => super::mi_reallocn;
        mi_reallocf("rdx") => super::mi_reallocf;
        mi_reallocarr("rcx") => super::mi_reallocarr;
        mi_rezalloc("rdx") => super::mi_rezalloc;
        mi_recalloc("rcx") => super::mi_recalloc;
        mi_realloc_aligned("rcx") => super::mi_realloc_aligned;
        mi_rezalloc_aligned("rcx") => super::mi_rezalloc_aligned;
        mi_recalloc_aligned("r8") => super::mi_recalloc_aligned;
        mi_strdup("rsi") => super::mi_strdup;
        mi_strndup("rdx") => super::mi_strndup;
    }

    operator_entries! {
        mi_new_n("rdx"): mi_new_n after super::mi_new_n;
        mi_new_realloc("rdx"): mi_new_realloc after super::mi_new_realloc;
        mi_new_reallocn("rcx"): mi_new_reallocn after super::mi_new_reallocn;
    }
}

/// The sizes of arrays: without an overflow they are counted; with an overflow the program's call
/// is made.
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
        // SAFETY: the program gave the block up in any case.
        unsafe { release::late_delete(block) };
    }
    moved
}

/// mimalloc's mi_reallocarr: the pointer to the block is changed in place. When it fails, the
/// function itself is called, fails again, and reports the error.
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

/// mimalloc's mi_new_n. Null, here and below, makes the entry continue to the function itself,
/// which calls the handler and throws.
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
    let is_text = |at: &usize| unsafe { *text.add(*at) } != 0;
    copy(text, (0..most).take_while(is_text).count(), context)
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
