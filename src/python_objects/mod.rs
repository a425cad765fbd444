//! CPython's small objects: its allocator keeps blocks of up to 512 bytes in arenas that it maps, where
//! malloc sees none of them. They are sampled at its own functions, and are a kind of their own.
//!
//! The functions of the domains `mem` and `obj` are read and replaced by `PyMem_GetAllocator` and
//! `PyMem_SetAllocator`, from inside the first malloc that is sampled while its thread has the
//! interpreter's lock ([`start`] asks `runtime::python` for that moment). Neither of the two allocates. Only
//! the four pointers to functions change, each by itself valid with all others, and the context stays what
//! it was: so whatever a thread of another interpreter reads meanwhile is right. Blocks that exist already
//! pass through.
//!
//! Nothing is ever put back: tracemalloc and others wrap in their turn, and keep our functions as theirs to
//! call. Where somebody sets the functions from before us (tracemalloc that was started before and ends), no
//! wrapper sees the frees any more: that is noticed within seconds, the samples are forgotten, and the
//! functions are replaced again.
//!
//! Larger blocks are malloc's: not counted here, but there. So are small ones for which the interpreter asks
//! malloc after all (`PYTHONMALLOC=malloc`): where all are, the wrappers cease to count.
//!
//! # Safety
//! As for `hooks`: the wrappers are called with the interpreter's own arguments, and pass them on.
#![allow(unsafe_code)]

mod domain;
mod event;
mod wrappers;

use core::mem::transmute;

use crate::recorder::objects;
use crate::runtime::python::{self, Allocators};
use domain::{Functions, MEM, OBJ};

/// Numbers of the domains, `PyMemAllocatorDomain`.
const RAW: i32 = 0;

/// Begins: the allocators are replaced when there is an interpreter. Runs before sampling begins.
pub fn start() {
    static VISITOR: fn(&Allocators) = visit;
    python::let_visit(&VISITOR);
}

/// Replaces the functions, or checks that they are still called.
fn visit(allocators: &Allocators) {
    let get = |domain: i32| {
        let mut functions = Functions::default();
        // SAFETY: this function of CPython fills the structure, and does nothing else.
        unsafe {
            let get: extern "C" fn(i32, *mut Functions) = transmute(allocators.get);
            get(domain, &raw mut functions);
        }
        functions
    };
    // SAFETY: this function of CPython copies the structure, and does nothing else.
    let set: extern "C" fn(i32, *const Functions) = unsafe { transmute(allocators.set) };
    let raw = get(RAW);
    let mut is_lost = false;
    for domain in [&MEM, &OBJ] {
        let (now, ours) = (get(domain.number), wrappers::of(domain));
        if now.malloc == raw.malloc || !domain.must_wrap(&now, &ours, allocators) {
            continue;
        }
        is_lost |= domain.is_wrapped();
        let ours = domain.wrap(&now, &ours);
        set(domain.number, &raw const ours);
    }
    if is_lost {
        objects::forget_all();
    }
}
