//! Chooses the thread that writes a dump. While the process has one thread, that is the thread at
//! which the trigger fired. Otherwise it is a thread of ours that lives for this one dump.
//!
//! A dump may be requested inside malloc. Only one dump is written at a time. A trigger that fires
//! in the meantime is dropped and counted (jemalloc coalesces its triggers too).
//!
//! `own_thread` says what kind of thread ours is, and why.

pub mod asked;
mod due_signal;
pub mod final_signal;
pub mod own_thread;
mod signal_mask;
pub mod worth;

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU8, AtomicU32};

use crate::config::{self, Config};
use crate::diag::{self, Counter};
pub use crate::dump::Outcome;
use crate::dump::{self, Goal, Peer, Reason};
use crate::recorder::rate;
use crate::runtime::jvm;
use crate::{
    java_heap, js_heap,
    platform::{process, sys},
    recorder, ruby_objects,
};
use own_thread::{FREE, Place, TAKEN};

/// The place of the thread that writes a dump. Its word tells whether a dump is being written.
static WRITER: Place = Place::new();

/// The reason of a dump that could not begin where it was requested, plus one; or 0. Written by the
/// signal handler, taken at the next sample.
static DEFERRED: AtomicU8 = AtomicU8::new(0);

/// What our thread shall write. Written by the holder of [`WRITER`], before the thread starts.
static REASON: AtomicU8 = AtomicU8::new(0);

/// The process that last used [`WRITER`]. After a fork the word may stand for a thread that the
/// child does not have. Written by [`start`], and by the thread that finds another process number
/// here, once it has reset the parent's state.
static PID: AtomicU32 = AtomicU32::new(0);

/// The process in which a thread has begun to reset the parent's state. Written by [`start`], and
/// by the first thread that asks after a fork.
static CLEANER: AtomicU32 = AtomicU32::new(0);

/// The longest time for which an exiting process waits for a dump that is being written.
const PATIENCE_MS: u64 = 10_000;

/// Prepares for the dumps of the process `pid`.
pub fn start(config: &Config, pid: u32) {
    dump::start(config);
    worth::start(config);
    CLEANER.store(pid, Relaxed);
    PID.store(pid, Relaxed);
}

/// Is this the process to which the samples belong, and may it still write them? A vfork child
/// shares our memory, but is another process. In a sandbox nothing can be written. After a fork,
/// the first thread that asks resets the state of the parent's dumps.
pub fn is_ours() -> bool {
    if sys::is_sandboxed() {
        return false;
    }
    let pid = sys::getpid().unsigned_abs();
    if pid != recorder::pid() {
        return false;
    }
    // Acquire: pairs with the release below.
    if PID.load(Acquire) != pid {
        if CLEANER.swap(pid, Relaxed) == pid {
            // Another thread is resetting the state now.
            return false;
        }
        asked::abandon();
        WRITER.word.store(FREE, Relaxed);
        PID.store(pid, Release);
    }
    true
}

/// Writes a dump for `reason`, or has it written. False if the request was dropped because another
/// dump is being written.
pub fn request(reason: Reason) -> bool {
    if !is_ours() {
        return true;
    }
    let is_free = WRITER.try_take();
    if is_free {
        begin(reason);
    } else {
        diag::count(Counter::DumpCoalesced);
    }
    is_free
}

/// Writes a dump, after any that is being written, and returns when it is complete. For the exiting
/// thread.
pub fn write_now(reason: Reason) {
    let is_last = matches!(reason, Reason::Final | Reason::Sandbox);
    if !is_ours() || is_last && !worth::has_something_to_tell() {
        return;
    }
    let deadline = sys::monotonic_ms() + PATIENCE_MS;
    if wait(deadline, &|| WRITER.try_take()) {
        begin(reason);
        wait_for_writer(deadline);
    } else {
        diag::count(Counter::DumpFailed);
    }
}

