//! `lg_prof_sample:auto`: the period that a budget of processor time allows, and the room that the records
//! may take.
//!
//! One event in 16, a sample or the free of one, is timed, and every 64 events, or after a
//! while, the thread at hand looks: how much of the process's processor time did the events take since the
//! last look? What the program allocates does not depend on the period, so the cost falls as the period
//! grows, and the period that would use the budget up is the present one times share over budget. It takes
//! effect for the gaps to come; samples that are there keep the period that they were drawn with.
//!
//! Records of live samples may take a hundredth of the live heap. Beyond that the period is raised, and
//! those that are there are thinned without a bias, a part of a shard at each sample (`LiveTable::thin`).
//! A sample of the densest period stands for 8 KiB at least, and its record takes a little more than a
//! hundredth of that: the densest period is for heaps of up to 180 MB.
//!
//! The Java heap's sampler adds its time here, and follows the share ([`wish`]).
//!
//! Nothing here waits for another thread. The clock of the processor is a system call, so there is no look
//! in a sandbox.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::pace::{Pace, Window};
use super::{LG_PERIOD, LIVE, OBJECTS};
use crate::diag::{self, Counter};
use crate::platform::sys;
use crate::table::live_table::Place;

/// One event in so many is timed.
const TIMED: u64 = 16;

/// Events between two looks.
const LOOK: u64 = 64;

/// After so long a sample looks, however few there were.
const LOOK_MS: u64 = 100;

/// Between two looks, at least: the kernel adds up the time of all threads.
const REST_MS: u64 = 4;

/// Bytes of memory for one live sample, with the slots that are empty.
const RECORD: u64 = 96;

/// Records may always take so much.
const LEAST_RECORDS: u64 = 2 << 20;

/// Changes of the period that are kept, the last ones.
pub const HISTORY: usize = 16;

/// What the budget is, in per mille; 0: the period is fixed. Written by [`start`], and to 0 by [`fix`].
static BUDGET: AtomicU32 = AtomicU32::new(0);

/// Samples and frees of samples so far. Any thread adds.
static EVENTS: AtomicU64 = AtomicU64::new(0);

/// Those that were timed since the last look, and their nanoseconds. Any thread adds, the look takes.
static TIMED_EVENTS: AtomicU64 = AtomicU64::new(0);
static TIMED_NS: AtomicU64 = AtomicU64::new(0);

/// When a sample looks next, by the recorder's clock; `MAX`: never. Written by the look.
static NEXT_LOOK_MS: AtomicU64 = AtomicU64::new(u64::MAX);

/// The process that has a look under way, or 0. Acquire on taking pairs with Release on giving back: what
/// follows is read and written by the thread that has it. In a fork's child that of the parent is void.
static LOOKING: AtomicU32 = AtomicU32::new(0);

/// The state of the pace, see there: mean nanoseconds of an event; events and processor time at the last
/// look, and its time. Written under [`LOOKING`].
static COST_NS: AtomicU64 = AtomicU64::new(0);
static SEEN_EVENTS: AtomicU64 = AtomicU64::new(0);
static SEEN_CPU_NS: AtomicU64 = AtomicU64::new(0);
static SEEN_MS: AtomicU64 = AtomicU64::new(0);

/// The share of the last window, in millionths. Written under [`LOOKING`], read by anybody.
static SHARE: AtomicU32 = AtomicU32::new(0);

/// Nanoseconds that all events took, as estimated. Written under [`LOOKING`].
static SPENT_NS: AtomicU64 = AtomicU64::new(0);

/// The densest period that the records leave room for, as a logarithm. Written under [`LOOKING`].
static ROOM_FOR: AtomicU8 = AtomicU8::new(0);

/// The period that live samples are being thinned to; 0: none are. And how far. Written under [`LOOKING`].
static THINS_TO: AtomicU8 = AtomicU8::new(0);
static THINNED: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Is it the table of objects that is thinned? It comes second. Written under [`LOOKING`].
static THINS_OBJECTS: AtomicBool = AtomicBool::new(false);

/// Changes of the period: the time in the upper 56 bits, log2 of the period in the lower 8. Written under
/// [`LOOKING`]; a reader that sees an old one beside a new one is told of an old one.
static CHANGES: [AtomicU64; HISTORY] = [const { AtomicU64::new(0) }; HISTORY];
static CHANGED: AtomicU32 = AtomicU32::new(0);

/// Takes the period from the budget, in per mille of the process's processor time.
pub(super) fn start(per_mille: u32) {
    BUDGET.store(per_mille, Relaxed);
    NEXT_LOOK_MS.store(0, Relaxed);
    note_change(super::uptime_ms(), LG_PERIOD.load(Relaxed));
}

