//! jemalloc's `mallctl`, `mallctlnametomib` and `mallctlbymib`, for the names of the profiler: a program that
//! steers its profiler, and dumps, by itself steers us. Everything else goes on to jemalloc.
//!
//! The program sees these hooks only when the next allocator is a jemalloc (`unveil`). Where jemalloc's own
//! profiler runs, its names stay its own, because somebody asked for that profiler. It is not asked before the
//! program's first call of a name of the profiler: jemalloc makes its tables at its first call.
//!
//! A number of ours has a first part that no table of jemalloc's is long enough for, and the other parts are
//! zero.
//!
//! Source: jemalloc(3) of 5.3, `src/ctl.c` of 5.3.0.
//!
//! # Safety
//! The arguments are the program's, under the contracts of these functions.
#![allow(unsafe_code)]

mod exchange;
mod node;
mod options;
mod profiler;

use core::ffi::{CStr, c_char, c_int, c_void};

use crate::next::jemalloc;
use exchange::Exchange;
use node::Node;

/// The first part of our numbers, besides the number of the node.
const OURS: usize = 0x6d73_636f_7065_0000;

/// jemalloc's mallctl
///
/// # Safety
/// As that function.
pub unsafe extern "C" fn mallctl(
    name: *const c_char,
    old: *mut c_void,
    old_length: *mut usize,
    new: *mut c_void,
    new_length: usize,
) -> c_int {
    // SAFETY: the program's own arguments.
    unsafe {
        match own(name) {
            Some(node) => node.answer(&Exchange::new(old, old_length, new, new_length)),
            None => jemalloc::by_name(name, old, old_length, new, new_length),
        }
    }
}

/// jemalloc's mallctlnametomib
///
/// # Safety
/// As that function.
pub unsafe extern "C" fn mallctlnametomib(
    name: *const c_char,
    mib: *mut usize,
    length: *mut usize,
) -> c_int {
    // SAFETY: the program's own arguments. `mib` has room for `length` parts.
    unsafe {
        let Some(node) = own(name) else {
            return jemalloc::name_to_mib(name, mib, length);
        };
        // As with jemalloc, where there is less room the number is cut, and stands for nothing.
        let room = (*length).min(node.parts());
        for part in 0..room {
            mib.add(part)
                .write(if part == 0 { OURS | node.number() } else { 0 });
        }
        *length = room;
    }
    0
}

/// jemalloc's mallctlbymib
///
/// # Safety
/// As that function.
pub unsafe extern "C" fn mallctlbymib(
    mib: *const usize,
    length: usize,
    old: *mut c_void,
    old_length: *mut usize,
    new: *mut c_void,
    new_length: usize,
) -> c_int {
    // SAFETY: the program's own arguments. `mib` has `length` parts.
    unsafe {
        let first = if length == 0 { 0 } else { *mib };
        let number = first ^ OURS;
        if number > usize::from(u8::MAX) {
            return jemalloc::by_mib(mib, length, old, old_length, new, new_length);
        }
        let node = Node::numbered(number).filter(|node| node.parts() == length);
        match node.filter(|_| (1..length).all(|part| *mib.add(part) == 0)) {
            Some(node) => node.answer(&Exchange::new(old, old_length, new, new_length)),
            None => libc::ENOENT,
        }
    }
}

/// The node of that name, if we answer for it.
///
/// # Safety
/// `name` is null or a string.
unsafe fn own(name: *const c_char) -> Option<Node> {
    if name.is_null() {
        return None;
    }
    // SAFETY: as promised by the caller.
    let node = Node::named(unsafe { CStr::from_ptr(name) }.to_bytes())?;
    (!jemalloc::profiles()).then_some(node)
}
