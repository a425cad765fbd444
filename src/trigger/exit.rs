//! The last dump, and the leak summary.
//!
//! It is called through `__cxa_atexit`, where our constructor registers it. Handlers run in reverse
//! order of registration, so this one runs after the program's own handlers and static destructors.
//! A language runtime frees its objects before that, and calls us before it does so.
//! Nothing of ours is torn down: code that frees after this handler finds everything in place.
//!
//! The words of the summary are those that jemalloc 5.3 prints.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use crate::config::{self, Config};
use crate::diag;
use crate::dump::{self, Reason};
use crate::platform::decimal::Decimal;
use crate::{
    platform::{sys, tls},
    recorder,
};

use crate::dumper;

/// The process for which [`before_teardown`] has done the work, or 0; in the upper half whether it
/// leaked. Written by it, read at the exit, by the thread that exits.
static DONE: AtomicU64 = AtomicU64::new(0);

const LEAKED: u64 = 1 << 32;

/// Runs when the process exits.
pub fn at_exit(config: &Config) {
    if sys::is_sandboxed() {
        return;
    }
    let done = DONE.load(Relaxed);
    let leaked = match done & (LEAKED - 1) == pid() {
        true => done & LEAKED != 0,
        false => finish(config),
    };
    if leaked && config.prof_leak_error {
        diag::message(&["Exiting with error code because memory leaks were detected"]);
        sys::exit_group(1);
    }
}

/// Runs when a language runtime is about to free what its program kept: the last dump is written
/// before that, because none of it is live afterwards.
pub fn before_teardown() {
    let Some(config) = config::current() else {
        return;
    };
    if sys::is_sandboxed() || !(config.prof_final || config.prof_leak) {
        return;
    }
    let leaked = finish(config);
    DONE.store(pid() | if leaked { LEAKED } else { 0 }, Relaxed);
}

fn pid() -> u64 {
    u64::from(sys::getpid().unsigned_abs())
}

/// Writes the last dump and prints the summary; true if something is still live.
fn finish(config: &Config) -> bool {
    let Some(_guard) = tls::current().enter() else {
        return false;
    };
    if config.prof_final {
        dumper::write_now(Reason::Final);
    }
    config.prof_leak && config.prof_final && summarize()
}

/// Reports what is still live; true if anything is.
#[cold]
#[inline(never)]
fn summarize() -> bool {
    let live = dump::estimate(&recorder::LIVE);
    if live.stacks == 0 {
        return false;
    }
    let plural = |one, many, number| if number == 1 { one } else { many };
    diag::message(&[
        "Leak approximation summary: ~",
        Decimal::new(live.bytes).as_str(),
        plural(" byte", " bytes", live.bytes),
        ", ~",
        Decimal::new(live.objects).as_str(),
        plural(" object", " objects", live.objects),
        ", >= ",
        Decimal::new(live.stacks).as_str(),
        plural(" context", " contexts", live.stacks),
    ]);
    diag::message(&["Run jeprof on dump output for leak detail"]);
    true
}
