//! The windows in which Ruby tells us each object that it makes.
//!
//! In a window every so-manieth object is sampled, at random, so that a window has some dozen
//! samples. A sample waits until its window closes: then it is known for how many objects it stands,
//! and Ruby gives the object a number, by which it is known to live. No collection may have begun in
//! between, or the place might be another object's.

use core::ffi::c_void;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize};

use super::{ALWAYS, LIVE, STACKS, mode};
use crate::platform::tls;
use crate::recorder::{self, rate::Event};
use crate::runtime::ruby::objects::{self, Objects};
use crate::sampler::{ONE_OBJECT, Weight};
use crate::table::fork_gate;
use crate::table::live_table::Sample;
use crate::table::pool::Pool;
use crate::table::stack_table::StackId;

/// Samples that a window may have.
const MOST: usize = 256;

/// From the beginning of one window to that of the next, at least. Jobs are asked for by samples of
/// malloc: where these are rare, windows are too, and each is longer and has more samples.
const PERIOD_MS: u64 = 100;

/// Samples wanted for each such period since the last window.
const WANTED: u64 = 24;

/// A window is open for this part of the time since the last one: 2 %, in which the program is a
/// quarter slower.
const PART: u64 = 50;

/// How long a window is open, at least and at most.
const SHORTEST_MS: u64 = 2;
const LONGEST_MS: u64 = 50;

/// Objects between two looks at the clock.
const CLOCK: u64 = 128;

/// Frames of a stack, at most.
const DEEPEST: usize = 128;

/// A sample whose window is open. Written by the thread that has [`TAKING`]; read in the job that
/// closes the window, in which no object is made.
struct Waiting {
    object: AtomicU64,
    size: AtomicU64,
    collections: AtomicU64,
    born_ms: AtomicU64,
    stack: AtomicU32,
}

static WAITING: [Waiting; MOST] = [const {
    Waiting {
        object: AtomicU64::new(0),
        size: AtomicU64::new(0),
        collections: AtomicU64::new(0),
        born_ms: AtomicU64::new(0),
        stack: AtomicU32::new(0),
    }
}; MOST];

/// Samples of the open window, and those of them that are in [`WAITING`]: the others are none of the
/// program's objects.
static TAKEN: AtomicU64 = AtomicU64::new(0);
static KEPT: AtomicUsize = AtomicUsize::new(0);

/// Has a thread the right to take a sample? Only Ractors make objects at the same time.
static TAKING: AtomicBool = AtomicBool::new(false);

/// Objects until the next sample, and made in the open window. Written by any thread of Ruby's.
static GAP: AtomicI64 = AtomicI64::new(i64::MAX);
static SEEN: AtomicU64 = AtomicU64::new(0);

/// Mean objects between two samples. Written by the job.
static MEAN: AtomicU64 = AtomicU64::new(64);

/// The trace point; 0: none yet. Written by the job, as the next eight.
static POINT: AtomicU64 = AtomicU64::new(0);
static IS_OPEN: AtomicBool = AtomicBool::new(false);
static OPENED_MS: AtomicU64 = AtomicU64::new(0);
static OPEN_MS: AtomicU64 = AtomicU64::new(SHORTEST_MS);
/// When the last window closed, and the objects that were made each millisecond before that.
static CLOSED_MS: AtomicU64 = AtomicU64::new(0);
static PACE: AtomicU64 = AtomicU64::new(800);
/// Objects made when the last window closed, and up to the last one with samples, which stand for them.
static MADE_THEN: AtomicU64 = AtomicU64::new(0);
static MADE: AtomicU64 = AtomicU64::new(0);
/// Bytes that a sample of the last window stands for.
static STANDS_FOR: AtomicU64 = AtomicU64::new(1);

/// Was a Ractor seen? Then there are no more windows, unless this version tells of them. Written as it is
/// made.
static HAS_RACTORS: AtomicBool = AtomicBool::new(false);

/// State of the generator of gaps.
static RANDOM: AtomicU64 = AtomicU64::new(0x9e37_79b9_7f4a_7c15);

/// Written by [`configure`].
static MOST_FRAMES: AtomicU32 = AtomicU32::new(DEEPEST as u32);

struct Room {
    frames: [u64; DEEPEST],
}

