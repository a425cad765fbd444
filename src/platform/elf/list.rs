//! The loader's list of objects (`_r_debug.r_map`), walked without its lock.
//!
//! The walk survives a list that changes during it: nodes are probed, and their back links are
//! compared.
//!
//! Source: `<link.h>` and `elf/link.h` of glibc 2.36; musl 1.2.3 has the same heads of both structs.
#![allow(unsafe_code)]

use core::ffi::c_char;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicUsize};

use super::object::{Dyn, Object};
use crate::platform::{glibc, sys};

/// Public head of glibc's `struct link_map`.
#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const c_char,
    dynamic: *const Dyn,
    next: *const LinkMap,
    prev: *const LinkMap,
}

/// Public head of `struct r_debug`.
#[repr(C)]
struct RDebug {
    version: i32,
    map: *const LinkMap,
}

/// No program loads more objects: a list that is longer is damaged.
const MOST_OBJECTS: usize = 1 << 16;

/// While it lives, each page of the loader's list is probed once, not at each of a dozen walks.
pub struct Start(());

/// Is there a [`Start`]? Written by it. Relaxed, as the next: the answer for a page refers to
/// nothing else.
static STARTING: AtomicBool = AtomicBool::new(false);

/// Pages that were found readable meanwhile; 0: no page. Written by [`is_readable`] and, at its
/// end, by [`Start`].
static READABLE: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

impl Start {
    /// Begins it, in the constructor, on the program's first thread.
    pub fn begin() -> Start {
        STARTING.store(true, Relaxed);
        Start(())
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        STARTING.store(false, Relaxed);
        for page in &READABLE {
            page.store(0, Relaxed);
        }
    }
}

fn is_readable(at: usize) -> bool {
    if !STARTING.load(Relaxed) {
        return sys::readable(at & !7);
    }
    let page = at & !(sys::PAGE - 1);
    let is_known = READABLE.iter().any(|known| known.load(Relaxed) == page);
    let is_readable = is_known || sys::readable(at & !7);
    if is_readable
        && !is_known
        && let Some(free) = READABLE.iter().find(|known| known.load(Relaxed) == 0)
    {
        free.store(page, Relaxed);
    }
    is_readable
}

/// The objects of the loader's list, in its order: the program, what was preloaded, the rest.
pub fn all() -> impl Iterator<Item = Object> {
    let debug = glibc::debug().cast::<RDebug>();
    let first = match debug.is_null() {
        true => ptr::null(),
        // SAFETY: ld.so defines it and fills it in before any constructor runs; it alone writes it, also
        // around every `dlopen` and `dlclose`. The pointer is read once.
        false => unsafe { ptr::read_volatile(&raw const (*debug).map) },
    };
    Objects {
        next: first,
        prev: ptr::null(),
        left: MOST_OBJECTS,
        page: 0,
    }
}

/// The object this code is part of.
pub fn own() -> Option<Object> {
    all().find(Object::is_own)
}

/// The objects after ours in the loader's order (which `RTLD_NEXT` searches).
pub fn objects_after_own() -> impl Iterator<Item = Object> {
    all().skip_while(|object| !object.is_own()).skip(1)
}

/// The object of a node of the loader's list.
///
/// # Safety
/// `map` is the `struct link_map` of an object that is not being closed.
pub unsafe fn object_of(map: *const usize) -> Object {
    // SAFETY: as the caller promises.
    let map = unsafe { ptr::read_volatile(map.cast::<LinkMap>()) };
    Object {
        base: map.base,
        dynamic: map.dynamic,
        name: map.name,
    }
}

/// The object that has `addr` in one of its segments.
pub fn find_by_address(addr: usize) -> Option<Object> {
    all().find(|object| object.contains(addr))
}

struct Objects {
    next: *const LinkMap,
    prev: *const LinkMap,
    left: usize,
    /// The last page that was found readable.
    page: usize,
}

impl Iterator for Objects {
    type Item = Object;

    fn next(&mut self) -> Option<Object> {
        let node = self.next;
        if node.is_null() || !node.is_aligned() || self.left == 0 {
            return None;
        }
        let last_byte = (node as usize).checked_add(size_of::<LinkMap>() - 1)?;
        // A page is probed only when it is not the last one: neighbours in the list are often
        // neighbours in memory.
        for at in [node as usize, last_byte] {
            if at / sys::PAGE != self.page && !is_readable(at) {
                return None;
            }
            self.page = at / sys::PAGE;
        }
        // SAFETY: the pages of the node were just found readable; every bit pattern is a valid
        // `LinkMap`. If `dlclose` freed the node meanwhile, its back link shows that.
        let map = unsafe { ptr::read_volatile(node) };
        if map.prev != self.prev {
            return None;
        }
        self.prev = node;
        self.next = map.next;
        self.left -= 1;
        Some(Object {
            base: map.base,
            dynamic: map.dynamic,
            name: map.name,
        })
    }
}
