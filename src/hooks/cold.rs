//! The cold twins: what a hook does when its countdown ran out, when the pointer carries the mark,
//! and the functions of the family that are too rare to deserve a hot twin.
//!
//! Called by `entry` alone. Each keeps the semantics of the C function to the letter: whatever
//! goes wrong here, the call is made as if it had not been sampled. errno is the next allocator's;
//! nothing of ours sets it.
//!
//! Order on free: the record goes first, then the block, or another thread would get the address
//! and lose its new record to our removal. On realloc: detach, call, re-attach if it failed.
//!
//! # Safety
//! The pointers come from the program under the contracts of malloc(3), posix_memalign(3) and
//! operator new; they are passed on, and read only as far as their usable size.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};

use super::early;
use super::entry::Context;
use super::forward::{self, Mode};
use super::marked::{self, Errno, Shape};
use super::resize::reallocate;
use crate::diag::{self, Counter};
use crate::next::{self, Block};
use crate::recorder::{self, Hook, Sampling};
use crate::{runtime, tls, trigger, unwind};

/// An allocation whose countdown ran out, or every one in exact mode.
///
/// # Safety
/// `context` is what the entry saved; `plain` makes a block of `shape`.
#[inline]
pub(super) unsafe fn sample(
    hook: Hook,
    context: &Context,
    shape: Shape,
    plain: impl Fn() -> Block,
) -> Block {
    let sampling = match forward::mode() {
        Mode::Exact => recorder::enter_exact(),
        _ => recorder::enter_event(shape.size),
    };
    let Some(sampling) = sampling else {
        return plain();
    };
    let errno = Errno::save();
    // SAFETY: as promised by the caller.
    let block = unsafe { marked::marked_block(shape, plain) };
    if !block.is_null() {
        errno.restore();
        record(sampling, block, shape.size, hook, context);
    }
    block
}

/// Records a block that was made for `sampling`.
pub(super) fn record(sampling: Sampling, block: Block, size: usize, hook: Hook, context: &Context) {
    if forward::mode() != Mode::Marked || marked::is_marked(block) {
        let bytes = sampling.record(block as usize, size, hook, context.registers());
        trigger::after_sample(sampling.guard(), bytes);
    } else {
        diag::count(Counter::Unmarkable);
    }
    drop(sampling);
    free_pending();
}

/// Frees what was put off: by signal handlers of this thread while it was inside our tables, or
/// because of a fork.
fn free_pending() {
    while !tls::current().is_busy()
        && let Some(address) = recorder::next_pending()
    {
        let Ok(sample) = recorder::detach(address) else {
            return recorder::free_later(address);
        };
        if let Some(sample) = &sample {
            recorder::forget(sample);
        }
        // SAFETY: the program freed this block before; its record is gone.
        unsafe { next::allocator().free(address as Block) };
    }
}

/// A function without a hot twin: takes the bytes from the countdown here.
///
/// # Safety
/// As [`sample`].
pub(super) unsafe fn count(
    hook: Hook,
    context: &Context,
    shape: Shape,
    plain: impl Fn() -> Block,
) -> Block {
    let due = recorder::count_down(shape.size) || forward::mode() == Mode::Exact;
    if due && !next::is_shadowed() {
        // SAFETY: as promised by the caller.
        unsafe { sample(hook, context, shape, plain) }
    } else {
        plain()
    }
}

macro_rules! plain_call {
    ($name:ident($($arg:expr),*)) => {
        // SAFETY: the program's own arguments, for the function the program called.
        unsafe { next::allocator().$name($($arg),*) }.unwrap_or(core::ptr::null_mut())
    };
}

pub(super) use plain_call;

/// malloc when the countdown ran out.
pub(crate) extern "C" fn malloc_event(size: usize, context: &Context) -> Block {
    if early::is_now() {
        return early::allocate(size);
    }
    let plain = || plain_call!(malloc(size));
    // SAFETY: `context` comes from the entry.
    unsafe { sample(Hook::Malloc, context, Shape::plain(size), plain) }
}

