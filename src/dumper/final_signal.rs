//! The last dump of a program that a signal ends (`prof_final_signal`).
//!
//! Without a handler, Ctrl-C in a terminal or the stop of a container ends a program at once, and
//! no exit handler runs. So SIGINT, SIGTERM and SIGHUP get a handler here. It has the dump written,
//! restores the default, and sends the signal again. The program dies of that signal, with the
//! status that it would have had. The dump delays the program's end, but by no more than
//! `PATIENCE_MS`.
//!
//! A signal that the program handles is left alone. Runtimes look at a signal's disposition when
//! they begin (CPython installs KeyboardInterrupt only if it finds the default). So the handlers
//! are installed [`DELAY_MS`] after the first sample; by then a program that wants the signal has
//! taken it. A handler that the program installs later replaces ours. SIGQUIT stays as it is,
//! because its sender wants the end at once. In process 1 of a container all signals stay as they
//! are: the kernel does not let that process die by a default action.
//!
//! Source: signal(7), sigaction(2).

use super::due_signal;
use crate::dump::Reason;
use crate::platform::{sys, tls};

/// Time from the first sample to the handlers.
pub const DELAY_MS: u64 = 1_000;

/// The signals that end a program and that a program may leave at their default.
const SIGNALS: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// How long the program's end may be delayed.
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

/// Removes the handlers, because there will be no more dumps.
pub fn withdraw() {
    for signal in SIGNALS {
        sys::stop_handling(signal, on_signal);
    }
}

/// Ends the program if a signal asked for that and no dump is being written: perhaps the writer
/// finished just before the signal came.
pub fn carry_out_late() {
    if due_signal::has_come() && !super::is_writing() {
        due_signal::carry_out();
    }
}

extern "C" fn on_signal(signal: i32) {
    // A child of vfork has our memory, but is another process.
    if !super::is_ours() {
        return sys::raise_without(signal, on_signal);
    }
    // If this thread was interrupted inside our tables, it may hold what a writer waits for. Then
    // it continues and the writer ends the program, also if a writer is already at work.
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
    // Where no thread of ours can exist, the dumps written so far must suffice.
    if !is_busy || !has_writer {
        due_signal::carry_out();
    }
}
