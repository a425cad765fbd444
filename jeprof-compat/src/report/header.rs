//! Whose report it is, and facts of the measurement. Part of the report's data; pure.

use serde::Serialize;

use super::Kind;
use super::sample_rate::sample_rate;
use super::state::{State, number};
use crate::figures::{date, words};
use crate::profile::model::{Profile, Sample};

/// Facts of the process and of the measurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Header {
    /// Short name of the program: `java`.
    pub program: String,
    /// Whole command line, unless it is to be kept secret.
    pub command: Option<String>,
    /// The rest in order: pid, host, start, duration, sample rate, overhead, lost samples.
    pub facts: Vec<Fact>,
}

/// One fact with its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Fact {
    /// `Process`.
    pub name: String,
    /// `4242 on web-1`.
    pub text: String,
    /// Something is wrong with the measurement, and the reader should know.
    pub warning: bool,
}

impl Header {
    /// As the last dump says it; `malloc` is the kind whose names are counted.
    pub(super) fn of(states: &[State<'_>], last: &State<'_>, malloc: Option<&Kind>) -> Header {
        let command = last.profile.process.get("command").unwrap_or_default();
        Header {
            program: match last.profile.process.program() {
                "" => "process".to_owned(),
                program => program.to_owned(),
            },
            // An argument's own blanks are marked in the dump.
            command: (!command.is_empty()).then(|| command.replace("%20", " ")),
            facts: facts(states, last, malloc),
        }
    }
}

fn facts(states: &[State<'_>], last: &State<'_>, malloc: Option<&Kind>) -> Vec<Fact> {
    let profile = last.profile;
    let fact = |key: &str| profile.process.get(key).map(str::to_owned);
    let start = number(profile, "start_unix_ms");
    let dumps = if states.len() == 1 { "dump" } else { "dumps" };
    let seen = format!("{}, {} {dumps}", words::clock(last.seconds), states.len());
    let rate = sample_rate(profile);
    let own = number(profile, "profiler_bytes");
    let lost = lost(profile);
    let lost_samples = lost.map(|lost| match lost {
        lost if lost > 0.0 => format!("{lost:.0}"),
        _ => "none".to_owned(),
    });
    let version = concat!("malloscope ", env!("CARGO_PKG_VERSION"));
    let rows = [
        ("Process", fact("pid"), false),
        ("Host", fact("host"), false),
        (
            "Started",
            start.map(|ms| date::date((ms / 1000.0) as i64)),
            false,
        ),
        ("Seen", Some(seen), false),
        ("Sample rate", Some(rate), false),
        ("Live samples at the end", live_samples(profile), false),
        ("Threads", fact("threads"), false),
        ("Memory of the profiler", own.map(words::bytes), false),
        ("Names not found", malloc.and_then(unresolved), false),
        ("Lost samples", lost_samples, lost > Some(0.0)),
        ("Sampling", fact("sampling"), true),
        ("Report by", Some(version.to_owned()), false),
    ];
    let row = |(name, text, warning): (&str, Option<String>, bool)| {
        let name = name.to_owned();
        text.map(|text| Fact {
            name,
            text,
            warning,
        })
    };
    rows.into_iter().filter_map(row).collect()
}

/// Nothing where the dump does not count them.
fn live_samples(profile: &Profile) -> Option<String> {
    let samples = |s: &Sample| s.facts.as_ref().map_or(0, |f| f.samples);
    let all: u64 = profile.samples.iter().map(samples).sum();
    (all > 0).then(|| all.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::ProcessFacts;
    use crate::report::Report;

    #[test]
    fn lost_samples_are_a_fact_and_so_is_their_absence() {
        let lost_samples = |facts: &[(&str, &str)]| {
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
        assert_eq!(lost_samples(&[]), None);
        let quiet = [("counter_stack_not_stored", "0")];
        assert_eq!(lost_samples(&quiet), Some(("none".to_owned(), false)));
        let lossy = [("counter_stack_not_stored", "3"), ("missed_samples", "4")];
        assert_eq!(lost_samples(&lossy), Some(("7".to_owned(), true)));
    }
}
