//! One read of what lives in an isolate's heap: new samples are recorded, those that are gone are
//! forgotten.
//!
//! On the isolate's thread, in an interrupt or at the end of its environment. V8 numbers its samples
//! in the order in which they are drawn, so a sample that was read before is known by its number.
#![allow(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::frames::{DEEPEST, Tree};
use super::{DROPPED, LIVE, STACKS, inside};
use crate::platform::scratch::Scratch;
use crate::runtime::memory::Memory;
use crate::runtime::node::engine::Engine;
use crate::runtime::node::heap::{Heap, Profile, Sample};
use crate::{recorder, sampler};

/// The isolate that is read.
pub struct Subject {
    /// Its address.
    pub at: u64,
    /// The number of its objects.
    pub owner: u32,
    /// When it was read before, or opened.
    pub since_ms: u64,
    /// The last number that was read then.
    pub last_id: u64,
    /// log2 of the mean bytes between its samples.
    pub lg_period: u8,
}

/// More samples than an isolate has: its heap would have 512 GiB.
const MOST: u64 = 1 << 21;

/// Numbers of samples that an isolate can have.
const LG_IDS: u32 = 40;

/// What stands for a sample in the table of live ones; never 0, since owners begin with 1.
fn key(owner: u32, id: u64) -> usize {
    (u64::from(owner) << LG_IDS | id & ((1 << LG_IDS) - 1)) as usize
}

fn is_of(owner: u32, key: usize) -> bool {
    key as u64 >> LG_IDS == u64::from(owner)
}

/// Reads the isolate's samples, and returns the last number. In a scope for handles. `None`: no
/// sampler runs in it.
pub fn read(engine: &Engine, heap: &Heap, subject: &Subject) -> Option<u64> {
    let at = heap.profile(subject.at)?;
    let mut memory = Memory::new();
    let is_own = |function| engine.is_compiled_in(function);
    let mut last_id = subject.last_id;
    if let Some(profile) = Profile::of(at, &mut memory, &is_own) {
        match take(heap, subject, &mut memory, &profile) {
            Some(last) => last_id = last_id.max(last),
            None => {
                DROPPED.fetch_add(1, Relaxed);
            }
        }
        profile.delete();
    }
    Some(last_id)
}

fn take(heap: &Heap, subject: &Subject, memory: &mut Memory, profile: &Profile) -> Option<u64> {
    let mut tree = Tree::read(heap, subject.at, memory, profile.root())?;
    let mut now = Samples::read(memory, profile)?;
    inside(|| {
        remove(subject.owner, now.sorted());
        let last_id = now.sorted().last().map_or(0, |sample| sample.id);
        let now_ms = recorder::uptime_ms();
        for sample in now.sorted() {
            let key = key(subject.owner, sample.id);
            let born_ms = subject.born_ms(sample.id, last_id, now_ms);
            if LIVE.get(key).is_none()
                && record(&mut tree, key, sample, (born_ms, subject.lg_period)).is_none()
            {
                DROPPED.fetch_add(1, Relaxed);
            }
        }
        last_id
    })
}

impl Subject {
    /// About when the sample `id` was drawn: the program allocates evenly between two reads, as far
    /// as is known, and numbers count what it allocates. `last_id` is the last number now.
    fn born_ms(&self, id: u64, last_id: u64, now_ms: u64) -> u64 {
        let drawn = id.saturating_sub(self.last_id);
        let all = last_id.saturating_sub(self.last_id).max(1);
        let span = now_ms.saturating_sub(self.since_ms);
        self.since_ms + span.saturating_mul(drawn.min(all)) / all
    }
}

/// A copy of V8's samples, by number.
struct Samples {
    memory: Scratch,
    length: usize,
}

