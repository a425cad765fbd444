//! Which of the sampled objects still live; makes room for new ones.
//!
//! Runs on an attached thread. One thread sweeps at a time (`turn`); a second one continues with
//! what is known.
//!
//! A sample sweeps only after a collection, and only when at least a quarter as many samples were
//! taken as there are references. So a sweep costs at most four looks a sample (some 40 ns each),
//! whatever their number.

use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU64, AtomicUsize};

use super::jni::{Jni, Object};
use super::jvmti::Jvmti;
use super::turn::{CEILING, ROOM, Turn};
use super::{COLLECTIONS, IS_TOLD, LIVE, STACKS, inside, thinning};
use crate::recorder;

/// With fewer samples a sweep is not worth its cost.
const LEAST: usize = 64;

/// Collections that had been made when the last sweep began. Written by the thread that sweeps.
static SWEPT: AtomicU64 = AtomicU64::new(0);

/// Samples since the last sweep. Any sampling thread adds.
static SAMPLES: AtomicUsize = AtomicUsize::new(0);

/// May one more reference be kept?
pub fn has_room() -> bool {
    LIVE.len() < ROOM
}

/// The number of collections at the last sweep: what lives is known as of then.
pub fn swept() -> u64 {
    SWEPT.load(Relaxed)
}

/// Finds out which of the objects live. False when another thread sweeps.
pub fn sweep(jni: Jni) -> bool {
    let turn = Turn::take();
    turn.map(|mut turn| look(&mut turn, jni)).is_some()
}

fn look(turn: &mut Turn, jni: Jni) {
    let seen = COLLECTIONS.load(Relaxed);
    SAMPLES.store(0, Relaxed);
    for weak in turn.references() {
        if jni.is_dead(*weak as Object) {
            bury(jni, *weak);
        }
    }
    SWEPT.store(seen, Relaxed);
}

/// Removes the record of a dead object, and gives its reference back.
fn bury(jni: Jni, weak: usize) {
    let Some(Some(sample)) = inside(|| LIVE.remove(weak)) else {
        return;
    };
    let lifetime = recorder::uptime_ms().saturating_sub(sample.birth_ms);
    STACKS.note_free(sample.stack, lifetime, sample.first_bytes());
    jni.delete_weak(weak as Object);
}

/// After a sample was taken: sweeps if that is due, and thins if there are too many.
pub fn after_sample(jvmti: Jvmti, jni: Jni) {
    let samples = SAMPLES.fetch_add(1, Relaxed) + 1;
    let references = LIVE.len();
    let is_full = references >= CEILING;
    let is_stale = !IS_TOLD.load(Relaxed) || COLLECTIONS.load(Relaxed) != SWEPT.load(Relaxed);
    let is_due = is_stale && samples >= LEAST.max(references / 4);
    if !is_due && !is_full {
        return;
    }
    let Some(mut turn) = Turn::take() else {
        return;
    };
    if is_stale {
        look(&mut turn, jni);
    }
    if LIVE.len() >= CEILING {
        thinning::thin(&mut turn, jvmti, jni);
    }
}
