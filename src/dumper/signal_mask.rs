//! Signals that are blocked in a thread while it writes a dump.
//!
//! A dump may cross RLIMIT_FSIZE, which sends SIGXFSZ to the writer. If a handler of the program
//! interrupted the writer, it would run while our locks are held. glibc's own two signals, 32 and
//! 33, stay open: `setuid` in another thread waits until every thread has taken one.

use crate::platform::sys::{self, GLIBC, SignalSet};

const SIGXFSZ: SignalSet = 1 << (libc::SIGXFSZ - 1);

/// Runs `work` with every signal blocked except glibc's own; a SIGXFSZ that `work` caused is
/// removed.
pub fn blocked(work: impl FnOnce()) {
    let before = sys::set_signal_mask(!GLIBC);
    let pending = sys::pending_signals();
    work();
    if pending & SIGXFSZ == 0 && sys::pending_signals() & SIGXFSZ != 0 {
        sys::consume_signal(SIGXFSZ);
    }
    sys::set_signal_mask(before);
}

/// Runs `work` with all signals blocked: while it starts a thread, which inherits the blocked set.
pub fn all_blocked<T>(work: impl FnOnce() -> T) -> T {
    let before = sys::set_signal_mask(!0);
    let result = work();
    sys::set_signal_mask(before);
    result
}
