//! Calls of the next allocator's functions by their C prototypes.
//!
//! # Safety
//! As `next`: POSIX, ISO C and the Itanium C++ ABI give these prototypes to the names that were looked up.
#![allow(unsafe_code)]

use core::ffi::{c_char, c_int, c_void};
use core::mem::transmute;
use core::sync::atomic::Ordering::Relaxed;

use super::Functions;

macro_rules! call {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty) => {
        $(#[$doc])*
        ///
        /// `None` when the function has no definition.
        ///
        /// # Safety
        /// The arguments satisfy the C function of that name.
        #[inline(always)]
        pub unsafe fn $name(&self, $($arg: $ty),*) -> Option<$ret> {
            let entry = self.$name.load(Relaxed);
            if entry.is_null() {
                return None;
            }
            // SAFETY: the symbol of this name has this C prototype, see the head of the file. The
            // caller guarantees the arguments.
            unsafe {
                let function: unsafe extern "C" fn($($ty),*) -> $ret = transmute(entry);
                Some(function($($arg),*))
            }
        }
    };
}

/// A block of the next allocator.
pub type Block = *mut u8;

impl Functions {
    call!(/// malloc(3)
        malloc(size: usize) -> Block);
    call!(/// calloc(3)
        calloc(count: usize, size: usize) -> Block);
    call!(/// realloc(3)
        realloc(block: Block, size: usize) -> Block);
    call!(/// reallocarray(3)
        reallocarray(block: Block, count: usize, size: usize) -> Block);
    call!(/// free(3)
        free(block: Block) -> ());
    call!(/// posix_memalign(3)
        posix_memalign(out: *mut Block, align: usize, size: usize) -> c_int);
    call!(/// aligned_alloc(3)
        aligned_alloc(align: usize, size: usize) -> Block);
    call!(/// memalign(3)
        memalign(align: usize, size: usize) -> Block);
    call!(/// valloc(3)
        valloc(size: usize) -> Block);
    call!(/// pvalloc(3)
        pvalloc(size: usize) -> Block);
    call!(/// malloc_usable_size(3)
        malloc_usable_size(block: Block) -> usize);
    call!(/// jemalloc's mallocx
        mallocx(size: usize, flags: c_int) -> Block);
    call!(/// jemalloc's rallocx
        rallocx(block: Block, size: usize, flags: c_int) -> Block);
    call!(/// jemalloc's xallocx
        xallocx(block: Block, size: usize, extra: usize, flags: c_int) -> usize);
    call!(/// jemalloc's sallocx
        sallocx(block: Block, flags: c_int) -> usize);
    call!(/// jemalloc's dallocx
        dallocx(block: Block, flags: c_int) -> ());
    call!(/// jemalloc's mallctl
        mallctl(name: *const c_char, old: *mut c_void, old_length: *mut usize,
            new: *mut c_void, new_length: usize) -> c_int);
    call!(/// tcmalloc's malloc that leaves the new handler alone
        tc_malloc_skip_new_handler(size: usize) -> Block);
    call!(/// mimalloc's mi_zalloc
        mi_zalloc(size: usize) -> Block);
    call!(/// mimalloc's mi_mallocn
        mi_mallocn(count: usize, size: usize) -> Block);
    call!(/// mimalloc's mi_malloc_aligned
        mi_malloc_aligned(size: usize, align: usize) -> Block);
    call!(/// mimalloc's mi_zalloc_aligned
        mi_zalloc_aligned(size: usize, align: usize) -> Block);
    call!(/// mimalloc's mi_calloc_aligned
        mi_calloc_aligned(count: usize, size: usize, align: usize) -> Block);
    call!(/// mimalloc's mi_reallocn
        mi_reallocn(block: Block, count: usize, size: usize) -> Block);
    call!(/// mimalloc's mi_reallocarr
        mi_reallocarr(block: *mut Block, count: usize, size: usize) -> c_int);
    call!(/// mimalloc's mi_rezalloc
        mi_rezalloc(block: Block, size: usize) -> Block);
    call!(/// mimalloc's mi_recalloc
        mi_recalloc(block: Block, count: usize, size: usize) -> Block);
    call!(/// mimalloc's mi_realloc_aligned
        mi_realloc_aligned(block: Block, size: usize, align: usize) -> Block);
    call!(/// mimalloc's mi_rezalloc_aligned
        mi_rezalloc_aligned(block: Block, size: usize, align: usize) -> Block);
    call!(/// mimalloc's mi_recalloc_aligned
        mi_recalloc_aligned(block: Block, count: usize, size: usize, align: usize) -> Block);
    call!(/// dlclose(3)
        dlclose(handle: *mut c_void) -> c_int);
}

/// Makes the program's own call of the next allocator; null if that allocator has no such function.
macro_rules! plain_call {
    ($name:ident($($arg:expr),*)) => {
        // SAFETY: the program's own arguments, passed to the function that the program called.
        unsafe { $crate::next::allocator().$name($($arg),*) }.unwrap_or(core::ptr::null_mut())
    };
}

pub(crate) use plain_call;
