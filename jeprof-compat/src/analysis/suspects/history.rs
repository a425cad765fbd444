//! What earlier dumps add: how much was live, what survived.
//!
//! The samples of a path that are in two dumps are the same samples, so those born before the first
//! one that are missing in the second have died, and nothing else has changed among them. Epochs
//! nest, so a cohort of the earlier dump is found again in the later one when it is cut at an epoch
//! of the later. Samples that were thinned out in between have not died: those that are left stand for
//! them, so cohorts are compared by their bytes.

use std::collections::BTreeMap;

use super::climb::Point;
use super::paths::Paths;
use super::seen::{Held, width};
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

/// The same, of the dumps that know something, with what they know.
fn known<'a>(paths: &'a Paths<'_>, member: usize) -> impl Iterator<Item = (usize, Held<'a>)> {
    states(paths, member)
        .filter_map(|(dump, sample)| Some((dump, paths.seen.dump(dump)?.held(sample))))
}

/// Live bytes of some paths at each dump, garbage that waits for its collection among them.
pub fn live(paths: &Paths<'_>, members: &[usize]) -> Vec<f64> {
    let mut live = vec![0.0; paths.process.dumps.len()];
    for &member in members {
        for (dump, sample) in states(paths, member) {
            live[dump] += sample.values.inuse_space;
        }
    }
    live
}

/// What some paths held when each dump knew it.
pub fn points(paths: &Paths<'_>, members: &[usize]) -> Vec<Point> {
    let empty = |at: f64| Point {
        at,
        ..Point::default()
    };
    let known = paths.seen.known();
    let mut points: BTreeMap<usize, Point> =
        known.map(|(dump, cut)| (dump, empty(cut.at))).collect();
    for &member in members {
        for (dump, held) in self::known(paths, member) {
            let point = points.entry(dump).or_default();
            point.bytes += held.bytes;
            point.blocks += held.blocks;
            point.variance += held.variance;
        }
    }
    points.into_values().collect()
}

/// When some paths had given back most of what they had, from one dump to the next.
pub fn collapses(paths: &Paths<'_>, members: &[usize]) -> Vec<f64> {
    let known = paths.seen.known();
    let mut live: BTreeMap<usize, (f64, Weighed)> = known
        .map(|(dump, cut)| (dump, (cut.at, Weighed::default())))
        .collect();
    for &member in members {
        for (dump, held) in self::known(paths, member) {
            let sum = &mut live.entry(dump).or_default().1;
            held.births.for_each(|(_, born)| sum.add(&born));
        }
    }
    let falls = |w: &[(f64, Weighed)]| {
        let [(_, before), (_, after)] = w else {
            return false;
        };
        let is_thinned = match (before.weight(), after.weight()) {
            (Some(before), Some(after)) => after > THINNED * before,
            _ => false,
        };
        let least = match is_thinned {
            true => COLLAPSE_FROM_THINNED,
            false => COLLAPSE_FROM,
        };
        before.worth() >= least && after.bytes < COLLAPSE * before.bytes
    };
    let live: Vec<_> = live.into_values().collect();
    let pairs = live.windows(2);
    pairs.filter(|w| falls(w)).map(|w| w[1].0).collect()
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
    let last = paths.process.dumps.len() - 1;
    let earlier = paths.seen.known().filter(|(dump, _)| *dump != last);
    let off = |at: f64| (at - middle).abs();
    let (dump, cut) = earlier.min_by(|a, b| off(a.1.at).total_cmp(&off(b.1.at)))?;
    let begin = begin as f64 * clock.width;
    let end = ((cut.at - age) / clock.width).floor() * clock.width;
    let mut cohorts = [Weighed::default(); 2];
    for &member in members {
        for (at, held) in known(paths, member) {
            let which = [dump, last].iter().position(|&d| d == at);
            if let Some(which) = which {
                let width = width(&paths.process.dumps[at].profile);
                cohorts[which].add(&born_between(&held, width, begin, end));
            }
        }
    }
    let [then, now] = cohorts;
    let share = (now.bytes / then.bytes).min(1.0);
    (then.bytes > 0.0).then(|| Survivors {
        at: cut.at,
        then: then.samples,
        now: (then.samples as f64 * share).round() as u64,
    })
}

fn born_between(held: &Held<'_>, width: f64, begin: f64, end: f64) -> Weighed {
    let inside = held.births.filter(|(epoch, ..)| {
        let start = f64::from(*epoch) * width;
        start >= begin && start + width <= end
    });
    let mut sum = Weighed::default();
    inside.for_each(|(_, born)| sum.add(&born));
    sum
}
