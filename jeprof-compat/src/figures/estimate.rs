//! A figure that was sampled, with what is known of its error.

use serde::Serialize;

/// Half the width of a 95 % interval of a normal distribution, in standard errors.
pub const Z95: f64 = 1.96;

/// A figure with its 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The best guess.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Estimate {
    /// Of an amount that cannot be below zero, with the variance of its estimate.
    pub fn of(value: f64, variance: f64) -> Estimate {
        let half = Z95 * variance.sqrt();
        Estimate {
            value,
            low: (value - half).max(0.0),
            high: value + half,
        }
    }
}
