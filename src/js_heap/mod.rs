//! The live JavaScript heap: what V8's own sampler says lives, by function and line.
//!
//! [`configure`] prepares it before the program's first thread. When the runtime room has opened an
//! isolate, V8's sampler is started in it. It is read in interrupts (`read`): before a dump, after
//! collections of the whole heap, and before an environment ends; there the sampler is stopped. What
//! was read stands in [`STACKS`] and [`LIVE`], a kind of its own: the JavaScript heap is not malloc's
//! memory, and is never added to it.
//!
//! ```text
//! interrupt -> open: start the sampler      the isolate's thread
//! V8 -> on_collection -> interrupt -> read  the isolate's thread
//! dump -> refresh -> helper -> interrupt    a thread of ours asks and waits a little
//! end of an environment -> read, stop       the isolate's thread
//! ```
//!
//! V8 draws samples as malloc's are drawn, with a mean of 2^`lg_period` bytes, and so they have
//! the same weights. An object counts as live until a collection has found that it is dead. No
//! collection is forced. A sampler that the program runs itself is left alone: there is one in an
//! isolate, so then there are no samples for us. No lock of ours is held while V8 is called.
#![allow(unsafe_code)]

mod frames;
mod read;

use core::ffi::{c_int, c_void};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64};

use crate::platform::{sys, tls};
use crate::runtime::node::engine::Engine;
use crate::runtime::node::heap::{Heap, WHOLE};
use crate::runtime::node::isolates::{self, Isolate};
use crate::runtime::node::{self, Observer, event};
use crate::table::fork_gate;
use crate::table::{live_table::LiveTable, stack_table::StackTable};
use crate::{recorder, remark};
use read::Subject;

/// The stacks of sampled objects. Lives as long as the process.
pub static STACKS: StackTable = StackTable::new();

/// The sampled objects that live, by isolate and V8's number.
pub static LIVE: LiveTable = LiveTable::new(None);

/// log2 of the mean bytes between samples with which an isolate begins. Written by [`configure`] and
/// [`thin`].
static LG_PERIOD: AtomicU8 = AtomicU8::new(0);

/// May the period be made longer? Written by [`configure`].
static IS_AUTO: AtomicBool = AtomicBool::new(false);

/// Most frames of a stack. Written by [`configure`].
static MOST_FRAMES: AtomicU32 = AtomicU32::new(0);

/// What is known of an isolate besides what the runtime room knows. Written by the isolate's thread.
/// Relaxed: nothing else is published by it.
struct Own {
    /// Is the sampler that runs in it ours?
    is_ours: AtomicBool,
    /// Was a look asked for that has not happened?
    is_due: AtomicBool,
    /// Was it asked for after a collection? Then nothing waits for what is read.
    is_idle: AtomicBool,
    /// When it was read last, by the recorder's clock.
    read_ms: AtomicU64,
    /// The last number of a sample that was read.
    last_id: AtomicU64,
    /// log2 of the mean bytes between its samples.
    lg_period: AtomicU8,
    /// No look after a collection before this time.
    next_ms: AtomicU64,
}

/// By the number of the isolate's place.
static OWN: [Own; isolates::MOST] = [const {
    Own {
        is_ours: AtomicBool::new(false),
        is_due: AtomicBool::new(false),
        is_idle: AtomicBool::new(false),
        read_ms: AtomicU64::new(0),
        last_id: AtomicU64::new(0),
        lg_period: AtomicU8::new(0),
        next_ms: AtomicU64::new(0),
    }
}; isolates::MOST];

/// The process whose isolates these are. Written by [`open`].
static PID: AtomicU32 = AtomicU32::new(0);

/// Isolates whose sampler we started; the process has a JavaScript heap if any. Written by [`open`].
static OPENED: AtomicU32 = AtomicU32::new(0);

/// Collections of whole heaps so far, and when the last one was; reads so far, and when the last
/// was. Written by the isolates' threads. Relaxed: these figures publish nothing.
static COLLECTIONS: AtomicU64 = AtomicU64::new(0);
static LAST_COLLECTION_MS: AtomicU64 = AtomicU64::new(0);

/// The same of all collections, those of young objects included: what is younger than the last one, nobody
/// has looked at.
static ALL_COLLECTIONS: AtomicU64 = AtomicU64::new(0);
static LAST_OF_ALL_MS: AtomicU64 = AtomicU64::new(0);
static READS: AtomicU64 = AtomicU64::new(0);
static LAST_READ_MS: AtomicU64 = AtomicU64::new(0);

/// Counts up at each read with Release; the dump's thread sleeps on it.
static READ: AtomicU32 = AtomicU32::new(0);

/// Samples that could not be kept.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Least time between two looks after collections, and how many times longer than the last look
/// took.
const REST_MS: u64 = 1_000;
const REST_FACTOR: u64 = 200;

/// Samples a millisecond that may be drawn, some microseconds each; and the shortest time that tells.
const MOST_PER_MS: u64 = 1;
const LEAST_SPAN_MS: u64 = 200;

