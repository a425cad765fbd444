//! What is known of one sampled block: what it stands for now, and what it was when it was born. Pure.
//!
//! # A block that realloc gives another size
//! A sample stands for W blocks of its size, with the expectation of W over the sampling, a block that
//! is no sample counting as W = 0, equal to 1: that makes every sum without bias (`sampler`). realloc
//! from a usable size of u bytes to s shall keep that, though nothing is known of a block that is no
//! sample: neither the period at its birth nor what it asked for. With a = min(u, s)/s, the part that
//! it had already, and Z/p the weight of a fresh draw for the part that is new,
//!
//! ```text
//! W' = a W + (1 - a) Z/p(s - u)
//! ```
//! has the expectation 1 again, as a and p depend on nothing but what is known of every block. So what
//! was there stays as it was drawn, and what is new is drawn like a block of its own: the countdown
//! ran out with probability p(s), and the draw is accepted with p(s - u)/p(s). A chain of reallocs
//! ends with the error of its last steps. W' has a^2 the variance of W, and that of the new part, by
//! (1 - a)^2 (1 - p)/p^2, is added.
//!
//! A sample that stands for less than its period of N bytes, as after it shrank, is thinned: it stays
//! with probability q = W s/N and then stands for W/q blocks. That adds (W/q)^2 (1 - q) to the variance,
//! and a sample always stands for a period's bytes at least, as the readers of dumps assume.
//!
//! # Birth
//! The first birth, size and weight stay with the sample, whatever it grows to: a buffer that grows is
//! old, and one sample as heavy as at first. A block that was none until a growth of it was drawn is
//! born with that growth. What shrinks below its first size had no more to begin with.

use crate::sampler::{self, ONE_OBJECT, Weight};
use crate::table::stack_table::StackId;

/// One sampled block that lives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Where the block is.
    pub addr: usize,
    /// How many bytes were asked for last.
    pub size: usize,
    /// How many bytes it stands for.
    pub weighted_bytes: u64,
    /// When it was allocated first, in milliseconds since our start. 56 bits are kept.
    pub birth_ms: u64,
    /// When it was given another size last; 0 if it never was, and then the next three are 0 too.
    pub resized_ms: u64,
    /// How many bytes were asked for at first.
    pub first_size: usize,
    /// How many blocks it stood for at first.
    pub first_weight: f32,
    /// Variance of the number of blocks it stands for.
    pub variance: f32,
    /// The smallest period that any part of it was drawn with.
    pub lg_period: u8,
    /// The stack that asked for this size.
    pub stack: StackId,
    /// The thread that did, by whatever number the recorder gives threads.
    pub thread: u32,
}

/// What was drawn at one place.
#[derive(Debug, Clone, Copy)]
pub struct Drawn {
    /// Where the block is.
    pub addr: usize,
    /// How many bytes were asked for.
    pub size: usize,
    /// The period.
    pub lg_period: u8,
    /// Milliseconds since our start.
    pub now_ms: u64,
    /// Who asked.
    pub stack: StackId,
    /// The thread that did.
    pub thread: u32,
}

/// What a block was before realloc.
#[derive(Debug, Clone, Copy)]
pub struct Before {
    /// Its record, if it was a sample.
    pub sample: Option<Sample>,
    /// Bytes that the program might use.
    pub usable: usize,
}

/// Says true with the probability it is given.
type Chance<'a> = &'a mut dyn FnMut(f64) -> bool;

/// A part of a block as a sample of its own: blocks it stands for, and their variance.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    weight: f64,
    variance: f64,
}

impl Part {
    /// So many bytes, drawn.
    fn drawn(size: usize, lg_period: u8) -> Part {
        let p = sampler::probability(size, lg_period);
        match p > 0.0 {
            true => Part {
                weight: 1.0 / p,
                variance: (1.0 - p) / (p * p),
            },
            false => Part::default(),
        }
    }

    /// As a share of a whole block.
    fn times(self, share: f64) -> Part {
        Part {
            weight: self.weight * share,
            variance: self.variance * share * share,
        }
    }
}

impl Sample {
    /// A block that was just made.
    pub fn new(drawn: &Drawn) -> Sample {
        Sample::weighed(drawn, &sampler::weight(drawn.size, drawn.lg_period))
    }

    /// A block that was just made, and weighs this.
    #[inline(always)]
    pub fn weighed(drawn: &Drawn, weight: &Weight) -> Sample {
        Sample {
            addr: drawn.addr,
            size: drawn.size,
            weighted_bytes: weight.bytes,
            birth_ms: drawn.now_ms,
            resized_ms: 0,
            first_size: 0,
            first_weight: 0.0,
            variance: 0.0,
            lg_period: drawn.lg_period,
            stack: drawn.stack,
            thread: drawn.thread,
        }
    }

