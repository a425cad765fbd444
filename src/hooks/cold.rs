//! The cold twins: what a hook does when its countdown ran out, and the functions of the family that
//! are too rare to deserve a hot twin.
//!
//! Each makes the call that the program made, with the program's own arguments, and looks at the
//! block that came back; nothing is allocated, aligned or sized for us. errno is the next
//! allocator's; nothing of ours sets it.
//!
//! # Safety
//! The pointers come from the program under the contracts of malloc(3), posix_memalign(3) and
//! operator new; they are passed on.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};

use super::early;
use super::entry::Context;
use super::forward;
use super::release::free_pending;
use super::resize::reallocate;
use crate::next::{self, Block};
use crate::recorder::{self, Hook, Sampling};
use crate::{platform::sys, runtime, trigger, unwind};

/// An allocation of `size` bytes whose countdown ran out; `plain` is the program's call.
#[inline]
pub(super) fn sample(
    hook: Hook,
    context: &Context,
    size: usize,
    plain: impl FnOnce() -> Block,
) -> Block {
    let Some(sampling) = recorder::enter_event(size) else {
        return plain();
    };
    let block = plain();
    if !block.is_null() {
        record(sampling, block, size, hook, context);
    }
    block
}

/// Records a block that was made for `sampling`.
pub(super) fn record(sampling: Sampling, block: Block, size: usize, hook: Hook, context: &Context) {
    forward::watch();
    let bytes = sampling.record(block as usize, size, hook, context.registers());
    trigger::after_sample(sampling.guard(), bytes);
    drop(sampling);
    free_pending();
}

/// A function without a hot twin: takes the bytes from the countdown here.
#[inline]
pub(super) fn count(
    hook: Hook,
    context: &Context,
    size: usize,
    plain: impl FnOnce() -> Block,
) -> Block {
    if recorder::count_down(size) && !next::is_shadowed() {
        sample(hook, context, size, plain)
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
    sample(Hook::Malloc, context, size, || plain_call!(malloc(size)))
}

/// calloc when the countdown ran out, or the product overflows (then nothing was counted).
pub(crate) extern "C" fn calloc_event(number: usize, size: usize, context: &Context) -> Block {
    if early::is_now() {
        let bytes = number.checked_mul(size);
        return bytes.map_or(core::ptr::null_mut(), early::allocate);
    }
    let plain = || plain_call!(calloc(number, size));
    match number.checked_mul(size) {
        Some(bytes) => sample(Hook::Calloc, context, bytes, plain),
        None => plain(),
    }
}

fn resize(block: Block, size: usize, hook: Hook, context: &Context, due: bool) -> Block {
    if early::owns(block) || early::is_now() {
        return early::reallocate(block, size);
    }
    let plain = |block| plain_call!(realloc(block, size));
    reallocate(block, size, hook, context, due, &plain)
}

/// realloc when the countdown ran out.
pub(crate) extern "C" fn realloc_event(block: Block, size: usize, context: &Context) -> Block {
    resize(block, size, Hook::Realloc, context, true)
}

/// realloc of a block in whose page a sample begins; counted, and no sample due.
pub(crate) extern "C" fn realloc_sampled(block: Block, size: usize, context: &Context) -> Block {
    resize(block, size, Hook::Realloc, context, false)
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
    let real = || unsafe { next.posix_memalign(out, align, size) }.unwrap_or(libc::ENOMEM);
    if !next::is_counted(&next.posix_memalign) {
        return real();
    }
    let mut result = 0;
    count(Hook::PosixMemalign, context, size, || {
        result = real();
        match result {
            // SAFETY: the program's out pointer, written just now.
            0 => unsafe { out.read() },
            _ => core::ptr::null_mut(),
        }
    });
    result
}

macro_rules! aligned {
    ($name:ident, $hook:ident) => {
        #[doc = concat!(stringify!($name), "(3)")]
        pub(crate) extern "C" fn $name(align: usize, size: usize, context: &Context) -> Block {
            if early::is_now() {
                return early::allocate_aligned(align, size);
            }
            let plain = || plain_call!($name(align, size));
            if !next::is_counted(&next::allocator().$name) {
                return plain();
            }
            count(Hook::$hook, context, size, plain)
        }
    };
}

aligned!(aligned_alloc, AlignedAlloc);
aligned!(memalign, Memalign);

macro_rules! paged {
    ($name:ident, $hook:ident, $granted:expr) => {
        #[doc = concat!(stringify!($name), "(3)")]
        pub(crate) extern "C" fn $name(size: usize, context: &Context) -> Block {
            if early::is_now() {
                return early::allocate(size);
            }
            let plain = || plain_call!($name(size));
            if !next::is_counted(&next::allocator().$name) {
                return plain();
            }
            count(Hook::$hook, context, $granted(size), plain)
        }
    };
}

paged!(valloc, Valloc, core::convert::identity);
// pvalloc gives whole pages, and that is what the program asks for with it.
paged!(pvalloc, Pvalloc, |size: usize| size
    .checked_next_multiple_of(sys::PAGE)
    .unwrap_or(size));

/// malloc_usable_size(3)
///
/// # Safety
/// As that function.
pub unsafe extern "C" fn malloc_usable_size(block: Block) -> usize {
    if early::owns(block) || early::is_now() {
        return early::asked(block);
    }
    // SAFETY: the program's own argument.
    unsafe { next::allocator().malloc_usable_size(block) }.unwrap_or(0)
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
            sample(Hook::$hook, context, size, || new_by_malloc(size, $align))
        }

        #[doc = concat!("Operator `", stringify!($field), "` of a library that was opened after the start.")]
        pub(crate) extern "C" fn $late(size: usize, $($arg: usize,)* context: &Context) -> Block {
            count(Hook::$hook, context, size, || new_by_malloc(size, $align))
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
fn new_by_malloc(size: usize, align: usize) -> Block {
    let size = size.max(1);
    match align {
        1 => plain_call!(malloc(size)),
        // Also for 16: some allocators align blocks of 8 bytes to no more than 8.
        _ => plain_call!(memalign(align, size)),
    }
}