/// The longest that a dump waits for isolates to be read: an idle one is not, until it runs again.
const PATIENCE_MS: u64 = 200;

/// What was read so lately need not be read again for a dump.
const FRESH_MS: u64 = 20;

/// Periods that V8's sampler gets: denser costs too much, sparser says too little.
const DENSEST: u8 = 12;
const LG_AUTO: u8 = 16;
const SPARSEST: u8 = 19;

/// Who is told of isolates.
static OBSERVER: Observer = Observer { open, look, end };

/// Asks for the JavaScript heap. `lg_period`: log2 of the mean bytes between samples; `None`: what
/// the program's pace allows. Runs once, before the program's first thread.
pub fn configure(lg_period: Option<u8>, most_frames: u32) {
    let lg_first = lg_period.unwrap_or(LG_AUTO).clamp(DENSEST, SPARSEST);
    LG_PERIOD.store(lg_first, Relaxed);
    IS_AUTO.store(lg_period.is_none(), Relaxed);
    MOST_FRAMES.store(most_frames, Relaxed);
    node::observe(&OBSERVER);
}

fn own(place: &Isolate) -> Option<&'static Own> {
    OWN.get(place.number())
}

fn open(engine: &Engine, at: u64, place: &'static Isolate) {
    let (Some(heap), Some(own)) = (engine.heap(), own(place)) else {
        remark::note(&["prof_js_heap: this Node has no sampler of its heap for us"]);
        return;
    };
    let lg_period = LG_PERIOD.load(Relaxed);
    let is_ours = heap.start(at, 1 << lg_period, MOST_FRAMES.load(Relaxed));
    own.lg_period.store(lg_period, Relaxed);
    own.is_ours.store(is_ours, Relaxed);
    own.is_due.store(false, Relaxed);
    own.read_ms.store(recorder::uptime_ms(), Relaxed);
    own.last_id.store(0, Relaxed);
    if is_ours {
        PID.store(recorder::pid(), Relaxed);
        OPENED.fetch_add(1, Relaxed);
        heap.tell_collections(at, on_collection, place);
    } else {
        note_other();
    }
}

fn note_other() {
    remark::note(&[
        "prof_js_heap: the program samples its JavaScript heap itself, and is left alone",
    ]);
}

/// V8 has collected, on the isolate's thread. After the whole heap was, it is known what lives.
extern "C" fn on_collection(at: u64, kind: c_int, _flags: c_int, place: *mut c_void) {
    let now_ms = recorder::uptime_ms();
    ALL_COLLECTIONS.fetch_add(1, Relaxed);
    LAST_OF_ALL_MS.store(now_ms, Relaxed);
    if kind & WHOLE == 0 {
        return;
    }
    COLLECTIONS.fetch_add(1, Relaxed);
    LAST_COLLECTION_MS.store(now_ms, Relaxed);
    // SAFETY: `open` passed a place of the static list.
    let place: &'static Isolate = unsafe { &*place.cast_const().cast() };
    let Some(own) = own(place).filter(|_| place.is_open(at)) else {
        return;
    };
    let is_wanted = own.is_ours.load(Relaxed) && now_ms >= own.next_ms.load(Relaxed);
    if let Some(engine) = node::engine()
        && is_wanted
        && !own.is_due.swap(true, Relaxed)
    {
        own.is_idle.store(true, Relaxed);
        node::ask_for_look(engine, at, place);
    }
}

fn look(engine: &Engine, at: u64, place: &'static Isolate) {
    let (Some(heap), Some(own)) = (engine.heap(), own(place)) else {
        return;
    };
    own.is_due.store(false, Relaxed);
    let is_idle = own.is_idle.swap(false, Relaxed);
    if !own.is_ours.load(Relaxed) {
        return;
    }
    let began_ns = sys::monotonic_ns();
    let before_ms = own.read_ms.load(Relaxed);
    let isolate = Subject {
        at,
        owner: place.owner(),
        since_ms: before_ms,
        last_id: own.last_id.load(Relaxed),
        lg_period: own.lg_period.load(Relaxed),
    };
    match engine.scoped(at, || read::read(engine, heap, &isolate)) {
        Some(last_id) => {
            own.last_id.store(last_id, Relaxed);
            if is_idle {
                thin(heap, &isolate, last_id, own);
            }
        }
        // Somebody stopped it: from now on it is theirs.
        None => {
            own.is_ours.store(false, Relaxed);
            note_other();
        }
    }
    let now_ms = recorder::uptime_ms();
    let took_ms = sys::monotonic_ns().saturating_sub(began_ns) / 1_000_000;
    own.read_ms.store(now_ms, Relaxed);
    own.next_ms
        .store(now_ms + REST_MS.max(took_ms * REST_FACTOR), Relaxed);
    READS.fetch_add(1, Relaxed);
    LAST_READ_MS.store(now_ms, Relaxed);
    // Release: pairs with Acquire in `refresh`.
    READ.fetch_add(1, Release);
    sys::futex_wake(&READ, u32::MAX >> 1);
}

