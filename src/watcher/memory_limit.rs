//! Decides when the memory comes to its end: at a share of the limit, and earlier when the limit is
//! only moments away. Pure: the watcher brings the figures and the clock.
//!
//! A dump takes time, so it must begin before the end. Every further twentieth of the limit makes
//! another dump, so a growth to the limit makes at most twenty. The last complete one remains after
//! the OOM killer.

use crate::platform::process::pressure::Pressure;

/// If the limit would be reached within this time at the present pace, a dump must begin now.
const MOMENTS_MS: u64 = 2_000;
/// Nothing is dumped below this share, in thousandths, whatever the pace: programs grow fast at the
/// start.
const LEAST: u64 = 250;
/// The growth that makes a further dump, in thousandths of the limit.
const STEP: u64 = 50;
/// Naps in milliseconds, by the distance to the limit: no program allocates more than a MiB in a
/// millisecond for long.
const SHORTEST_NAP: u64 = 10;
const LONGEST_NAP: u64 = 1_000;

/// What the last look saw.
pub struct Watch {
    percent: u8,
    /// The time, and how many bytes were used.
    last: Option<(u64, u64)>,
    /// The share at the last dump, until the process is well below it again.
    dumped: Option<u64>,
}

impl Watch {
    /// Watches for `percent` of the limit.
    pub fn new(percent: u8) -> Watch {
        Watch {
            percent,
            last: None,
            dumped: None,
        }
    }

    /// Is a dump due?
    pub fn is_due(&mut self, now_ms: u64, pressure: Pressure) -> bool {
        let share = pressure.per_mille();
        let soon = self.is_full_soon(now_ms, pressure);
        self.last = Some((now_ms, pressure.used));
        if self.dumped.is_some_and(|dumped| share + 2 * STEP < dumped) {
            self.dumped = None;
        }
        let is_new = self.dumped.is_none_or(|dumped| share >= dumped + STEP);
        let is_high = share >= u64::from(self.percent) * 10;
        is_new && (is_high || soon && share >= LEAST)
    }

    /// A dump was written at this pressure.
    pub fn dumped(&mut self, pressure: Pressure) {
        self.dumped = Some(pressure.per_mille());
    }

    /// How long the next look may wait.
    pub fn nap_ms(&self, pressure: Pressure) -> u64 {
        (pressure.distance(self.percent) >> 20).clamp(SHORTEST_NAP, LONGEST_NAP)
    }

    fn is_full_soon(&self, now_ms: u64, pressure: Pressure) -> bool {
        let Some((then_ms, before)) = self.last else {
            return false;
        };
        let grown = u128::from(pressure.used.saturating_sub(before));
        let passed = u128::from(now_ms.saturating_sub(then_ms));
        // used + grown * moments / passed >= limit, without the division.
        grown > 0
            && grown * u128::from(MOMENTS_MS) >= u128::from(pressure.distance(100)) * passed.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn at(used_mib: u64) -> Pressure {
        Pressure {
            used: used_mib * MIB,
            limit: 1000 * MIB,
        }
    }

    /// The MiB at which a growth by `step` each `ms` makes dumps.
    fn dumps(percent: u8, step: usize, ms: u64) -> Vec<u64> {
        let mut watch = Watch::new(percent);
        let mut made = Vec::new();
        for (turn, used) in (0..=1000).step_by(step).enumerate() {
            if watch.is_due(turn as u64 * ms, at(used)) {
                watch.dumped(at(used));
                made.push(used);
            }
        }
        made
    }

    #[test]
    fn slow_growth_is_dumped_at_the_share_and_beyond() {
        assert_eq!(dumps(90, 1, 1000), [900, 950, 1000]);
        assert_eq!(dumps(50, 1, 1000).first(), Some(&500));
    }

    #[test]
    fn fast_growth_is_dumped_before() {
        let made = dumps(90, 10, 20);
        assert_eq!(made.first(), Some(&250), "full in 1.5 seconds");
        assert!(made.len() <= 16, "{made:?}");
        let made = dumps(90, 1, 10);
        assert_eq!(made.first(), Some(&800), "two seconds before the end");
    }

    #[test]
    fn what_stays_high_is_dumped_once_and_what_comes_back_again() {
        let mut watch = Watch::new(90);
        assert!(watch.is_due(0, at(910)));
        assert!(watch.is_due(5, at(910)), "it was not written");
        watch.dumped(at(910));
        assert!(!watch.is_due(1000, at(930)));
        assert!(!watch.is_due(2000, at(700)));
        assert!(watch.is_due(90_000, at(905)));
    }

    #[test]
    fn naps_are_short_near_the_limit() {
        let watch = Watch::new(90);
        assert_eq!(watch.nap_ms(at(10)), 890);
        assert_eq!(watch.nap_ms(at(899)), SHORTEST_NAP);
        assert_eq!(Watch::new(100).nap_ms(at(0)), LONGEST_NAP);
    }
}
