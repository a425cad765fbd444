//! `--fail-if-leak`: the leak that a build or a run may have.

use crate::figures::{quantity, words};

/// The exit code when more leaks than that.
pub(super) const LEAKS: u8 = 3;

/// The exit code when nobody can tell: no dump, too few samples, or what grows that fast and may be a cache. Silence is
/// no pass.
pub(super) const UNSEEN: u8 = 4;

/// What may leak.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Tolerance {
    #[arg(
        long,
        value_name = "RATE",
        value_parser = quantity::rate,
        help = "Exit with 3 when at least this much certainly leaks, as in 10MB/h or 512k/min, and with 4 when \
                nobody can tell whether it does; for CI"
    )]
    fail_if_leak: Option<f64>,
    #[arg(
        long,
        value_name = "TIME",
        value_parser = quantity::seconds,
        help = "The age that must be reached without being freed before it is called a leak, as in 10m; without \
                it three times the slowest cycle seen in the program"
    )]
    horizon: Option<u64>,
}

impl Tolerance {
    /// The age in seconds that a leak must have reached.
    pub(super) fn horizon(self) -> f64 {
        self.horizon.unwrap_or(0) as f64
    }

    /// Does the exit code answer?
    pub(super) fn is_asked(self) -> bool {
        self.fail_if_leak.is_some()
    }

    /// What is said where the answer is that nobody can tell: so many bytes an hour may leak untold.
    pub(super) fn untold(self, hidden: f64) -> Option<String> {
        self.fail_if_leak.filter(|rate| hidden >= *rate)?;
        Some(match hidden.is_finite() {
            true => format!(
                "a leak of up to {} may be there that cannot be told: run longer, or take more samples (a lower --rate)",
                words::rate(hidden / 3600.0, 3600.0)
            ),
            false => "too little was seen to tell whether it leaks".to_owned(),
        })
    }

    /// The bytes an hour that may leak, where `leaks` of them, certain ones, are too many.
    pub(super) fn exceeded(self, leaks: f64) -> Option<f64> {
        self.fail_if_leak
            .filter(|rate| leaks > 0.0 && leaks >= *rate)
    }
}
