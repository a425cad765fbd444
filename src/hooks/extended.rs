//! The functions that jemalloc, tcmalloc and mimalloc offer beside the family of malloc, where they
//! are no mere other names of it.
//!
//! Called by `entry`, through hooks that `binding` shows to the program only when the next
//! allocator has the functions itself: so what `next` calls here is always there. As in `cold`,
//! whose rules hold here too, a call that is not sampled is made exactly as the program made it.
//! A block that is sampled keeps what jemalloc's flags say of its cache and arena, so an arena that
//! is reset or destroyed takes its sampled blocks along.
//!
//! Not covered, and so neither sampled nor hooked: mimalloc's heaps (`mi_heap_*`), whose blocks may
//! go all at once with their heap, its blocks aligned at an offset (`*_at`), which cannot begin at
//! a page, `mi_expand`, which never moves a block nor takes more memory, and the rarer functions
//! that make strings (`mi_realpath`, `mi_dupenv_s`, `mi_mbsdup`, `mi_wcsdup`).
//!
//! Sources: jemalloc(3) of 5.3, `gperftools/tcmalloc.h` 2.10, `mimalloc.h` 2.0.
//!
//! # Safety
//! As `cold`: the arguments are the program's, under the contracts of these functions.
#![allow(unsafe_code)]

use core::ffi::{c_char, c_int};
use core::ptr::null_mut;

use super::cold::{self, count, plain_call, record, sample};
use super::early;
use super::entry::Context;
use super::forward::{self, Mode};
use super::marked::{self, Shape};
use super::resize::reallocate;
use crate::next::{self, Block};
use crate::recorder::{self, Hook};

/// jemalloc's mallocx when the countdown ran out, or in exact mode.
pub(crate) extern "C" fn mallocx_event(size: usize, flags: c_int, context: &Context) -> Block {
    let plain = || plain_call!(mallocx(size, flags));
    // SAFETY: `context` comes from the entry.
    unsafe { sample(Hook::Malloc, context, Shape::extended(size, flags), plain) }
}

/// jemalloc's rallocx.
pub(crate) extern "C" fn rallocx(
    block: Block,
    size: usize,
    flags: c_int,
    context: &Context,
) -> Block {
    let plain = || plain_call!(rallocx(block, size, flags));
    resize(block, Shape::extended(size, flags), context, &plain)
}

/// jemalloc's xallocx, which never moves a block, and may refuse.
///
/// A block that grows is a free and a new allocation, as with realloc. Where that would have to be
/// sampled and the block has no mark, it is refused, as if there were no room behind it: the
/// program then moves the block, and that is sampled by its own chance. A block that is made
/// smaller in place stays what it is, sampled with the size it had or not.
pub(crate) extern "C" fn xallocx(
    block: Block,
    size: usize,
    extra: usize,
    flags: c_int,
    context: &Context,
) -> usize {
    // SAFETY: the program's own arguments.
    let real = || unsafe { next::allocator().xallocx(block, size, extra, flags) }.unwrap_or(0);
    let exact = forward::mode() == Mode::Exact;
    let before = match recorder::may_be_sampled(block as usize) {
        true => recorder::detach(block as usize),
        false => Ok(None),
    };
    let Ok(before) = before else {
        return marked::usable_size(block);
    };
    let usable = marked::usable_size(block);
    let held = match &before {
        Some(sample) => marked::told(usable, sample.size),
        None => usable,
    };
    if before.is_some() && Shape::extended(size, flags).zeroed {
        marked::clear_slack(block, held);
    }
    let sampling = match exact {
        true => recorder::enter_exact(),
        false if size > held && recorder::count_down(size) => recorder::enter_event(size),
        false => None,
    };
    if sampling.is_some() && forward::mode() == Mode::Marked && !marked::is_marked(block) {
        return held;
    }
    let got = real();
    let is_new = got >= size && (exact || size > held);
    let sampling = sampling.filter(|_| is_new);
    match before {
        Some(before) if is_new => recorder::forget(&before),
        Some(before) => {
            recorder::attach(before);
            return got.min(held);
        }
        None => {}
    }
    let Some(sampling) = sampling else {
        return got;
    };
    let asked = got.min(size.saturating_add(extra));
    record(sampling, block, asked, Hook::Realloc, context);
    marked::told(got, asked)
}

