//! What replaces the kernel under Miri, which cannot enter it: the tables run under Miri with
//! memory from std. For `sys` alone.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc};

/// The calls that the tables make; every other call returns ENOSYS.
///
/// # Safety
/// The arguments satisfy what the call named by `number` requires of memory.
pub(super) unsafe fn syscall(number: i64, args: [usize; 6]) -> isize {
    let [at, len, ..] = args;
    let region = || Layout::from_size_align(len, super::PAGE).expect("a region is small");
    match number {
        // SAFETY: no caller maps zero bytes.
        libc::SYS_mmap => unsafe { alloc_zeroed(region()) }.expose_provenance() as isize,
        libc::SYS_munmap => {
            let region_start = core::ptr::with_exposed_provenance_mut(at);
            // SAFETY: the caller gives back what SYS_mmap above returned, with its length.
            unsafe { dealloc(region_start, region()) };
            0
        }
        libc::SYS_futex => {
            std::thread::yield_now();
            0
        }
        _ => -(libc::ENOSYS as isize),
    }
}

/// There is no valgrind.
///
/// # Safety
/// None is needed.
pub(super) unsafe fn valgrind_request(_request: &[usize; 6], default: usize) -> usize {
    default
}

/// No clock.
pub(super) fn ticks() -> u64 {
    0
}
