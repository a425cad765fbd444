//! Fewer samples of the same objects, without a bias.
//!
//! Called by `sweep` when the ceiling of references is reached.
//!
//! # The derivation
//! A live sample of s bytes, drawn with period N, was kept with p(N) = 1 - exp(-s/N). It is kept
//! once more with q = p(M)/p(N), M > N. That is a probability, since p falls as the period grows;
//! and in all the object was kept with p(N) q = p(M), as if it had been drawn with M in the first
//! place. So from then on it is a sample of period M, weighs s/p(M), and every sum stays unbiased.
//! For M = 2N the factor is 1/(1 + exp(-s/2N)): a half for small objects, whose weight thus
//! doubles, and nearly 1 for large ones, which carry no error and are not thrown away. A sample
//! whose period is M already is left alone, so samples of several periods may stand side by side.
//!
//! A thread's first sample after a change was drawn with the period of before, and says so (`gap`).
#![allow(unsafe_code)]

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::jni::{Jni, Object};
use super::jvmti::Jvmti;
use super::sweep::Turn;
use super::{LG_PERIOD, LIVE, MOST_LG_PERIOD, inside, interval};
use crate::live_table::{Drawn, Sample};
use crate::sampler::probability;
use crate::sys;

/// From exact samples (period 0) the first step goes here: below it next to nothing would go.
const FIRST: u8 = 8;

/// Samples that gave way. Written by who sweeps.
static THINNED: AtomicU64 = AtomicU64::new(0);

/// Samples that gave way so far.
pub fn thinned() -> u64 {
    THINNED.load(Relaxed)
}

/// Doubles the period for the samples to come and those that are there.
pub fn thin(turn: &mut Turn, jvmti: Jvmti, jni: Jni) {
    let lg_period = LG_PERIOD.load(Relaxed).max(FIRST - 1) + 1;
    if lg_period > MOST_LG_PERIOD || !set_period(jvmti, lg_period) {
        return;
    }
    let seed = sys::random().unwrap_or_else(sys::monotonic_ms);
    let mut random = SmallRng::seed_from_u64(seed);
    for reference in turn.references() {
        let Some(Some(sample)) = inside(|| LIVE.get(*reference)) else {
            continue;
        };
        if sample.lg_period >= lg_period {
            continue;
        }
        if is_kept(&sample, lg_period, random.next_u64()) {
            inside(|| LIVE.insert(renewed(sample, lg_period)));
        } else if let Some(Some(_)) = inside(|| LIVE.remove(*reference)) {
            THINNED.fetch_add(1, Relaxed);
            jni.delete_weak(*reference as Object);
        }
    }
}

/// Another period, for the gaps to come. Called by who may sweep.
pub fn set_period(jvmti: Jvmti, lg_period: u8) -> bool {
    let is_set = jvmti.set_interval(interval(lg_period));
    if is_set {
        LG_PERIOD.store(lg_period, Relaxed);
    }
    is_set
}

/// Is a sample one of period `2^lg_period` too? `random` is 64 random bits.
fn is_kept(sample: &Sample, lg_period: u8, random: u64) -> bool {
    let before = probability(sample.size, sample.lg_period);
    let after = probability(sample.size, lg_period);
    // 53 random bits, as many as the fraction of a double has.
    let drawn = (random >> 11) as f64 / (1_u64 << 53) as f64;
    drawn * before < after
}

/// The same object as a sample of period `2^lg_period`.
fn renewed(sample: Sample, lg_period: u8) -> Sample {
    Sample::new(&Drawn {
        addr: sample.addr,
        size: sample.size,
        lg_period,
        now_ms: sample.birth_ms,
        stack: sample.stack,
        thread: sample.thread,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack_table::StackId;

    fn sampled(size: usize, lg_period: u8) -> Sample {
        Sample::new(&Drawn {
            addr: 1,
            size,
            lg_period,
            now_ms: 0,
            stack: StackId(0),
            thread: 0,
        })
    }

    /// Objects of one size, sampled with 2^10 and thinned step by step to 2^14: what the samples
    /// stand for stays the truth, within four deviations.
    #[test]
    fn sums_stay_unbiased_over_many_steps() {
        const OBJECTS: u32 = 200_000;
        let mut random = SmallRng::seed_from_u64(7);
        for size in [16, 500, 4096, 60_000] {
            let (mut kept, mut estimate) = (0, 0_u64);
            for _ in 0..OBJECTS {
                let mut sample = sampled(size, 0);
                let survives = (10..=14).all(|lg_period| {
                    let is_kept = is_kept(&sample, lg_period, random.next_u64());
                    sample = renewed(sample, lg_period);
                    is_kept
                });
                if survives {
                    kept += 1;
                    estimate += sample.weighted_bytes;
                }
            }
            let p = probability(size, 14);
            let truth = f64::from(OBJECTS) * size as f64;
            let deviation = size as f64 * (f64::from(OBJECTS) * (1.0 - p) / p).sqrt();
            let off = (estimate as f64 - truth).abs();
            assert!(
                off <= 4.0 * deviation + truth / 1000.0,
                "{size}: {kept} kept, off by {off}"
            );
        }
    }

    #[test]
    fn large_objects_stay() {
        let sample = sampled(64 << 20, 19);
        assert!(is_kept(&sample, 20, u64::MAX));
        assert_eq!(renewed(sample, 20).weighted_bytes, 64 << 20);
    }
}