/// False when the deadline came first.
fn wait(deadline_ms: u64, done: &dyn Fn() -> bool) -> bool {
    while !done() {
        let left = deadline_ms.saturating_sub(sys::monotonic_ms());
        if left == 0 {
            return false;
        }
        sys::wait_for_thread(&WRITER.word, TAKEN, left);
    }
    true
}

/// Writes a dump, on this thread or another. The caller has taken [`WRITER`]; it is free again when
/// the dump is written.
fn begin(reason: Reason) {
    REASON.store(reason as u8, Relaxed);
    if process::threads() > 1 && WRITER.start(run).is_some() {
        return;
    }
    signal_mask::blocked(|| write(reason));
    finish();
}

fn finish() {
    // Release: pairs with the acquire of the next writer.
    WRITER.word.store(FREE, Release);
    sys::wake_waiters(&WRITER.word);
}

/// As [`request`], from a signal handler. Another thread always writes the dump: the interrupted
/// thread may be inside our tables, and its stack may be nearly full. If no other thread is
/// possible, the next sample makes the dump.
pub fn request_from_handler(reason: Reason) {
    if is_ours() && !begin_from_handler(reason) {
        DEFERRED.store(reason as u8 + 1, Relaxed);
    }
}

/// Has a dump of this process written by a thread of ours, unless one is being written. False if no
/// thread is possible.
pub fn begin_from_handler(reason: Reason) -> bool {
    if !WRITER.try_take() {
        diag::count(Counter::DumpCoalesced);
        return true;
    }
    REASON.store(reason as u8, Relaxed);
    let started = WRITER.start(run).is_some();
    if !started {
        finish();
    }
    started
}

/// Waits until no dump is being written; false when the deadline came first.
pub fn wait_for_writer(deadline_ms: u64) -> bool {
    wait(deadline_ms, &|| !is_writing())
}

/// Is a dump being written?
pub fn is_writing() -> bool {
    // Acquire: pairs with the kernel's clearing, or with our own.
    WRITER.word.load(Acquire) != FREE
}

/// Makes the dump that a signal handler could not make.
pub fn make_up() {
    if DEFERRED.load(Relaxed) == 0 {
        return;
    }
    let deferred = DEFERRED.swap(0, Relaxed);
    if let Some(reason) = deferred.checked_sub(1).and_then(Reason::from_code) {
        request(reason);
    }
}

/// Writes a dump on the calling thread, which is a thread of ours. `done` gets the path of the
/// dump.
pub fn write_here(reason: Reason, done: &mut dyn FnMut(&[u8])) -> Outcome {
    if !is_ours() {
        return Outcome::Nothing;
    }
    if !WRITER.try_take() {
        diag::count(Counter::DumpCoalesced);
        return Outcome::Busy;
    }
    refresh(reason);
    let written = with_request(reason, prefixed, |request| dump::write(request, done));
    finish();
    written.unwrap_or(Outcome::Nothing)
}

/// Sends a profile to `peer`. False when there is nothing to send. An incomplete profile has no end
/// mark, so its reader notices.
pub fn send(peer: &Peer) -> bool {
    refresh(Reason::Demand);
    let nowhere = |_| Goal::default();
    with_request(Reason::Demand, nowhere, |request| dump::send(request, peer)).unwrap_or(false)
}

/// Asks the JVM which objects live, unless the dump is urgent. Runs on a thread of ours, which may
/// wait.
fn refresh(reason: Reason) {
    if reason != Reason::MemoryLimit && !due_signal::has_come() {
        java_heap::refresh();
        js_heap::refresh();
    }
}

/// Writes the dump for which the caller holds [`WRITER`].
fn write(reason: Reason) {
    let wish = asked::take();
    let goal = |config| match wish {
        Some(wish) => wish.goal(asked::prefix(config)),
        None => prefixed(config),
    };
    let written = with_request(reason, goal, |request| dump::write(request, &mut |_| ()));
    if let Some(wish) = wish {
        wish.settle(written.unwrap_or(Outcome::Nothing));
    }
}

