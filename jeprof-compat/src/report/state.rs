//! A dump as the report wants it, and which of many dumps a page shows. Pure.

use std::collections::BTreeSet;

use super::MOST_STACKS;
use crate::profile::model::Profile;

/// A dump as the report wants it.
#[derive(Clone, Copy, Debug)]
pub struct State<'a> {
    /// Seconds since the process started.
    pub seconds: f64,
    /// File name without directory.
    pub file: &'a str,
    /// Symbolized, when it is shown.
    pub profile: &'a Profile,
    /// Its stacks are in the page; of others only the totals are.
    pub is_shown: bool,
}

/// Stacks times dumps that a page has of one kind, about: some megabytes.
const MOST_CELLS: usize = 400_000;

/// Dumps that a page has in any case, and those beyond which nobody looks at each.
const DUMPS: (usize, usize) = (10, 120);

/// Which of many dumps a page shows, given the seconds of all in order and how many stacks one has:
/// first, last, and evenly over time between.
pub fn shown(seconds: &[f64], stacks: usize) -> BTreeSet<usize> {
    let (Some(first), Some(last)) = (seconds.first(), seconds.last()) else {
        return BTreeSet::new();
    };
    let most = (MOST_CELLS / stacks.clamp(1, MOST_STACKS)).clamp(DUMPS.0, DUMPS.1);
    if seconds.len() <= most {
        return (0..seconds.len()).collect();
    }
    let step = (last - first) / (most - 1) as f64;
    let nearest = |wanted: f64| {
        let after = seconds.partition_point(|s| *s < wanted);
        let before = after.saturating_sub(1);
        match seconds.get(after) {
            Some(next) if next - wanted < wanted - seconds[before] => after,
            _ => before,
        }
    };
    let middle = (1..most - 1).map(|n| nearest(first + n as f64 * step));
    middle.chain([0, seconds.len() - 1]).collect()
}

/// A fact of a dump that is a number; none of these is below zero, whatever a dump says.
pub(super) fn number(profile: &Profile, key: &str) -> Option<f64> {
    let number: f64 = profile.process.get(key)?.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_dumps_some_are_shown() {
        let all = |shown: BTreeSet<usize>, many: usize| shown == (0..many).collect();
        assert!(shown(&[], 7).is_empty());
        assert!(all(shown(&[3.0], 7), 1) && all(shown(&[0.0, 1.0, 2.0], 7), 3));
        let seconds: Vec<f64> = (0..5000).map(f64::from).collect();
        let some = shown(&seconds, 10);
        assert_eq!(
            (some.len(), some.first(), some.last()),
            (120, Some(&0), Some(&4999))
        );
        assert_eq!(shown(&seconds, 20_000).len(), 20);
        assert_eq!(shown(&seconds, usize::MAX).len(), 10);
        // A burst at the end does not use up all places; equal times are no trap.
        let burst: Vec<f64> = (0..100).chain([100; 900]).map(f64::from).collect();
        let some = shown(&burst, 20_000);
        assert!(some.iter().filter(|at| **at < 100).count() > 15);
        assert_eq!(shown(&[1.0; 500], 10).len(), 2);
    }
}
