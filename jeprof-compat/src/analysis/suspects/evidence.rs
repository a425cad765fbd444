//! What a dump tells of a path: when the live samples were born, and how old the freed ones grew.
//! Built by `suspects` from the facts of one stack or of many.
//!
//! # Weights
//! A sample is one independent event of the sampling, and stands for so many bytes: the period it was
//! drawn with, or its block where that is larger. The period may change while a program runs, so
//! samples are not alike, and nothing may be counted by their number: 64 of 8 KiB say less of a
//! megabyte than one of 512 KiB takes away. All sums are of what samples stand for, and come with the
//! sum of the squares. A sum of y bytes with squares v has the expectation and the variance of
//! y^2/v equal samples of v/y bytes each, and where a count is wanted, it is treated as that many
//! (Fay and Feuer 1997; the degrees of freedom of Satterthwaite 1946 are the same step): 64 of 8 KiB
//! and one of 512 KiB are worth 3.9. For equal weights that is their number. Samples that were
//! thinned out without bias while they lived are right in it too, with the weight they then have.

use profile_format::lifetimes;

use super::seen::Held;
use crate::profile::model::Weighed;
use crate::profile::parts::Entries;

/// Mature samples without which nothing is said: 1/sqrt(9) is a third.
pub const LEAST: f64 = 9.0;

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

/// All that is known of a path, or the sum over several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// By birth epoch, as heavy as they were born.
    pub births: Vec<Weighed>,
    /// Live samples.
    pub samples: u64,
    /// Live bytes, estimated.
    pub bytes: f64,
    /// Variance of that estimate.
    pub variance: f64,
    /// Freed samples by the bucket of their lifetime.
    pub freed: Vec<Weighed>,
}

impl Evidence {
    /// Adds what is known to live of one stack.
    pub fn add(&mut self, held: &Held<'_>, epochs: usize) {
        self.births
            .resize(epochs.max(self.births.len()), Weighed::default());
        self.samples += held.samples;
        self.bytes += held.bytes;
        self.variance += held.variance;
        let last = self.births.len().saturating_sub(1);
        for (epoch, born) in held.births {
            if let Some(births) = self.births.get_mut((epoch as usize).min(last)) {
                births.add(&born);
            }
        }
        self.add_freed(held.lives);
    }

    /// Adds what was freed of one stack, by the bucket of its lifetime.
    pub fn add_freed(&mut self, lives: Entries<'_>) {
        self.freed.resize(lifetimes::BUCKETS, Weighed::default());
        for (bucket, freed) in lives {
            self.freed[(bucket as usize).min(lifetimes::BUCKETS - 1)].add(&freed);
        }
    }

    /// Gives back the room of buckets at the end that have nothing: dumps of jemalloc fill none at all.
    pub fn shrink(&mut self) {
        let last = self
            .freed
            .iter()
            .rposition(|one| *one != Weighed::default());
        self.freed.truncate(last.map_or(0, |last| last + 1));
        self.freed.shrink_to_fit();
    }

    /// Live samples born in a range of epochs.
    pub fn born(&self, epochs: std::ops::Range<usize>) -> Weighed {
        let end = epochs.end.min(self.births.len());
        let inside = self.births.get(epochs.start.min(end)..end);
        sum(inside.unwrap_or_default())
    }

    /// Freed samples whose lifetime is in this bucket or in a later one.
    pub fn freed_from(&self, bucket: usize) -> Weighed {
        sum(self.freed.get(bucket..).unwrap_or_default())
    }

    /// Bytes freed by lifetime, an octave of time each: milliseconds it begins with, and bytes. From the first
    /// that has any to the last.
    pub fn lifetimes(&self) -> Vec<(f64, f64)> {
        let octave = |bucket: usize| bucket.div_ceil(4);
        let mut octaves: Vec<(f64, f64)> = Vec::new();
        for (bucket, freed) in self.freed.iter().enumerate() {
            match octaves.get_mut(octave(bucket)) {
                Some(sum) => sum.1 += freed.bytes,
                None => octaves.push((lifetimes::start_ms(bucket), freed.bytes)),
            }
        }
        let has_any = |octave: &(f64, f64)| octave.1 > 0.0;
        let Some(first) = octaves.iter().position(has_any) else {
            return Vec::new();
        };
        let last = octaves.iter().rposition(has_any).unwrap_or(first);
        octaves.drain(first..=last).collect()
    }

