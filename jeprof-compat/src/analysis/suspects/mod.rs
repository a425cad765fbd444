//! Which call paths leak: the statistics over a series of dumps. Pure; what is found are figures, and
//! `view::sentences` puts them into words.
//!
//! ```text
//! series -> paths -> group -> evidence -> cohort, shape, survival -> verdict -> discovery -> Case
//!             |-> history -> climb ----------------------------------'   cycle -> horizon -> doubt
//!             `-> history, slope -> resident                             power
//! ```
//! The total against time cannot tell a leak from a cache that warms up, nor find a small leak
//! under churn. The ages of what is live can, and every dump of ours has them. Each estimator has
//! its derivation at the head of its file; `docs/leak-statistics.md` has what they find and miss.

mod climb;
mod cohort;
mod collector;
mod cycle;
pub(crate) mod discovery;
mod doubt;
mod evidence;
mod finding;
mod group;
mod history;
mod horizon;
mod passage;
mod paths;
mod poisson;
mod power;
mod resident;
mod seen;
mod shape;
mod slope;
mod survival;
mod verdict;

use std::collections::{BTreeSet, HashSet};

use crate::analysis::series::Process;
use crate::figures::Estimate;
use crate::stacks::naming::Frame;
use crate::stacks::origin::Origin;
use cohort::Window;
use doubt::Doubts;
use evidence::{Clock, LEAST};
use verdict::LEVEL;

