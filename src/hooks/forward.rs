//! What the hooks jump to when nothing is to be sampled.
//!
//! Every pointer starts at a bootstrap entry and is replaced by [`install`]: by `bootstrap` when
//! the first call comes before our constructor, and by `boot` with the mode it read from the
//! configuration. From then on they point into objects that the program started with, which are
//! never closed. A C++ operator that nobody defines by then can only come from a library opened
//! later, which may be closed again; it gets a twin of ours that leads to malloc. Each store is complete in itself, so relaxed atomics do: a thread that still sees the old
//! pointer only resolves once more or records one block less.

use core::ffi::c_void;
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering::Relaxed};

use super::{cold, entry, extended};
use crate::next::{self, Entry, REAL};

/// How sampled blocks are known again when they are freed.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Nothing is sampled, or sampled blocks carry the mark in their address.
    Marked = 0,
    /// Blocks stay as the allocator made them; every free asks the filter.
    Unmarked = 1,
    /// Every call is recorded.
    Exact = 2,
}

/// The mode in force. Written by [`install`] from `boot`, before sampling begins.
static MODE: AtomicU8 = AtomicU8::new(Mode::Marked as u8);

/// The mode in force.
#[inline]
pub fn mode() -> Mode {
    match MODE.load(Relaxed) {
        1 => Mode::Unmarked,
        2 => Mode::Exact,
        _ => Mode::Marked,
    }
}

type Function = unsafe extern "C" fn();

const fn entry(function: Function) -> Entry {
    AtomicPtr::new(function as *mut c_void)
}

macro_rules! forward {
    (
        plain { $($plain:ident: $boot_plain:ident,)+ }
        extended { $($extended:ident,)+ }
        new { $($new:ident: $boot_new:ident, $count:ident, $event:ident, $late:ident,)+ }
        delete { $($delete:ident: $boot_delete:ident, $check:ident,)+ }
    ) => {
        /// One jump target per hot hook.
        #[repr(C)]
        #[allow(missing_docs, reason = "each field is the target of the hook of its name")]
        pub struct Forward {
            $(pub $plain: Entry,)+
            $(pub $extended: Entry,)+
            $(pub $new: Entry,)+
            $(pub $delete: Entry,)+
        }

        /// The targets in force; see the head of the file for who writes them.
        pub static FORWARD: Forward = Forward {
            $($plain: entry(entry::$boot_plain),)+
            $($extended: Entry::new(core::ptr::null_mut()),)+
            $($new: entry(entry::$boot_new),)+
            $($delete: entry(entry::$boot_delete),)+
        };

        fn install_operators(mode: Mode) {
            $(install_operator(&FORWARD.$new, &REAL.$new, entry::$late as *mut c_void, match mode {
                Mode::Exact => entry::$event as *mut c_void,
                _ => entry::$count as *mut c_void,
            });)+
            $(install_operator(&FORWARD.$delete, &REAL.$delete, cold::free_marked as *mut c_void, match mode {
                Mode::Marked => entry::$check as *mut c_void,
                _ => cold::free_marked as *mut c_void,
            });)+
        }
    };
}

forward! {
    plain {
        malloc: boot_malloc,
        calloc: boot_calloc,
        realloc: boot_realloc,
        free: boot_free,
    }
    extended {
        mallocx,
        dallocx,
        sdallocx,
    }
    new {
        new: boot_new, count_new, new_event, late_new,
        new_array: boot_new_array, count_new_array, new_array_event, late_new_array,
        new_nothrow: boot_new_nothrow, count_new_nothrow, new_nothrow_event, late_new_nothrow,
        new_array_nothrow: boot_new_array_nothrow, count_new_array_nothrow, new_array_nothrow_event, late_new_array_nothrow,
        new_aligned: boot_new_aligned, count_new_aligned, new_aligned_event, late_new_aligned,
        new_array_aligned: boot_new_array_aligned, count_new_array_aligned, new_array_aligned_event, late_new_array_aligned,
        new_aligned_nothrow: boot_new_aligned_nothrow, count_new_aligned_nothrow, new_aligned_nothrow_event, late_new_aligned_nothrow,
        new_array_aligned_nothrow: boot_new_array_aligned_nothrow, count_new_array_aligned_nothrow, new_array_aligned_nothrow_event, late_new_array_aligned_nothrow,
    }
    delete {
        delete: boot_delete, check_delete,
        delete_array: boot_delete_array, check_delete_array,
        delete_sized: boot_delete_sized, check_delete_sized,
        delete_array_sized: boot_delete_array_sized, check_delete_array_sized,
        delete_nothrow: boot_delete_nothrow, check_delete_nothrow,
        delete_array_nothrow: boot_delete_array_nothrow, check_delete_array_nothrow,
        delete_aligned: boot_delete_aligned, check_delete_aligned,
        delete_array_aligned: boot_delete_array_aligned, check_delete_array_aligned,
        delete_sized_aligned: boot_delete_sized_aligned, check_delete_sized_aligned,
        delete_array_sized_aligned: boot_delete_array_sized_aligned, check_delete_array_sized_aligned,
        delete_aligned_nothrow: boot_delete_aligned_nothrow, check_delete_aligned_nothrow,
        delete_array_aligned_nothrow: boot_delete_array_aligned_nothrow, check_delete_array_aligned_nothrow,
    }
}

/// The first call of any hook, before or after our constructor.
pub extern "C" fn bootstrap() {
    next::resolve();
    install(mode());
}

/// Points the hooks at the next allocator, or at the recording twins that `mode` asks for.
pub fn install(mode: Mode) {
    let real = next::allocator();
    MODE.store(mode as u8, Relaxed);
    let (malloc, calloc) = match mode {
        Mode::Exact => (
            entry::malloc_exact as *mut c_void,
            entry::calloc_exact as *mut c_void,
        ),
        _ => (real.malloc.load(Relaxed), real.calloc.load(Relaxed)),
    };
    let (realloc, free) = match mode {
        Mode::Marked => (real.realloc.load(Relaxed), real.free.load(Relaxed)),
        _ => (
            entry::realloc_checked as *mut c_void,
            cold::free_marked as *mut c_void,
        ),
    };
    FORWARD.malloc.store(malloc, Relaxed);
    FORWARD.calloc.store(calloc, Relaxed);
    FORWARD.realloc.store(realloc, Relaxed);
    FORWARD.free.store(free, Relaxed);
    install_extended(mode);
    install_operators(mode);
}

/// jemalloc's, which nobody calls before `binding` shows them.
fn install_extended(mode: Mode) {
    let real = next::allocator();
    let mallocx = match mode {
        Mode::Exact => entry::mallocx_event as *mut c_void,
        _ => real.mallocx.load(Relaxed),
    };
    let (dallocx, sdallocx) = match mode {
        Mode::Marked => (real.dallocx.load(Relaxed), real.sdallocx.load(Relaxed)),
        _ => (
            extended::dallocx as *mut c_void,
            extended::sdallocx as *mut c_void,
        ),
    };
    FORWARD.mallocx.store(mallocx, Relaxed);
    FORWARD.dallocx.store(dallocx, Relaxed);
    FORWARD.sdallocx.store(sdallocx, Relaxed);
}

/// An operator that comes back through malloc or free is counted there; the allocator's own is
/// counted here, by its twin.
fn install_operator(target: &Entry, real: &Entry, late: *mut c_void, twin: *mut c_void) {
    let counted = next::is_counted(real) && !next::is_shadowed();
    let real = real.load(Relaxed);
    let chosen = match counted {
        _ if real.is_null() => late,
        true => twin,
        false => real,
    };
    target.store(chosen, Relaxed);
}