/// malloc in exact mode.
pub(crate) extern "C" fn malloc_exact(size: usize, context: &Context) -> Block {
    malloc_event(size, context)
}

/// calloc when the countdown ran out, or the product overflows (then nothing was counted).
pub(crate) extern "C" fn calloc_event(number: usize, size: usize, context: &Context) -> Block {
    if early::is_now() {
        let bytes = number.checked_mul(size);
        return bytes.map_or(core::ptr::null_mut(), early::allocate);
    }
    let Some(bytes) = number.checked_mul(size) else {
        return plain_call!(calloc(number, size));
    };
    let plain = || plain_call!(calloc(number, size));
    // SAFETY: `context` comes from the entry.
    unsafe { sample(Hook::Calloc, context, Shape::zeroed(bytes), plain) }
}

/// calloc in exact mode.
pub(crate) extern "C" fn calloc_exact(number: usize, size: usize, context: &Context) -> Block {
    calloc_event(number, size, context)
}

fn resize(block: Block, size: usize, hook: Hook, context: &Context, due: bool) -> Block {
    let plain = || plain_call!(realloc(block, size));
    reallocate(block, Shape::plain(size), hook, context, due, &plain)
}

/// realloc of a pointer with the mark, or of null; not counted yet.
pub(crate) extern "C" fn realloc_marked(block: Block, size: usize, context: &Context) -> Block {
    if early::owns(block) || early::is_now() {
        return early::reallocate(block, size);
    }
    let due = recorder::count_down(size);
    resize(block, size, Hook::Realloc, context, due)
}

/// realloc of a pointer without the mark when the countdown ran out.
pub(crate) extern "C" fn realloc_event(block: Block, size: usize, context: &Context) -> Block {
    resize(block, size, Hook::Realloc, context, true)
}

/// realloc where marks are not used; counted, and no sample due.
pub(crate) extern "C" fn realloc_checked(block: Block, size: usize, context: &Context) -> Block {
    resize(block, size, Hook::Realloc, context, false)
}

/// free, or a delete, of a pointer with the mark; of any pointer where marks are not used.
///
/// # Safety
/// As free(3).
pub unsafe extern "C" fn free_marked(block: Block) {
    // SAFETY: the program frees its block; the record of it is gone.
    release(block, || unsafe {
        next::allocator().free(block);
    });
}

/// Frees a block by `real`, after its record is gone.
#[inline(always)]
pub(super) fn release(block: Block, real: impl FnOnce()) {
    if early::owns(block) || early::is_now() {
        return;
    }
    if !block.is_null() && recorder::may_be_sampled(block as usize) {
        return release_sampled(block, real);
    }
    real();
}

#[cold]
#[inline(never)]
fn release_sampled(block: Block, real: impl FnOnce()) {
    let Ok(sample) = recorder::detach(block as usize) else {
        return recorder::free_later(block as usize);
    };
    if let Some(sample) = &sample {
        recorder::forget(sample);
    }
    if !sample.is_some_and(|sample| marked::keep(block, sample.size)) {
        real();
    }
    free_pending();
}

/// reallocarray(3)
pub(crate) extern "C" fn reallocarray(
    block: Block,
    number: usize,
    size: usize,
    context: &Context,
) -> Block {
    if early::owns(block) || early::is_now() {
        let bytes = number.checked_mul(size);
        return bytes.map_or(core::ptr::null_mut(), |bytes| {
            early::reallocate(block, bytes)
        });
    }
    let own = next::is_counted(&next::allocator().reallocarray);
    match number.checked_mul(size) {
        Some(bytes) if own => {
            let due = recorder::count_down(bytes);
            resize(block, bytes, Hook::Reallocarray, context, due)
        }
        _ => plain_call!(reallocarray(block, number, size)),
    }
}

