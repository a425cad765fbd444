//! A thread that asks V8 for interrupts.
//!
//! It is an ordinary thread of libc, because V8 takes locks and allocates in it; threads of ours
//! that libc does not know may not. It is made in the constructor, because nothing later runs
//! outside malloc; Node makes some ten threads itself at its start. It sleeps in the kernel until a
//! sample has noticed an isolate. What it allocates is not sampled. All signals but glibc's own are
//! blocked in it.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};
use core::mem::transmute;
use core::ptr::{null, null_mut};
use core::sync::atomic::Ordering::Relaxed;

use super::{ask, interrupt, isolates};
use crate::platform::{
    elf,
    sys::{self, SignalSet},
    tls,
};

const ALMOST_ALL: SignalSet = !sys::GLIBC;

/// Makes the thread. In the constructor. Without it no isolate is ever noticed.
pub fn start() {
    let Some((create, _)) = elf::next_symbol(b"pthread_create") else {
        return;
    };
    let mut thread: usize = 0;
    let mask = sys::set_signal_mask(ALMOST_ALL);
    // SAFETY: pthread_create(3), by name because its version is newer than those that we may
    // require. No thread joins it: it ends with the process.
    let status = unsafe {
        let create: unsafe extern "C" fn(
            *mut usize,
            *const c_void,
            extern "C" fn(*mut c_void) -> *mut c_void,
            *mut c_void,
        ) -> c_int = transmute(create.addr);
        create(&raw mut thread, null(), run, null_mut())
    };
    sys::set_signal_mask(mask);
    if status == 0 {
        ask::begin();
    }
}

extern "C" fn run(_argument: *mut c_void) -> *mut c_void {
    sys::set_thread_name(c"malloscope-js");
    tls::current().busy.store(1, Relaxed);
    loop {
        let seen = ask::questions();
        isolates::answer(&mut interrupt::request);
        isolates::remind(&mut interrupt::request_look);
        if sys::is_sandboxed() {
            return null_mut();
        }
        ask::wait(seen);
    }
}
