//! One sampled object: its stack, a weak reference, a record.
//!
//! The JVM calls [`on_sample`] on the thread that allocated the object, in native code, outside any
//! malloc of its own. JEP 331 allows JNI and JVMTI there. Failure means "as if not sampled" and a
//! count.
#![allow(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::jni::{Interface, Jni, Object};
use super::jvmti::Jvmti;
use super::scratch::{self, ROOMS, Room};
use super::{DROPPED, LIVE, MOST_FRAMES, STACKS};
use super::{frames, gap, inside, is_open, sweep};
use crate::live_table::{Drawn as Draw, Insert, Sample};
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
    let drawn = Drawn { size, lg_period };
    if !sweep::has_room() || take(jvmti, jni, object, class, drawn).is_none() {
        DROPPED.fetch_add(1, Relaxed);
    }
    sweep::after_sample(jvmti, jni);
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
    let most = (MOST_FRAMES.load(Relaxed) as usize).min(scratch::MOST);
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
    let Drawn { size, lg_period } = drawn;
    let stack = STACKS.intern(frames)?;
    let weight = sampler::weight(size, lg_period);
    let sample = Sample::new(&Draw {
        addr: weak,
        size,
        lg_period,
        now_ms: recorder::uptime_ms(),
        stack,
        thread: 0,
    });
    if LIVE.insert(sample) == Insert::Full {
        return None;
    }
    STACKS.note_alloc(stack, &weight, lg_period);
    Some(())
}
