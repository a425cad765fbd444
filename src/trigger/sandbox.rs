//! The program goes into a sandbox of its own: what there is to do before, for nothing can be done after.
//!
//! It runs on the thread that installs the filter, just before. A dump names what
//! leaked so far, where the configuration has dumps written by themselves; handlers that would want to
//! write go; threads of ours go, and are waited for where the filter will be theirs too.

use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use crate::config::Config;
use crate::dump::Reason;
use crate::dumper::{self, final_signal};
use crate::platform::{process, sys, tls};
use crate::{java_heap, recorder, watcher};

/// Are dumps written by themselves? Written by [`start`], before sampling begins.
static WRITES: AtomicBool = AtomicBool::new(false);

/// Longest wait for a thread of ours that the filter does not let end.
const PATIENCE_MS: u64 = 2_000;

/// Notes whether there is to be a dump: who only has `prof_control` or `prof_signal` asks for each.
pub fn start(config: &Config) {
    let at_times = config.prof_timer != 0 || config.interval_bytes().is_some();
    let by_size = config.prof_gdump || config.prof_memory_limit != 0;
    let at_end = config.prof_final || config.prof_final_signal;
    WRITES.store(at_times || by_size || at_end, Relaxed);
}

/// A filter that does not admit us is about to be installed, for every thread or the calling one.
/// `lets_end`: it lets threads end.
pub fn before(everyone: bool, lets_end: bool) {
    recorder::settle();
    // Inside already: a signal handler interrupted our own code, and installs a filter.
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

/// A filter that admits us is there: a thread of ours that began without it goes, and the next sample
/// may start another.
pub fn admitted() {
    sys::note_filter();
    watcher::leave();
}
