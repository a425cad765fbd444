//! A jemalloc behind us: what it says of itself, and its functions by which a program asks.
//!
//! The two functions by number are looked up here and not with the others, because most allocators have
//! none of the kind.
//!
//! # Safety
//! As `next`: jemalloc(3) gives these prototypes to the names that were looked up.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::transmute;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;

use super::{Entry, REAL, allocator};
use crate::platform::elf;

/// `mallctlnametomib` and `mallctlbymib`; null where there are none. Written by [`resolve`].
static NAME_TO_MIB: Entry = Entry::new(null_mut());
static BY_MIB: Entry = Entry::new(null_mut());

/// Looks the functions up, if the next allocator is a jemalloc. Runs once, at the start.
pub fn resolve() {
    if is_here() {
        for (entry, name) in [
            (&NAME_TO_MIB, &b"mallctlnametomib"[..]),
            (&BY_MIB, b"mallctlbymib"),
        ] {
            let found = elf::next_symbol(name);
            let address = found.map_or(0, |(symbol, _)| symbol.addr);
            entry.store(address as *mut c_void, Relaxed);
        }
    }
}

/// Is the next allocator a jemalloc?
pub fn is_here() -> bool {
    !REAL.mallctl.load(Relaxed).is_null()
}

/// Was jemalloc built with its own profiler?
pub fn has_profiler() -> bool {
    says(c"config.prof")
}

/// Does jemalloc's own profiler run, as `MALLOC_CONF` or the program asked?
pub fn profiles() -> bool {
    says(c"opt.prof")
}

fn says(name: &CStr) -> bool {
    let mut is_so = false;
    let mut length = size_of::<bool>();
    let (old, old_length) = ((&raw mut is_so).cast(), &raw mut length);
    // SAFETY: mallctl(3) writes at most `length` bytes, the size of the bool that these are.
    let answer = unsafe { by_name(name.as_ptr(), old, old_length, null_mut(), 0) };
    answer == 0 && is_so
}

/// mallctl
///
/// # Safety
/// The arguments satisfy that function.
pub unsafe fn by_name(
    name: *const c_char,
    old: *mut c_void,
    old_length: *mut usize,
    new: *mut c_void,
    new_length: usize,
) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe { allocator().mallctl(name, old, old_length, new, new_length) }.unwrap_or(libc::ENOENT)
}

/// mallctlnametomib
///
/// # Safety
/// The arguments satisfy that function.
pub unsafe fn name_to_mib(name: *const c_char, mib: *mut usize, length: *mut usize) -> c_int {
    type Function = unsafe extern "C" fn(*const c_char, *mut usize, *mut usize) -> c_int;
    let real = NAME_TO_MIB.load(Relaxed);
    if real.is_null() {
        return libc::ENOENT;
    }
    // SAFETY: the symbol of this name has this C prototype; the arguments as promised by the caller.
    unsafe { transmute::<*mut c_void, Function>(real)(name, mib, length) }
}

/// mallctlbymib
///
/// # Safety
/// The arguments satisfy that function.
pub unsafe fn by_mib(
    mib: *const usize,
    length: usize,
    old: *mut c_void,
    old_length: *mut usize,
    new: *mut c_void,
    new_length: usize,
) -> c_int {
    type Function = unsafe extern "C" fn(
        *const usize,
        usize,
        *mut c_void,
        *mut usize,
        *mut c_void,
        usize,
    ) -> c_int;
    let real = BY_MIB.load(Relaxed);
    if real.is_null() {
        return libc::ENOENT;
    }
    // SAFETY: as in `name_to_mib`.
    unsafe {
        transmute::<*mut c_void, Function>(real)(mib, length, old, old_length, new, new_length)
    }
}
