//! What a report says of dumps before any statistics: header, timeline, account of RSS, stacks.
//! Called by the command that makes reports, which adds verdict and suspects. Pure.

use std::collections::{BTreeSet, HashMap};

use super::{
    Account, Cell, Dump, Estimate, Fact, Header, Kind, KindBuilder, Limit, Point, Report, Share,
    Timeline,
};
use crate::account;
use crate::filter;
use crate::model::{LocationId, MALLOC, Profile, Sample, ValueKind};
use crate::naming::{Frame, Granularity, Namesakes};

/// A dump as the report wants it.
#[derive(Clone, Copy, Debug)]
pub struct State<'a> {
    /// Seconds since the process started.
    pub seconds: f64,
    /// File name without directory.
    pub file: &'a str,
    /// Symbolized.
    pub profile: &'a Profile,
}

/// Upper bounds of age classes that a reader may ask for, in seconds.
const AGES: [f64; 6] = [60.0, 600.0, 3600.0, 21_600.0, 86_400.0, 604_800.0];

/// Two standard errors, nearly.
const Z95: f64 = 1.96;

impl Report {
    /// Everything but verdict and suspects; `states` by time, of one process.
    pub fn of_dumps(states: &[State<'_>]) -> Report {
        let Some(last) = states.last() else {
            return Report::default();
        };
        let kinds = kinds(states);
        Report {
            header: header(states, last, kinds.first()),
            timeline: timeline(states, last),
            accounts: states.iter().enumerate().filter_map(account).collect(),
            kinds,
            ..Report::default()
        }
    }
}

fn number(profile: &Profile, key: &str) -> Option<f64> {
    profile.process.get(key)?.parse().ok()
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
    add("Started", start.map(|ms| date((ms / 1000.0) as i64)), false);
    let dumps = if states.len() == 1 { "dump" } else { "dumps" };
    let run = format!("{:.0} s, {} {dumps}", last.seconds, states.len());
    add("Seen", Some(run), false);
    let period = format!("one sample every {} bytes", last.profile.period);
    add("Sample rate", Some(period), false);
    let samples = |s: &Sample| s.facts.as_ref().map_or(0, |f| f.samples);
    let samples: u64 = last.profile.samples.iter().map(samples).sum();
    let samples = (samples > 0).then(|| samples.to_string());
    add("Live samples at the end", samples, false);
    add("Threads", fact("threads").map(str::to_owned), false);
    let own = number(last.profile, "profiler_bytes");
    let own = own.map(|b| format!("{:.1} MB", b / 1_048_576.0));
    add("Memory of the profiler", own, false);
    add("Names not found", malloc.and_then(unresolved), false);
    let missed = number(last.profile, "missed_samples").filter(|n| *n > 0.0);
    add("Lost samples", missed.map(|n| format!("{n:.0}")), true);
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

fn unresolved(kind: &Kind) -> Option<String> {
    let all = kind.frames.len();
    let without = kind.frames.iter().filter(|f| f.kind == "unresolved");
    let share = without.count() as f64 / all.max(1) as f64;
    (all > 0).then(|| format!("{:.1} % of {all} functions", share * 100.0))
}

/// UTC, by the proleptic Gregorian calendar (H. Hinnant's `civil_from_days`).
fn date(unix: i64) -> String {
    let (days, second) = (unix.div_euclid(86_400), unix.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (second / 3600, second % 3600 / 60);
    format!(
        "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02} UTC",
        second % 60
    )
}

fn timeline(states: &[State<'_>], last: &State<'_>) -> Timeline {
    let point = |s: &State<'_>| Point {
        seconds: s.seconds,
        rss: number(s.profile, "rss_bytes"),
        live: Some(live(s.profile)),
        mapped: None,
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
    Timeline {
        points: states.iter().map(point).collect(),
        dumps: states.iter().map(dump).collect(),
        limit: limit.map(|bytes| Limit {
            bytes,
            name: "cgroup limit".to_owned(),
        }),
        marks: Vec::new(),
    }
}

fn live(profile: &Profile) -> Estimate {
    let value = profile.total(ValueKind::InuseSpace);
    let variance = |s: &Sample| s.facts.as_ref().map_or(0.0, |f| f.variance);
    let half = Z95 * profile.samples.iter().map(variance).sum::<f64>().sqrt();
    Estimate {
        value,
        low: (value - half).max(0.0),
        high: value + half,
    }
}

fn account((at, state): (usize, &State<'_>)) -> Option<Account> {
    let account = account::Account::of(state.profile)?;
    let parts = account.parts.iter().map(|(part, bytes)| Share {
        name: part.name().to_owned(),
        bytes: *bytes,
        meaning: part.meaning().to_owned(),
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
    let all = std::iter::once(None).chain(others.into_iter().map(Some));
    all.map(|name| kind(states, name, &namesakes))
        .filter(|kind| kind.name == MALLOC || !kind.stacks.is_empty())
        .collect()
}

fn kind(states: &[State<'_>], name: Option<&str>, namesakes: &Namesakes) -> Kind {
    let title = match name {
        None => "Native heap (malloc)",
        Some(crate::model::JAVA_HEAP) => "Java heap",
        Some("mmap") => "Mappings (mmap)",
        Some(other) => other,
    };
    let run = states.last().map_or(0.0, |s| s.seconds);
    let bounds: Vec<f64> = AGES.into_iter().filter(|bound| *bound < run).collect();
    let mut builder = KindBuilder::new(name.unwrap_or(MALLOC), title, states.len(), &bounds);
    for (at, state) in states.iter().enumerate() {
        let mut cache: HashMap<(LocationId, usize), Frame> = HashMap::new();
        for sample in state.profile.samples_of(name) {
            let sites = filter::outside_allocator(state.profile, sample);
            for site in &sites {
                cache
                    .entry((site.id, site.depth))
                    .or_insert_with(|| namesakes.frame(site, Granularity::Functions));
            }
            let frames = sites.iter().filter_map(|s| cache.get(&(s.id, s.depth)));
            builder.add(at, frames, None, &cell(state, sample, &bounds));
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
        for (epoch, _, bytes) in &facts.births {
            // The youngest it can be.
            let age = state.seconds - f64::from(epoch + 1) * width;
            ages[bounds.iter().filter(|bound| age >= **bound).count()] += *bytes as f64;
        }
    }
    Cell {
        bytes: values.inuse_space,
        objects: values.inuse_objects,
        allocated: values.alloc_space,
        samples: facts.map_or(0, |f| f.samples),
        variance: facts.map_or(0.0, |f| f.variance),
        ages,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ProcessFacts, StackFacts, Values};

    #[test]
    fn dates_are_civil() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(1_709_210_096), "2024-02-29 12:34:56 UTC");
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
                births: vec![(0, 3, 300), (9, 1, 100)],
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
        };
        let report = Report::of_dumps(&[state]);
        let account = &report.accounts[0];
        assert_eq!(
            account.parts.iter().map(|p| p.bytes).sum::<f64>(),
            account.rss
        );
        assert_eq!(account.parts[0].bytes, 400.0);
        assert_eq!(
            cell(&state, &profile.samples[0], &[60.0]).ages,
            [100.0, 300.0]
        );
    }
}