/// posix_memalign(3): errno is left alone, the result says what went wrong.
pub(crate) extern "C" fn posix_memalign(
    out: *mut Block,
    align: usize,
    size: usize,
    context: &Context,
) -> c_int {
    if early::is_now() {
        let block = early::allocate_aligned(align, size);
        // SAFETY: the program's out pointer.
        unsafe { out.write(block) };
        return if block.is_null() { libc::ENOMEM } else { 0 };
    }
    let next = next::allocator();
    // SAFETY: the program's own arguments.
    let real =
        |out: *mut Block| unsafe { next.posix_memalign(out, align, size) }.unwrap_or(libc::ENOMEM);
    let valid = align.is_power_of_two() && align.is_multiple_of(size_of::<usize>());
    if !valid || !next::is_counted(&next.posix_memalign) {
        return real(out);
    }
    let result = core::cell::Cell::new(0);
    let plain = || {
        let mut block = core::ptr::null_mut();
        result.set(real(&mut block));
        if result.get() == 0 {
            block
        } else {
            core::ptr::null_mut()
        }
    };
    // SAFETY: `context` comes from the entry, the alignment is a power of two.
    let block = unsafe {
        count(
            Hook::PosixMemalign,
            context,
            Shape::aligned(size, align),
            plain,
        )
    };
    // A block of size 0 may be null with result 0; an aligned block made after a refusal is not.
    if !block.is_null() || result.get() == 0 {
        // SAFETY: the program's out pointer.
        unsafe { out.write(block) };
        return 0;
    }
    result.get()
}

macro_rules! aligned {
    ($name:ident, $hook:ident) => {
        #[doc = concat!(stringify!($name), "(3)")]
        pub(crate) extern "C" fn $name(align: usize, size: usize, context: &Context) -> Block {
            if early::is_now() {
                return early::allocate_aligned(align, size);
            }
            let plain = || plain_call!($name(align, size));
            if !align.is_power_of_two() || !next::is_counted(&next::allocator().$name) {
                return plain();
            }
            // SAFETY: `context` comes from the entry, the alignment is a power of two.
            unsafe { count(Hook::$hook, context, Shape::aligned(size, align), plain) }
        }
    };
}

aligned!(aligned_alloc, AlignedAlloc);
aligned!(memalign, Memalign);

macro_rules! paged {
    ($name:ident, $hook:ident, $granted:expr) => {
        #[doc = concat!(stringify!($name), "(3): page-aligned, so it carries the mark by itself.")]
        pub(crate) extern "C" fn $name(size: usize, context: &Context) -> Block {
            if early::is_now() {
                return early::allocate(size);
            }
            let plain = || plain_call!($name(size));
            if !next::is_counted(&next::allocator().$name) {
                return plain();
            }
            // SAFETY: `context` comes from the entry, a page is a power of two.
            unsafe {
                count(
                    Hook::$hook,
                    context,
                    Shape::aligned($granted(size), marked::ALIGN),
                    plain,
                )
            }
        }
    };
}

paged!(valloc, Valloc, core::convert::identity);
// pvalloc gives whole pages, and that is what the program asks for with it.
paged!(pvalloc, Pvalloc, |size: usize| size
    .checked_next_multiple_of(marked::ALIGN)
    .unwrap_or(size));

/// malloc_usable_size(3) of a pointer with the mark, and before the next allocator is known.
///
/// A sampled block has room up to its page's end, or up to its class of spares. A program that
/// fills what it is told (redis does) would put more into sampled blocks than into others, and
/// reallocate them less often: so it is told what any other block of that size has.
///
/// # Safety
/// As that function.
pub unsafe extern "C" fn malloc_usable_size(block: Block) -> usize {
    if early::owns(block) || early::is_now() {
        return early::asked(block);
    }
    // SAFETY: the program's own argument.
    let real = unsafe { next::allocator().malloc_usable_size(block) }.unwrap_or(0);
    let is_ours = forward::mode() == Mode::Marked
        && (block as usize).is_multiple_of(marked::ALIGN)
        && !block.is_null()
        && recorder::may_be_sampled(block as usize);
    let size = is_ours.then(|| recorder::sampled_size(block as usize));
    size.flatten().map_or(real, |size| marked::told(real, size))
}