// SAFETY: zeroed words are words.
#[allow(unsafe_code)]
static ROOMS: Pool<Room> = unsafe { Pool::new() };

pub(super) fn configure(most_frames: u32) {
    MOST_FRAMES.store(most_frames, Relaxed);
}

/// Objects made up to the last window with samples.
pub(super) fn made() -> u64 {
    MADE.load(Relaxed)
}

/// Bytes that a sample stands for.
pub(super) fn period() -> u64 {
    STANDS_FOR.load(Relaxed).max(1)
}

/// Opens or closes the window, if that is due; when it will be due next.
pub(super) fn turn(objects: &Objects<'_>, now_ms: u64, is_last: bool) -> u64 {
    let opened_ms = OPENED_MS.load(Relaxed);
    if IS_OPEN.load(Relaxed) {
        let end_ms = opened_ms.saturating_add(OPEN_MS.load(Relaxed));
        if now_ms < end_ms && KEPT.load(Relaxed) < MOST && !is_last {
            return end_ms;
        }
        objects.switch(POINT.load(Relaxed), false);
        IS_OPEN.store(false, Relaxed);
        close(objects, now_ms);
    }
    let due_ms = match mode() {
        ALWAYS => now_ms,
        _ => opened_ms.saturating_add(PERIOD_MS),
    };
    if is_last || now_ms < due_ms || objects.is_moving() || has_ractors(objects) {
        return due_ms;
    }
    open(objects, now_ms);
    now_ms.saturating_add(OPEN_MS.load(Relaxed))
}

/// A Ractor that was seen while it was made is another one by the next job, or it is the one that Ruby makes
/// for itself as it starts.
fn has_ractors(objects: &Objects<'_>) -> bool {
    match objects.tells_ractors() {
        true => objects.has_ractors(),
        false => HAS_RACTORS.load(Relaxed),
    }
}

fn open(objects: &Objects<'_>, now_ms: u64) {
    if POINT.load(Relaxed) == 0 {
        POINT.store(objects.point(on_birth), Relaxed);
        MADE.store(objects.made(), Relaxed);
        MADE_THEN.store(objects.made(), Relaxed);
        OPENED_MS.store(now_ms.saturating_sub(PERIOD_MS), Relaxed);
        CLOSED_MS.store(now_ms, Relaxed);
    }
    let passed_ms = now_ms.saturating_sub(OPENED_MS.load(Relaxed)).max(1);
    let open_ms = (passed_ms / PART).clamp(SHORTEST_MS, LONGEST_MS);
    OPEN_MS.store(open_ms, Relaxed);
    let wanted = (passed_ms * WANTED / PERIOD_MS).clamp(WANTED, MOST as u64 / 2);
    // As many objects as were made in the same time before.
    let expected = PACE.load(Relaxed).saturating_mul(open_ms);
    MEAN.store((expected / wanted).clamp(1, 1 << 20), Relaxed);
    TAKEN.store(0, Relaxed);
    KEPT.store(0, Relaxed);
    SEEN.store(0, Relaxed);
    GAP.store(gap(), Relaxed);
    OPENED_MS.store(now_ms, Relaxed);
    IS_OPEN.store(true, Relaxed);
    objects.switch(POINT.load(Relaxed), true);
}

/// Uniform between 1 and twice the mean.
fn gap() -> i64 {
    (1 + random() % (2 * MEAN.load(Relaxed)).max(1)).cast_signed()
}

/// The next random number (xorshift64, Marsaglia 2003: the low bits of its state are as good as the others).
pub(super) fn random() -> u64 {
    let mut state = RANDOM.load(Relaxed);
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    RANDOM.store(state, Relaxed);
    state
}

