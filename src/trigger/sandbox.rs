//! The program puts itself into a sandbox: what must be done before, because nothing can be done
//! after.
//!
//! It runs on the thread that installs the filter, just before. If the configuration has automatic
//! dumps, a dump names what leaked so far. Handlers that would try to write are removed. Threads of
//! ours end, and this thread waits for them if the filter will apply to them too.

use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use crate::config::Config;
use crate::dump::Reason;
use crate::dumper::{self, final_signal};
use crate::platform::{process, sys, tls};
use crate::{java_heap, recorder, watcher};

/// Are dumps written automatically? Written by [`start`], before sampling begins.
static WRITES: AtomicBool = AtomicBool::new(false);

/// The longest wait for a thread of ours that the filter does not let end.
const PATIENCE_MS: u64 = 2_000;

/// Notes whether there will be a dump. A user who has set only `prof_control` or `prof_signal` asks
/// for each dump.
pub fn start(config: &Config) {
    let at_times = config.prof_timer != 0 || config.interval_bytes().is_some();
    let by_size = config.prof_gdump || config.prof_memory_limit != 0;
    let at_end = config.prof_final || config.prof_final_signal;
    WRITES.store(at_times || by_size || at_end, Relaxed);
}

/// Prepares for a filter that stops our calls. It is about to be installed for every thread
/// (`everyone`), or for the calling thread. `lets_end`: it lets threads end.
pub fn before(everyone: bool, lets_end: bool) {
    recorder::settle();
    // The guard is refused inside our code: a signal handler interrupted it, and installs a filter.
    if let Some(_guard) = tls::current().enter() {
        if WRITES.load(Relaxed) {
            dumper::write_now(Reason::Sandbox);
        }
        final_signal::withdraw();
    }
    watcher::leave();
    let others_are_met = everyone && process::threads() > 1;
    if others_are_met && !lets_end {
        watcher::wait_until_gone(sys::monotonic_ms() + PATIENCE_MS);
    }
    java_heap::stop();
    sys::raise_sandbox();
    if others_are_met {
        sys::let_calls_end();
    }
}

/// A filter that permits our calls is installed. A thread of ours that began without the filter
/// ends, and the next sample may start another.
pub fn admitted() {
    sys::note_filter();
    watcher::leave();
}
