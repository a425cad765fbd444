//! Exact statements about Poisson counts. Pure.
//!
//! All of them rest on one identity: P(N >= n) for a Poisson count of mean m is P(G <= m) for a
//! gamma variable G of shape n (the time of the n-th event). The quantiles of the gamma
//! distribution are `statrs`'.

use statrs::distribution::{ContinuousCDF, Gamma};

/// Shares of an interval's error on each side: 95 % in the middle.
const TAIL: f64 = 0.025;

/// The gamma distribution of this shape and scale one; `None` for a shape that has none.
fn gamma(shape: f64) -> Option<Gamma> {
    Gamma::new(shape, 1.0).ok()
}

/// The exact (Garwood) 95 % interval of the mean behind a count: the means for which `count` or
/// more, and `count` or less, are not improbable. Takes the fractional counts of weighted samples
/// too (Fay and Feuer 1997).
pub fn interval(count: f64) -> (f64, f64) {
    let lower = gamma(count).map_or(0.0, |g| g.inverse_cdf(TAIL));
    let upper = gamma(count + 1.0).map_or(f64::INFINITY, |g| g.inverse_cdf(1.0 - TAIL));
    (lower, upper)
}

/// The one-sided 95 % upper limit of the mean behind a count: 3 for a count of 0, the rule of
/// three.
pub fn upper_limit(count: f64) -> f64 {
    gamma(count + 1.0).map_or(f64::INFINITY, |g| g.inverse_cdf(0.95))
}

/// P(N <= count) for this mean; between whole counts it rises steadily.
pub fn at_most(count: f64, mean: f64) -> f64 {
    gamma(count + 1.0).map_or(0.0, |g| g.sf(mean))
}

/// The mean at which `count` or more come with probability `power`.
pub fn mean_for(count: f64, power: f64) -> f64 {
    gamma(count).map_or(0.0, |g| g.inverse_cdf(power))
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
    fn limits_and_tails() {
        near(upper_limit(0.0), 2.996);
        near(at_most(0.0, 2.996), 0.05);
        near(at_most(3.0, 3.0), 0.647);
        near(mean_for(9.0, 0.95), 14.435);
        assert!((at_most(8.0, mean_for(9.0, 0.95)) - 0.05).abs() < 1e-6);
    }
}
