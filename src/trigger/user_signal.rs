//! A signal that makes a dump (`prof_signal`).
//!
//! The handler is installed once, before the program runs, and only if the signal is unused by
//! then. A disposition that was inherited as "ignore" stays. A handler that the program installs
//! later replaces ours, and then there is no trigger any more. Our handler may interrupt anything,
//! also our own code. So it takes no lock, touches no table, and has the dump written by a thread
//! (see `dumper`). It runs on an alternate stack if the thread has one, as Go requires.

use crate::diag;
use crate::dump::Reason;
use crate::dumper;
use crate::platform::decimal::Decimal;
use crate::{platform::sys, remark};

/// Signals that cannot be caught, signals that report a broken program, and glibc's own signals.
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

/// Makes `signal` a trigger, or says why that is impossible.
pub fn start(signal: u8) {
    if signal != 0 {
        arm(i32::from(signal));
    }
}

#[cold]
#[inline(never)]
fn arm(signal: i32) {
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
