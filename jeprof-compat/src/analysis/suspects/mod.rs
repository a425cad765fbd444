//! Which call paths leak: the statistics over a series of dumps. Pure; what is found are figures, and
//! `view::sentences` puts them into words.
//!
//! ```text
//! series -> paths -> group -> evidence -> cohort, shape, survival -> verdict -> discovery -> Case
//!             `-> history, slope -> resident                            power
//! ```
//! The total against time cannot tell a leak from a cache that warms up, nor find a small leak
//! under churn. The ages of what is live can, and every dump of ours has them. Each estimator has
//! its derivation at the head of its file; `docs/leak-statistics.md` has what they find and miss.

mod cohort;
pub(crate) mod discovery;
mod evidence;
mod finding;
mod group;
mod history;
mod paths;
mod poisson;
mod power;
mod resident;
mod shape;
mod slope;
mod survival;
mod verdict;

use crate::analysis::series::Process;
use crate::figures::Estimate;
use crate::stacks::origin::Origin;
use cohort::Window;
use evidence::{Clock, LEAST};
use verdict::LEVEL;

pub use cohort::{Cohort, Rate};
pub use evidence::Evidence;
pub use finding::{Born, Reason, Verdict};
pub use group::Group;
pub use history::{Survivors, live};
pub use paths::Paths;
pub use resident::{Resident, most_grown, time_to_limit};
pub use verdict::Judgement;

/// How many suspects that do not grow are named.
const OTHERS: usize = 5;

/// Share of the live bytes from which on a path that does not grow is named.
const BIG: f64 = 0.01;

/// A group with its verdict.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Its paths.
    pub group: Group,
    /// What the last dump says of them.
    pub evidence: Evidence,
    /// What follows from it.
    pub judgement: Judgement,
}

/// What the dumps of one process say of one kind of samples.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// All call paths.
    pub paths: Paths<'a>,
    /// Leaks first, then what grows, then the rest.
    pub judged: Vec<Judged>,
    /// Growth of all paths in the common window.
    pub total: Rate,
    /// The smallest rate of one path that would be seen, bytes a second.
    pub floor: Option<f64>,
    /// What is called live is, and no garbage that waits for its collection.
    pub is_collected: bool,
    /// What a sample stands for, averaged over time.
    weight: f64,
}

/// What would bring a verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Needed {
    /// Seconds in all at this period.
    pub seconds: f64,
    /// The binary logarithm of the period that would do in the same time, where it is a lower one.
    pub lg_period: Option<u32>,
}

impl Case<'_> {
    /// The groups with this verdict.
    pub fn with(&self, verdict: Verdict) -> Vec<&Judged> {
        let same = |j: &&Judged| j.judgement.verdict == verdict;
        self.judged.iter().filter(same).collect()
    }

    /// The groups to be named: all that grow by the lower bound of their rate, then the largest others.
    pub fn suspects(&self) -> Vec<&Judged> {
        let (growing, others): (Vec<_>, Vec<_>) = self
            .judged
            .iter()
            .partition(|j| j.judgement.verdict.is_growth());
        let live = self.live();
        let others = others
            .into_iter()
            .filter(|j| j.evidence.bytes >= BIG * live);
        growing.into_iter().chain(others.take(OTHERS)).collect()
    }

    /// Who asked for most of a group of malloc's.
    pub fn origin(&self, judged: &Judged) -> Option<Origin> {
        let paths = &self.paths;
        if paths.kind.is_some() {
            return None;
        }
        let path = paths.paths.get(paths.heaviest(&judged.group.members))?;
        let profile = paths.process.last();
        Origin::of(profile, profile.samples.get(path.track.last)?)
    }

    /// Live bytes of all groups.
    pub fn live(&self) -> f64 {
        self.judged.iter().map(|j| j.evidence.bytes).sum()
    }

    /// Bytes an hour that all leaks lose together, at least.
    pub fn leak_lower(&self) -> f64 {
        let leaks = self.with(Verdict::Leak).into_iter();
        let hourly = leaks.map(|j| j.judgement.cohort.rate.lower * 3600.0);
        // A sum of nothing is -0, and would be written so.
        0.0 + hourly.sum::<f64>()
    }

    /// Bytes a second that all leaks lose together.
    pub fn leak_rate(&self) -> Estimate {
        let (mut sum, mut low, mut high) = (0.0, 0.0, 0.0);
        for leak in self.with(Verdict::Leak) {
            let rate = leak.judgement.cohort.rate;
            sum += rate.value;
            low += (rate.value - rate.lower).powi(2);
            high += (rate.upper - rate.value).powi(2);
        }
        Estimate {
            value: sum,
            low: (sum - f64::sqrt(low)).max(0.0),
            high: sum + f64::sqrt(high),
        }
    }

    /// A rate's part of all growth, 0 to 1.
    pub fn share(&self, rate: f64) -> Option<f64> {
        let whole = self.total.value;
        (whole > 0.0).then(|| (rate / whole).min(1.0))
    }

    /// What a verdict on this rate, in bytes a second, needs.
    pub fn needed(&self, rate: f64) -> Option<Needed> {
        let (clock, weight) = (&self.paths.clock, self.weight);
        let time = power::time_needed(rate, weight, clock)?;
        let lower =
            power::period_needed(rate, weight, clock).filter(|lg| 2f64.powi(*lg as i32) < weight);
        Some(Needed {
            seconds: time.max(clock.run()),
            lg_period: lower,
        })
    }

    /// How the old samples of a group fared.
    pub fn survivors(&self, judged: &Judged) -> Option<Survivors> {
        let window = &judged.judgement.window;
        let members = &judged.group.members;
        history::survivors(&self.paths, members, window.epochs.start, window.age)
    }
}