/// The samples of the window become records.
///
/// A window may have none: the program waited for a processor all the time, or a collection took them.
/// The samples of the next one then stand for what was made before this one too.
fn close(objects: &Objects<'_>, now_ms: u64) {
    let now = objects.made();
    let since = now.saturating_sub(MADE_THEN.swap(now, Relaxed));
    let passed_ms = now_ms.saturating_sub(CLOSED_MS.swap(now_ms, Relaxed));
    PACE.store(since / passed_ms.max(1), Relaxed);
    let (taken, kept) = (TAKEN.load(Relaxed), KEPT.load(Relaxed).min(MOST));
    let waiting = WAITING.get(..kept).unwrap_or_default();
    // A number is made for each first: that may start a collection.
    let is_young = |one: &&Waiting| one.collections.load(Relaxed) == objects.collections();
    let mut numbered = 0;
    for one in waiting.iter().take_while(is_young) {
        objects.number(one.object.load(Relaxed));
        numbered += 1;
    }
    let (fresh, lost) = waiting.split_at(numbered);
    let counted = taken.saturating_sub(lost.len() as u64);
    if counted == 0 {
        return;
    }
    let made = now.saturating_sub(MADE.swap(now, Relaxed));
    let weight = made.max(counted) as f64 / counted as f64;
    for one in fresh {
        if insert(one, weight).is_none() {
            break;
        }
    }
}

fn insert(one: &Waiting, weight: f64) -> Option<()> {
    let _guard = tls::current().enter()?;
    let _pass = fork_gate::TABLES.enter()?;
    let size = one.size.load(Relaxed) as usize;
    let bytes = (weight * size as f64 + 0.5) as u64;
    let lg_period = bytes.max(1).ilog2() as u8;
    STANDS_FOR.store(bytes, Relaxed);
    let weighed = Weight {
        objects_fx: ((weight * ONE_OBJECT as f64 + 0.5) as u64).max(1),
        bytes,
        variance: (weight * (weight - 1.0)) as f32,
    };
    let born_ms = one.born_ms.load(Relaxed).max(1);
    let stack = StackId(one.stack.load(Relaxed));
    // Its weight is no function of a period: it stands in the fields of a block that was resized.
    LIVE.insert(Sample {
        addr: one.object.load(Relaxed) as usize,
        size,
        weighted_bytes: bytes,
        birth_ms: born_ms,
        resized_ms: born_ms,
        first_size: size,
        first_weight: weight as f32,
        variance: weighed.variance,
        lg_period,
        stack,
        thread: 0,
    });
    STACKS.note_alloc(stack, &weighed, lg_period);
    Some(())
}

/// Ruby makes an object, on this thread.
extern "C" fn on_birth(point: u64, _: *mut c_void) {
    if objects::is_ractor(point) {
        HAS_RACTORS.store(true, Relaxed);
        return objects::switch_off(point);
    }
    let seen = SEEN.fetch_add(1, Relaxed);
    if seen.is_multiple_of(CLOCK) && is_over(recorder::uptime_ms()) {
        objects::want_job();
    }
    if GAP.fetch_sub(1, Relaxed) > 1 {
        return;
    }
    GAP.store(gap(), Relaxed);
    // Acquire: pairs with the release below.
    if TAKING.swap(true, Acquire) {
        return;
    }
    if let Some(guard) = tls::current().enter() {
        let event = Event::begin();
        let now_ms = recorder::uptime_ms();
        take(point, now_ms);
        event.end(now_ms);
        drop(guard);
    }
    TAKING.store(false, Release);
}

/// Is the window open for so long that it shall close, or has it no room for more samples?
fn is_over(now_ms: u64) -> bool {
    let end_ms = OPENED_MS
        .load(Relaxed)
        .saturating_add(OPEN_MS.load(Relaxed));
    now_ms >= end_ms || KEPT.load(Relaxed) >= MOST
}

fn take(point: u64, now_ms: u64) -> Option<()> {
    let kept = KEPT.load(Relaxed);
    let place = WAITING.get(kept)?;
    let mut room = ROOMS.take()?;
    let _pass = fork_gate::TABLES.enter()?;
    let most = (MOST_FRAMES.load(Relaxed) as usize).min(DEEPEST);
    let frames = room.frames.get_mut(..most)?;
    TAKEN.fetch_add(1, Relaxed);
    let born = objects::newborn(point, frames, now_ms)?;
    let stack = STACKS.intern(frames.get(..born.length)?)?;
    place.object.store(born.object, Relaxed);
    place.size.store(born.size, Relaxed);
    place.collections.store(born.collections, Relaxed);
    place.born_ms.store(now_ms, Relaxed);
    place.stack.store(stack.0, Relaxed);
    KEPT.store(kept + 1, Relaxed);
    Some(())
}
