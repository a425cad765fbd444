//! The last dump of a program that a signal ends (`prof_final_signal`).
//!
//! Who presses Ctrl-C in a terminal, or stops a container, ends a program without a handler on the
//! spot: no exit handler runs. So SIGINT, SIGTERM and SIGHUP get a handler here, which has the dump
//! written, makes the default what it was, and sends the signal again: the program dies of it, with the
//! status that it would have had. It is held back for the time of the dump, and never for longer than
//! [`PATIENCE_MS`].
//!
//! Only where the program leaves the signal alone. Runtimes look at a signal's disposition when they
//! begin (CPython installs KeyboardInterrupt only where it finds the default), so the handlers come
//! [`DELAY_MS`] after the first sample; by then a program that wants the signal has taken it. What it
//! installs later replaces ours. SIGQUIT stays as it is: who sends it wants the end at once. So does
//! everything in process 1 of a container, which the kernel does not let die of a default.
//!
//! Source: signal(7), sigaction(2).

use super::due_signal;
use crate::dump::Reason;
use crate::platform::{sys, tls};

/// From the first sample to the handlers.
pub const DELAY_MS: u64 = 1_000;

/// Those that end a program, and that it may leave alone.
const SIGNALS: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// How long the program's end may be held back.
const PATIENCE_MS: u64 = 2_000;

/// Installs the handlers.
pub fn start() {
    if sys::getpid() == 1 || sys::is_sandboxed() {
        return;
    }
    for signal in SIGNALS {
        sys::handle_if_default(signal, on_signal);
    }
}

/// Takes the handlers away: there will be no more dumps.
pub fn withdraw() {
    for signal in SIGNALS {
        sys::stop_handling(signal, on_signal);
    }
}

/// Ends the program if a signal is to do that and no dump is being written: the writer may have been just
/// done when the signal came.
pub fn carry_out_late() {
    if due_signal::has_come() && !super::is_writing() {
        due_signal::carry_out();
    }
}

extern "C" fn on_signal(signal: i32) {
    // A child of vfork has our memory, and is another process.
    if !super::is_ours() {
        return sys::raise_without(signal, on_signal);
    }
    // Who was interrupted inside our tables may hold what a writer waits for. He goes on, and the
    // writer ends the program, be it the one who is at it already.
    let is_busy = tls::current().is_busy();
    let deadline = sys::monotonic_ms() + PATIENCE_MS;
    if !is_busy && !super::wait_for_writer(deadline) {
        return sys::raise_without(signal, on_signal);
    }
    due_signal::note(signal, on_signal);
    let has_writer = super::begin_from_handler(Reason::Final);
    if !is_busy {
        super::wait_for_writer(deadline);
    }
    // Where there can be no thread of ours, the dumps that are there must do.
    if !is_busy || !has_writer {
        due_signal::carry_out();
    }
}
