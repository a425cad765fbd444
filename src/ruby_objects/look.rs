//! Which of the sampled objects still live, and room for new ones.
//!
//! Runs in a job: no collection runs, and no object is made meanwhile.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use super::{LIVE, LOOKED_MS, STACKS, window};
use crate::platform::scratch::Scratch;
use crate::platform::tls;
use crate::runtime::memory::Memory;
use crate::runtime::ruby::objects::Objects;
use crate::table::fork_gate;

/// Records that are kept. Beyond it each gives way with a chance of one half, and those that stay stand for
/// another one: by their order keys would stay, and values give way, that lie side by side in Ruby's heap.
const MOST: usize = 1 << 15;

/// Samples that gave way. Written by the job.
static THINNED: AtomicU64 = AtomicU64::new(0);

pub(super) fn thinned() -> u64 {
    THINNED.load(Relaxed)
}

/// Removes the records of objects that have died.
pub(super) fn look(objects: &Objects<'_>, now_ms: u64) {
    if objects.is_moving() {
        return;
    }
    let Some(_guard) = tls::current().enter() else {
        return;
    };
    let Some(_pass) = fork_gate::TABLES.enter() else {
        return;
    };
    let Some(mut place) = Scratch::map((LIVE.len() + 1) * size_of::<u64>()) else {
        return;
    };
    let (slots, _) = place.bytes().as_chunks_mut::<8>();
    let mut count = 0;
    LIVE.for_each(&mut |sample| {
        if let Some(slot) = slots.get_mut(count) {
            *slot = (sample.addr as u64).to_ne_bytes();
            count += 1;
        }
    });
    let known = slots.get(..count).unwrap_or_default();
    let mut memory = Memory::new();
    for address in known {
        let address = u64::from_ne_bytes(*address);
        if !objects.lives(&mut memory, address) {
            bury(address, now_ms);
        }
    }
    if LIVE.len() > MOST {
        thin(known);
    }
    LOOKED_MS.store(now_ms, Relaxed);
}

fn bury(address: u64, now_ms: u64) {
    if let Some(sample) = LIVE.remove(address as usize) {
        let lifetime = now_ms.saturating_sub(sample.birth_ms);
        STACKS.note_free(sample.stack, lifetime, sample.first_bytes());
    }
}

/// Half of the records stand for the others too.
fn thin(known: &[[u8; 8]]) {
    for address in known {
        let address = u64::from_ne_bytes(*address) as usize;
        let Some(mut sample) = LIVE.remove(address) else {
            continue;
        };
        if window::random() & 1 == 0 {
            THINNED.fetch_add(1, Relaxed);
            continue;
        }
        let weight = f64::from(sample.first_weight) * 2.0;
        sample.first_weight = weight as f32;
        sample.weighted_bytes = sample.weighted_bytes.saturating_mul(2);
        sample.variance = (weight * (weight - 1.0)) as f32;
        LIVE.insert(sample);
    }
}
