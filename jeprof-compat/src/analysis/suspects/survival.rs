//! Do samples that have outlived the churn ever die? Pure.
//!
//! # Derivation
//! Beyond the age A every sample is watched until it is freed or the dump is written. With a
//! constant hazard h of being freed, the number of deaths D among samples watched for a total time
//! E beyond that age is Poisson of mean h E; D/E estimates h, and its upper limit is exact. Both
//! are in one dump: the live samples' ages from their births, and the freed ones' lifetimes from
//! the histogram of lives. (The few bytes that a library spends on that histogram thus replace a
//! dump every minute.)
//!
//! Samples weigh differently, and D and E are sums of bytes and of bytes times seconds. Given the
//! hazard, D has the mean h E and the variance h sum w^2 t; so with u = sum w^2 t / sum w t it is
//! treated as u times a Poisson count of mean h E/u (`evidence`).
//!
//! What was allocated at the start and kept says nothing about what came later, and a start-up may be
//! much. But a leak leaks from the start, and its oldest blocks are those watched longest; without
//! them a leak under churn of a twelfth of the run is seen in half of the runs. So what was born in
//! the warm-up counts as far as as much was born in an epoch of the window behind it, on average.
//!
//! Memory is bounded when blocks die as fast as they come: n live samples need deaths at the rate
//! at which they were born, so a path that is bounded within the run has blocks that live shorter
//! than the run, h >= 1/T. The test against that hypothesis is P(N <= D) at mean E/T: it becomes
//! small when much has been watched and little has died.

use profile_format::lifetimes;

use super::cohort::Window;
use super::evidence::{Clock, Evidence};
use super::poisson;
use crate::profile::model::Weighed;

/// What was seen of mature samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Survival {
    /// Samples freed at an age beyond the window's.
    pub deaths: u64,
    /// Bytes times seconds that samples were watched beyond that age.
    pub exposure: f64,
    /// Expected deaths of one sample within the length of the run.
    pub hazard: f64,
    /// Its one-sided 95 % upper limit.
    pub hazard_limit: f64,
    /// Probability of so few deaths if blocks lived no longer than the run.
    pub p: f64,
}

/// What was watched, and what of it was freed.
#[derive(Default)]
struct Watch {
    /// Sum of w t.
    exposure: f64,
    /// Sum of w^2 t.
    squares: f64,
    freed: Weighed,
}

impl Watch {
    fn add(&mut self, watched: &Weighed, seconds: f64) {
        self.exposure += watched.bytes * seconds.max(0.0);
        self.squares += watched.squares * seconds.max(0.0);
    }

    fn of(evidence: &Evidence, window: &Window, clock: &Clock) -> Watch {
        let mut watch = Watch::default();
        let mature = evidence.born(window.epochs.clone()).bytes;
        let usual = mature / window.epochs.len().max(1) as f64;
        for (epoch, births) in evidence.births.iter().enumerate() {
            let counts = match epoch < window.epochs.start && births.bytes > usual {
                true => usual / births.bytes,
                false => 1.0,
            };
            let age = clock.now - clock.middle(epoch);
            watch.add(&births.part(counts), age - window.age);
        }
        for (bucket, freed) in evidence.freed.iter().enumerate().skip(window.bucket) {
            let (from, to) = (lifetimes::start_ms(bucket), lifetimes::start_ms(bucket + 1));
            watch.add(freed, (from + to) / 2000.0 - window.age);
        }
        watch.freed = evidence.freed_from(window.bucket);
        watch
    }
}

impl Survival {
    /// Counts deaths of all, and watches of those live and of the dead.
    pub fn of(evidence: &Evidence, window: &Window, clock: &Clock) -> Survival {
        let watch = Watch::of(evidence, window, clock);
        let deaths = watch.freed.samples;
        if watch.exposure <= 0.0 {
            return Survival {
                deaths,
                hazard_limit: f64::INFINITY,
                p: 1.0,
                ..Survival::default()
            };
        }
        let run = clock.run();
        let weight = watch.squares / watch.exposure;
        let (events, expected) = (watch.freed.bytes / weight, watch.exposure / weight / run);
        Survival {
            deaths,
            exposure: watch.exposure,
            hazard: events / expected,
            hazard_limit: poisson::upper_limit(events) / expected,
            p: poisson::at_most(events, expected),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::sample::{CLOCK, evidence};
    use super::*;

    fn survival(births: &[(u32, u64, u64)], lives: &[(f64, u64)]) -> Survival {
        let evidence = evidence(births, lives);
        Survival::of(&evidence, &Window::common(&CLOCK), &CLOCK)
    }

    #[test]
    fn nothing_died() {
        // 20 samples, each watched for 7200 - 4224 - 655 seconds.
        let seen = survival(&[(16, 20, 20)], &[(0.5, 1_000_000)]);
        assert_eq!(seen.deaths, 0);
        assert!((seen.exposure - 20.0 * 2320.6).abs() < 1.0);
        assert!((seen.hazard_limit - 2.996 * 7200.0 / seen.exposure).abs() < 0.01);
        assert!((seen.p - (-seen.exposure / 7200.0).exp()).abs() < 1e-9);
    }

    #[test]
    fn deaths_beyond_the_age_count_and_a_start_up_hardly_does() {
        let without = survival(&[(16, 20, 20)], &[(600.0, 7), (700.0, 30)]);
        let seen = survival(&[(0, 1000, 1000), (16, 20, 20)], &[(600.0, 7), (700.0, 30)]);
        assert_eq!(seen.deaths, 30);
        assert!(seen.hazard > 1.0 && seen.p > 0.5);
        // As much as in each of the 19 epochs of the window.
        let more = (seen.exposure - without.exposure) / (7200.0 - 128.0 - 655.36);
        assert!((more - 20.0 / 19.0).abs() < 0.01, "{more}");
    }

    /// Half as many samples that weigh twice: the same hazard, known less well.
    #[test]
    fn heavier_samples_say_less() {
        let light = survival(&[(10, 40, 40)], &[(700.0, 2)]);
        let heavy = survival(&[(10, 20, 40)], &[(700.0, 2)]);
        assert!((light.hazard - heavy.hazard).abs() < 1e-9);
        assert!(heavy.hazard_limit > light.hazard_limit && heavy.p > light.p);
    }

    #[test]
    fn without_samples_nothing_is_certain() {
        let seen = survival(&[(0, 1000, 1000)], &[]);
        assert_eq!((seen.p, seen.hazard_limit), (1.0, f64::INFINITY));
    }
}
