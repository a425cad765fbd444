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
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::{interrupt, isolates};
use crate::platform::{
    elf,
    sys::{self, SignalSet},
    tls,
};

/// The process in which the thread runs; 0: it runs in none. Written by [`start`].
static RUNS_IN: AtomicU32 = AtomicU32::new(0);

/// Questions so far; the thread sleeps on this. Written by threads that ask.
static QUESTIONS: AtomicU32 = AtomicU32::new(0);

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
        RUNS_IN.store(sys::getpid().unsigned_abs(), SeqCst);
    }
}

/// Does the thread run in this process? Not in a fork's child.
pub fn runs_here() -> bool {
    RUNS_IN.load(Relaxed) == sys::getpid().unsigned_abs()
}

/// There is a question.
pub fn wake() {
    QUESTIONS.fetch_add(1, SeqCst);
    sys::futex_wake(&QUESTIONS, 1);
}

extern "C" fn run(_argument: *mut c_void) -> *mut c_void {
    sys::set_thread_name(c"malloscope-js");
    tls::current().busy.store(1, Relaxed);
    loop {
        let seen = QUESTIONS.load(SeqCst);
        isolates::answer(&mut interrupt::request);
        if sys::is_sandboxed() {
            return null_mut();
        }
        sys::futex_wait(&QUESTIONS, seen);
    }
}
