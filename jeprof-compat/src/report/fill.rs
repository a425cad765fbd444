//! A report filled from dumps, before any statistics: header, timeline, account of RSS, stacks. Pure.

use std::collections::BTreeSet;

use super::{Account, Cell, Header, Kind, KindBuilder, Report, State, Timeline};
use crate::profile::model::{MALLOC, Sample};
use crate::stacks::Interner;
use crate::stacks::filter;
use crate::stacks::naming::Namesakes;

/// Upper bounds of age classes that a reader may ask for, in seconds.
const AGES: [f64; 6] = [60.0, 600.0, 3600.0, 21_600.0, 86_400.0, 604_800.0];

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
            header: Header::of(states, last, kinds.first()),
            timeline: Timeline::of(states, &shown, last),
            accounts: shown.iter().enumerate().filter_map(Account::of).collect(),
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
        Some(crate::profile::model::PYTHON_OBJECTS) => "Small objects of Python",
        Some(crate::profile::model::RUBY_OBJECTS) => "Ruby objects",
        Some(crate::profile::model::JS_HEAP) => "JavaScript heap",
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
        interner.clear();
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
        ages: ages.into(),
        threads: threads.map(|(t, v)| (*t, v.inuse_space)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{ProcessFacts, Profile, StackFacts, Values, Weighed};

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
                births: vec![(0, Weighed::alike(3, 300.0)), (9, Weighed::alike(1, 100.0))].into(),
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
            *cell(&state, &profile.samples[0], &[60.0]).ages,
            [100.0, 300.0]
        );
    }
}
