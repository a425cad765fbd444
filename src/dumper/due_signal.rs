//! The signal that will end the program as soon as a dump is written.
//!
//! Source: sigaction(2), kill(2).
#![allow(unsafe_code)]

use core::mem::transmute;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU64, AtomicUsize};

use crate::platform::sys;

/// The signal, together with the number of its process: a child that is forked in the meantime must
/// live on. 0: no signal. Written by the handler, taken by the thread that sends the signal again.
static DUE: AtomicU64 = AtomicU64::new(0);

/// Our handler, an `extern "C" fn(i32)`, which the default action will replace. Written before
/// [`DUE`], always with the same function.
static HANDLER: AtomicUsize = AtomicUsize::new(0);

fn word(signal: i32) -> u64 {
    u64::from(sys::getpid().unsigned_abs()) << 32 | u64::from(signal.unsigned_abs())
}

/// Notes that `signal` will end the program; `handler` is its handler.
pub fn note(signal: i32, handler: extern "C" fn(i32)) {
    HANDLER.store(handler as usize, Relaxed);
    DUE.store(word(signal), Relaxed);
}

/// Will a signal end the program?
pub fn has_come() -> bool {
    DUE.load(Relaxed) != 0
}

/// Ends the program if a signal asked for that. The dump is already written.
pub fn carry_out() {
    if !has_come() {
        return;
    }
    let taken = DUE.swap(0, Relaxed);
    let signal = (taken & 0xff) as i32;
    let handler = HANDLER.load(Relaxed);
    if taken == word(signal) && handler != 0 {
        // SAFETY: `note` stored a function of this type, and stores no other.
        let handler = unsafe { transmute::<usize, extern "C" fn(i32)>(handler) };
        sys::raise_without(signal, handler);
    }
}
