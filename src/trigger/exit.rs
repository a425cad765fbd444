//! The last dump, and the leak summary.
//!
//! It is called through `__cxa_atexit`, where our constructor registers it. Handlers run in reverse
//! order of registration, so this one runs after the program's own handlers and static destructors.
//! Nothing of ours is torn down: code that frees after this handler finds everything in place.
//!
//! The words of the summary are those that jemalloc 5.3 prints.

use core::sync::atomic::AtomicU32;
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

/// The process whose last dump was written before its exit. Written by [`before_teardown`].
static DUMPED: AtomicU32 = AtomicU32::new(0);

/// Runs when the runtime of the main thread is about to free all that it holds: after that, a dump
/// would say that nothing is left. The runtime calls it outside malloc.
pub fn before_teardown() {
    let is_wanted = config::current().is_some_and(|config| config.prof_final);
    if !is_wanted || sys::is_sandboxed() || is_dumped() {
        return;
    }
    let Some(_guard) = tls::current().enter() else {
        return;
    };
    dumper::write_now(Reason::Final);
    DUMPED.store(recorder::pid(), Relaxed);
}

fn is_dumped() -> bool {
    DUMPED.load(Relaxed) == recorder::pid()
}

/// Runs when the process exits.
pub fn at_exit(config: &Config) {
    if sys::is_sandboxed() {
        return;
    }
    let Some(guard) = tls::current().enter() else {
        return;
    };
    if config.prof_final && !is_dumped() {
        dumper::write_now(Reason::Final);
    }
    let leaked = config.prof_leak && config.prof_final && summarize();
    drop(guard);
    if leaked && config.prof_leak_error {
        diag::message(&["Exiting with error code because memory leaks were detected"]);
        sys::exit_group(1);
    }
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
