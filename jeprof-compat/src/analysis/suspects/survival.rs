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
//! Memory is bounded when blocks die as fast as they come: n live samples need deaths at the rate
//! at which they were born, so a path that is bounded within the run has blocks that live shorter
//! than the run, h >= 1/T. The test against that hypothesis is P(N <= D) at mean E/T: it becomes
//! small when much has been watched and little has died.

use super::cohort::Window;
use super::evidence::{Clock, Evidence};
use super::poisson;

/// What was seen of mature samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Survival {
    /// Samples freed at an age beyond the window's.
    pub deaths: u64,
    /// Seconds that samples were watched beyond that age.
    pub exposure: f64,
    /// Expected deaths of one sample within the length of the run.
    pub hazard: f64,
    /// Its one-sided 95 % upper limit.
    pub hazard_limit: f64,
    /// Probability of so few deaths if blocks lived no longer than the run.
    pub p: f64,
}

/// Mean lifetime within a bucket over its lower bound, for lifetimes that are spread evenly over
/// the logarithm.
const MIDDLE: f64 = std::f64::consts::LOG2_E;

impl Survival {
    /// Counts deaths of all, and watches of those born after the warm-up: what was allocated at the
    /// start and kept says nothing about what came later.
    pub fn of(evidence: &Evidence, window: &Window, clock: &Clock) -> Survival {
        let mut exposure = 0.0;
        let births = evidence.births.iter().enumerate();
        for (epoch, births) in births.skip(window.epochs.start) {
            let age = clock.now - clock.middle(epoch);
            exposure += births.samples as f64 * (age - window.age).max(0.0);
        }
        let mut deaths = 0;
        let beyond = evidence.freed.iter().enumerate();
        for (bucket, &count) in beyond.skip(window.age_lg as usize + 1) {
            deaths += count;
            let lower = 2f64.powi(bucket as i32 - 1) / 1000.0;
            exposure += count as f64 * (lower * MIDDLE - window.age).max(0.0);
        }
        if exposure == 0.0 {
            return Survival {
                deaths,
                hazard_limit: f64::INFINITY,
                p: 1.0,
                ..Survival::default()
            };
        }
        let run = clock.run();
        Survival {
            deaths,
            exposure,
            hazard: deaths as f64 / exposure * run,
            hazard_limit: poisson::upper_limit(deaths) / exposure * run,
            p: poisson::at_most(deaths, exposure / run),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::sample::{CLOCK, evidence};
    use super::*;

    fn survival(births: &[(u32, u64, u64)], lives: &[(u64, u64)]) -> Survival {
        let evidence = evidence(births, lives);
        Survival::of(&evidence, &Window::common(&CLOCK), &CLOCK)
    }

    #[test]
    fn nothing_died() {
        // 20 samples, each watched for 7200 - 4224 - 524 seconds.
        let seen = survival(&[(16, 20, 20)], &[(10, 1_000_000)]);
        assert_eq!(seen.deaths, 0);
        assert!((seen.exposure - 20.0 * 2451.7).abs() < 1.0);
        assert!((seen.hazard_limit - 2.996 * 7200.0 / seen.exposure).abs() < 0.01);
        assert!((seen.p - (-seen.exposure / 7200.0).exp()).abs() < 1e-9);
    }

    #[test]
    fn deaths_beyond_the_age_count_and_start_up_samples_do_not() {
        let seen = survival(&[(0, 1000, 1000), (16, 20, 20)], &[(19, 7), (20, 30)]);
        assert_eq!(seen.deaths, 30);
        assert!(seen.hazard > 1.0 && seen.p > 0.5);
    }

    #[test]
    fn without_samples_nothing_is_certain() {
        let seen = survival(&[(0, 1000, 1000)], &[]);
        assert_eq!((seen.p, seen.hazard_limit), (1.0, f64::INFINITY));
    }
}
