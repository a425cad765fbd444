//! A signal that makes a dump (`prof_signal`).
//!
//! The handler is installed once, before the program runs, and only where nobody else has a use for
//! the signal by then: a disposition that was inherited as "ignore" stays. What the program installs
//! later replaces ours, and that is the end of the trigger. The handler itself may interrupt
//! anything, our own code included: it takes no lock, touches no table, and has the dump written by
//! a thread (see `dumper`). On an alternate stack if the thread has one: Go's must.

use crate::diag;
use crate::dump::Reason;
use crate::dumper;
use crate::platform::decimal::Decimal;
use crate::{platform::sys, remark};

/// Signals that cannot be caught, that say the program is broken, or that are glibc's own.
const RESERVED: [i32; 10] = [
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGKILL,
    libc::SIGSEGV,
    libc::SIGSTOP,
    32,
    33,
];

/// Makes `signal` a trigger, or says why not.
pub fn start(signal: u8) {
    let signal = i32::from(signal);
    if signal == 0 {
        return;
    }
    let number = Decimal::new(u64::from(signal.unsigned_abs()));
    if RESERVED.contains(&signal) {
        diag::message(&[
            "prof_signal: signal ",
            number.as_str(),
            " cannot be a trigger",
        ]);
    } else if !sys::handle_if_default(signal, on_signal) {
        remark::note(&[
            "prof_signal: signal ",
            number.as_str(),
            " has a handler, or is ignored: it stays as it is",
        ]);
    }
}

extern "C" fn on_signal(_signal: i32) {
    dumper::request_from_handler(Reason::Signal);
}