/// jemalloc's dallocx of a pointer with the mark; of any pointer where marks are not used.
///
/// # Safety
/// As that function.
pub unsafe extern "C" fn dallocx(block: Block, flags: c_int) {
    // SAFETY: the program's own arguments.
    cold::release(block, || unsafe {
        next::allocator().dallocx(block, flags);
    });
}

/// jemalloc's sdallocx, likewise. It goes on unsized: the size the program states is not the class
/// that the aligned block lies in.
///
/// # Safety
/// As that function.
pub unsafe extern "C" fn sdallocx(block: Block, _size: usize, flags: c_int) {
    // SAFETY: as promised by the caller.
    unsafe { dallocx(block, flags) }
}

/// tcmalloc's tc_malloc_skip_new_handler
pub(crate) extern "C" fn tc_malloc_skip_new_handler(size: usize, context: &Context) -> Block {
    let plain = || plain_call!(tc_malloc_skip_new_handler(size));
    // SAFETY: `context` comes from the entry.
    unsafe { count(Hook::Malloc, context, Shape::plain(size), plain) }
}

/// Counts a block that changes its shape, and gives it that.
fn resize(block: Block, shape: Shape, context: &Context, plain: &dyn Fn() -> Block) -> Block {
    if early::owns(block) {
        return early::reallocate(block, shape.size);
    }
    let due = recorder::count_down(shape.size);
    reallocate(block, shape, Hook::Realloc, context, due, plain)
}

/// The sizes of arrays: without an overflow they are counted, with one the program's call is made.
macro_rules! product {
    ($count:expr, $size:expr, $plain:expr) => {
        match usize::checked_mul($count, $size) {
            Some(bytes) => bytes,
            None => return $plain(),
        }
    };
}

/// An alignment that the next allocator refuses is refused by it.
macro_rules! power_of_two {
    ($align:expr, $plain:expr) => {
        if !$align.is_power_of_two() {
            return $plain();
        }
    };
}

/// mimalloc's mi_zalloc
pub(crate) extern "C" fn mi_zalloc(size: usize, context: &Context) -> Block {
    let plain = || plain_call!(mi_zalloc(size));
    // SAFETY: `context` comes from the entry.
    unsafe { count(Hook::Calloc, context, Shape::zeroed(size), plain) }
}

/// mimalloc's mi_mallocn
pub(crate) extern "C" fn mi_mallocn(number: usize, size: usize, context: &Context) -> Block {
    let plain = || plain_call!(mi_mallocn(number, size));
    let bytes = product!(number, size, plain);
    // SAFETY: `context` comes from the entry.
    unsafe { count(Hook::Malloc, context, Shape::plain(bytes), plain) }
}

/// mimalloc's mi_malloc_aligned
pub(crate) extern "C" fn mi_malloc_aligned(size: usize, align: usize, context: &Context) -> Block {
    let plain = || plain_call!(mi_malloc_aligned(size, align));
    power_of_two!(align, plain);
    // SAFETY: `context` comes from the entry, the alignment is a power of two.
    unsafe { count(Hook::Memalign, context, Shape::aligned(size, align), plain) }
}

/// mimalloc's mi_zalloc_aligned
pub(crate) extern "C" fn mi_zalloc_aligned(size: usize, align: usize, context: &Context) -> Block {
    let plain = || plain_call!(mi_zalloc_aligned(size, align));
    power_of_two!(align, plain);
    let shape = Shape::aligned(size, align).and_zeroed();
    // SAFETY: as above.
    unsafe { count(Hook::Memalign, context, shape, plain) }
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
    power_of_two!(align, plain);
    let shape = Shape::aligned(bytes, align).and_zeroed();
    // SAFETY: as above.
    unsafe { count(Hook::Memalign, context, shape, plain) }
}

/// mimalloc's mi_reallocn
pub(crate) extern "C" fn mi_reallocn(
    block: Block,
    number: usize,
    size: usize,
    context: &Context,
) -> Block {
    let plain = || plain_call!(mi_reallocn(block, number, size));
    let bytes = product!(number, size, plain);
    resize(block, Shape::plain(bytes), context, &plain)
}

