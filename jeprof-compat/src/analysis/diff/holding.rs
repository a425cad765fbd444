//! What one dump holds of a stack, as `change` compares it. Pure.
//!
//! Samples weigh differently, and one may be thinned out between two dumps while another stands for it
//! then; so a part of them is known by its bytes and squares.
//!
//! jemalloc's dumps have no samples and no variance, but the blocks and bytes say both: n = blocks
//! times p for blocks of the average size, and the variance of the bytes is bytes^2 (1-p)/n.

use profile_format::unbias::one_minus_exp;

use crate::profile::model::{Sample, Weighed};

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
    pub freed: Weighed,
    /// By birth epoch.
    pub(super) births: Vec<(u32, Weighed)>,
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
        facts.lives.iter().for_each(|life| self.freed.add(&life.1));
        self.births.extend(facts.births.iter());
    }

    /// The births of every live sample are known.
    pub fn is_whole(&self) -> bool {
        let born: u64 = self.births.iter().map(|birth| birth.1.samples).sum();
        born as f64 == self.samples
    }

    /// Samples by epoch of another, wider width.
    pub fn by_epoch(&self, width: u64, wider: u64) -> Vec<Weighed> {
        let mut epochs: Vec<Weighed> = Vec::new();
        for (epoch, born) in &self.births {
            let at = (u64::from(*epoch) * width / wider.max(1)).min(MOST) as usize;
            if epochs.len() <= at {
                epochs.resize(at + 1, Weighed::default());
            }
            epochs[at].add(born);
        }
        epochs
    }

    /// All samples with what they stood for when they were born.
    pub fn born(&self) -> Weighed {
        let mut all = Weighed::default();
        self.births.iter().for_each(|birth| all.add(&birth.1));
        all
    }

    /// Bytes that blocks gained since.
    pub fn grown(&self) -> f64 {
        self.bytes - self.born().bytes
    }

    /// So much of that growth. A byte is rounding.
    pub fn growth(&self, bytes: f64) -> Flow {
        if bytes <= 1.0 || self.bytes <= 0.0 {
            return Flow::default();
        }
        Flow {
            samples: 0.0,
            bytes,
            variance: self.variance * (bytes / self.bytes).min(1.0).powi(2),
        }
    }

    /// Some of its samples, with their share of the variance.
    pub fn share(&self, part: &Weighed) -> Flow {
        let all = self.born();
        let of = |whole: f64, part: f64, all: f64| match all > 0.0 {
            true => whole * part / all,
            false => 0.0,
        };
        Flow {
            samples: part.samples as f64,
            bytes: part.bytes,
            variance: of(self.variance, part.squares, all.squares),
        }
    }
}

impl Flow {
    /// Adds others.
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