/// dlclose(3): what the unwinder knows of libraries is forgotten before and after.
pub(crate) extern "C" fn dlclose(handle: *mut c_void, _context: &Context) -> c_int {
    let sampling = recorder::has_started();
    if sampling {
        runtime::before_close();
        unwind::before_close();
    }
    // SAFETY: the program's own argument. -1 is dlclose's own word for failure.
    let result = unsafe { next::allocator().dlclose(handle) }.unwrap_or(-1);
    if sampling {
        unwind::after_close();
        runtime::after_close();
    }
    result
}

macro_rules! operators {
    ($($name:ident, $late:ident, $find:ident = $symbol:literal($($arg:ident),*): $field:ident, $hook:ident, $align:expr;)+) => {$(
        #[doc = concat!("The next allocator's own operator `", stringify!($field), "` when the countdown ran out.")]
        ///
        /// Null sends the entry on to the operator itself, as if nothing had been sampled: what it
        /// does when memory is short (handler, exception), it does in frames without us.
        pub(crate) extern "C" fn $name(size: usize, $($arg: usize,)* context: &Context) -> Block {
            let shape = Shape::aligned(size, $align);
            // SAFETY: `context` comes from the entry; C++ alignments are powers of two.
            unsafe { sample(Hook::$hook, context, shape, || new_by_malloc(shape)) }
        }

        #[doc = concat!("Operator `", stringify!($field), "` of a library that was opened after the start.")]
        pub(crate) extern "C" fn $late(size: usize, $($arg: usize,)* context: &Context) -> Block {
            let shape = Shape::aligned(size, $align);
            // SAFETY: as above.
            unsafe { count(Hook::$hook, context, shape, || new_by_malloc(shape)) }
        }

        #[doc = concat!("Where `", $symbol, "` is now, when memory is short.")]
        pub(crate) extern "C" fn $find() -> usize {
            next::find_operator($symbol.as_bytes())
        }
    )+};
}

operators! {
    new_event, late_new, find_new = "_Znwm"(): new, New, 1;
    new_array_event, late_new_array, find_new_array = "_Znam"(): new_array, NewArray, 1;
    new_nothrow_event, late_new_nothrow, find_new_nothrow = "_ZnwmRKSt9nothrow_t"(_tag): new_nothrow, New, 1;
    new_array_nothrow_event, late_new_array_nothrow, find_new_array_nothrow = "_ZnamRKSt9nothrow_t"(_tag): new_array_nothrow, NewArray, 1;
    new_aligned_event, late_new_aligned, find_new_aligned = "_ZnwmSt11align_val_t"(align): new_aligned, New, align;
    new_array_aligned_event, late_new_array_aligned, find_new_array_aligned = "_ZnamSt11align_val_t"(align): new_array_aligned, NewArray, align;
    new_aligned_nothrow_event, late_new_aligned_nothrow, find_new_aligned_nothrow = "_ZnwmSt11align_val_tRKSt9nothrow_t"(align, _tag): new_aligned_nothrow, New, align;
    new_array_aligned_nothrow_event, late_new_array_aligned_nothrow, find_new_array_aligned_nothrow = "_ZnamSt11align_val_tRKSt9nothrow_t"(align, _tag): new_array_aligned_nothrow, NewArray, align;
}

/// What every operator new does while there is memory. Allocators that bring their own free its
/// blocks and malloc's alike; a library's (libstdc++, libc++) call malloc and free.
fn new_by_malloc(shape: Shape) -> Block {
    let size = shape.size.max(1);
    match shape.align {
        // What malloc aligns to by itself.
        ..=16 => plain_call!(malloc(size)),
        align => plain_call!(memalign(align, size)),
    }
}
