//! What a run could have seen, and what would see more. Called by `suspects`; pure.
//!
//! # Derivation
//! A leak of r bytes a second puts a Poisson count of mean r L / w into the window of length L, w
//! being what a sample stands for: the period, or the block if that is larger. Found is what has
//! n >= 9, and what passes the test of survival against m paths: with no deaths p = exp(-E/T), E
//! the time the samples were watched beyond the maturing age, so E/T >= ln(m k / 0.05), with k
//! windows tried; a sample of the cohort was watched for L/2 on average. The mean that gives
//! so many with 95 % probability is a gamma quantile, and times w/L it is the floor.

use super::cohort::Window;
use super::evidence::Clock;
use super::poisson;
use super::verdict::{LEAST, LEVEL};

/// With what probability the floor is seen.
pub const POWER: f64 = 0.95;

/// Mature samples that must be expected for a verdict, when `tests` paths are tested.
fn expected(clock: &Clock, window: &Window, tests: usize, windows: usize) -> f64 {
    let certain = (tests.max(1) * windows.max(1)) as f64 / LEVEL;
    let watched = window.length / 2.0 / clock.run();
    let needed = LEAST.max((certain.ln() / watched).ceil());
    poisson::mean_for(needed, POWER)
}

/// The smallest rate in bytes a second of one path that this run shows with 95 % probability;
/// `None` when it is too short to show any.
pub fn floor(clock: &Clock, weight: f64, tests: usize) -> Option<f64> {
    let windows = Window::ladder(clock, &super::evidence::Evidence::default());
    let window = Window::common(clock);
    let enough = window.epochs.len() >= 3;
    enough.then(|| expected(clock, &window, tests, windows.len()) * weight / window.length)
}

/// After how many seconds in all a leak of this rate would have its verdict at this period.
pub fn time_needed(rate: f64, period: f64, clock: &Clock) -> Option<f64> {
    let floor = floor(clock, period, 1)?;
    // Window and run grow alike, and the floor falls with them.
    (rate > 0.0).then(|| clock.run() * floor / rate)
}

/// The binary logarithm of the period that would give a verdict after the same time.
pub fn period_needed(rate: f64, period: f64, clock: &Clock) -> Option<u32> {
    let floor = floor(clock, period, 1)?;
    let lg = (period * rate / floor).log2().floor();
    (lg >= 1.0).then_some(lg as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock = Clock {
        now: 7200.0,
        width: 256.0,
        count: 29,
    };
    const MB: f64 = 1_048_576.0;

    #[test]
    fn the_floor_of_two_hours_at_the_default() {
        // 4608 s of window, three windows: ln(60) / 0.32 = 13 samples, 19.3 expected.
        let floor = floor(&CLOCK, MB / 2.0, 1).unwrap() * 3600.0 / MB;
        assert!((floor - 7.55).abs() < 0.1, "{floor}");
    }

    #[test]
    fn slower_leaks_need_more_time_or_more_samples() {
        let rate = 1.0 * MB / 3600.0;
        let hours = time_needed(rate, MB / 2.0, &CLOCK).unwrap() / 3600.0;
        assert!((hours - 15.1).abs() < 0.3, "{hours}");
        assert_eq!(period_needed(rate, MB / 2.0, &CLOCK), Some(16));
        let early = Clock {
            now: 5.0,
            width: 1.0,
            count: 6,
        };
        assert_eq!(floor(&early, MB, 1), None);
    }
}
