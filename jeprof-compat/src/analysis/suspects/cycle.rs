//! The slowest cycle of a process: how long what comes and goes stays. Pure.
//!
//! # Derivation
//! Whoever watches a heap for ten minutes cannot tell a leak from what is freed after an hour; but a process
//! shows at its other places how slow it is. The cycle of a stack is the life that half of the memory goes
//! to, that its freed blocks held: the median of the lifetimes, each weighed with its bytes and its length,
//! or a million brief lives would hide a slow one beside them. It is 1.7 times the mean for exponential
//! lives, of which three cycles leave one in 150, and the age itself where all live as long. A place that
//! gives most of it back at one time has the time between as its cycle.
//!
//! Containers free the old block when they take a bigger one: that is growth and no cycle, so their lives
//! do not count.

use profile_format::lifetimes;

use super::evidence::{Evidence, LEAST};
use super::paths::Paths;
use crate::profile::model::Weighed;

/// Share of the run that brief lives have.
const BRIEF: f64 = 0.025;

/// A cycle, and where it was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cycle {
    /// What it takes.
    pub seconds: f64,
    /// Who has it.
    pub place: Place,
}

/// Where a cycle was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a stack of the last dump, of which nothing needs to be live: the index of its sample.
    Stack(usize),
    /// At a group: the frame that is to blame.
    Frame(usize),
}

/// The slowest cycle of all stacks whose number is not in `containers`; `falls` are the times at which places
/// gave back most of what they had, in order, with the frame to blame.
pub fn slowest(
    paths: &Paths<'_>,
    containers: &[u64],
    falls: &[(usize, Vec<f64>)],
) -> Option<Cycle> {
    let run = paths.clock.run();
    let samples = paths.process.last().samples_of(paths.kind).iter();
    let lives = samples.enumerate().filter_map(|(at, sample)| {
        let facts = sample.facts.as_ref()?;
        if containers.contains(&facts.id) {
            return None;
        }
        let mut evidence = Evidence::default();
        evidence.add_freed(facts.lives.iter());
        Some(Cycle {
            seconds: of_lives(&evidence.freed, run)?,
            place: Place::Stack(at),
        })
    });
    let between = falls.iter().flat_map(|(frame, times)| {
        let first = times.first().copied();
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.chain(first).map(|seconds| Cycle {
            seconds,
            place: Place::Frame(*frame),
        })
    });
    let by_length = |a: &Cycle, b: &Cycle| a.seconds.total_cmp(&b.seconds);
    lives.chain(between).max_by(by_length)
}

/// The life that half of what was held went to; `None` where too few lives were more than brief.
fn of_lives(freed: &[Weighed], run: f64) -> Option<f64> {
    let middle =
        |bucket: usize| (lifetimes::start_ms(bucket) + lifetimes::start_ms(bucket + 1)) / 2000.0;
    let mut long = Weighed::default();
    let mut held = Vec::new();
    for (bucket, freed) in freed.iter().enumerate() {
        if middle(bucket) >= BRIEF * run {
            long.add(freed);
        }
        held.push(freed.bytes * middle(bucket));
    }
    if long.worth() < LEAST {
        return None;
    }
    let half = held.iter().sum::<f64>() / 2.0;
    let mut below = 0.0;
    let bucket = held.iter().position(|held| {
        below += held;
        below >= half
    })?;
    Some(lifetimes::start_ms(bucket + 1) / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::super::evidence::sample::evidence;
    use super::*;

    fn cycle(lives: &[(f64, u64)]) -> Option<f64> {
        of_lives(&evidence(&[], lives).freed, 7200.0)
    }

    #[test]
    fn brief_lives_do_not_hide_a_slow_one() {
        assert_eq!(cycle(&[]), None);
        assert_eq!(cycle(&[(0.01, 1_000_000)]), None, "nothing but brief");
        let slow = cycle(&[(0.01, 1_000_000), (1200.0, 50)]).expect("a cycle");
        assert!((1200.0..1500.0).contains(&slow), "{slow}");
        assert_eq!(cycle(&[(1200.0, 5)]), None, "too few");
    }

    #[test]
    fn exponential_lives_have_a_cycle_of_almost_twice_their_mean() {
        let lives: Vec<(f64, u64)> = (0..200)
            .map(|at| f64::from(at) * 30.0 + 15.0)
            .map(|life| (life, (1e5 * (-life / 600.0).exp()) as u64))
            .collect();
        let slow = cycle(&lives).expect("a cycle");
        assert!((1000.0..1300.0).contains(&slow), "{slow}");
    }
}
