//! How the births of a cohort are spread over time. Pure.
//!
//! # Derivation
//! Given their number n, births of a constant rate are uniform over the window: their mean time has
//! the window's middle as expectation and s^2/n as variance, s^2 the variance of one of them. The
//! distance in these units, z, is the score test against an exponential trend, the best there is
//! against a cache that fills: exp(-t/tau).
//!
//! Births that come in bursts scatter more than that. The dispersion is Pearson's chi-square over
//! its degrees of freedom (around the fitted trend, so that a trend alone is no dispersion), and
//! counts only when it is significant; else it is 1. z and the number of samples are scaled by it
//! (quasi-Poisson): two steps of a hundred samples are worth about two events.
//!
//! A falling rate is followed to its end. For births with density exp(-t/tau) on a window of length
//! L their mean, as a share of L, is 1/x - 1/(e^x - 1) with x = L/tau; x is found by bisection. What
//! is still to come after the dump is rate(now) tau.

use statrs::distribution::{ContinuousCDF, Gamma};

use super::cohort::Window;
use super::evidence::{Clock, Evidence};

/// One-sided level of the test for a trend: 0.5 %.
const TREND: f64 = 2.576;

/// Level of the test for dispersion.
const DISPERSED: f64 = 0.005;

/// What the births look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// As many in each part of the window.
    #[default]
    Flat,
    /// Fewer and fewer.
    Falling,
    /// More and more.
    Rising,
    /// In few bursts.
    Steps,
    /// Given back all at once, again and again.
    Sawtooth,
}

/// The births of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// In a word.
    pub shape: Shape,
    /// Distance of the mean birth time from the middle; negative when births became fewer.
    pub z: f64,
    /// How much more than one by one the births scatter.
    pub dispersion: f64,
    /// Share of the window after which a falling rate has fallen to 1/e.
    pub tau: Option<f64>,
}

impl Spread {
    /// Looks at the samples in the window.
    pub fn of(evidence: &Evidence, window: &Window) -> Spread {
        let births: Vec<f64> = window
            .epochs
            .clone()
            .map(|epoch| evidence.births.get(epoch).map_or(0.0, |b| b.samples as f64))
            .collect();
        let (bins, count) = (births.len() as f64, births.iter().sum::<f64>());
        let even = Spread {
            shape: Shape::Flat,
            z: 0.0,
            dispersion: 1.0,
            tau: None,
        };
        if bins < 3.0 || count == 0.0 {
            return even;
        }
        let weighted: f64 = births.iter().enumerate().map(|(at, n)| at as f64 * n).sum();
        // Of the middles of the bins, as a share of the window.
        let mean = (weighted / count + 0.5) / bins;
        let variance = (1.0 - 1.0 / (bins * bins)) / 12.0;
        let x = trend(mean);
        let dispersion = dispersion(&births, count, x);
        let z = (mean - 0.5) / (variance / count * dispersion).sqrt();
        let shape = match z {
            _ if count / dispersion < 9.0 && dispersion > 1.0 => Shape::Steps,
            z if z < -TREND => Shape::Falling,
            z if z > TREND => Shape::Rising,
            _ => Shape::Flat,
        };
        let tau = (shape == Shape::Falling).then(|| 1.0 / x);
        Spread {
            shape,
            z,
            dispersion,
            tau,
        }
    }

    /// Bytes that a falling rate of `rate` on average over the window would still add after the
    /// dump; `None` when it does not fall.
    pub fn still_to_come(&self, rate: f64, window: &Window, clock: &Clock) -> Option<f64> {
        let tau = self.tau? * window.length;
        let x = window.length / tau;
        let end = window.epochs.end as f64 * clock.width;
        let at_end = rate * x * (-x).exp() / (1.0 - (-x).exp());
        Some(at_end * (-(clock.now - end).max(0.0) / tau).exp() * tau)
    }
}

/// x = L/tau for births with this mean, as a share of the window; negative for a rising rate.
fn trend(mean: f64) -> f64 {
    let expected = |x: f64| match x {
        x if x.abs() < 1e-6 => 0.5,
        x => 1.0 / x - 1.0 / x.exp_m1(),
    };
    let (mut low, mut high) = (-200.0, 200.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        // The mean falls with x.
        if expected(middle) > mean {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Pearson's chi-square around the trend over its degrees of freedom, or 1 when the births may well
/// have come one by one. Neighbouring bins are joined so that few samples make few bins.
fn dispersion(births: &[f64], count: f64, x: f64) -> f64 {
    let bins = births.len() as f64;
    let join = (2.0 * bins / count).ceil().max(1.0) as usize;
    let groups = births.len().div_ceil(join);
    if groups < 4 {
        return 1.0;
    }
    let cumulated = |share: f64| match x {
        x if x.abs() < 1e-6 => share,
        x => (-x * share).exp_m1() / (-x).exp_m1(),
    };
    let mut chi = 0.0;
    for (at, group) in births.chunks(join).enumerate() {
        let begin = (at * join) as f64 / bins;
        let end = (begin + join as f64 / bins).min(1.0);
        let expected = count * (cumulated(end) - cumulated(begin));
        let off = group.iter().sum::<f64>() - expected;
        // Half a sample more keeps what a steep trend hardly expects from deciding alone.
        chi += off * off / (expected + 0.5);
    }
    let freedom = groups as f64 - 2.0;
    let p = Gamma::new(freedom / 2.0, 0.5).map_or(1.0, |g| g.sf(chi));
    if p < DISPERSED {
        (chi / freedom).max(1.0)
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::sample::{CLOCK, evidence};
    use super::*;

    fn spread(births: impl Fn(usize) -> u64) -> Spread {
        let births: Vec<_> = (0..29).map(|e| (e as u32, births(e), 0)).collect();
        let evidence = evidence(&births, &[]);
        Spread::of(&evidence, &Window::common(&CLOCK))
    }

    #[test]
    fn as_many_each_time() {
        let flat = spread(|_| 4);
        assert_eq!((flat.shape, flat.dispersion), (Shape::Flat, 1.0));
        assert!(flat.z.abs() < 1e-9);
        assert_eq!(spread(|e| e as u64).shape, Shape::Rising);
    }

    #[test]
    fn a_cache_that_fills() {
        // tau of 30 minutes, 2000 samples in the end.
        let filling =
            |e: usize| (2000.0 * 256.0 / 1800.0 * (-(e as f64) * 256.0 / 1800.0).exp()) as u64;
        let spread = spread(filling);
        assert_eq!((spread.shape, spread.dispersion), (Shape::Falling, 1.0));
        let window = Window::common(&CLOCK);
        let tau = spread.tau.unwrap() * window.length;
        assert!((tau - 1800.0).abs() < 100.0, "{tau}");
        let rate = window.epochs.clone().map(filling).sum::<u64>() as f64 / window.length;
        let rest = spread.still_to_come(rate, &window, &CLOCK).unwrap();
        assert!((rest - 2000.0 * (-4.0f64).exp()).abs() < 8.0, "{rest}");
    }

    #[test]
    fn bursts() {
        let two = spread(|e| if e == 12 || e == 20 { 100 } else { 0 });
        assert_eq!(two.shape, Shape::Steps);
        assert!(200.0 / two.dispersion < 9.0, "{two:?}");
        let one_by_one = spread(|e| [3, 5, 4, 1, 6, 2][e % 6]);
        assert_eq!(one_by_one.dispersion, 1.0);
    }
}
