//! Resident memory beside the live heap: whether it grows with it, where it grows otherwise, and
//! when it reaches a limit. Pure.

use super::climb::{Climb, Point};
use super::history;
use super::paths::Paths;
use super::slope::slope;
use crate::analysis::series::Dump;
use crate::profile::account::{Account, Part};
use crate::profile::model::JAVA_HEAP;

/// RSS that grows less than this between the first dump and the last is not talked of: of a long run of which only the
/// last dumps are kept, some seconds are known, and what comes and goes in these is no rate.
const RSS_GROWTH: f64 = 8.0 * 1_048_576.0;

/// What is worth saying of RSS.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resident {
    /// It grows: bytes a second.
    Grows {
        /// RSS.
        rss: f64,
        /// The live heap.
        heap: f64,
        /// To the end, by all that can be told.
        goes_on: bool,
        /// It is a collected heap of which what lives does not grow: garbage that waits for its collection.
        is_garbage: bool,
    },
    /// It does not, but is far more than the live heap: bytes.
    Exceeds {
        /// Private memory that is resident.
        anonymous: f64,
        /// What is live.
        live: f64,
    },
}

impl Resident {
    /// Of malloc's samples; nothing where there is nothing to say.
    pub fn of(paths: &Paths<'_>) -> Option<Resident> {
        if paths.kind.is_some() {
            return None;
        }
        let all: Vec<usize> = (0..paths.paths.len()).collect();
        let live = history::live(paths, &all);
        let dumps = paths.process.dumps.iter().enumerate();
        let points: Vec<(f64, f64)> = dumps
            .filter_map(|(at, d)| Some((d.at, fact(paths, at, "rss_bytes")?)))
            .collect();
        let times = paths.process.dumps.iter().map(|d| d.at);
        let heap: Vec<(f64, f64)> = times.zip(live.iter().copied()).collect();
        if let (Some(rss), Some(heap)) = (slope(&points), slope(&heap))
            && rss * watched(&points) > RSS_GROWTH
        {
            return Some(Resident::Grows {
                rss,
                heap,
                goes_on: goes_on(&points, paths.clock.run()),
                is_garbage: is_garbage(paths),
            });
        }
        let anonymous = fact(paths, paths.process.dumps.len() - 1, "rss_anonymous_bytes")?;
        let live = *live.last()?;
        let gap = anonymous - live;
        let exceeds = gap > 4.0 * RSS_GROWTH && gap > live;
        exceeds.then_some(Resident::Exceeds { anonymous, live })
    }

    /// It grows, and mostly not with the live heap.
    pub fn grows_elsewhere(&self) -> bool {
        match self {
            Resident::Grows { rss, heap, .. } => *rss > 2.0 * heap.max(0.0),
            Resident::Exceeds { .. } => false,
        }
    }
}

/// Seconds between the first point and the last.
fn watched(points: &[(f64, f64)]) -> f64 {
    let (first, last) = (points.first(), points.last());
    first
        .zip(last)
        .map_or(0.0, |(first, last)| last.0 - first.0)
}

/// Whether RSS climbs over the dumps, to the end no slower than before: a heap that grows into the room it needs
/// (V8's young generation, malloc's arenas) slows down.
fn goes_on(rss: &[(f64, f64)], run: f64) -> bool {
    let point = |&(at, bytes): &(f64, f64)| Point {
        at,
        bytes,
        ..Point::default()
    };
    let points: Vec<Point> = rss.iter().map(point).collect();
    Climb::of(&points, run).is_some_and(|climb| !climb.slows)
}

/// Whether what grows most is the JVM's heap, and what is known to live there does not climb.
fn is_garbage(paths: &Paths<'_>) -> bool {
    if !matches!(most_grown(paths), Some((Part::JavaHeap, _))) {
        return false;
    }
    let objects = Paths::new(paths.process, Some(JAVA_HEAP));
    let all: Vec<usize> = (0..objects.paths.len()).collect();
    let points = history::points(&objects, &all);
    points.len() > 1 && Climb::of(&points, objects.clock.run()).is_none()
}

/// The part of RSS that grew most from the first dump to the last, and by how much.
pub fn most_grown(paths: &Paths<'_>) -> Option<(Part, f64)> {
    let account = |dump: &Dump| Account::of(&dump.profile);
    let dumps = &paths.process.dumps;
    let first = dumps.first().and_then(account)?;
    let last = dumps.last().and_then(account)?;
    last.most_grown(&first)
}

/// The memory limit in bytes, and the seconds until a growth of `rate` bytes a second reaches it.
pub fn time_to_limit(paths: &Paths<'_>, rate: f64) -> Option<(f64, f64)> {
    let last = paths.process.dumps.len() - 1;
    let limit = fact(paths, last, "cgroup_limit_bytes")?;
    let rss = fact(paths, last, "rss_bytes")?;
    (limit > rss && rate > 0.0).then(|| (limit, (limit - rss) / rate))
}

fn fact(paths: &Paths<'_>, dump: usize, key: &str) -> Option<f64> {
    let process = &paths.process.dumps[dump].profile.process;
    process.get(key)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::series::{Process, Series};
    use crate::profile::model::Profile;

    /// A process of which RSS grows by 1 MB a second, seen from one second to another.
    fn growing(from: u32, to: u32) -> Process {
        let dump = |second: u32| {
            let mut profile = Profile::default();
            let rss = (100 + second) << 20;
            profile.process.entries = vec![("rss_bytes".to_owned(), rss.to_string())];
            Dump {
                path: "m.heap".into(),
                at: f64::from(second),
                profile,
            }
        };
        let mut series = Series::of("m", (from..=to).map(dump).collect());
        series.processes.remove(0)
    }

    #[test]
    fn some_seconds_of_hours_are_no_rate() {
        let grows = |from, to| Resident::of(&Paths::new(&growing(from, to), None));
        assert_eq!(grows(7_000, 7_005), None);
        let Some(Resident::Grows { rss, .. }) = grows(0, 20) else {
            panic!("it grows");
        };
        assert!((rss - 1_048_576.0).abs() < 1.0, "{rss}");
    }
}
