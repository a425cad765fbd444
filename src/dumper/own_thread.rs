//! A thread that glibc does not know: where its stack and TLS are, and how it begins.
//!
//! The thread is made by clone(2) itself, not by pthread_create. That takes no lock of glibc and
//! allocates nothing, so it may be done inside malloc. Because glibc does not know the thread, its
//! single-thread fast paths stay, and `pthread_exit` of the last thread that it knows still ends
//! the process. `setuid` does not wait for our thread (which takes over the credentials of the
//! thread that made it). Our thread has its own table of descriptors, so the program cannot close
//! or reuse a descriptor of ours. It calls no function of libc that looks at thread-local state; in
//! place of its TLS there is a small region of its own. All signals are blocked in it.
//!
//! # Safety
//! A place is used by one thread at a time: its word is taken before the thread starts. The kernel
//! clears the word when the thread has ended (CLONE_CHILD_CLEARTID).
#![allow(unsafe_code)]

use core::ffi::CStr;
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use core::sync::atomic::{AtomicPtr, AtomicU32};

use super::signal_mask;
use crate::{
    platform::{sys, tls},
    table::arena,
};

/// No thread has the place.
pub const FREE: u32 = 0;
/// A thread has the place, or will have it soon.
pub const TAKEN: u32 = 1;

/// Many times larger than the dump's frames. Untouched pages cost nothing.
const STACK: usize = 256 << 10;
/// The room below the thread pointer, beyond our own TLS block, and above it for the TCB.
const TLS_ROOM: usize = 64 << 10;

/// The stack and TLS of a thread of ours, and whether the thread exists.
pub struct Place {
    /// [`FREE`] or [`TAKEN`]. Taken with acquire, given back with release, or by the kernel.
    pub word: AtomicU32,
    /// The stack and TLS, made at the first use. Written by the thread that took the word.
    region: AtomicPtr<u8>,
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    /// A place that no thread has.
    pub const fn new() -> Place {
        Place {
            word: AtomicU32::new(FREE),
            region: AtomicPtr::new(core::ptr::null_mut()),
        }
    }

    /// Takes the place if it is free.
    pub fn try_take(&self) -> bool {
        // Acquire: pairs with the release by the last thread in this place.
        self.word
            .compare_exchange(FREE, TAKEN, Acquire, Relaxed)
            .is_ok()
    }

    /// Starts a thread at `entry` in this place, which the caller has taken; `None` when the kernel
    /// or the arena has no room for it. The place is free again when `entry` has returned.
    pub fn start(&'static self, entry: extern "C" fn()) -> Option<()> {
        let below = tls::offset().wrapping_neg().checked_add(TLS_ROOM)? & !63;
        let length = STACK + below + TLS_ROOM;
        let mut region = self.region.load(Relaxed);
        if region.is_null() {
            region = arena::map(length)?.as_ptr();
            self.region.store(region, Relaxed);
        }
        // SAFETY: the region is ours and long enough for all three parts. The thread that used it
        // before has ended, or the word would still be taken.
        unsafe {
            let stack_top = region.add(STACK);
            let tcb = stack_top.add(below);
            // The x86-64 TLS ABI: the word at the thread pointer holds the thread pointer.
            tcb.cast::<*mut u8>().write(tcb);
            tcb.cast::<*mut u8>().add(2).write(tcb);
            let thread = signal_mask::all_blocked(|| sys::spawn(stack_top, tcb, &self.word, entry));
            (thread > 0).then_some(())
        }
    }
}

/// What a thread of ours does first. It began with the program's floating-point state and
/// descriptors. Neither is wanted, except the descriptors below `first`.
pub fn settle(first: u32, name: &CStr) {
    tls::current().busy.store(1, Relaxed);
    tls::FloatState::save();
    sys::close_from(first);
    sys::set_thread_name(name);
}
