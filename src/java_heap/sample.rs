//! One sampled object: its stack, a weak reference, a record.
//!
//! The JVM calls [`on_sample`] on the thread that allocated the object, in native code, outside any
//! malloc of its own. JEP 331 allows JNI and JVMTI there. Failure means "as if not sampled" and a
//! count.
#![allow(unsafe_code)]

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use super::jni::{Interface, Jni, Object};
use super::jvmti::Jvmti;
use super::room::{self, ROOMS, Room};
use super::{DROPPED, LG_PERIOD, LIVE, MOST_FRAMES, STACKS};
use super::{frames, gap, inside, is_open, sweep, thinning};
use crate::recorder::rate::{self, Event};
use crate::{recorder, sampler};

/// See `jvmti::OnSample`.
pub unsafe extern "C" fn on_sample(
    jvmti: Interface,
    jni: Interface,
    _thread: Object,
    object: Object,
    class: Object,
    size: i64,
) {
    let lg_period = gap::ended();
    gap::begins();
    if !is_open() || !recorder::is_active() {
        return;
    }
    // SAFETY: the JVM passes the environments of this thread.
    let (jvmti, jni) = unsafe { (Jvmti::new(jvmti), Jni::new(jni)) };
    let size = usize::try_from(size).unwrap_or(0);
    let event = Event::begin();
    let drawn = Drawn { size, lg_period };
    if !sweep::has_room() || take(jvmti, jni, object, class, drawn).is_none() {
        DROPPED.fetch_add(1, Relaxed);
    }
    sweep::after_sample(jvmti, jni);
    // The look takes locks, and so must be inside our code.
    inside(|| event.end(recorder::uptime_ms()));
    share_budget(jvmti);
}

/// Samples between two looks at the budget.
const LOOK: u64 = 64;

/// Samples so far. Any sampling thread adds.
static SAMPLES: AtomicU64 = AtomicU64::new(0);

/// The malloc sampler measures what all samples cost; this one follows.
fn share_budget(jvmti: Jvmti) {
    if !SAMPLES.fetch_add(1, Relaxed).is_multiple_of(LOOK) {
        return;
    }
    let lg_period = LG_PERIOD.load(Relaxed);
    let wish = rate::wish(lg_period);
    // Samples that gave way for the ceiling of references raise the period, too: that stays.
    if wish != lg_period && (wish > lg_period || wish >= thinning::least_lg_period()) {
        thinning::set_period(jvmti, wish);
    }
}

/// An object's size, and the period that it was drawn with.
struct Drawn {
    size: usize,
    lg_period: u8,
}

fn take(jvmti: Jvmti, jni: Jni, object: Object, class: Object, drawn: Drawn) -> Option<()> {
    let mut room = ROOMS.take()?;
    let stack = stack(jvmti, jni, class, &mut room)?;
    let weak = jni.new_weak(object)?;
    let recorded = inside(|| record(weak as usize, drawn, stack)).flatten();
    if recorded.is_none() {
        jni.delete_weak(weak);
    }
    recorded
}

/// The class, then the Java frames, leaf first.
fn stack(jvmti: Jvmti, jni: Jni, class: Object, room: &mut Room) -> Option<&[u64]> {
    let most = (MOST_FRAMES.load(Relaxed) as usize).min(room::MOST);
    let depth = jvmti.stack_trace(room.infos.get_mut(..most)?);
    let (leaf, rest) = room.frames.split_first_mut()?;
    *leaf = frames::class(jvmti, class)?;
    let mut named = 0;
    let infos = room.infos.get(..depth)?;
    let known = infos
        .iter()
        .filter_map(|info| frames::method(jvmti, jni, info));
    for (slot, frame) in rest.iter_mut().zip(known) {
        *slot = frame;
        named += 1;
    }
    room.frames.get(..=named)
}

fn record(weak: usize, drawn: Drawn, frames: &[u64]) -> Option<()> {
    let sample = recorder::Drawn {
        addr: weak,
        size: drawn.size,
        lg_period: drawn.lg_period,
        now_ms: recorder::uptime_ms(),
        stack: STACKS.intern(frames)?,
        thread: 0,
    };
    let weight = sampler::weight(drawn.size, drawn.lg_period);
    recorder::keep(&STACKS, &sample, &weight, |sample| LIVE.insert(sample)).ok()
}