/// A dump that a trigger makes. The caller holds [`WRITER`].
fn prefixed(config: &'static Config) -> Goal<'static> {
    Goal {
        prefix: asked::prefix(config),
        ..Goal::default()
    }
}

/// Runs `work` with everything from which a dump is made.
fn with_request<'a, T>(
    reason: Reason,
    goal: impl FnOnce(&'static Config) -> Goal<'a>,
    work: impl FnOnce(&dump::Request<'_>) -> T,
) -> Option<T> {
    let config = config::current()?;
    let mappings = config.prof_mmap.then(|| dump::Kind {
        name: "mmap",
        note: "whole mappings by who asked for them, touched or not; what libc maps for itself is not among them",
        period: sampler_period(),
        numbers: &[],
        stacks: &recorder::MAP_STACKS,
        live: &recorder::RANGES,
    });
    let facts = java_heap::facts();
    let java_heap = facts.as_ref().map(|facts| dump::Kind {
        name: "java_heap",
        note: "live as of the last collection",
        period: facts.period,
        numbers: &facts.numbers,
        stacks: &java_heap::STACKS,
        live: &java_heap::LIVE,
    });
    let js_facts = js_heap::facts();
    let js_heap = js_facts.as_ref().map(|facts| dump::Kind {
        name: "js_heap",
        note: "live as of the last collection",
        period: facts.period,
        numbers: &facts.numbers,
        stacks: &js_heap::STACKS,
        live: &js_heap::LIVE,
    });
    let python_objects = dump::Kind {
        name: "python_objects",
        note: "blocks of up to 512 bytes in CPython's own arenas; larger ones are malloc's",
        period: sampler_period(),
        numbers: &[],
        stacks: &recorder::OBJECT_STACKS,
        live: &recorder::OBJECTS,
    };
    let python_objects = (!python_objects.is_empty()).then_some(python_objects);
    let ruby_facts = ruby_objects::facts();
    let ruby_objects = ruby_facts.as_ref().map(|facts| dump::Kind {
        name: "ruby_objects",
        note: "slots of Ruby's own heap, sampled in windows; live as of the last look",
        period: facts.period,
        numbers: &facts.numbers,
        stacks: &ruby_objects::STACKS,
        live: &ruby_objects::LIVE,
    });
    let rate = rate();
    Some(work(&dump::Request {
        reason,
        goal: goal(config),
        config,
        stacks: &recorder::STACKS,
        live: &recorder::LIVE,
        kinds: &[mappings, java_heap, js_heap, python_objects, ruby_objects],
        uptime_ms: recorder::uptime_ms(),
        lg_period: recorder::lg_period(),
        rate: rate.as_ref(),
        places: &dump::Places {
            java_heap: jvm::java_heap(),
            java_code: jvm::java_code(),
            has_thread: &recorder::has_thread,
        },
        thread_name: &recorder::name_of,
    }))
}

/// Mean bytes between samples.
fn sampler_period() -> u64 {
    1u64.checked_shl(u32::from(recorder::lg_period()))
        .unwrap_or(u64::MAX)
}

fn rate() -> Option<dump::Rate> {
    let facts = rate::facts()?;
    let mut rate = dump::Rate {
        budget: facts.budget,
        share: facts.share,
        spent_ns: facts.spent_ns,
        cpu_ns: facts.cpu_ns,
        ..dump::Rate::default()
    };
    for (place, change) in rate.history.iter_mut().zip(rate::history()) {
        *place = Some(change);
    }
    Some(rate)
}

/// The body of our thread. Descriptors 0 to 2 stay open for messages.
extern "C" fn run() {
    own_thread::settle(3, c"malloscope");
    match Reason::from_code(REASON.load(Relaxed)) {
        // The end by a signal. At exit, `write_now` asks the same before it starts a thread.
        Some(Reason::Final) if due_signal::has_come() && !worth::has_something_to_tell() => {}
        Some(reason) => {
            refresh(reason);
            write(reason);
        }
        None => diag::count(Counter::DumpFailed),
    }
    due_signal::carry_out();
}