    /// An age in seconds that half of what was freed did not reach; `None` without any.
    pub fn median_life(&self) -> Option<f64> {
        let all = self.freed_from(0).bytes;
        let mut below = 0.0;
        let bucket = self.freed.iter().position(|freed| {
            below += freed.bytes;
            all > 0.0 && below * 2.0 >= all
        })?;
        Some(lifetimes::start_ms(bucket + 1) / 1000.0)
    }
}

fn sum(all: &[Weighed]) -> Weighed {
    let mut sum = Weighed::default();
    all.iter().for_each(|one| sum.add(one));
    sum
}

/// What the tests of the estimators begin with.
#[cfg(test)]
pub(super) mod sample {
    use super::super::seen::Held;
    use super::{Clock, Evidence};
    use crate::profile::model::Weighed;
    use crate::profile::parts::Parts;

    /// Two hours at the default width of an epoch.
    pub const CLOCK: Clock = Clock {
        now: 7200.0,
        width: 256.0,
        count: 29,
    };

    /// Of one stack: `(epoch, samples, bytes)`, and `(seconds, samples)` of a byte each.
    pub fn evidence(births: &[(u32, u64, u64)], lives: &[(f64, u64)]) -> Evidence {
        let born = |&(epoch, samples, bytes)| (epoch, Weighed::alike(samples, bytes as f64));
        let freed = |&(age, samples): &(f64, u64)| {
            let bucket = profile_format::lifetimes::bucket((age * 1000.0) as u64);
            (bucket as u32, Weighed::alike(samples, samples as f64))
        };
        let (births, lives): (Parts, Parts) = (
            births.iter().map(born).collect(),
            lives.iter().map(freed).collect(),
        );
        let held = Held {
            births: births.iter(),
            lives: lives.iter(),
            ..Held::default()
        };
        let mut evidence = Evidence::default();
        evidence.add(&held, CLOCK.count);
        evidence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::parts::Parts;

    #[test]
    fn stacks_add_up() {
        let births = Parts::from(vec![
            (0, Weighed::alike(1, 10.0)),
            (2, Weighed::alike(2, 40.0)),
        ]);
        let lives = Parts::from(vec![
            (13, Weighed::alike(5, 5.0)),
            (400, Weighed::alike(1, 1.0)),
        ]);
        let held = Held {
            bytes: 50.0,
            samples: 3,
            variance: 2.0,
            births: births.iter(),
            lives: lives.iter(),
            ..Held::default()
        };
        let mut sum = Evidence::default();
        sum.add(&held, 3);
        sum.add(&held, 3);
        assert_eq!((sum.samples, sum.bytes, sum.variance), (6, 100.0, 4.0));
        let later = sum.born(1..3);
        assert_eq!(
            (later.samples, later.bytes, later.squares),
            (4, 80.0, 1600.0)
        );
        assert_eq!(sum.born(0..9).samples, 6);
        assert_eq!(sum.freed_from(0).samples, 12);
        assert_eq!(sum.freed_from(lifetimes::BUCKETS - 1).samples, 2);
        assert_eq!(sum.median_life(), Some(0.010));
        let whole = sum.clone();
        sum.add(&Held::default(), 9);
        sum.shrink();
        assert_eq!(sum.freed_from(0), whole.freed_from(0));
        let mut empty = Evidence::default();
        empty.add(&Held::default(), 3);
        empty.shrink();
        assert_eq!((empty.births.len(), empty.freed.len()), (3, 0));
        assert_eq!(Evidence::default().median_life(), None);
    }

    /// The example at the head.
    #[test]
    fn unequal_samples_are_worth_fewer() {
        let mut sum = Weighed::alike(64, 64.0 * 8192.0);
        sum.add(&Weighed::alike(1, 524_288.0));
        assert!((sum.worth() - 3.94).abs() < 0.01, "{}", sum.worth());
        assert_eq!(Weighed::alike(7, 70.0).worth(), 7.0);
        assert_eq!(Weighed::default().worth(), 0.0);
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
