//! Who leaks: the statistics over a series of dumps. Called by the commands; pure.
//!
//! ```text
//! series -> paths -> group -> evidence -> cohort, shape, survival -> verdict -> discovery
//!             `-> history                            power, slope      `-> tell -> report::Suspect
//! ```
//! The total against time cannot tell a leak from a cache that warms up, nor find a small leak
//! under churn. The ages of what is live can, and every dump of ours has them. Each estimator has
//! its derivation at the head of its file; `docs/leak-statistics.md` has what they find and miss.

mod cohort;
pub(crate) mod discovery;
mod evidence;
mod group;
mod history;
mod paths;
mod poisson;
mod power;
mod shape;
mod slope;
mod survival;
mod tell;
mod verdict;

use crate::report::{Conclusion, Suspect};
use crate::series::Process;
use cohort::{Cohort, Rate, Window};
use evidence::{Births, Evidence};
use group::Group;
use paths::Paths;
use verdict::{Judgement, LEAST, LEVEL, Verdict};

/// How many suspects that do not grow are named.
const OTHERS: usize = 5;

/// What the dumps of one process say of one kind of samples.
#[derive(Clone, Debug)]
pub struct Findings {
    /// In three sentences.
    pub conclusion: Conclusion,
    /// Those that grow first, by the lower bound of their rate; then the largest others.
    pub suspects: Vec<Suspect>,
    /// Bytes an hour that all leaks lose together, at least.
    pub leak_lower: f64,
    /// Bytes an hour above which a leak of one path would have been seen.
    pub floor: Option<f64>,
}

/// A group with its verdict.
struct Judged {
    group: Group,
    evidence: Evidence,
    judgement: Judgement,
}

/// Everything about one kind of samples that sentences are made of.
struct Case<'a> {
    paths: Paths<'a>,
    judged: Vec<Judged>,
    /// Growth of all paths in the common window.
    total: Rate,
    /// The smallest rate that would be seen, bytes a second.
    floor: Option<f64>,
}

/// Looks for leaks in one kind of samples, malloc's without one. The last dump is symbolized.
pub fn find(process: &Process, kind: Option<&str>) -> Findings {
    let paths = Paths::new(process, kind);
    let mut judged = judge_all(&paths);
    correct(&mut judged);
    judged.sort_by(rank);
    let all: Vec<usize> = (0..paths.paths.len()).collect();
    let everything = paths.evidence(&all);
    let total = Cohort::of(&everything, &Window::common(&paths.clock), 1.0).rate;
    let weight = weight(&everything).max(paths.period);
    let tested = judged
        .iter()
        .filter(|j| j.judgement.cohort.effective >= LEAST)
        .count();
    let floor = power::floor(&paths.clock, weight, tested);
    let case = Case {
        paths,
        judged,
        total,
        floor,
    };
    tell::findings(&case)
}

/// Bytes that a sample stands for, on average.
fn weight(evidence: &Evidence) -> f64 {
    let mut all = Births::default();
    evidence.births.iter().for_each(|b| all.add(b));
    if all.bytes == 0.0 {
        0.0
    } else {
        all.squares / all.bytes
    }
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
    sums.retain(|j| is_growth(j.judgement.verdict));
    let named = |g: &Group| {
        sums.iter()
            .any(|j| g.members.iter().all(|m| j.group.members.contains(m)))
    };
    let groups: Vec<Group> = groups.into_iter().filter(|g| !named(g)).collect();
    let mut judged: Vec<Judged> = groups.into_iter().map(judge).collect();
    judged.extend(sums);
    judged
}

fn is_growth(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Leak | Verdict::Growing)
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
            j.judgement.reason += &format!("; among {} paths tested this may be chance", p.len());
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
