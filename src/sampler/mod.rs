//! When to take a sample, and what a sample stands for. Pure arithmetic: no state but the
//! generator, no unsafe, no memory, no other room.
//!
//! # The derivation
//!
//! Lay all requested bytes of a thread end to end, and mark points on that line by a Poisson
//! process of rate 1/N, N = 2^lg_prof_sample. A block is sampled when it covers at least one mark.
//! So
//!
//! - the distance from anywhere to the next mark is exponential with mean N
//!   ([`Sampler::next_gap`]);
//! - it is memoryless: after a sample (whatever lies behind the mark in that block is thrown away),
//!   after a realloc, after the hooks slept, a fresh draw is right, and no allocation is favoured;
//! - a block of s bytes is sampled with p = 1 - exp(-s/N), whatever came before it;
//! - weighting each sample with 1/p makes every sum unbiased (Horvitz and Thompson 1952): the
//!   sampled block stands for 1/p blocks and s/p bytes. The popular max(1, N/s) is off by up to 22
//!   % near s = N.
//!
//! The hooks subtract sizes from an unsigned counter and sample when nothing is left: when
//! `counter <= size`. Let G be the real distance to the mark. A block of s bytes covers it when
//! s > G, for whole s the same as s >= floor(G) + 1. Hence the counter is floor(G) + 1, never zero;
//! floor(G) alone would make each gap a byte too short: nothing at N = 2^19, a sixteenth of all
//! samples at N = 16. A counter of zero is a thread's first, see `tls`.
//!
//! N = 1 (`lg_prof_sample:0`) is not sampled at all: the counter stays at zero, where nothing is
//! left for any size, and each call is recorded with weight 1.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Fixed point of [`Weight::objects_fx`]: this much is one object.
pub const ONE_OBJECT: u64 = 256;

/// The longest period there is, as a logarithm.
pub const MOST_LG_PERIOD: u8 = 63;

/// The longest gap: below the value that parks the counter of a busy thread.
const LONGEST_GAP: u64 = 1 << 62;

/// From this many means on, p is 1 in 64-bit floating point.
const CERTAIN: usize = 64;

/// The generator of one thread and the period it draws with.
#[derive(Debug, Clone)]
pub struct Sampler {
    rng: SmallRng,
    lg_period: u8,
}

/// What one sample stands for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Weight {
    /// 1/p objects, in units of 1/256 ([`ONE_OBJECT`]).
    pub objects_fx: u64,
    /// s/p bytes, rounded.
    pub bytes: u64,
    /// What the sample adds to the variance of the number of objects: (1-p)/p^2 without bias, for the
    /// variance is (1-p)/p and the object is seen with p.
    pub variance: f32,
}

impl Sampler {
    /// A sampler with a mean gap of `2^lg_period` bytes (63 at most). Seeds need to differ by
    /// process and thread, and by nothing more: they are hashed.
    pub fn new(seed: u64, lg_period: u8) -> Self {
        Self {
            rng: SmallRng::seed_from_u64(seed),
            lg_period: lg_period.min(MOST_LG_PERIOD),
        }
    }

    /// The period in force, for the samples it leads to.
    pub fn lg_period(&self) -> u8 {
        self.lg_period
    }

    /// Changes the period of the gaps to come. Samples taken keep the weight they were drawn with.
    pub fn set_lg_period(&mut self, lg_period: u8) {
        self.lg_period = lg_period.min(MOST_LG_PERIOD);
    }

    /// True with this probability.
    pub fn happens(&mut self, probability: f64) -> bool {
        ((self.rng.next_u64() >> 11) as f64 * power_of_two(-53)) < probability
    }

    /// A fresh value for the hooks' counter: how many requested bytes pass before the block that is
    /// sampled, that block's first included. Exponential with mean `2^lg_period`; none in the exact
    /// mode of period 0.
    pub fn next_gap(&mut self) -> u64 {
        if self.lg_period == 0 {
            return 0;
        }
        // 53 random bits in (0, 1]: no zero, whose logarithm would be infinite.
        let bits = (self.rng.next_u64() >> 11) + 1;
        let u = bits as f64 * power_of_two(-53);
        let gap = -libm::log(u) * mean(self.lg_period);
        // `as` rounds down and saturates.
        (gap as u64).min(LONGEST_GAP) + 1
    }
}

/// 2^exponent, put together from its bits: exact, without a conversion or a division.
pub fn power_of_two(exponent: i32) -> f64 {
    const BIAS: i32 = f64::MAX_EXP - 1;
    f64::from_bits(((BIAS + exponent) as u64) << (f64::MANTISSA_DIGITS - 1))
}

fn mean(lg_period: u8) -> f64 {
    power_of_two(lg_period.min(MOST_LG_PERIOD).into())
}

/// A size as a float. By way of a signed number, which costs one instruction and not five; no block is
/// longer.
#[inline(always)]
fn number(size: usize) -> f64 {
    size.min(i64::MAX as usize) as i64 as f64
}

/// The nearest whole number, 2^63 - 1 at most.
#[inline(always)]
fn rounded(number: f64) -> u64 {
    (number + 0.5) as i64 as u64
}

/// The probability with which a block of `size` bytes was sampled: 1 - exp(-size/2^lg_period), or 1
/// in the exact mode of period 0.
pub fn probability(size: usize, lg_period: u8) -> f64 {
    if lg_period == 0 || size >> lg_period.min(MOST_LG_PERIOD) >= CERTAIN {
        return 1.0;
    }
    // expm1 keeps the digits that 1 - exp(-x) loses for small x.
    -libm::expm1(-number(size) * power_of_two(-i32::from(lg_period.min(MOST_LG_PERIOD))))
}

/// What a sample of `size` bytes stands for when it was drawn with period `2^lg_period`.
///
/// Size 0 covers no byte of the line and is never sampled but in exact mode, so it weighs one
/// object.
pub fn weight(size: usize, lg_period: u8) -> Weight {
    let p = probability(size, lg_period);
    if p >= 1.0 || size == 0 {
        return Weight {
            objects_fx: ONE_OBJECT,
            bytes: size as u64,
            variance: 0.0,
        };
    }
    let objects = 1.0 / p;
    let objects_fx = rounded(ONE_OBJECT as f64 * objects);
    let bytes = rounded(number(size) * objects);
    Weight {
        objects_fx,
        bytes,
        variance: (objects * (objects - 1.0)) as f32,
    }
}

/// Is a sample of period `2^from` one of period `2^to` too, when there are too many? `random` is 64 random
/// bits.
///
/// A live sample of s bytes, drawn with period N, was kept with p(N) = 1 - exp(-s/N). It is kept once more
/// with q = p(M)/p(N), M > N. That is a probability, since p falls as the period grows; and in all the
/// block was kept with p(N) q = p(M), as if it had been drawn with M in the first place. So from then on it
/// is a sample of period M, weighs s/p(M), and every sum stays unbiased. For M = 2N the factor is
/// 1/(1 + exp(-s/2N)): a half for small blocks, whose weight thus doubles, and nearly 1 for large ones,
/// which carry no error and are not thrown away. A sample whose period is M already is left alone, so
/// samples of several periods may stand side by side.
pub fn is_kept(size: usize, from: u8, to: u8, random: u64) -> bool {
    // 53 random bits, as many as the fraction of a double has.
    let drawn = (random >> 11) as f64 * power_of_two(-53);
    from >= to || drawn * probability(size, from) < probability(size, to)
}

#[cfg(test)]
mod tests;
