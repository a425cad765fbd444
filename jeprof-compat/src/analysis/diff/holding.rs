//! What one dump holds of a stack, as `change` compares it. Pure.
//!
//! jemalloc's dumps have no samples and no variance, but the blocks and bytes say both: n = blocks
//! times p for blocks of the average size, and the variance of the bytes is bytes^2 (1-p)/n.

use profile_format::unbias::one_minus_exp;

use crate::profile::model::Sample;

/// No dump has more epochs; a damaged one may say anything.
const MOST: u64 = 1024;

/// A stack's part in a dump.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holding {
    /// Live samples.
    pub samples: f64,
    /// Live bytes.
    pub bytes: f64,
    /// Variance of that estimate.
    pub variance: f64,
    /// Samples ever freed.
    pub freed: u64,
    /// `(epoch, samples, bytes)` by birth.
    pub(super) births: Vec<(u32, u64, f64)>,
}

/// Samples that came or went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Flow {
    /// How many.
    pub samples: f64,
    /// Bytes they stand for.
    pub bytes: f64,
    /// Variance of that estimate.
    pub variance: f64,
}

impl Holding {
    /// What a dump with this period says of a stack; several stacks may be one to the comparison.
    pub fn add(&mut self, sample: &Sample, period: f64) {
        self.bytes += sample.values.inuse_space;
        let Some(facts) = &sample.facts else {
            let (samples, variance) = reckoned(sample, period);
            self.samples += samples;
            self.variance += variance;
            return;
        };
        self.samples += facts.samples as f64;
        self.variance += facts.variance;
        self.freed += facts.lives.iter().map(|life| life.1).sum::<u64>();
        let births = facts.births.iter();
        self.births
            .extend(births.map(|&(epoch, samples, bytes)| (epoch, samples, bytes as f64)));
    }

    /// The births of every live sample are known.
    pub fn is_whole(&self) -> bool {
        let born: u64 = self.births.iter().map(|birth| birth.1).sum();
        born as f64 == self.samples
    }

    /// Samples and bytes by epoch of another, wider width.
    pub fn by_epoch(&self, width: u64, wider: u64) -> Vec<(u64, f64)> {
        let mut epochs: Vec<(u64, f64)> = Vec::new();
        for &(epoch, samples, bytes) in &self.births {
            let at = (u64::from(epoch) * width / wider.max(1)).min(MOST) as usize;
            if epochs.len() <= at {
                epochs.resize(at + 1, (0, 0.0));
            }
            epochs[at].0 += samples;
            epochs[at].1 += bytes;
        }
        epochs
    }

    /// Some of its samples, with their share of the variance.
    pub fn share(&self, (samples, bytes): (u64, f64)) -> Flow {
        let squares = |(samples, bytes): (u64, f64)| match samples {
            0 => 0.0,
            n => bytes * bytes / n as f64,
        };
        let all: f64 = self.births.iter().map(|b| squares((b.1, b.2))).sum();
        let part = squares((samples, bytes));
        Flow {
            samples: samples as f64,
            bytes,
            variance: if all > 0.0 {
                self.variance * part / all
            } else {
                0.0
            },
        }
    }
}

impl Flow {
    pub fn add(&mut self, more: &Flow) {
        self.samples += more.samples;
        self.bytes += more.bytes;
        self.variance += more.variance;
    }

    /// All that a stack holds.
    pub fn all(holding: &Holding) -> Flow {
        Flow {
            samples: holding.samples,
            bytes: holding.bytes,
            variance: holding.variance,
        }
    }
}

/// Samples and variance of a stack of blocks of one size.
fn reckoned(sample: &Sample, period: f64) -> (f64, f64) {
    let (objects, bytes) = (sample.values.inuse_objects, sample.values.inuse_space);
    if objects <= 0.0 || bytes <= 0.0 || period <= 1.0 {
        return (objects.max(0.0), 0.0);
    }
    let p = one_minus_exp(bytes / objects / period);
    let samples = objects * p;
    (samples, bytes * bytes * (1.0 - p) / samples)
}