    /// Stands for this from now on, thinned where that is less than a sample of its size does.
    fn settle(mut self, part: Part, chance: Chance<'_>) -> Option<Sample> {
        let bytes = part.weight * self.size as f64;
        let q = bytes * sampler::power_of_two(-i32::from(self.lg_period));
        if self.lg_period != 0 && q < 1.0 && !chance(q) {
            return None;
        }
        let q = if self.lg_period == 0 { 1.0 } else { q.min(1.0) };
        let weight = part.weight / q;
        self.weighted_bytes = (weight * self.size as f64 + 0.5) as u64;
        self.variance = (part.variance / q + weight * weight * (1.0 - q)) as f32;
        if self.size < self.first_size {
            (self.first_size, self.first_weight) = (self.size, weight as f32);
        }
        Some(self)
    }

    /// The sample as one of period `2^lg_period`, which it was kept for with the probability q that
    /// `sampler::is_kept` takes for its size: every weight is divided by q, and the variance is V/q +
    /// (W/q)^2 (1 - q), as for one that shrank. A block that was never given another size is what a fresh
    /// draw with that period would be.
    pub fn thinned(&self, lg_period: u8) -> Sample {
        let mut thinned = *self;
        thinned.lg_period = lg_period;
        if self.resized_ms == 0 {
            thinned.weighted_bytes = sampler::weight(self.size, lg_period).bytes;
            return thinned;
        }
        let before = sampler::probability(self.size, self.lg_period);
        let q = match before > 0.0 {
            true => sampler::probability(self.size, lg_period) / before,
            false => 1.0,
        };
        let part = self.part();
        let weight = part.weight / q;
        thinned.weighted_bytes = (weight * self.size as f64 + 0.5) as u64;
        thinned.first_weight = (f64::from(self.first_weight) / q) as f32;
        thinned.variance = (part.variance / q + weight * weight * (1.0 - q)) as f32;
        thinned
    }

    fn part(&self) -> Part {
        match (self.resized_ms, self.size) {
            (0, size) => Part::drawn(size, self.lg_period),
            (_, 0) => Part {
                weight: 1.0,
                variance: 0.0,
            },
            (_, size) => Part {
                weight: self.weighted_bytes as f64 / size as f64,
                variance: self.variance.into(),
            },
        }
    }

    /// How many bytes were asked for when it was born.
    pub fn first_size(&self) -> usize {
        match self.resized_ms {
            0 => self.size,
            _ => self.first_size,
        }
    }

    /// What it stands for now.
    pub fn weight(&self) -> Weight {
        if self.resized_ms == 0 {
            return sampler::weight(self.size, self.lg_period);
        }
        Weight {
            objects_fx: ((self.part().weight * ONE_OBJECT as f64 + 0.5) as u64).max(1),
            bytes: self.weighted_bytes,
            variance: self.variance,
        }
    }

    /// The bytes it stood for when it was born.
    #[inline]
    pub fn first_bytes(&self) -> u64 {
        match self.resized_ms {
            0 => self.weighted_bytes,
            _ => self.first_bytes_resized(),
        }
    }

    #[cold]
    #[inline(never)]
    fn first_bytes_resized(&self) -> u64 {
        (f64::from(self.first_weight) * self.first_size as f64 + 0.5) as u64
    }
}

impl Before {
    /// The block with the size of `drawn`. `is_due`: the countdown ran out. `None`: it is no sample, by
    /// chance.
    pub fn resized(&self, is_due: bool, drawn: &Drawn, chance: Chance<'_>) -> Option<Sample> {
        // In exact mode every call is a sample of itself.
        let is_exact = is_due && drawn.lg_period == 0;
        let kept = match is_exact {
            true => 0,
            false => self.usable.min(drawn.size),
        };
        let grown = drawn.size - kept;
        let is_fresh = is_due && (is_exact || is_accepted(grown, drawn, chance));
        if self.sample.is_none() && !is_fresh {
            return None;
        }
        let share = kept as f64 / drawn.size.max(1) as f64;
        let old = self.sample.map_or(Part::default(), |s| s.part());
        let mut part = old.times(share);
        if is_fresh {
            let fresh = Part::drawn(grown, drawn.lg_period).times(1.0 - share);
            part.weight += fresh.weight;
            part.variance += fresh.variance;
        }
        let mut sample = Sample::weighed(drawn, &Weight::default());
        // The clock may stand at its start; 0 means never.
        sample.resized_ms = drawn.now_ms.max(1);
        (sample.first_size, sample.first_weight) = (drawn.size, part.weight as f32);
        if let Some(before) = &self.sample {
            (sample.birth_ms, sample.first_size) = (before.birth_ms, before.first_size());
            sample.first_weight = match before.resized_ms {
                0 => old.weight as f32,
                _ => before.first_weight,
            };
            sample.lg_period = match is_fresh {
                true => before.lg_period.min(drawn.lg_period),
                false => before.lg_period,
            };
        }
        sample.settle(part, chance)
    }
}

/// The countdown ran out for the whole size: did it for the part that is new?
fn is_accepted(grown: usize, drawn: &Drawn, chance: Chance<'_>) -> bool {
    let of_whole = sampler::probability(drawn.size, drawn.lg_period);
    let of_part = sampler::probability(grown, drawn.lg_period);
    grown > 0 && of_whole > 0.0 && (of_part >= of_whole || chance(of_part / of_whole))
}

#[cfg(test)]
mod tests;