/// Looks for leaks in one kind of samples, malloc's without one. The last dump is symbolized.
pub fn find<'a>(process: &'a Process, kind: Option<&'a str>) -> Case<'a> {
    let paths = Paths::new(process, kind);
    let mut judged = judge_all(&paths);
    correct(&mut judged);
    let is_collected = is_collected(process, kind);
    if !is_collected {
        doubt(&mut judged);
    }
    judged.sort_by(rank);
    let all: Vec<usize> = (0..paths.paths.len()).collect();
    let everything = paths.evidence(&all);
    let total = Cohort::of(&everything, &Window::common(&paths.clock), 1.0).rate;
    let weight = weight(&everything, &paths.clock).max(paths.period);
    let tested = judged
        .iter()
        .filter(|j| j.judgement.cohort.effective >= LEAST)
        .count();
    let floor = power::floor(&paths.clock, weight, tested);
    Case {
        paths,
        judged,
        total,
        floor,
        is_collected,
        weight,
    }
}

/// Is what the dumps call live really live? An object of a runtime that counts its collections is live until
/// one of them finds it dead, and the ordinary ones pass over what is old: only those that were asked for
/// before the dumps prove anything.
fn is_collected(process: &Process, kind: Option<&str>) -> bool {
    let kind = kind.and_then(|kind| process.last().other_kinds.get(kind));
    let forced = kind.and_then(|kind| kind.get("collections_forced"));
    forced.is_none_or(|number| number.parse::<u64>().is_ok_and(|number| number > 0))
}

/// What may be garbage that waits for its collection is no leak yet.
fn doubt(judged: &mut [Judged]) {
    for j in judged {
        if j.judgement.verdict == Verdict::Leak {
            j.judgement.verdict = Verdict::Growing;
        }
    }
}

/// Bytes that a sample stands for, averaged over the time behind the warm-up; 0 without samples.
fn weight(evidence: &Evidence, clock: &Clock) -> f64 {
    let window = Window::common(clock);
    let births = evidence.births.iter().skip(window.epochs.start);
    let weights: Vec<f64> = births.filter_map(|born| born.weight()).collect();
    weights.iter().sum::<f64>() / weights.len().max(1) as f64
}

fn judge_all(paths: &Paths<'_>) -> Vec<Judged> {
    let groups = group::by_culprit(paths);
    let sums = group::rolled_up(paths, &groups);
    let judge = |group: Group| {
        let evidence = paths.evidence(&group.members);
        let collapses = history::collapses(paths, &group.members);
        let judgement = verdict::judge(&evidence, &paths.clock, collapses);
        Judged {
            group,
            evidence,
            judgement,
        }
    };
    let mut sums: Vec<Judged> = sums.into_iter().map(judge).collect();
    sums.retain(|j| j.judgement.verdict.is_growth());
    let named = |g: &Group| {
        sums.iter()
            .any(|j| g.members.iter().all(|m| j.group.members.contains(m)))
    };
    let groups: Vec<Group> = groups.into_iter().filter(|g| !named(g)).collect();
    let mut judged: Vec<Judged> = groups.into_iter().map(judge).collect();
    judged.extend(sums);
    judged
}

/// A leak must also hold against the number of paths that were tested.
fn correct(judged: &mut [Judged]) {
    let tested = |j: &&Judged| j.judgement.cohort.effective >= LEAST;
    let p: Vec<f64> = judged
        .iter()
        .filter(tested)
        .map(|j| j.judgement.p)
        .collect();
    let threshold = discovery::threshold(&p, LEVEL);
    for j in judged {
        if j.judgement.verdict == Verdict::Leak && j.judgement.p > threshold {
            j.judgement.verdict = Verdict::Growing;
            j.judgement.chance_among = Some(p.len());
        }
    }
}

/// Leaks before what grows before the rest; by the lower bound of growth, then by size.
fn rank(a: &Judged, b: &Judged) -> std::cmp::Ordering {
    let class = |j: &Judged| match j.judgement.verdict {
        Verdict::Leak => 0,
        Verdict::Growing => 1,
        _ => 2,
    };
    let lower = |j: &Judged| {
        if class(j) == 2 {
            0.0
        } else {
            j.judgement.cohort.rate.lower
        }
    };
    class(a)
        .cmp(&class(b))
        .then(lower(b).total_cmp(&lower(a)))
        .then(b.evidence.bytes.total_cmp(&a.evidence.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::series::Dump;
    use crate::profile::model::{OtherKind, Profile};

    #[test]
    fn only_collections_that_were_asked_for_prove_life() {
        let process = |fact: Option<&str>| {
            let facts = fact.map(|number| ("collections_forced".to_owned(), number.to_owned()));
            let kind = OtherKind {
                facts: facts.into_iter().collect(),
                ..OtherKind::default()
            };
            let profile = Profile {
                other_kinds: [("java_heap".to_owned(), kind)].into(),
                ..Profile::default()
            };
            Process {
                name: "pid 1".to_owned(),
                dumps: vec![Dump {
                    path: "a.heap".into(),
                    at: 1.0,
                    profile,
                }],
            }
        };
        let collected = |fact, kind| is_collected(&process(fact), kind);
        assert!(!collected(Some("0"), Some("java_heap")));
        assert!(collected(Some("3"), Some("java_heap")));
        assert!(
            collected(None, Some("java_heap")),
            "a heap that counts none"
        );
        assert!(collected(Some("0"), None), "malloc");
    }
}
