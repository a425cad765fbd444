//! Exact statements about Poisson counts. Pure.
//!
//! All of them rest on one identity: P(N >= n) for a Poisson count of mean m is P(G <= m) for a
//! gamma variable G of shape n (the time of the n-th event). The quantiles of the gamma
//! distribution are `statrs`'.

use statrs::distribution::{ContinuousCDF, Gamma, Normal};

/// From this count on the normal distribution answers (Wilson and Hilferty 1931): it is right to eight
/// digits there, and takes the same time for any count, while the sums behind the gamma distribution take as
/// long as the count is large.
const MANY: f64 = 1e5;

/// Shares of an interval's error on each side: 95 % in the middle.
const TAIL: f64 = 0.025;

/// The gamma distribution of this shape and scale one; `None` for a shape that has none.
fn gamma(shape: f64) -> Option<Gamma> {
    Gamma::new(shape, 1.0).ok()
}

/// A gamma variable of scale one.
enum Waiting {
    Exact(Gamma),
    Many(f64),
}

/// The time of the event with this number; `None` where there is none.
fn waiting(number: f64) -> Option<Waiting> {
    match number > MANY {
        true if number.is_finite() => Some(Waiting::Many(number)),
        true => None,
        false => gamma(number).map(Waiting::Exact),
    }
}

impl Waiting {
    fn quantile(&self, share: f64) -> f64 {
        match self {
            Waiting::Exact(gamma) => gamma.inverse_cdf(share),
            Waiting::Many(number) => {
                let z = Normal::standard().inverse_cdf(share);
                let width = 1.0 / (9.0 * number);
                number * (1.0 - width + z * width.sqrt()).powi(3)
            }
        }
    }

    /// The probability that it is later.
    fn later(&self, time: f64) -> f64 {
        match self {
            Waiting::Exact(gamma) => gamma.sf(time),
            Waiting::Many(number) => {
                let width = 1.0 / (9.0 * number);
                let z = ((time / number).cbrt() - (1.0 - width)) / width.sqrt();
                Normal::standard().sf(z)
            }
        }
    }
}

/// The exact (Garwood) 95 % interval of the mean behind a count: the means for which `count` or
/// more, and `count` or less, are not improbable. Takes the fractional counts of weighted samples
/// too (Fay and Feuer 1997).
pub fn interval(count: f64) -> (f64, f64) {
    let lower = waiting(count).map_or(0.0, |w| w.quantile(TAIL));
    let upper = waiting(count + 1.0).map_or(f64::INFINITY, |w| w.quantile(1.0 - TAIL));
    (lower, upper)
}

/// The one-sided 95 % upper limit of the mean behind a count: 3 for a count of 0, the rule of
/// three.
pub fn upper_limit(count: f64) -> f64 {
    waiting(count + 1.0).map_or(f64::INFINITY, |w| w.quantile(0.95))
}

/// P(N <= count) for this mean; between whole counts it rises steadily.
pub fn at_most(count: f64, mean: f64) -> f64 {
    waiting(count + 1.0).map_or(0.0, |w| w.later(mean))
}

/// The mean at which `count` or more come with probability `power`.
pub fn mean_for(count: f64, power: f64) -> f64 {
    waiting(count).map_or(0.0, |w| w.quantile(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, wanted: f64) {
        assert!(
            (got - wanted).abs() < 0.005 * wanted.max(0.1),
            "{got} {wanted}"
        );
    }

    /// Garwood 1936, as tabulated by NIST and in every textbook of epidemiology.
    #[test]
    fn intervals_are_those_of_the_tables() {
        assert_eq!(interval(0.0).0, 0.0);
        near(interval(0.0).1, 3.689);
        near(interval(9.0).0, 4.115);
        near(interval(9.0).1, 17.085);
        near(interval(100.0).0, 81.36);
        near(interval(100.0).1, 121.63);
        near(interval(2500.0).0, 2402.9);
    }

    #[test]
    fn many_are_as_exact_as_few_and_as_quick() {
        let exact = gamma(MANY).expect("a shape");
        let many = Waiting::Many(MANY);
        for share in [0.001, 0.025, 0.5, 0.95, 0.975] {
            let time = exact.inverse_cdf(share);
            assert!((many.quantile(share) / time - 1.0).abs() < 1e-8);
            assert!((many.later(time) - exact.sf(time)).abs() < 1e-6);
        }
        let (low, high) = interval(1e17);
        assert!(
            low < 1e17 && 1e17 < high && high < 1.0001e17,
            "{low} {high}"
        );
        assert_eq!(at_most(f64::INFINITY, 1.0), 0.0);
    }

    #[test]
    fn limits_and_tails() {
        near(upper_limit(0.0), 2.996);
        near(at_most(0.0, 2.996), 0.05);
        near(at_most(3.0, 3.0), 0.647);
        near(mean_for(9.0, 0.95), 14.435);
        assert!((at_most(8.0, mean_for(9.0, 0.95)) - 0.05).abs() < 1e-6);
    }
}