pub use climb::Climb;
pub use cohort::{Cohort, Rate};
pub use evidence::Evidence;
pub use finding::{Born, Reason, Verdict};
pub use group::Group;
pub use history::{Survivors, live};
pub use horizon::Horizon;
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
    /// The smallest groups, of which there are too many to be judged.
    pub left_out: usize,
    /// Growth of all paths: by what stays, or by their live bytes where these grow faster.
    pub total: Rate,
    /// It is by their live bytes.
    is_total_climbed: bool,
    /// How far the verdicts see.
    pub horizon: Horizon,
    /// How the live bytes of all paths together climb, if they do.
    pub climb: Option<Climb>,
    /// The smallest rate of one path that would be seen, bytes a second.
    pub floor: Option<f64>,
    /// What is worth saying of RSS.
    pub resident: Option<Resident>,
    /// What is called live is, and no garbage that waits for its collection.
    pub is_collected: bool,
    /// Seconds that no collection has looked at, where these are most of the run.
    pub unseen: Option<f64>,
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

    /// The deepest frame that nearly all growth passes, with its share, where no place has as much. What is too
    /// small to have a verdict counts, too.
    pub fn passage(&self) -> Option<(&Frame, f64)> {
        let grows = |j: &&Judged| {
            let verdict = j.judgement.verdict;
            verdict.is_growth() || verdict == Verdict::TooFew
        };
        let growing: Vec<&Judged> = self.judged.iter().filter(grows).collect();
        passage::of(&self.paths, &growing)
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

    /// The part of some groups in all growth, 0 to 1. Both are measured in the same way: two ways differ by
    /// some hundredths, and one place alone would not be all of it.
    pub fn share(&self, groups: &[&Judged]) -> Option<f64> {
        let whole = self.total.value;
        let parts = groups.iter().map(|j| self.growth(j)).sum::<f64>();
        (whole > 0.0).then(|| (parts / whole).min(1.0))
    }

    /// The growth of a group, measured as that of all was.
    fn growth(&self, judged: &Judged) -> f64 {
        let j = &judged.judgement;
        match (self.is_total_climbed, &j.climb) {
            (true, Some(climb)) => climb.rate.value,
            (true, None) => j.cohort.rate.value,
            (false, _) => {
                let common = Window::common(&self.paths.clock);
                Cohort::of(&judged.evidence, &common, 1.0).rate.value
            }
        }
    }

    /// Who has the slowest cycle.
    pub fn slowest(&self) -> Option<Frame> {
        match self.horizon.place? {
            cycle::Place::Frame(at) => self.paths.frames.get(at).cloned(),
            cycle::Place::Stack(at) => self.paths.culprit_of(at),
        }
    }

    /// Seconds in all after which a leak of this group may be one for certain.
    pub fn run_needed(&self, judged: &Judged) -> Option<f64> {
        let rate = judged.judgement.cohort.rate.value;
        self.horizon.run_needed(rate, self.weight)
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

/// Looks for leaks in one kind of samples, malloc's without one. The last dump is symbolized. A leak must
/// have reached an age of `asked` seconds, whatever else it needs.
pub fn find<'a>(process: &'a Process, kind: Option<&'a str>, asked: f64) -> Case<'a> {
    let paths = Paths::new(process, kind);
    let (mut judged, left_out) = judge_all(&paths);
    correct(&mut judged);
    let containers = containers(&paths);
    let climb = weigh_climbs(&paths, &mut judged, &containers);
    let horizon = Horizon::of(&paths, &judged, &containers, asked);
    let doubts = Doubts::of(&paths, horizon);
    judged.iter_mut().for_each(|j| doubts.weigh(j, &paths));
    judged.sort_by(rank);
    let all: Vec<usize> = (0..paths.paths.len()).collect();
    let everything = paths.evidence(&all);
    let (total, is_total_climbed) = total(&paths, &everything, climb.as_ref());
    let weight = weight(&everything, &paths.clock).max(paths.period);
    let tested = judged
        .iter()
        .filter(|j| j.judgement.cohort.effective >= LEAST)
        .count();
    let floor = power::floor(&paths.clock, weight, tested);
    let floor = floor.map(|least| floor_beside(&judged, &paths.clock, (weight, tested), least));
    Case {
        unseen: paths.seen.unseen,
        resident: Resident::of(&paths),
        paths,
        judged,
        left_out,
        total,
        is_total_climbed,
        horizon,
        climb,
        floor,
        is_collected: doubts.is_collected,
        weight,
    }
}

/// Groups that are looked at for what may hide in their churn.
const LOOKED_AT: usize = 20;

/// The floor of the group that hides most; of all groups those that free most.
fn floor_beside(
    judged: &[Judged],
    clock: &Clock,
    (weight, tested): (f64, usize),
    least: f64,
) -> f64 {
    let brief = Window::of_all_ages(clock).bucket;
    let mut churn: Vec<(f64, &Judged)> = judged
        .iter()
        .filter(|j| !j.judgement.verdict.is_growth())
        .map(|j| (j.evidence.freed_from(brief).bytes, j))
        .filter(|(freed, _)| *freed > 0.0)
        .collect();
    churn.sort_by(|a, b| b.0.total_cmp(&a.0));
    let floors = churn
        .iter()
        .take(LOOKED_AT)
        .map(|(_, j)| power::floor_beside(&j.evidence, clock, weight, tested, least));
    floors.fold(least, f64::max)
}

/// Growth of all paths: by what stays, or by their live bytes where these grow faster, which is told.
fn total(paths: &Paths<'_>, everything: &Evidence, climb: Option<&Climb>) -> (Rate, bool) {
    let by_age = Cohort::of(everything, &Window::common(&paths.clock), 1.0).rate;
    match climb {
        Some(climb) if climb.rate.value > by_age.value => (climb.rate, true),
        _ => (by_age, false),
    }
}

/// What the live bytes over the dumps say of each group; the answer is what they say of all together. Dumps
/// that do not tell the error of what they say are not asked.
fn weigh_climbs(paths: &Paths<'_>, judged: &mut [Judged], containers: &[u64]) -> Option<Climb> {
    let run = paths.clock.run();
    let ids: BTreeSet<u64> = containers.iter().copied().collect();
    for j in judged.iter_mut().filter(|j| j.evidence.samples > 0) {
        let points = history::points(paths, &j.group.members);
        let trail = verdict::Trail {
            climb: Climb::of(&points, run),
            is_flat: climb::is_flat(&points, run),
            freed: freed_beside(paths, &j.group.members, &ids),
        };
        verdict::weigh(&mut j.judgement, &j.evidence, &trail);
        doubt::excuse(j, &paths.frames[j.group.culprit]);
    }
    let has_ages = judged.iter().any(|j| j.evidence.samples > 0);
    // What has all but stopped climbs no more, and its word says so.
    let open = judged
        .iter()
        .filter(|j| j.judgement.verdict != Verdict::Bounded);
    let open: BTreeSet<usize> = open.flat_map(|j| j.group.members.iter().copied()).collect();
    let open: Vec<usize> = open.into_iter().collect();
    has_ages.then(|| Climb::of(&history::points(paths, &open), run))?
}

/// Bytes freed after more than a moment by some paths, but for those that have containers.
fn freed_beside(paths: &Paths<'_>, members: &[usize], containers: &BTreeSet<u64>) -> f64 {
    let brief = Window::of_all_ages(&paths.clock).bucket;
    let is_other = |m: &usize| paths.number(*m).is_none_or(|id| !containers.contains(&id));
    let others: Vec<usize> = members.iter().copied().filter(is_other).collect();
    paths.evidence(&others).freed_from(brief).bytes
}

/// The numbers of the stacks whose blocks become bigger and bigger.
fn containers(paths: &Paths<'_>) -> Vec<u64> {
    let run = paths.clock.run();
    let grows = |m: &usize| {
        let climb = Climb::of(&history::points(paths, &[*m]), run);
        climb.is_some_and(|climb| climb.in_blocks >= climb::INSIDE)
    };
    let all = (0..paths.paths.len()).filter(grows);
    all.filter_map(|m| paths.number(m)).collect()
}

/// Bytes that a sample stands for, averaged over the time behind the warm-up; 0 without samples.
fn weight(evidence: &Evidence, clock: &Clock) -> f64 {
    let window = Window::common(clock);
    let births = evidence.births.iter().skip(window.epochs.start);
    let weights: Vec<f64> = births.filter_map(|born| born.weight()).collect();
    weights.iter().sum::<f64>() / weights.len().max(1) as f64
}

/// The groups with their verdicts, and how many there was no room for.
fn judge_all(paths: &Paths<'_>) -> (Vec<Judged>, usize) {
    let mut groups = group::by_culprit(paths);
    let left_out = group::keep_largest(paths, &mut groups, group::MOST);
    let sums = group::rolled_up(paths, &groups);
    let judge = |group: Group| {
        let mut evidence = paths.evidence(&group.members);
        evidence.shrink();
        let collapses = history::collapses(paths, &group.members).len();
        let judgement = verdict::judge(&evidence, &paths.clock, collapses);
        Judged {
            group,
            evidence,
            judgement,
        }
    };
    let mut sums: Vec<Judged> = sums.into_iter().map(judge).collect();
    sums.retain(|j| j.judgement.verdict.is_growth());
    let members = |j: &Judged| j.group.members.iter().copied().collect();
    let named: Vec<HashSet<usize>> = sums.iter().map(members).collect();
    let named = |g: &Group| {
        named
            .iter()
            .any(|members| g.members.iter().all(|m| members.contains(m)))
    };
    let groups: Vec<Group> = groups.into_iter().filter(|g| !named(g)).collect();
    let mut judged: Vec<Judged> = groups.into_iter().map(judge).collect();
    judged.extend(sums);
    (judged, left_out)
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
