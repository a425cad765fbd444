//! What a run could have seen, and what would see more. Pure.
//!
//! # Derivation
//! A leak of r bytes a second puts a Poisson count of mean r L / w into the window of length L, w
//! being what a sample stands for: the period, or the block if that is larger; where the period
//! changed, the mean over time, for a leak is even in time. Found is what has n >= 9, which the mean
//! that is a gamma quantile gives with 97 % probability, and what passes the test of survival against
//! m paths: with no deaths p = exp(-E/T), E the time the samples were watched beyond the maturing age
//! A, so E/T >= c = ln(m / level). Watched are those of the time before the window too (`survival`),
//! in all of M = T - A, each for an even share of M. So with a mean of y samples in M and l = M/T,
//! E/T has mean y l/2 and variance y l^2/3 (a compound Poisson sum), and is c with 97 % probability
//! when y/2 - 1.88 sqrt(y/3) = c/l, a square equation in sqrt(y). Of these, y L/M are in the window.
//! The larger count times w/L is the floor.
//!
//! That is for a path whose window is the common one. A path that churns, too, has a later one, and its churn
//! has a tail of long lives. What could hide there is tried ([`floor_beside`]): a leak of this rate, of as
//! many samples as 97 of 100 such leaks have at least, is added to what was seen of the path, with its deaths as many
//! as they may as well have been, and judged with
//! it; the smallest rate that is then told is the path's floor, and the largest of all paths is the run's.

use super::cohort::Window;
use super::evidence::{Clock, Evidence, LEAST};
use super::finding::Verdict;
use super::poisson;
use super::verdict::{LEVEL, judge};
use crate::profile::model::Weighed;

/// With what probability the floor is seen, so that it holds in 95 of 100 runs, the tests for a trend and for
/// bursts included.
pub const POWER: f64 = 0.97;

/// The normal distribution's quantile of it.
const QUANTILE: f64 = 1.881;

/// Mature samples that must be expected for a verdict, when `tests` paths are tested.
fn expected(clock: &Clock, window: &Window, tests: usize) -> f64 {
    let certain = tests.max(1) as f64 / LEVEL;
    let watched = clock.run() - window.age;
    let share = watched / clock.run();
    let spread = QUANTILE / 3f64.sqrt();
    let root = spread + (spread * spread + 2.0 * certain.ln() / share).sqrt();
    let inside = window.length / watched;
    poisson::mean_for(LEAST, POWER).max(root * root * inside)
}

/// The smallest rate in bytes a second of one path that this run shows with 95 % probability;
/// `None` when it is too short to show any.
pub fn floor(clock: &Clock, weight: f64, tests: usize) -> Option<f64> {
    let window = Window::common(clock);
    let enough = window.epochs.len() >= 3;
    enough.then(|| expected(clock, &window, tests) * weight / window.length)
}

/// Rates that are tried are so far apart.
const STEP: f64 = 1.1;

/// What such a floor falls short of where churn has a long tail: its lives are others in the next run. Held by
/// the simulation (`leak_power`, part `floor`).
const MARGIN: f64 = 1.45;

/// From the least rate on, so many: to a thousand times of it.
const STEPS: usize = 73;

/// The smallest rate from `least` on that a path with this evidence shows with 95 % probability, where `tests`
/// are tested; as far as was tried.
pub fn floor_beside(
    evidence: &Evidence,
    clock: &Clock,
    weight: f64,
    tests: usize,
    least: f64,
) -> f64 {
    let rate = |step: usize| least * STEP.powi(step as i32);
    let is_told = |step: &usize| {
        let with = with_leak(evidence, clock, weight, rate(*step));
        let j = judge(&with, clock, 0);
        j.verdict == Verdict::Leak && j.p <= LEVEL / tests.max(1) as f64
    };
    // What is told at one rate is told at every larger one.
    let (mut low, mut high) = (0, STEPS);
    while low < high {
        let middle = (low + high) / 2;
        match is_told(&middle) {
            true => high = middle,
            false => low = middle + 1,
        }
    }
    match rate(low) {
        floor if floor > STEP * least => MARGIN * floor,
        floor => floor,
    }
}

/// The evidence with a leak beside it that had bad luck.
fn with_leak(evidence: &Evidence, clock: &Clock, weight: f64, rate: f64) -> Evidence {
    let mut with = evidence.clone();
    with.births
        .resize(clock.count.max(with.births.len()), Weighed::default());
    let mature = rate * Window::common(clock).length / weight;
    let luck = (1.0 - QUANTILE / mature.max(1.0).sqrt()).max(0.0);
    for freed in &mut with.freed {
        *freed = freed.part(1.0 + QUANTILE / freed.worth().max(1.0).sqrt());
    }
    for (epoch, births) in with.births.iter_mut().enumerate() {
        let begin = epoch as f64 * clock.width;
        let bytes = luck * rate * (clock.now - begin).clamp(0.0, clock.width);
        births.add(&Weighed {
            samples: (bytes / weight).round() as u64,
            bytes,
            squares: bytes * weight,
        });
        with.bytes += bytes;
    }
    with
}

/// After how many seconds in all a leak of this rate would have its verdict with such samples.
pub fn time_needed(rate: f64, weight: f64, clock: &Clock) -> Option<f64> {
    let floor = floor(clock, weight, 1)?;
    // Window and run grow alike, and the floor falls with them.
    (rate > 0.0).then(|| clock.run() * floor / rate)
}

/// The binary logarithm of the period that would give a verdict after the same time.
pub fn period_needed(rate: f64, weight: f64, clock: &Clock) -> Option<u32> {
    let floor = floor(clock, weight, 1)?;
    let lg = (weight * rate / floor).log2().floor();
    (lg >= 1.0).then_some(lg as u32)
}

#[cfg(test)]
mod tests {
    use super::super::evidence::sample::{CLOCK, evidence};
    use super::*;

    const MB: f64 = 1_048_576.0;

    #[test]
    fn the_floor_of_two_hours_at_the_default() {
        // 4864 s of window: 15.6 samples expected, for nine to come.
        let floor = floor(&CLOCK, MB / 2.0, 1).unwrap() * 3600.0 / MB;
        assert!((floor - 5.77).abs() < 0.1, "{floor}");
    }

    #[test]
    fn churn_that_lives_long_hides_more() {
        let least = MB / 3600.0;
        let beside = |lives: &[(f64, u64)]| {
            let mut evidence = evidence(&[], lives);
            let all = evidence.freed.iter_mut();
            all.for_each(|freed| *freed = Weighed::alike(freed.samples, freed.bytes * MB / 2.0));
            floor_beside(&evidence, &CLOCK, MB / 2.0, 1, least)
        };
        let clean = MARGIN * floor(&CLOCK, MB / 2.0, 1).unwrap();
        assert!(
            (beside(&[]) / clean - 1.0).abs() < 0.3,
            "{}",
            beside(&[]) / clean
        );
        assert!(beside(&[(60.0, 10_000)]) < 1.5 * clean);
        assert!(beside(&[(900.0, 300), (2000.0, 100)]) > 1.5 * clean);
    }

    #[test]
    fn slower_leaks_need_more_time_or_more_samples() {
        let rate = 1.0 * MB / 3600.0;
        let hours = time_needed(rate, MB / 2.0, &CLOCK).unwrap() / 3600.0;
        assert!((hours - 11.5).abs() < 0.3, "{hours}");
        assert_eq!(period_needed(rate, MB / 2.0, &CLOCK), Some(16));
        let early = Clock {
            now: 3.0,
            width: 1.0,
            count: 4,
        };
        assert_eq!(floor(&early, MB, 1), None);
    }
}