/// In a fork's child: its processor time begins anew, and so does the period, where the parent's had become
/// denser. Most children sample little, and the parent's rate was for what the parent does.
pub(super) fn begin_anew() {
    if is_auto() && LG_PERIOD.load(Relaxed) < Pace::SPARSEST {
        LG_PERIOD.store(Pace::SPARSEST, Relaxed);
        SEEN_CPU_NS.store(0, Relaxed);
        SEEN_EVENTS.store(EVENTS.load(Relaxed), Relaxed);
        note_change(super::uptime_ms(), Pace::SPARSEST);
    }
}

/// The user asks for a period by number: it stays.
pub(super) fn fix() {
    BUDGET.store(0, Relaxed);
    NEXT_LOOK_MS.store(u64::MAX, Relaxed);
}

/// Does the period follow a budget?
pub fn is_auto() -> bool {
    BUDGET.load(Relaxed) != 0
}

/// An event under way: when it began, in nanoseconds; 0: it is not timed.
pub struct Event(u64);

impl Event {
    /// A sample, or the free of one, begins.
    #[inline(always)]
    pub fn begin() -> Event {
        if is_auto() {
            Event::counted()
        } else {
            Event(0)
        }
    }

    #[inline(never)]
    fn counted() -> Event {
        let number = EVENTS.fetch_add(1, Relaxed) + 1;
        let is_timed = number.is_multiple_of(TIMED);
        Event(if is_timed { sys::monotonic_ns() } else { 0 })
    }

    /// It is over, at `now_ms` by the recorder's clock. On a thread that is inside our code and holds no
    /// lock.
    #[inline(always)]
    pub fn end(self, now_ms: u64) {
        if self.0 != 0 || now_ms >= NEXT_LOOK_MS.load(Relaxed) {
            self.settle(now_ms);
        }
    }

    /// It is over; not the moment to look.
    #[inline(always)]
    pub fn end_silently(self) {
        if self.0 != 0 {
            self.note();
        }
    }

    /// How many were timed since the last look. The thread may lose the processor meanwhile: that is not our
    /// time, and rare.
    #[cold]
    fn note(&self) -> u64 {
        let took = sys::monotonic_ns().saturating_sub(self.0);
        TIMED_NS.fetch_add(took.min(Pace::most_ns(COST_NS.load(Relaxed))), Relaxed);
        TIMED_EVENTS.fetch_add(1, Relaxed) + 1
    }

    #[cold]
    fn settle(self, now_ms: u64) {
        let timed = if self.0 == 0 { 0 } else { self.note() };
        let is_due = now_ms >= NEXT_LOOK_MS.load(Relaxed) || timed >= LOOK / TIMED;
        if is_auto() && is_due && !sys::is_sandboxed() {
            look(now_ms);
        }
    }
}

/// Looks, unless another thread does.
fn look(now_ms: u64) {
    let pid = sys::getpid().unsigned_abs();
    let other = LOOKING.load(Relaxed);
    if other == pid
        || LOOKING
            .compare_exchange(other, pid, Acquire, Relaxed)
            .is_err()
    {
        return;
    }
    let thins = thin();
    if now_ms >= SEEN_MS.load(Relaxed).saturating_add(REST_MS) {
        follow(now_ms);
    }
    let next = if thins { 0 } else { now_ms + LOOK_MS };
    NEXT_LOOK_MS.store(next, Relaxed);
    LOOKING.store(0, Release);
}

fn follow(now_ms: u64) {
    let (events, cpu_ns) = (EVENTS.load(Relaxed), sys::process_cpu_ns());
    let mut pace = Pace {
        cost_ns: COST_NS.load(Relaxed),
    };
    let mut window = Window {
        events: events.wrapping_sub(SEEN_EVENTS.load(Relaxed)),
        // In a fork's child the clock begins anew.
        cpu_ns: cpu_ns.saturating_sub(SEEN_CPU_NS.load(Relaxed)),
        ..Window::default()
    };
    let budget = BUDGET.load(Relaxed);
    if !pace.is_ripe(&window, cpu_ns, budget) {
        return;
    }
    window.timed = TIMED_EVENTS.swap(0, Relaxed);
    window.timed_ns = TIMED_NS.swap(0, Relaxed);
    SEEN_EVENTS.store(events, Relaxed);
    SEEN_CPU_NS.store(cpu_ns, Relaxed);
    SEEN_MS.store(now_ms, Relaxed);
    let share = pace.share(&window);
    COST_NS.store(pace.cost_ns, Relaxed);
    SPENT_NS.fetch_add(pace.cost_ns.saturating_mul(window.events), Relaxed);
    SHARE.store(share, Relaxed);
    let before = LG_PERIOD.load(Relaxed);
    let affordable = Pace::next(before, share, budget);
    let lg_period = affordable
        .max(room_for(before))
        .clamp(Pace::DENSEST, Pace::SPARSEST);
    if lg_period != before {
        LG_PERIOD.store(lg_period, Relaxed);
        note_change(now_ms, lg_period);
    }
}

