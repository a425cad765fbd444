//! The mature cohort of a path: samples born after the warm-up that have outlived the churn. Pure.
//!
//! # Derivation
//! Small blocks are sampled as a Poisson process in the bytes allocated, and blocks that are never
//! freed are a thinning of it: the live samples born in a window of length L are a Poisson count of
//! mean r L / w, for a leak of r bytes a second whose samples stand for w bytes each. Churn adds
//! nothing once the window ends at an age A that no churned block reaches, a start-up adds nothing
//! once the window begins behind it. So r is estimated by y / L, y being the bytes these samples
//! stand for, and its interval is Garwood's, scaled.
//!
//! Samples weigh differently; how many equal ones they are worth stands in `evidence`. Counts that
//! scatter more than Poisson ones, because blocks come in bursts, are worth fewer still: the count is
//! divided by the dispersion that `shape` finds.

use std::ops::Range;

use profile_format::lifetimes;

use super::evidence::{Clock, Evidence};
use super::poisson;

/// Share of the run that counts as warm-up.
pub const WARM_UP: f64 = 0.2;

/// Share of the run that a sample must have lived to be mature, at least.
const MATURE: f64 = 0.1;

/// Share of the run that brief lives have: they say nothing of what stays, however many they are.
const BRIEF: f64 = 0.025;

/// So many median lives of what was freed must it have lived, too.
const LIVES: f64 = 5.0;

/// The oldest age that is looked at, as a share of the run: at a later one too little time is left in
/// which something could have died.
const OLDEST: f64 = 0.8;

/// Bounds of what counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Birth epochs that take part.
    pub epochs: Range<usize>,
    /// Seconds they span.
    pub length: f64,
    /// The age in seconds that all of them have reached: where `bucket` starts.
    pub age: f64,
    /// The first bucket of lifetimes beyond that age.
    pub bucket: usize,
}

/// A rate with its 95 % interval, in bytes a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// The estimate.
    pub value: f64,
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
}

/// What stands in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cohort {
    /// Live samples.
    pub samples: u64,
    /// How many equal ones they are worth.
    pub worth: f64,
    /// How many equal independent ones they are worth.
    pub effective: f64,
    /// Growth by them.
    pub rate: Rate,
}

impl Window {
    /// The window behind the warm-up whose samples are older than what is in the buckets before.
    pub fn new(clock: &Clock, bucket: usize) -> Window {
        let age = lifetimes::start_ms(bucket) / 1000.0;
        let warm = WARM_UP * clock.run();
        let begin = (warm / clock.width).ceil() as usize;
        let end = ((clock.now - age) / clock.width).floor().max(0.0) as usize;
        let epochs = begin..end.max(begin);
        Window {
            length: epochs.len() as f64 * clock.width,
            epochs,
            age,
            bucket,
        }
    }

    /// Windows to look through, youngest age first: the first age is a tenth of the run, or more
    /// where blocks of the path are often freed later than that, up to half of it; the others follow
    /// bucket by bucket.
    pub fn ladder(clock: &Clock, evidence: &Evidence) -> Vec<Window> {
        let least = nearest(MATURE * clock.run());
        let most = before(OLDEST * clock.run()).max(least);
        let lives = evidence.median_life().map_or(0.0, |m| LIVES * m);
        let first = nearest(lives).clamp(least, before(clock.run() / 2.0).max(least));
        (first..=most)
            .map(|bucket| Window::new(clock, bucket))
            .collect()
    }

    /// All but the youngest: over these the survival beyond other ages is compared.
    pub fn of_all_ages(clock: &Clock) -> Window {
        Window::new(clock, nearest(BRIEF * clock.run()))
    }

    /// The narrowest window of the run, whatever dies in it: it compares paths.
    pub fn common(clock: &Clock) -> Window {
        Window::new(clock, nearest(MATURE * clock.run()))
    }
}

/// The bucket that starts at this age or before it.
fn before(seconds: f64) -> usize {
    lifetimes::bucket((seconds * 1000.0).max(1.0) as u64)
}

/// The bucket that starts nearest to this age.
fn nearest(seconds: f64) -> usize {
    let at = before(seconds);
    let off = |bucket: usize| (lifetimes::start_ms(bucket) / 1000.0 - seconds).abs();
    if off(at + 1) < off(at) { at + 1 } else { at }
}

impl Cohort {
    /// Counts the window; `dispersion` is 1 for births that come one by one.
    pub fn of(evidence: &Evidence, window: &Window, dispersion: f64) -> Cohort {
        let born = evidence.born(window.epochs.clone());
        if born.bytes <= 0.0 || window.length == 0.0 {
            return Cohort::default();
        }
        let effective = born.worth() / dispersion;
        let scale = born.bytes / effective / window.length;
        let (lower, upper) = poisson::interval(effective);
        Cohort {
            samples: born.samples,
            worth: born.worth(),
            effective,
            rate: Rate {
                value: born.bytes / window.length,
                lower: lower * scale,
                upper: upper * scale,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::sample::{CLOCK, evidence};
    use super::*;

    #[test]
    fn the_window_leaves_out_the_warm_up_and_the_young() {
        let window = Window::common(&CLOCK);
        assert_eq!((window.epochs.clone(), window.age), (6..25, 655.36));
        assert_eq!(window.length, 19.0 * 256.0);
    }

    #[test]
    fn churn_makes_the_window_older() {
        let ages = |lives: &[(f64, u64)]| -> Vec<f64> {
            let ladder = Window::ladder(&CLOCK, &evidence(&[], lives));
            ladder.iter().map(|w| w.age.round()).collect()
        };
        let all = ages(&[]);
        assert_eq!((all[0], all[1], all[all.len() - 1]), (655.0, 786.0, 5243.0));
        assert_eq!(ages(&[(60.0, 100)]), all);
        assert_eq!(ages(&[(600.0, 100)])[0], 3146.0);
        assert_eq!(ages(&[(6000.0, 100)])[0], 3146.0);
    }

    #[test]
    fn unequal_weights_are_worth_fewer_samples() {
        let window = Window::common(&CLOCK);
        let equal = Cohort::of(&evidence(&[(10, 9, 4864 * 9)], &[]), &window, 1.0);
        assert_eq!((equal.samples, equal.effective), (9, 9.0));
        assert_eq!(equal.rate.value, 9.0);
        assert!((equal.rate.lower - 4.115).abs() < 0.01 && (equal.rate.upper - 17.08).abs() < 0.01);
        let one_big = evidence(&[(10, 9, 9), (11, 1, 1_000_000)], &[]);
        assert!(Cohort::of(&one_big, &window, 1.0).effective < 1.1);
        let bursts = Cohort::of(&evidence(&[(10, 9, 4864 * 9)], &[]), &window, 3.0);
        assert_eq!(bursts.effective, 3.0);
        assert!(bursts.rate.lower < equal.rate.lower);
    }
}
