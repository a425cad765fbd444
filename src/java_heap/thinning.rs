//! Fewer samples of the same objects, without a bias.
//!
//! It runs when the ceiling of references is reached, under the right to sweep. `sampler::is_kept` says why
//! the sums stay unbiased.
//!
//! A thread's first sample after a change was drawn with the period before, and is recorded with
//! that (`gap`).
#![allow(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU8, AtomicU64};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::jni::{Jni, Object};
use super::jvmti::Jvmti;
use super::turn::Turn;
use super::{LG_PERIOD, LIVE, MOST_LG_PERIOD, inside, interval};
use crate::platform::sys;
use crate::sampler::is_kept;
use crate::table::live_table::{Drawn, Sample};

/// From exact samples (period 0) the first step goes here: with a shorter period almost nothing
/// would be removed.
const FIRST: u8 = 8;

/// Samples that gave way. Written by the thread that sweeps.
static THINNED: AtomicU64 = AtomicU64::new(0);

/// log2 of the period that thinning asked for last; 0: none did. Written by the sweeping thread.
static LEAST: AtomicU8 = AtomicU8::new(0);

/// log2 of the densest period that the ceiling of references allows.
pub fn least_lg_period() -> u8 {
    LEAST.load(Relaxed)
}

/// Samples that gave way so far.
pub fn thinned() -> u64 {
    THINNED.load(Relaxed)
}

/// Doubles the period for the samples to come and for those that exist.
pub fn thin(turn: &mut Turn, jvmti: Jvmti, jni: Jni) {
    let lg_period = LG_PERIOD.load(Relaxed).max(FIRST - 1) + 1;
    if lg_period > MOST_LG_PERIOD || !set_period(jvmti, lg_period) {
        return;
    }
    LEAST.store(lg_period, Relaxed);
    let seed = sys::random().unwrap_or_else(sys::monotonic_ms);
    let mut random = SmallRng::seed_from_u64(seed);
    for reference in turn.references() {
        let Some(Some(sample)) = inside(|| LIVE.get(*reference)) else {
            continue;
        };
        if sample.lg_period >= lg_period {
            continue;
        }
        if is_kept(sample.size, sample.lg_period, lg_period, random.next_u64()) {
            inside(|| LIVE.insert(renewed(sample, lg_period)));
        } else if let Some(Some(_)) = inside(|| LIVE.remove(*reference)) {
            THINNED.fetch_add(1, Relaxed);
            jni.delete_weak(*reference as Object);
        }
    }
}

/// Sets another period for the gaps to come. Only under the right to sweep.
pub fn set_period(jvmti: Jvmti, lg_period: u8) -> bool {
    let is_set = jvmti.set_interval(interval(lg_period));
    if is_set {
        LG_PERIOD.store(lg_period, Relaxed);
    }
    is_set
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
    use crate::sampler::probability;
    use crate::table::stack_table::StackId;

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

    /// Objects of one size, sampled with 2^10 and thinned step by step to 2^14: the estimate stays
    /// true, within four deviations.
    #[test]
    fn sums_stay_unbiased_over_many_steps() {
        const OBJECTS: u32 = 200_000;
        let mut random = SmallRng::seed_from_u64(7);
        for size in [16, 500, 4096, 60_000] {
            let (mut kept, mut estimate) = (0, 0_u64);
            for _ in 0..OBJECTS {
                let mut sample = sampled(size, 0);
                let survives = (10..=14).all(|lg_period| {
                    let is_kept =
                        is_kept(sample.size, sample.lg_period, lg_period, random.next_u64());
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
        assert!(is_kept(sample.size, 19, 20, u64::MAX));
        assert_eq!(renewed(sample, 20).weighted_bytes, 64 << 20);
    }
}