impl Samples {
    fn read(memory: &mut Memory, profile: &Profile) -> Option<Samples> {
        let (begin, count) = profile.samples(memory)?;
        if count > MOST {
            return None;
        }
        let room = Scratch::map((count as usize + 1) * size_of::<Sample>())?;
        let first = room.start().cast::<Sample>();
        for number in 0..count {
            let sample = Sample::read(memory, begin, number)?;
            // SAFETY: there is room for `count` samples.
            unsafe { first.add(number as usize).write(sample) };
        }
        let mut samples = Samples {
            memory: room,
            length: count as usize,
        };
        samples.all().sort_unstable_by_key(|sample| sample.id);
        Some(samples)
    }

    fn all(&mut self) -> &mut [Sample] {
        // SAFETY: `length` samples were written.
        unsafe { core::slice::from_raw_parts_mut(self.memory.start().cast().as_ptr(), self.length) }
    }

    fn sorted(&mut self) -> &[Sample] {
        self.all()
    }
}

/// Takes out all samples of `owner`, whose objects may live on: they are sampled anew.
pub fn begin_anew(owner: u32) {
    inside(|| {
        if let Some(mut gone) = gone(owner, &[]) {
            for key in gone.keys() {
                LIVE.remove(*key);
            }
        }
    });
}

/// Forgets the samples of `owner` that are not in `kept`, which is sorted.
fn remove(owner: u32, kept: &[Sample]) {
    let Some(mut gone) = gone(owner, kept) else {
        return;
    };
    let now_ms = recorder::uptime_ms();
    for key in gone.keys() {
        if let Some(sample) = LIVE.remove(*key) {
            let lifetime = now_ms.saturating_sub(sample.birth_ms);
            STACKS.note_free(sample.stack, lifetime, sample.first_bytes());
        }
    }
}

struct Keys {
    memory: Scratch,
    length: usize,
}

impl Keys {
    fn keys(&mut self) -> &[usize] {
        // SAFETY: `length` keys were written.
        unsafe { core::slice::from_raw_parts(self.memory.start().cast().as_ptr(), self.length) }
    }
}

fn gone(owner: u32, kept: &[Sample]) -> Option<Keys> {
    let room = LIVE.len() + 1;
    let memory = Scratch::map(room * size_of::<usize>())?;
    let first = memory.start().cast::<usize>();
    let mut length = 0;
    LIVE.for_each(&mut |sample| {
        let id = sample.addr as u64 & ((1 << LG_IDS) - 1);
        let is_kept = || kept.binary_search_by_key(&id, |sample| sample.id).is_ok();
        if is_of(owner, sample.addr) && length < room && !is_kept() {
            // SAFETY: there is room for `room` keys.
            unsafe { first.add(length).write(sample.addr) };
            length += 1;
        }
    });
    Some(Keys { memory, length })
}

/// Forgets all samples of `owner`.
pub fn forget(owner: u32) {
    inside(|| remove(owner, &[]));
}

fn record(tree: &mut Tree, key: usize, sample: &Sample, drawn: (u64, u8)) -> Option<()> {
    let mut frames = [0; DEEPEST];
    let frames = tree.stack(sample.node, &mut frames)?;
    let (born_ms, lg_period) = drawn;
    let size = usize::try_from(sample.size).ok()?;
    let drawn = recorder::Drawn {
        addr: key,
        size,
        lg_period,
        now_ms: born_ms,
        stack: STACKS.intern(frames)?,
        thread: 0,
    };
    let weight = sampler::weight(size, lg_period);
    recorder::keep(&STACKS, &drawn, &weight, |sample| LIVE.insert(sample)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_isolate_and_its_number() {
        assert!(is_of(3, key(3, 77)) && !is_of(2, key(3, 77)));
        assert_ne!(key(1, 0), 0);
        assert_ne!(key(1, 7), key(2, 7));
    }

    #[test]
    fn samples_are_born_evenly_between_two_reads() {
        let subject = Subject {
            at: 0,
            owner: 1,
            since_ms: 1000,
            last_id: 50,
            lg_period: 16,
        };
        let born = |id| subject.born_ms(id, 150, 3000);
        assert_eq!((born(50), born(100), born(150)), (1000, 2000, 3000));
        assert_eq!(subject.born_ms(50, 50, 3000), 1000);
    }
}