/// The densest period that the records leave room for; begins to thin where they take too much.
fn room_for(lg_period: u8) -> u8 {
    let records = ((LIVE.len() + OBJECTS.len()) as u64).saturating_mul(RECORD);
    let live = LIVE.total_weighted_bytes() + OBJECTS.total_weighted_bytes();
    let most = (live / 100).max(LEAST_RECORDS);
    let before = ROOM_FOR.load(Relaxed);
    let room_for = if records > most && THINS_TO.load(Relaxed) == 0 {
        // Coming from every call, the first step is to the densest.
        lg_period
            .max(before)
            .max(Pace::DENSEST - 1)
            .saturating_add(1)
    } else if records < most / 4 {
        before.saturating_sub(1)
    } else {
        before
    };
    if room_for > before && room_for <= Pace::SPARSEST {
        THINS_TO.store(room_for, Relaxed);
    }
    ROOM_FOR.store(room_for, Relaxed);
    room_for
}

/// Thins a part of the live samples. True while there is more to be done.
fn thin() -> bool {
    let lg_period = THINS_TO.load(Relaxed);
    if lg_period == 0 {
        return false;
    }
    let [shard, slot] = &THINNED;
    let mut place = Place::at(shard.load(Relaxed), slot.load(Relaxed));
    let mut random = SmallRng::seed_from_u64(sys::random().unwrap_or_else(sys::monotonic_ms));
    let is_second = THINS_OBJECTS.load(Relaxed);
    let table = if is_second { &OBJECTS } else { &LIVE };
    let gone = table.thin(&mut place, lg_period, &mut || random.next_u64());
    diag::count_many(Counter::SampleThinned, gone as u64);
    let (next_shard, next_slot) = place.parts();
    shard.store(next_shard, Relaxed);
    slot.store(next_slot, Relaxed);
    let is_end = place.is_start() && (is_second || OBJECTS.is_empty());
    THINS_OBJECTS.store(!is_end && (is_second || place.is_start()), Relaxed);
    if is_end {
        THINS_TO.store(0, Relaxed);
    }
    !is_end
}

fn note_change(now_ms: u64, lg_period: u8) {
    let number = CHANGED.load(Relaxed);
    if let Some(change) = CHANGES.get(number as usize % HISTORY) {
        change.store(now_ms << 8 | u64::from(lg_period), Relaxed);
    }
    CHANGED.store(number.wrapping_add(1), Relaxed);
}

/// The period that another sampler, which has `lg_period` now, shall take: the budget is for all.
pub fn wish(lg_period: u8) -> u8 {
    match BUDGET.load(Relaxed) {
        0 => lg_period,
        budget => Pace::next(lg_period, SHARE.load(Relaxed), budget).min(Pace::SPARSEST),
    }
}

/// What is said of the budget.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// In per mille of the process's processor time.
    pub budget: u32,
    /// Of the last window, in millionths.
    pub share: u32,
    /// All events, in nanoseconds, as estimated.
    pub spent_ns: u64,
    /// Processor time of the process so far, in nanoseconds.
    pub cpu_ns: u64,
}

/// The facts; `None` while the period is fixed.
pub fn facts() -> Option<Facts> {
    let budget = BUDGET.load(Relaxed);
    (budget != 0).then(|| Facts {
        budget,
        share: SHARE.load(Relaxed),
        spent_ns: SPENT_NS.load(Relaxed),
        cpu_ns: sys::process_cpu_ns(),
    })
}

/// The last changes of the period, the oldest first: milliseconds of the recorder's clock, and log2 of the
/// period from then on.
pub fn history() -> impl Iterator<Item = (u64, u8)> {
    let changed = CHANGED.load(Relaxed);
    let kept = changed.min(HISTORY as u32);
    (changed - kept..changed).filter_map(|number| {
        let change = CHANGES.get(number as usize % HISTORY)?.load(Relaxed);
        Some((change >> 8, change as u8))
    })
}