/// Where more samples are drawn than they may cost, the sampler is started anew with a longer period.
/// V8 cannot change it otherwise. What was sampled before is not sampled any more: so not in a program that may
/// have begun a profile of its own by the inspector, which reads the same sampler.
fn thin(heap: &Heap, isolate: &Subject, last_id: u64, own: &Own) {
    let span_ms = recorder::uptime_ms().saturating_sub(isolate.since_ms);
    let drawn = last_id.saturating_sub(isolate.last_id);
    let is_dense = span_ms >= LEAST_SPAN_MS && drawn > MOST_PER_MS * span_ms;
    let is_free = IS_AUTO.load(Relaxed) && isolate.lg_period < SPARSEST && !event::is_inspected();
    if !is_dense || !is_free {
        return;
    }
    let lg_period = (isolate.lg_period + 2).min(SPARSEST);
    heap.stop(isolate.at);
    let is_ours = heap.start(isolate.at, 1 << lg_period, MOST_FRAMES.load(Relaxed));
    own.is_ours.store(is_ours, Relaxed);
    own.lg_period.store(lg_period, Relaxed);
    own.last_id.store(0, Relaxed);
    LG_PERIOD.fetch_max(lg_period, Relaxed);
    read::begin_anew(isolate.owner);
}

/// The environment ends: on some versions the process would crash if the sampler still ran then.
fn end(engine: &Engine, at: u64, place: &'static Isolate, is_main: bool) {
    look(engine, at, place);
    let (Some(heap), Some(own)) = (engine.heap(), own(place)) else {
        return;
    };
    if own.is_ours.swap(false, Relaxed) {
        heap.stop(at);
    }
    // What a worker held is gone with it; of the main thread the last dump tells.
    if !is_main {
        read::forget(place.owner());
    }
}

/// Has isolates read before a dump, and waits a little. The calling thread holds no lock at all.
pub fn refresh() {
    if OPENED.load(Relaxed) == 0 || PID.load(Relaxed) != recorder::pid() {
        return;
    }
    let now_ms = recorder::uptime_ms();
    let is_wanted = |number: usize| {
        OWN.get(number).is_some_and(|own| {
            let age_ms = now_ms.saturating_sub(own.read_ms.load(Relaxed));
            own.is_ours.load(Relaxed) && age_ms > FRESH_MS && !own.is_due.swap(true, Relaxed)
        })
    };
    // Acquire: pairs with Release in `look`.
    let before = READ.load(Acquire);
    let wanted = u32::try_from(isolates::want_look(&is_wanted)).unwrap_or(0);
    let deadline = sys::monotonic_ms() + PATIENCE_MS;
    loop {
        let read = READ.load(Acquire);
        let left = deadline.saturating_sub(sys::monotonic_ms());
        if read.wrapping_sub(before) >= wanted || left == 0 {
            return;
        }
        sys::futex_wait_for(&READ, read, left);
    }
}

/// Runs `work` on the tables: inside our code, and not while a fork copies them.
fn inside<T>(work: impl FnOnce() -> T) -> Option<T> {
    let _guard = tls::current().enter()?;
    let _pass = fork_gate::TABLES.enter()?;
    Some(work())
}

/// What the dump says besides the samples.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Mean bytes between samples.
    pub period: u64,
    /// By name: collections of whole heaps, how long ago the last was, the same of all collections, reads, how
    /// long ago the last was, isolates, samples that could not be kept.
    pub numbers: [(&'static str, Option<u64>); 8],
}

/// The facts; `None` when there never was a heap to sample, or in a child of its process.
pub fn facts() -> Option<Facts> {
    let opened = OPENED.load(Relaxed);
    if opened == 0 || PID.load(Relaxed) != recorder::pid() {
        return None;
    }
    let now_ms = recorder::uptime_ms();
    let collections = COLLECTIONS.load(Relaxed);
    let age_ms = |at: &AtomicU64| now_ms.saturating_sub(at.load(Relaxed));
    let collected = (collections != 0).then(|| age_ms(&LAST_COLLECTION_MS));
    let all = ALL_COLLECTIONS.load(Relaxed);
    let looked = (all != 0).then(|| age_ms(&LAST_OF_ALL_MS));
    let reads = READS.load(Relaxed);
    Some(Facts {
        period: 1 << LG_PERIOD.load(Relaxed),
        numbers: [
            ("collections", Some(collections)),
            ("since_collection_ms", collected),
            ("all_collections", Some(all)),
            ("since_any_collection_ms", looked),
            ("reads", Some(reads)),
            ("since_read_ms", (reads != 0).then(|| age_ms(&LAST_READ_MS))),
            ("isolates", Some(u64::from(opened))),
            ("dropped", Some(DROPPED.load(Relaxed))),
        ],
    })
}
