//! What earlier dumps add: how much was live, what survived.
//!
//! The samples of a path that are in two dumps are the same samples, so those born before the first
//! one that are missing in the second have died, and nothing else has changed among them. Epochs
//! nest, so a cohort of the earlier dump is found again in the later one when it is cut at an epoch
//! of the later. Samples that were thinned out in between have not died: those that are left stand for
//! them, so cohorts are compared by their bytes.

use super::climb::Point;
use super::looked_at::looked_at;
use super::paths::Paths;
use crate::profile::model::{Sample, Weighed};

/// How the samples of one cohort fared from one dump to the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Survivors {
    /// Seconds at which the earlier dump was written.
    pub at: f64,
    /// Mature samples that were live then.
    pub then: u64,
    /// How many of these are live now; those that were thinned out fared as the others did.
    pub now: u64,
}

/// A drop to less than this share is a collapse.
const COLLAPSE: f64 = 0.5;

/// From no fewer samples than these. Half of the samples of a path may be thinned out between two
/// dumps; of nine that leaves no more than two, which then stand for four, in nine of a hundred
/// cases, of 36 in two of a thousand.
const COLLAPSE_FROM: f64 = 9.0;
const COLLAPSE_FROM_THINNED: f64 = 36.0;

/// Samples that stand for so much more in the later dump were thinned out.
const THINNED: f64 = 1.2;

fn states<'a>(paths: &'a Paths<'_>, member: usize) -> impl Iterator<Item = (usize, &'a Sample)> {
    let track = &paths.paths[member].track;
    let last = paths.process.dumps.len() - 1;
    let all = track.before.iter().copied().chain([(last, track.last)]);
    all.map(|(dump, sample)| {
        let profile = &paths.process.dumps[dump].profile;
        (dump, &profile.samples_of(paths.kind)[sample])
    })
}

/// Live bytes of some paths at each dump.
pub fn live(paths: &Paths<'_>, members: &[usize]) -> Vec<f64> {
    let mut live = vec![0.0; paths.process.dumps.len()];
    for &member in members {
        for (dump, sample) in states(paths, member) {
            live[dump] += sample.values.inuse_space;
        }
    }
    live
}

/// What some paths hold at each dump.
pub fn points(paths: &Paths<'_>, members: &[usize]) -> Vec<Point> {
    let dumps = paths.process.dumps.iter();
    let empty = |at: f64| Point {
        at,
        ..Point::default()
    };
    let mut points: Vec<Point> = dumps.map(|dump| empty(dump.at)).collect();
    for &member in members {
        for (dump, sample) in states(paths, member) {
            let state = &paths.process.dumps[dump];
            let facts = sample.facts.as_ref();
            let seen = facts.map(|facts| looked_at(state, paths.kind, facts));
            let (variance, share) =
                seen.map_or((0.0, 1.0), |(facts, share)| (facts.variance, share));
            let point = &mut points[dump];
            point.bytes += sample.values.inuse_space * share;
            point.blocks += sample.values.inuse_objects * share;
            point.variance += variance;
        }
    }
    points
}

/// When some paths had given back most of what they had, from one dump to the next.
pub fn collapses(paths: &Paths<'_>, members: &[usize]) -> Vec<f64> {
    let mut live = vec![Weighed::default(); paths.process.dumps.len()];
    for &member in members {
        for (dump, sample) in states(paths, member) {
            let births = sample.facts.iter().flat_map(|f| &f.births);
            births.for_each(|(_, born)| live[dump].add(born));
        }
    }
    let falls = |w: &[Weighed]| {
        let is_thinned = match (w[0].weight(), w[1].weight()) {
            (Some(before), Some(after)) => after > THINNED * before,
            _ => false,
        };
        let least = match is_thinned {
            true => COLLAPSE_FROM_THINNED,
            false => COLLAPSE_FROM,
        };
        w[0].worth() >= least && w[1].bytes < COLLAPSE * w[0].bytes
    };
    let pairs = live.windows(2).zip(paths.process.dumps.iter().skip(1));
    pairs
        .filter(|(pair, _)| falls(pair))
        .map(|(_, dump)| dump.at)
        .collect()
}

/// How the cohort fared that was born after the warm-up and mature at a dump in the middle of the
/// run; `None` without such a dump or cohort.
pub fn survivors(
    paths: &Paths<'_>,
    members: &[usize],
    begin: usize,
    age: f64,
) -> Option<Survivors> {
    let clock = &paths.clock;
    let middle = (begin as f64 * clock.width + age + clock.now) / 2.0;
    let dumps = &paths.process.dumps;
    let earlier = dumps.iter().take(dumps.len() - 1).enumerate();
    let off = |at: f64| (at - middle).abs();
    let (dump, state) = earlier.min_by(|a, b| off(a.1.at).total_cmp(&off(b.1.at)))?;
    let begin = begin as f64 * clock.width;
    let end = ((state.at - age) / clock.width).floor() * clock.width;
    let mut cohorts = [Weighed::default(); 2];
    for &member in members {
        for (at, sample) in states(paths, member) {
            let which = [dump, dumps.len() - 1].iter().position(|&d| d == at);
            if let Some(which) = which {
                let width = width(paths, at);
                cohorts[which].add(&born_between(sample, width, begin, end));
            }
        }
    }
    let [then, now] = cohorts;
    let share = (now.bytes / then.bytes).min(1.0);
    (then.bytes > 0.0).then(|| Survivors {
        at: state.at,
        then: then.samples,
        now: (then.samples as f64 * share).round() as u64,
    })
}

fn width(paths: &Paths<'_>, dump: usize) -> f64 {
    let epochs = paths.process.dumps[dump].profile.process.epochs;
    epochs.map_or(1.0, |(width, _)| width as f64 / 1000.0)
}

fn born_between(sample: &Sample, width: f64, begin: f64, end: f64) -> Weighed {
    let births = sample.facts.iter().flat_map(|f| &f.births);
    let inside = births.filter(|(epoch, ..)| {
        let start = f64::from(*epoch) * width;
        start >= begin && start + width <= end
    });
    let mut sum = Weighed::default();
    inside.for_each(|(_, born)| sum.add(born));
    sum
}
