//! How memory went, and where RSS is. Part of the report's data; pure.

use serde::Serialize;

use super::EXIT;
use super::state::{State, number};
use crate::figures::{Estimate, words};
use crate::profile::account::{self, Part};
use crate::profile::model::{Profile, Sample, ValueKind};

/// Points of the timeline.
const MOST_POINTS: usize = 1000;

/// Seconds between two points over which processor time says something.
const MOMENT: f64 = 0.25;

/// The timeline.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Timeline {
    /// In order of time; a dump has a point of its own.
    pub points: Vec<Point>,
    /// In order of time: the same order as the columns of every [`super::Kind`].
    pub dumps: Vec<Dump>,
    /// Whose live bytes [`Point::live`] has, where it is not malloc: [`super::Kind::title`].
    pub kind: Option<String>,
    /// What must not be reached, if there is such a limit.
    pub limit: Option<Limit>,
    /// Events worth a line: the end, a restart.
    pub marks: Vec<Mark>,
}

/// What was known at one moment. Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    /// Seconds since the process started.
    pub seconds: f64,
    /// Resident set.
    pub rss: Option<f64>,
    /// Live bytes of the kind that the report is about, with their 95 % band.
    pub live: Option<Estimate>,
    /// Live bytes of malloc, where the report is about another kind.
    pub malloc: Option<f64>,
    /// What the allocator has mapped, when it said so.
    pub mapped: Option<f64>,
    /// Processors that the program kept busy since the point before.
    pub load: Option<f64>,
}

/// One dump.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Dump {
    /// Seconds since the process started.
    pub seconds: f64,
    /// Why it was written, in a word: `timer`, `signal`, `end`.
    pub trigger: String,
    /// Its file name, without directory.
    pub file: String,
}

/// A limit of memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Limit {
    /// Where it lies.
    pub bytes: f64,
    /// Whose it is: `cgroup limit`.
    pub name: String,
}

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Mark {
    /// Seconds since the process started.
    pub seconds: f64,
    /// What happened, in a word or two: `exit`, `OOM`, `started again`.
    pub label: String,
    /// What happened, in a sentence.
    pub text: String,
}

/// The account of RSS at one dump.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Account {
    /// Index into [`Timeline::dumps`].
    pub dump: usize,
    /// The whole.
    pub rss: f64,
    /// Its parts, in the same order at every dump.
    pub parts: Vec<Share>,
    /// Bytes that are live in malloc's blocks and not resident.
    pub not_resident: f64,
}

/// A part of RSS.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Share {
    /// `live heap`, `allocator overhead`, `thread stacks`, `files`, `GC heap`, `other`.
    pub name: String,
    /// Resident bytes of it.
    pub bytes: f64,
    /// What it is, in a sentence, and what helps when it grows.
    pub meaning: String,
}

impl Timeline {
    /// Points of all dumps, or of some where they are many; and what every shown dump is.
    pub(super) fn of(states: &[State<'_>], shown: &[State<'_>], last: &State<'_>) -> Timeline {
        let point = |s: &State<'_>| Point {
            seconds: s.seconds,
            rss: number(s.profile, "rss_bytes"),
            live: Some(live(s.profile)),
            ..Point::default()
        };
        let dump = |s: &State<'_>| Dump {
            seconds: s.seconds,
            trigger: s
                .profile
                .process
                .get("trigger")
                .unwrap_or_default()
                .to_owned(),
            file: s.file.to_owned(),
        };
        let limit = number(last.profile, "cgroup_limit_bytes");
        let step = states.len().div_ceil(MOST_POINTS).max(1);
        let has_point = |(at, s): &(usize, &State<'_>)| s.is_shown || at % step == 0;
        let points = states.iter().enumerate().filter(has_point);
        let mut points: Vec<Point> = points.map(|(_, s)| point(s)).collect();
        let used: Vec<Option<f64>> = states.iter().map(|s| number(s.profile, "cpu_us")).collect();
        load(&mut points, states, &used);
        Timeline {
            points,
            dumps: shown.iter().map(dump).collect(),
            limit: limit.map(|bytes| Limit {
                bytes,
                name: "cgroup limit".to_owned(),
            }),
            marks: end(last).into_iter().collect(),
            ..Timeline::default()
        }
    }
}

