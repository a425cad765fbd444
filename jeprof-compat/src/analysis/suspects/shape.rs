//! How the births of a cohort are spread over time. Pure.
//!
//! # Derivation
//! Given their number n, births of a constant rate are uniform over the window: their mean time has
//! the window's middle as expectation and s^2/n as variance, s^2 the variance of one of them. The
//! distance in these units, z, is the score test against an exponential trend, the best there is
//! against a cache that fills: exp(-t/tau).
//!
//! Births weigh differently, by the period in force when they were drawn. Their mean is that of the
//! bytes, and an epoch with e bytes expected and samples of w bytes has the variance e w. It weighs
//! what its own samples weigh (where it has none, what the heavier neighbour's do), and no less than
//! those of the whole window: what is known of an epoch by few samples shall not make it too certain,
//! and where all weigh the same that is the formula above.
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
use super::evidence::{Clock, Evidence, LEAST};
use crate::profile::model::Weighed;

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
        let bins = Bins::of(evidence, window);
        let whole = evidence.born(window.epochs.clone());
        let even = Spread {
            shape: Shape::Flat,
            z: 0.0,
            dispersion: 1.0,
            tau: None,
        };
        if bins.len() < 3.0 || whole.bytes <= 0.0 {
            return even;
        }
        let mean = bins.mean(whole.bytes);
        let x = trend(mean);
        let dispersion = dispersion(&bins, &whole, x);
        let z = (mean - 0.5) / (bins.variance(whole.bytes) * dispersion).sqrt();
        let shape = match z {
            _ if whole.worth() / dispersion < LEAST && dispersion > 1.0 => Shape::Steps,
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

/// The epochs of a window.
struct Bins {
    bytes: Vec<f64>,
    /// What a sample of each weighs.
    weights: Vec<f64>,
}

impl Bins {
    fn of(evidence: &Evidence, window: &Window) -> Bins {
        let epochs = window.epochs.clone();
        let births = |epoch: usize| evidence.births.get(epoch).copied().unwrap_or_default();
        let births: Vec<Weighed> = epochs.map(births).collect();
        let whole = evidence.born(window.epochs.clone()).weight().unwrap_or(0.0);
        let (mut before, mut after) = (vec![0.0; births.len()], 0.0);
        let mut last = 0.0;
        for (at, born) in births.iter().enumerate() {
            last = born.weight().unwrap_or(last);
            before[at] = last;
        }
        let mut weights = before;
        for (at, born) in births.iter().enumerate().rev() {
            after = born.weight().unwrap_or(after);
            let own = born.weight().unwrap_or(f64::max(weights[at], after));
            weights[at] = own.max(whole);
        }
        let bytes = births.iter().map(|born| born.bytes).collect();
        Bins { bytes, weights }
    }

    fn len(&self) -> f64 {
        self.bytes.len() as f64
    }

    /// Middles of the bins, as a share of the window.
    fn middles(&self) -> impl Iterator<Item = f64> {
        let bins = self.len();
        (0..self.bytes.len()).map(move |at| (at as f64 + 0.5) / bins)
    }

    /// The mean time of birth.
    fn mean(&self, whole: f64) -> f64 {
        let moments = self
            .middles()
            .zip(&self.bytes)
            .map(|(at, bytes)| at * bytes);
        moments.sum::<f64>() / whole
    }

    /// Its variance, if as many are expected in each.
    fn variance(&self, whole: f64) -> f64 {
        let each = |(at, weight): (f64, &f64)| weight * (at - 0.5).powi(2);
        let moments = self.middles().zip(&self.weights).map(each);
        moments.sum::<f64>() / self.len() / whole
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
fn dispersion(bins: &Bins, whole: &Weighed, x: f64) -> f64 {
    let join = (2.0 * bins.len() / whole.worth()).ceil().max(1.0) as usize;
    let groups = bins.bytes.len().div_ceil(join);
    if groups < 4 {
        return 1.0;
    }
    let cumulated = |share: f64| match x {
        x if x.abs() < 1e-6 => share,
        x => (-x * share).exp_m1() / (-x).exp_m1(),
    };
    let mut chi = 0.0;
    let parts = bins.bytes.chunks(join).zip(bins.weights.chunks(join));
    for (at, (bytes, weights)) in parts.enumerate() {
        let begin = (at * join) as f64 / bins.len();
        let end = (begin + join as f64 / bins.len()).min(1.0);
        let weight = weights.iter().copied().fold(0.0, f64::max);
        let expected = whole.bytes * (cumulated(end) - cumulated(begin)) / weight;
        let off = bytes.iter().sum::<f64>() / weight - expected;
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
        let births: Vec<_> = (0..29).map(|e| (e as u32, births(e), births(e))).collect();
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

    /// A leak of a byte a second beside a period that doubles twice: fewer and fewer samples, as many
    /// bytes.
    #[test]
    fn a_period_that_doubles_is_no_trend() {
        let births: Vec<_> = (0..29).map(|e| (e, 64 >> (e / 8), 256)).collect();
        let evidence = evidence(&births, &[]);
        let spread = Spread::of(&evidence, &Window::common(&CLOCK));
        assert_eq!((spread.shape, spread.dispersion), (Shape::Flat, 1.0));
    }

    /// One block of a megabyte at the beginning, and small ones all the time.
    #[test]
    fn one_large_block_is_no_trend() {
        let mut births: Vec<_> = (0..29).map(|e| (e, 4, 400)).collect();
        births[8] = (8, 1, 1_000_000);
        let evidence = evidence(&births, &[]);
        let spread = Spread::of(&evidence, &Window::common(&CLOCK));
        assert!(spread.z.abs() < 2.0, "{spread:?}");
        assert!(!matches!(spread.shape, Shape::Falling | Shape::Rising));
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
