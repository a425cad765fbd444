//! What a dump says of a period that follows a budget.

use super::writer::{Profile, Result};
use crate::platform::decimal::Decimal;

/// Changes of the period that are said, the last ones.
pub const HISTORY: usize = 16;

/// Longest entry of the history: two numbers, a colon and a blank.
const ENTRY: usize = 24;

/// The period and its budget.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rate {
    /// In per mille of the process's processor time.
    pub budget: u32,
    /// The share that sampling took lately, in millionths.
    pub share: u32,
    /// Time that all samples took, in nanoseconds, as estimated.
    pub spent_ns: u64,
    /// Processor time of the process so far, in nanoseconds.
    pub cpu_ns: u64,
    /// Since when, in milliseconds, the period was so much, as a logarithm; the oldest first.
    pub history: [Option<(u64, u8)>; HISTORY],
}

impl Rate {
    pub(super) fn write(&self, out: &mut Profile<'_, '_>) -> Result {
        out.number("prof_budget_per_mille", u64::from(self.budget))?;
        out.number("budget_share_ppm", u64::from(self.share))?;
        out.number("budget_spent_us", self.spent_ns / 1_000)?;
        out.number("cpu_us", self.cpu_ns / 1_000)?;
        let mut text = [0; HISTORY * ENTRY];
        let mut length = 0;
        for (since_ms, lg_period) in self.history.iter().flatten() {
            let (since, lg) = (Decimal::new(*since_ms), Decimal::new(u64::from(*lg_period)));
            let blank: &[u8] = if length == 0 { b"" } else { b" " };
            for part in [
                blank,
                since.as_str().as_bytes(),
                b":",
                lg.as_str().as_bytes(),
            ] {
                let Some(place) = text.get_mut(length..length + part.len()) else {
                    break;
                };
                place.copy_from_slice(part);
                length += part.len();
            }
        }
        out.fact("period_history", text.get(..length).unwrap_or_default())
    }
}
