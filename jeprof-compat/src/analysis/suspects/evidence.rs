//! What a dump tells of a path: when the live samples were born, and how old the freed ones grew.
//! Built by `suspects` from the facts of one stack or of many.
//!
//! Counts of samples, not of blocks: a sample is one independent event of the sampling, whatever
//! it weighs.

use crate::profile::model::StackFacts;

/// Lifetimes are told apart by powers of two of a millisecond.
pub const BUCKETS: usize = 32;

/// The time axis of a process: seconds since its start, and the epochs its dumps cut them into.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    /// When the dump was written.
    pub now: f64,
    /// Width of an epoch.
    pub width: f64,
    /// Epochs that have begun.
    pub count: usize,
}

impl Clock {
    /// How long was watched. A profiler that slept at first has watched less; what it then saw
    /// being allocated anew looks like a cache that fills, and is treated as one.
    pub fn run(&self) -> f64 {
        self.now.max(0.001)
    }

    /// The middle of an epoch; the last one has only just begun.
    pub fn middle(&self, epoch: usize) -> f64 {
        let begin = epoch as f64 * self.width;
        let end = (begin + self.width).min(self.now.max(begin));
        (begin + end) / 2.0
    }
}

/// Live samples of one epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Births {
    /// Samples.
    pub samples: u64,
    /// The bytes they stand for.
    pub bytes: f64,
    /// The sum of the squares of what each stands for, taken as equal within a stack and epoch.
    pub squares: f64,
}

/// All that is known of a path, or the sum over several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// By birth epoch.
    pub births: Vec<Births>,
    /// Live samples.
    pub samples: u64,
    /// Live bytes, estimated.
    pub bytes: f64,
    /// Variance of that estimate.
    pub variance: f64,
    /// Freed samples by lifetime: bucket 0 below 1 ms, bucket k from 2^(k-1) ms on.
    pub freed: [u64; BUCKETS],
}

impl Births {
    /// Adds others.
    pub fn add(&mut self, more: &Births) {
        self.samples += more.samples;
        self.bytes += more.bytes;
        self.squares += more.squares;
    }
}

impl Evidence {
    /// Adds what the dump says of one stack with these live bytes.
    pub fn add(&mut self, facts: &StackFacts, bytes: f64, epochs: usize) {
        self.births
            .resize(epochs.max(self.births.len()), Births::default());
        self.samples += facts.samples;
        self.bytes += bytes;
        self.variance += facts.variance;
        for &(epoch, samples, bytes) in &facts.births {
            let bytes = bytes as f64;
            let squares = if samples == 0 {
                0.0
            } else {
                bytes * bytes / samples as f64
            };
            let last = self.births.len().saturating_sub(1);
            if let Some(births) = self.births.get_mut((epoch as usize).min(last)) {
                births.add(&Births {
                    samples,
                    bytes,
                    squares,
                });
            }
        }
        for &(bucket, count) in &facts.lives {
            self.freed[(bucket as usize).min(BUCKETS - 1)] += count;
        }
    }

    /// Live samples born in a range of epochs.
    pub fn born(&self, epochs: std::ops::Range<usize>) -> Births {
        let end = epochs.end.min(self.births.len());
        let mut sum = Births::default();
        for births in self
            .births
            .get(epochs.start.min(end)..end)
            .unwrap_or_default()
        {
            sum.add(births);
        }
        sum
    }

    /// Freed samples, all ages.
    pub fn deaths(&self) -> u64 {
        self.freed.iter().sum()
    }

    /// An age in seconds that half of the freed samples did not reach; `None` without any.
    pub fn median_life(&self) -> Option<f64> {
        let half = self.deaths().div_ceil(2);
        let mut below = 0;
        let bucket = self.freed.iter().position(|count| {
            below += count;
            below >= half.max(1)
        })?;
        Some(f64::from(1u32 << bucket.min(31)) / 1000.0)
    }
}

/// What the tests of the estimators begin with.
#[cfg(test)]
pub(super) mod sample {
    use super::{Clock, Evidence};
    use crate::profile::model::StackFacts;

    /// Two hours at the default width of an epoch.
    pub const CLOCK: Clock = Clock {
        now: 7200.0,
        width: 256.0,
        count: 29,
    };

    /// Of one stack, by the fields of its dump's lines: `(epoch, samples, bytes)`, `(lg age, samples)`.
    pub fn evidence(births: &[(u32, u64, u64)], lives: &[(u64, u64)]) -> Evidence {
        let facts = StackFacts {
            births: births.to_vec(),
            lives: lives.to_vec(),
            ..StackFacts::default()
        };
        let mut evidence = Evidence::default();
        evidence.add(&facts, 0.0, CLOCK.count);
        evidence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_add_up() {
        let facts = StackFacts {
            samples: 3,
            variance: 2.0,
            births: vec![(0, 1, 10), (2, 2, 40)],
            lives: vec![(4, 5), (40, 1)],
            ..StackFacts::default()
        };
        let mut sum = Evidence::default();
        sum.add(&facts, 50.0, 3);
        sum.add(&facts, 50.0, 3);
        assert_eq!((sum.samples, sum.bytes, sum.variance), (6, 100.0, 4.0));
        assert_eq!(
            sum.born(1..3),
            Births {
                samples: 4,
                bytes: 80.0,
                squares: 1600.0
            }
        );
        assert_eq!(sum.born(0..9).samples, 6);
        assert_eq!((sum.deaths(), sum.freed[31]), (12, 2));
        assert_eq!(sum.median_life(), Some(0.016));
        assert_eq!(Evidence::default().median_life(), None);
    }

    #[test]
    fn the_last_epoch_has_only_begun() {
        let clock = Clock {
            now: 101.0,
            width: 4.0,
            count: 26,
        };
        assert_eq!((clock.middle(0), clock.middle(25)), (2.0, 100.5));
    }
}
