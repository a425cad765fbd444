//! The cold twins of the malloc family, and of those of its functions that are too rare for a hot
//! twin.
//!
//! # Safety
//! The pointers come from the program under the contracts of malloc(3), posix_memalign(3) and
//! operator new; they are passed on.
#![allow(unsafe_code)]

use core::ffi::c_int;

use super::early;
use super::entry::Context;
use super::resize::reallocate;
use super::sample::{count, sample};
use crate::next::{self, Block, plain_call};
use crate::platform::sys;
use crate::recorder::{self, Hook};

/// The entries of these functions. The named register is the one after the function's own
/// arguments.
#[allow(unsafe_code)]
pub mod entries {
    use crate::hooks::entry::entries;

    entries! {
        malloc_event("rsi") => super::malloc_event;
        calloc_event("rdx") => super::calloc_event;
        realloc_event("rdx") => super::realloc_event;
        realloc_sampled("rdx") => super::realloc_sampled;
        reallocarray("rcx") => super::reallocarray;
        posix_memalign("rcx") => super::posix_memalign;
        aligned_alloc("rdx") => super::aligned_alloc;
        memalign("rdx") => super::memalign;
        valloc("rsi") => super::valloc;
        pvalloc("rsi") => super::pvalloc;
    }
}

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

/// realloc of a block in whose page a sample begins. It was counted, and no sample is due.
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

/// posix_memalign(3): errno does not change; the result says what went wrong.
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
// pvalloc returns whole pages, and the program asks for these.
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