/// Processors that were busy between two points, by the processor time that each dump gives. Dumps that follow
/// each other within a moment share what they cannot tell apart.
fn load(points: &mut [Point], states: &[State<'_>], used: &[Option<f64>]) {
    let mut before: Option<(f64, f64)> = None;
    for point in points {
        let at = states.iter().position(|s| s.seconds == point.seconds);
        let Some(used) = at.and_then(|at| used[at]) else {
            continue;
        };
        match before {
            Some((seconds, _)) if point.seconds - seconds < MOMENT => continue,
            Some((seconds, then)) => {
                let busy = (used - then).max(0.0) / 1e6;
                point.load = Some(busy / (point.seconds - seconds));
            }
            None => {}
        }
        before = Some((point.seconds, used));
    }
}

/// The dump of the exit handlers marks the end of a program that ended by itself.
fn end(last: &State<'_>) -> Option<Mark> {
    let is_exit = last.profile.process.get("trigger") == Some("final");
    is_exit.then(|| Mark {
        seconds: last.seconds,
        label: EXIT.to_owned(),
        text: "The program's exit: the dump of its exit handlers.".to_owned(),
    })
}

fn live(profile: &Profile) -> Estimate {
    let value = profile.total(ValueKind::InuseSpace);
    let variance = |s: &Sample| s.facts.as_ref().map_or(0.0, |f| f.variance);
    Estimate::of(value, profile.samples.iter().map(variance).sum())
}

impl Account {
    /// Of a shown dump; nothing where the dump does not say what RSS is.
    pub(super) fn of((at, state): (usize, &State<'_>)) -> Option<Account> {
        let account = account::Account::of(state.profile)?;
        // Less is within the error of the estimate.
        let is_cut = account.not_resident > 0.1 * account.get(Part::LiveHeap);
        let parts = account.parts.iter().map(|(part, bytes)| {
            let mut meaning = part.meaning(state.profile).to_owned();
            if *part == Part::LiveHeap && is_cut {
                meaning += &format!(
                    " It holds {} more that are not resident: never written to, or swapped out.",
                    words::bytes(account.not_resident)
                );
            }
            Share {
                name: part.name().to_owned(),
                bytes: *bytes,
                meaning,
            }
        });
        Some(Account {
            dump: at,
            rss: account.rss,
            parts: parts.collect(),
            not_resident: match is_cut {
                true => account.not_resident,
                false => 0.0,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_processor_time_between_two_dumps_and_the_exit_is_marked() {
        let profile = |cpu_us: u64, trigger: &str| {
            let mut profile = Profile::default();
            profile.process.entries = vec![
                ("cpu_us".to_owned(), cpu_us.to_string()),
                ("trigger".to_owned(), trigger.to_owned()),
            ];
            profile
        };
        let profiles = [
            profile(100_000, "timer"),
            profile(1_100_000, "timer"),
            profile(1_101_000, "highwater"),
            profile(4_100_000, "final"),
        ];
        let state = |(profile, seconds)| State {
            seconds,
            file: "",
            profile,
            is_shown: true,
        };
        let times = [1.0, 3.0, 3.1, 4.0];
        let states: Vec<State<'_>> = profiles.iter().zip(times).map(state).collect();
        let timeline = Timeline::of(&states, &states, &states[3]);
        let load: Vec<Option<f64>> = timeline.points.iter().map(|p| p.load).collect();
        // Of a moment nothing is said; what was used in it counts in the next.
        assert_eq!(load, [None, Some(0.5), None, Some(3.0)]);
        assert_eq!(timeline.marks.len(), 1);
        assert_eq!(
            (timeline.marks[0].seconds, &*timeline.marks[0].label),
            (4.0, EXIT)
        );
    }
}