/// mimalloc's mi_reallocf: realloc that frees the block when it fails.
pub(crate) extern "C" fn mi_reallocf(block: Block, size: usize, context: &Context) -> Block {
    let plain = || plain_call!(realloc(block, size));
    let moved = resize(block, Shape::plain(size), context, &plain);
    if moved.is_null() {
        // SAFETY: the program gave the block away whatever comes.
        unsafe { cold::free_marked(block) };
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
    let plain = || plain_call!(mi_reallocn(block, number, size));
    let moved = resize(block, Shape::plain(bytes), context, &plain);
    if moved.is_null() {
        return real();
    }
    // SAFETY: as above.
    unsafe { place.write(moved) };
    0
}

/// mimalloc's mi_rezalloc
pub(crate) extern "C" fn mi_rezalloc(block: Block, size: usize, context: &Context) -> Block {
    let plain = || plain_call!(mi_rezalloc(block, size));
    resize(block, Shape::zeroed(size), context, &plain)
}

/// mimalloc's mi_recalloc
pub(crate) extern "C" fn mi_recalloc(
    block: Block,
    number: usize,
    size: usize,
    context: &Context,
) -> Block {
    let plain = || plain_call!(mi_recalloc(block, number, size));
    let bytes = product!(number, size, plain);
    resize(block, Shape::zeroed(bytes), context, &plain)
}

/// mimalloc's mi_realloc_aligned
pub(crate) extern "C" fn mi_realloc_aligned(
    block: Block,
    size: usize,
    align: usize,
    context: &Context,
) -> Block {
    let plain = || plain_call!(mi_realloc_aligned(block, size, align));
    power_of_two!(align, plain);
    resize(block, Shape::aligned(size, align), context, &plain)
}

/// mimalloc's mi_rezalloc_aligned
pub(crate) extern "C" fn mi_rezalloc_aligned(
    block: Block,
    size: usize,
    align: usize,
    context: &Context,
) -> Block {
    let plain = || plain_call!(mi_rezalloc_aligned(block, size, align));
    power_of_two!(align, plain);
    let shape = Shape::aligned(size, align).and_zeroed();
    resize(block, shape, context, &plain)
}

/// mimalloc's mi_recalloc_aligned
pub(crate) extern "C" fn mi_recalloc_aligned(
    block: Block,
    number: usize,
    size: usize,
    align: usize,
    context: &Context,
) -> Block {
    let plain = || plain_call!(mi_recalloc_aligned(block, number, size, align));
    let bytes = product!(number, size, plain);
    power_of_two!(align, plain);
    let shape = Shape::aligned(bytes, align).and_zeroed();
    resize(block, shape, context, &plain)
}

/// mimalloc's mi_new_n; null, here and below, sends the entry on to the function itself, which
/// calls the handler and throws.
pub(crate) extern "C" fn mi_new_n(number: usize, size: usize, context: &Context) -> Block {
    let bytes = product!(number, size, null_mut);
    let plain = || plain_call!(malloc(bytes));
    // SAFETY: `context` comes from the entry.
    unsafe { count(Hook::New, context, Shape::plain(bytes), plain) }
}

/// mimalloc's mi_new_realloc
pub(crate) extern "C" fn mi_new_realloc(block: Block, size: usize, context: &Context) -> Block {
    let plain = || plain_call!(realloc(block, size));
    resize(block, Shape::plain(size), context, &plain)
}

/// mimalloc's mi_new_reallocn
pub(crate) extern "C" fn mi_new_reallocn(
    block: Block,
    number: usize,
    size: usize,
    context: &Context,
) -> Block {
    let bytes = product!(number, size, null_mut);
    let plain = || plain_call!(realloc(block, bytes));
    resize(block, Shape::plain(bytes), context, &plain)
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
    // SAFETY: `context` comes from the entry.
    let block = unsafe { count(Hook::Malloc, context, Shape::plain(size), plain) };
    if !block.is_null() {
        // SAFETY: the text has `length` bytes, the block one more.
        unsafe {
            core::ptr::copy_nonoverlapping(text.cast(), block, length);
            block.add(length).write(0);
        }
    }
    block
}
