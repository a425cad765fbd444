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
//! Samples weigh differently: y = sum w_i has variance v = sum w_i^2, and is treated as y^2/v
//! samples of weight v/y, which has both right (Fay and Feuer 1997). For equal weights that is the
//! count itself. Counts that scatter more than Poisson ones, because blocks come in bursts, are
//! worth fewer samples still: the count is divided by the dispersion that `shape` finds.

use std::ops::Range;

use super::evidence::{Clock, Evidence};
use super::poisson;

/// Share of the run that counts as warm-up.
const WARM_UP: f64 = 0.2;

/// Share of the run that a sample must have lived to be mature, at least.
const MATURE: f64 = 0.1;

/// So many median lives of the freed samples must it have lived, too.
const LIVES: f64 = 5.0;

/// Bounds of what counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Birth epochs that take part.
    pub epochs: Range<usize>,
    /// Seconds they span.
    pub length: f64,
    /// The age in seconds that all of them have reached: 2^`age_lg` ms.
    pub age: f64,
    /// Binary logarithm of the age in milliseconds, as lifetimes are told apart by these.
    pub age_lg: u32,
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
    /// How many equal independent ones they are worth.
    pub effective: f64,
    /// Growth by them.
    pub rate: Rate,
}

impl Window {
    /// The window behind the warm-up whose samples are at least 2^`age_lg` ms old.
    pub fn new(clock: &Clock, age_lg: u32) -> Window {
        let age = 2f64.powi(age_lg as i32) / 1000.0;
        let warm = WARM_UP * clock.run();
        let begin = (warm / clock.width).ceil() as usize;
        let end = ((clock.now - age) / clock.width).floor().max(0.0) as usize;
        let epochs = begin..end.max(begin);
        Window {
            length: epochs.len() as f64 * clock.width,
            epochs,
            age,
            age_lg,
        }
    }

    /// Windows to look through, youngest age first: the first age is a tenth of the run, or more
    /// where blocks of the path are often freed later than that, and doubles up to half of the run.
    pub fn ladder(clock: &Clock, evidence: &Evidence) -> Vec<Window> {
        let least = lg(MATURE * clock.run()).round().max(0.0) as u32;
        let most = (lg(clock.run() / 2.0).floor().max(0.0) as u32).max(least);
        let lives = evidence.median_life().map_or(0.0, |m| LIVES * m);
        let first = (lg(lives).ceil().max(0.0) as u32).clamp(least, most);
        (first..=most).map(|age| Window::new(clock, age)).collect()
    }

    /// The narrowest window of the run, whatever dies in it: it compares paths.
    pub fn common(clock: &Clock) -> Window {
        Window::new(clock, lg(MATURE * clock.run()).round().max(0.0) as u32)
    }
}

/// Binary logarithm of seconds, in milliseconds.
fn lg(seconds: f64) -> f64 {
    (seconds * 1000.0).max(1.0).log2()
}

impl Cohort {
    /// Counts the window; `dispersion` is 1 for births that come one by one.
    pub fn of(evidence: &Evidence, window: &Window, dispersion: f64) -> Cohort {
        let born = evidence.born(window.epochs.clone());
        if born.samples == 0 || window.length == 0.0 {
            return Cohort::default();
        }
        let effective = born.bytes * born.bytes / born.squares / dispersion;
        let scale = born.bytes / effective / window.length;
        let (lower, upper) = poisson::interval(effective);
        Cohort {
            samples: born.samples,
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
        assert_eq!((window.epochs.clone(), window.age_lg), (6..26, 19));
        assert_eq!(window.length, 20.0 * 256.0);
    }

    #[test]
    fn churn_makes_the_window_older() {
        let ages = |lives: &[(u64, u64)]| -> Vec<u32> {
            let ladder = Window::ladder(&CLOCK, &evidence(&[], lives));
            ladder.iter().map(|w| w.age_lg).collect()
        };
        assert_eq!(ages(&[]), [19, 20, 21]);
        assert_eq!(ages(&[(16, 100)]), [19, 20, 21]);
        assert_eq!(ages(&[(18, 100)]), [21]);
        assert_eq!(ages(&[(25, 100)]), [21]);
    }

    #[test]
    fn unequal_weights_are_worth_fewer_samples() {
        let window = Window::common(&CLOCK);
        let equal = Cohort::of(&evidence(&[(10, 9, 5120 * 9)], &[]), &window, 1.0);
        assert_eq!((equal.samples, equal.effective), (9, 9.0));
        assert_eq!(equal.rate.value, 9.0);
        assert!((equal.rate.lower - 4.115).abs() < 0.01 && (equal.rate.upper - 17.08).abs() < 0.01);
        let one_big = evidence(&[(10, 9, 9), (11, 1, 1_000_000)], &[]);
        assert!(Cohort::of(&one_big, &window, 1.0).effective < 1.1);
        let bursts = Cohort::of(&evidence(&[(10, 9, 5120 * 9)], &[]), &window, 3.0);
        assert_eq!(bursts.effective, 3.0);
        assert!(bursts.rate.lower < equal.rate.lower);
    }
}
