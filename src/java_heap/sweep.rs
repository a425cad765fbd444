//! Which of the sampled objects still live, and room for new ones.
//!
//! Called at samples (`sample`), before a dump (`helper`) and at the JVM's end, always on an
//! attached thread. One thread sweeps at a time, and nobody but the helper waits for it: who comes
//! second goes on with what is known. It alone deletes weak references, so those it has copied stay good although
//! no lock is held while the JVM is asked.
//!
//! At samples a sweep is made only after a collection, and not before a quarter as many samples were
//! taken as there are references: it costs four looks a sample (some 40 ns each), however many there
//! are.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

use super::jni::{Jni, Object};
use super::jvmti::Jvmti;
use super::{COLLECTIONS, IS_TOLD, LIVE, STACKS, inside, thinning};
use crate::{arena, recorder, sys};

/// From so many references on, samples give way: each costs the collector a look at every
/// collection.
pub const CEILING: usize = 20_000;

/// Never more than this, though a thread be kept from thinning.
const ROOM: usize = 2 * CEILING;

/// Samples below which no sweep is worth its while.
const LEAST: usize = 64;

/// Is a sweep under way? Acquire on taking pairs with Release on giving back.
static SWEEPING: AtomicBool = AtomicBool::new(false);

/// The references of the sweep under way; null until the first. Written and read by who sweeps.
static COPY: AtomicPtr<usize> = AtomicPtr::new(null_mut());

/// Collections that had been made when the last sweep began. Written by who sweeps.
static SWEPT: AtomicU64 = AtomicU64::new(0);

/// Samples since the last sweep. Any sampling thread adds.
static SAMPLES: AtomicUsize = AtomicUsize::new(0);

/// The right to sweep.
pub struct Turn(());

impl Turn {
    fn take() -> Option<Turn> {
        // Made only when it is ours: dropping one gives the turn back.
        (!SWEEPING.swap(true, Acquire)).then(|| Turn(()))
    }

    /// Waits for it. For the helper, which keeps nobody else waiting: the JVM passes a thread over
    /// that is in native code.
    pub fn wait() -> Turn {
        static NEVER: AtomicU32 = AtomicU32::new(0);
        loop {
            if let Some(turn) = Turn::take() {
                return turn;
            }
            sys::futex_wait_for(&NEVER, 0, 1);
        }
    }

    /// Copies the references as of now; the rest of what comes meanwhile is left for the next time.
    pub fn references(&mut self) -> &[usize] {
        let mut memory = COPY.load(Relaxed);
        if memory.is_null() {
            let room = Layout::array::<usize>(ROOM).ok();
            let Some(fresh) = room.and_then(arena::alloc) else {
                return &[];
            };
            memory = fresh.cast().as_ptr();
            COPY.store(memory, Relaxed);
        }
        // SAFETY: ROOM words of the arena, zeroed, and this turn's alone.
        let copy = unsafe { core::slice::from_raw_parts_mut(memory, ROOM) };
        let mut length = 0;
        let _ = inside(|| {
            LIVE.for_each(&mut |sample| {
                if let Some(slot) = copy.get_mut(length) {
                    *slot = sample.addr;
                    length += 1;
                }
            });
        });
        copy.get(..length).unwrap_or_default()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        SWEEPING.store(false, Release);
    }
}

/// May one more be kept?
pub fn has_room() -> bool {
    LIVE.len() < ROOM
}

/// Collections that what lives is known by.
pub fn swept() -> u64 {
    SWEPT.load(Relaxed)
}

/// Learns which of the objects live. False when another thread is at it.
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

/// Takes out the record of a dead object, and gives its reference back.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_no_turn_leaves_that_of_the_other_alone() {
        let turn = Turn::take().expect("nobody sweeps");
        assert!(Turn::take().is_none());
        assert!(Turn::take().is_none(), "the refusal gave nothing back");
        drop(turn);
        assert!(Turn::take().is_some());
    }
}
