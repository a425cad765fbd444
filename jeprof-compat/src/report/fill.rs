//! What a report says of dumps before any statistics: header, timeline, account of RSS, stacks. Pure.

use std::collections::BTreeSet;

use super::{
    Account, Cell, Dump, Fact, Header, Kind, KindBuilder, Limit, MOST_STACKS, Point, Report, Share,
    Timeline,
};
use crate::figures::{Estimate, date, words};
use crate::profile::account::{self, Part};
use crate::profile::model::{MALLOC, Profile, Sample, ValueKind};
use crate::stacks::Interner;
use crate::stacks::filter;
use crate::stacks::naming::Namesakes;

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

/// Upper bounds of age classes that a reader may ask for, in seconds.
const AGES: [f64; 6] = [60.0, 600.0, 3600.0, 21_600.0, 86_400.0, 604_800.0];

/// Stacks times dumps that a page has of one kind, about: some megabytes.
const MOST_CELLS: usize = 400_000;

/// Dumps that a page has in any case, and those beyond which nobody looks at each.
const DUMPS: (usize, usize) = (10, 120);

/// Points of the timeline.
const MOST_POINTS: usize = 1000;

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

impl Report {
    /// Everything but verdict and suspects; `states` by time, of one process.
    pub fn of_dumps(states: &[State<'_>]) -> Report {
        let Some(last) = states.last() else {
            return Report::default();
        };
        let is_shown = |s: &&State<'_>| s.is_shown;
        let shown: Vec<State<'_>> = states.iter().filter(is_shown).copied().collect();
        let kinds = kinds(&shown);
        Report {
            header: header(states, last, kinds.first()),
            timeline: timeline(states, &shown, last),
            accounts: shown.iter().enumerate().filter_map(account).collect(),
            notes: left_out(states.len(), shown.len(), &kinds),
            kinds,
            ..Report::default()
        }
    }
}

/// What a page of bounded size does not have.
fn left_out(dumps: usize, shown: usize, kinds: &[Kind]) -> Vec<String> {
    let mut notes = Vec::new();
    if shown < dumps {
        notes.push(format!(
            "Of {dumps} dumps the call paths of {shown} are here, evenly over time; verdict and suspects are of all"
        ));
    }
    for kind in kinds.iter().filter(|kind| kind.folded > 0) {
        notes.push(format!(
            "{}: the {} smallest call paths are one here",
            kind.title, kind.folded
        ));
    }
    notes
}

/// None of these is below zero, whatever a dump says.
fn number(profile: &Profile, key: &str) -> Option<f64> {
    let number: f64 = profile.process.get(key)?.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

fn header(states: &[State<'_>], last: &State<'_>, malloc: Option<&Kind>) -> Header {
    let fact = |key: &str| last.profile.process.get(key);
    let command = fact("command").unwrap_or_default();
    let program = command.split(' ').next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    let mut facts = Vec::new();
    let mut add = |name: &str, text: Option<String>, warning: bool| {
        facts.extend(text.map(|text| Fact {
            name: name.to_owned(),
            text,
            warning,
        }));
    };
    add("Process", fact("pid").map(str::to_owned), false);
    add("Host", fact("host").map(str::to_owned), false);
    let start = number(last.profile, "start_unix_ms");
    add(
        "Started",
        start.map(|ms| date::date((ms / 1000.0) as i64)),
        false,
    );
    let dumps = if states.len() == 1 { "dump" } else { "dumps" };
    let run = format!("{}, {} {dumps}", words::clock(last.seconds), states.len());
    add("Seen", Some(run), false);
    let period = format!("one sample every {}", words::period(last.profile.period));
    add("Sample rate", Some(period), false);
    let samples = |s: &Sample| s.facts.as_ref().map_or(0, |f| f.samples);
    let samples: u64 = last.profile.samples.iter().map(samples).sum();
    let samples = (samples > 0).then(|| samples.to_string());
    add("Live samples at the end", samples, false);
    add("Threads", fact("threads").map(str::to_owned), false);
    let own = number(last.profile, "profiler_bytes");
    let own = own.map(words::bytes);
    add("Memory of the profiler", own, false);
    add("Names not found", malloc.and_then(unresolved), false);
    if let Some(lost) = lost(last.profile) {
        let text = if lost > 0.0 {
            format!("{lost:.0}")
        } else {
            "none".to_owned()
        };
        add("Lost samples", Some(text), lost > 0.0);
    }
    add("Sampling", fact("sampling").map(str::to_owned), true);
    add(
        "Report by",
        Some(concat!("malloscope ", env!("CARGO_PKG_VERSION")).to_owned()),
        false,
    );
    Header {
        program: if program.is_empty() {
            "process"
        } else {
            program
        }
        .to_owned(),
        // An argument's own blanks are marked in the dump.
        command: (!command.is_empty()).then(|| command.replace("%20", " ")),
        facts,
    }
}

/// Samples that had no place; nothing where the dump does not count them.
fn lost(profile: &Profile) -> Option<f64> {
    const COUNTERS: [&str; 3] = [
        "missed_samples",
        "counter_stack_not_stored",
        "counter_sample_not_stored",
    ];
    let known = COUNTERS.iter().filter_map(|key| number(profile, key));
    known.reduce(|a, b| a + b)
}

fn unresolved(kind: &Kind) -> Option<String> {
    let all = kind.frames.len();
    let without = kind.frames.iter().filter(|f| f.kind == "unresolved");
    let share = without.count() as f64 / all.max(1) as f64;
    (all > 0).then(|| format!("{:.1} % of {all} functions", share * 100.0))
}

fn timeline(states: &[State<'_>], shown: &[State<'_>], last: &State<'_>) -> Timeline {
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
    Timeline {
        points: points.map(|(_, s)| point(s)).collect(),
        dumps: shown.iter().map(dump).collect(),
        limit: limit.map(|bytes| Limit {
            bytes,
            name: "cgroup limit".to_owned(),
        }),
        ..Timeline::default()
    }
}

fn live(profile: &Profile) -> Estimate {
    let value = profile.total(ValueKind::InuseSpace);
    let variance = |s: &Sample| s.facts.as_ref().map_or(0.0, |f| f.variance);
    Estimate::of(value, profile.samples.iter().map(variance).sum())
}

fn account((at, state): (usize, &State<'_>)) -> Option<Account> {
    let account = account::Account::of(state.profile)?;
    // Less is within the error of the estimate.
    let is_cut = account.not_resident > 0.1 * account.get(Part::LiveHeap);
    let parts = account.parts.iter().map(|(part, bytes)| {
        let mut meaning = part.meaning().to_owned();
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
    })
}

fn kinds(states: &[State<'_>]) -> Vec<Kind> {
    let others = states.iter().flat_map(|s| s.profile.other_kinds.keys());
    let others: BTreeSet<&str> = others.map(String::as_str).collect();
    let namesakes = Namesakes::collect(states.iter().map(|s| s.profile));
    let mut interner = Interner::by_place(namesakes);
    let all = std::iter::once(None).chain(others.into_iter().map(Some));
    all.map(|name| kind(states, name, &mut interner))
        .filter(|kind| kind.name == MALLOC || !kind.stacks.is_empty())
        .collect()
}

fn kind(states: &[State<'_>], name: Option<&str>, interner: &mut Interner<()>) -> Kind {
    let title = match name {
        None => "Native heap (malloc)",
        Some(crate::profile::model::JAVA_HEAP) => "Java heap",
        Some("mmap") => "Mappings (mmap)",
        Some(other) => other,
    };
    let run = states.last().map_or(0.0, |s| s.seconds);
    let bounds: Vec<f64> = AGES.into_iter().filter(|bound| *bound < run).collect();
    let mut builder = KindBuilder::new(name.unwrap_or(MALLOC), title, states.len(), &bounds);
    for (number, name) in states.iter().flat_map(|s| &s.profile.threads) {
        builder.name_thread(*number, name);
    }
    for (at, state) in states.iter().enumerate() {
        for sample in state.profile.samples_of(name) {
            let sites = filter::outside_allocator(state.profile, sample);
            let stack = interner.stack(state.profile, &sites).into_iter();
            let frames = stack.map(|frame| &interner.frames()[frame]);
            builder.add(at, frames, &cell(state, sample, &bounds));
        }
    }
    builder.finish()
}

fn cell(state: &State<'_>, sample: &Sample, bounds: &[f64]) -> Cell {
    let values = &sample.values;
    let facts = sample.facts.as_ref();
    let width = state
        .profile
        .process
        .epochs
        .map(|(width_ms, _)| width_ms as f64 / 1000.0);
    let mut ages = Vec::new();
    if let (Some(facts), Some(width)) = (facts, width) {
        ages.resize(bounds.len() + 1, 0.0);
        // What a block grew by since it was born is as old as the block.
        let born: f64 = facts.births.iter().map(|(_, born)| born.bytes).sum();
        let grown = if born > 0.0 {
            values.inuse_space / born
        } else {
            1.0
        };
        for (epoch, born) in &facts.births {
            // The youngest it can be.
            let age = state.seconds - f64::from(epoch + 1) * width;
            ages[bounds.iter().filter(|bound| age >= **bound).count()] += born.bytes * grown;
        }
    }
    let threads = sample.threads.iter().filter(|t| t.1.inuse_space > 0.0);
    Cell {
        bytes: values.inuse_space,
        objects: values.inuse_objects,
        allocated: values.alloc_space,
        samples: facts.map_or(0, |f| f.samples),
        variance: facts.map_or(0.0, |f| f.variance),
        ages,
        threads: threads.map(|(t, v)| (*t, v.inuse_space)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{ProcessFacts, StackFacts, Values, Weighed};

    #[test]
    fn what_was_lost_is_told_and_that_nothing_was() {
        let told = |facts: &[(&str, &str)]| {
            let entries = facts
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            let profile = Profile {
                process: ProcessFacts {
                    entries: entries.collect(),
                    epochs: None,
                },
                ..Profile::default()
            };
            let state = State {
                seconds: 1.0,
                file: "",
                profile: &profile,
                is_shown: true,
            };
            let facts = Report::of_dumps(&[state]).header.facts;
            let fact = facts.into_iter().find(|f| f.name == "Lost samples");
            fact.map(|f| (f.text, f.warning))
        };
        assert_eq!(told(&[]), None);
        let quiet = [("counter_stack_not_stored", "0")];
        assert_eq!(told(&quiet), Some(("none".to_owned(), false)));
        let lossy = [("counter_stack_not_stored", "3"), ("missed_samples", "4")];
        assert_eq!(told(&lossy), Some(("7".to_owned(), true)));
    }

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

    #[test]
    fn an_account_adds_up_and_ages_fall_into_classes() {
        let facts = [
            ("rss_bytes", "1000"),
            ("rss_anonymous_bytes", "700"),
            ("rss_file_bytes", "300"),
        ];
        let sample = Sample {
            values: Values {
                inuse_space: 400.0,
                ..Values::default()
            },
            facts: Some(StackFacts {
                samples: 4,
                births: vec![(0, Weighed::alike(3, 300.0)), (9, Weighed::alike(1, 100.0))],
                ..StackFacts::default()
            }),
            ..Sample::default()
        };
        let profile = Profile {
            samples: vec![sample],
            process: ProcessFacts {
                entries: facts.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
                epochs: Some((10_000, 10)),
            },
            ..Profile::default()
        };
        let state = State {
            seconds: 100.0,
            file: "m.1.0.f.heap",
            profile: &profile,
            is_shown: true,
        };
        let report = Report::of_dumps(&[state]);
        let account = &report.accounts[0];
        assert_eq!(
            account.parts.iter().map(|p| p.bytes).sum::<f64>(),
            account.rss
        );
        assert_eq!(account.parts[0].bytes, 400.0);
        assert!(!account.parts[0].meaning.contains("resident"));
        let mut untouched = profile.clone();
        untouched.process.entries[1].1 = "300".to_owned();
        let untouched = State {
            profile: &untouched,
            ..state
        };
        let account = &Report::of_dumps(&[untouched]).accounts[0];
        let meaning = &account.parts[0].meaning;
        assert!(
            meaning.contains("100 B more that are not resident"),
            "{meaning}"
        );
        assert_eq!(
            cell(&state, &profile.samples[0], &[60.0]).ages,
            [100.0, 300.0]
        );
    }
}
