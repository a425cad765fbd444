//! A dump as lines of JSON, one a stack, for engines that hold many dumps: DuckDB, ClickHouse, Spark. Pure.
//!
//! The columns are flat, and the same in every line. A stack's number is made of its names, so that it is the
//! same in all processes. `docs/fleet.md` describes them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::analysis::held::{Held, Stack};
use crate::figures::date;
use crate::profile::model::{MALLOC, Profile};
use crate::stacks::filter::Filter;
use crate::stacks::naming::Frame;

/// Whose dump it is, beyond what the dump says.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The service; the program where it is empty.
    pub service: String,
    /// Columns of the user's own.
    pub labels: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Row<'a> {
    time: &'a str,
    service: &'a str,
    #[serde(flatten)]
    labels: &'a BTreeMap<String, String>,
    host: &'a str,
    pid: u64,
    program: &'a str,
    build_id: Option<&'a str>,
    trigger: &'a str,
    uptime_seconds: f64,
    rss_bytes: u64,
    kind: &'a str,
    culprit: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
    module: Option<&'a str>,
    stack_id: String,
    stack: Vec<&'a str>,
    live_bytes: u64,
    variance: f64,
    live_objects: f64,
    samples: u64,
    period_bytes: u64,
}

/// The names of the columns, which a label cannot have.
pub const COLUMNS: [&str; 21] = [
    "time",
    "service",
    "host",
    "pid",
    "program",
    "build_id",
    "trigger",
    "uptime_seconds",
    "rss_bytes",
    "kind",
    "culprit",
    "file",
    "line",
    "module",
    "stack_id",
    "stack",
    "live_bytes",
    "variance",
    "live_objects",
    "samples",
    "period_bytes",
];

/// Writes the samples of one kind of a dump that has its names, malloc's without one.
pub fn write(
    profile: &Profile,
    kind: Option<&str>,
    origin: &Origin,
    filter: &Filter,
    out: &mut impl Write,
) -> io::Result<()> {
    let held = Held::of(profile, kind, filter);
    let fact = |key: &str| profile.process.get(key).unwrap_or_default();
    let number = |key: &str| fact(key).parse::<u64>().unwrap_or(0);
    let program = profile.process.program();
    let time = date::rfc3339(number("time_unix_ms"));
    for stack in &held.stacks {
        let culprit = &held.frames[stack.culprit];
        let row = Row {
            time: &time,
            service: match origin.service.is_empty() {
                true => program,
                false => &origin.service,
            },
            labels: &origin.labels,
            host: fact("host"),
            pid: number("pid"),
            program,
            build_id: build_id(profile),
            trigger: fact("trigger"),
            uptime_seconds: number("uptime_ms") as f64 / 1000.0,
            rss_bytes: number("rss_bytes"),
            kind: kind.unwrap_or(MALLOC),
            culprit: &culprit.name,
            file: culprit.file.as_deref(),
            line: culprit.line,
            module: culprit.module.as_deref(),
            stack_id: stack_id(&held.frames, stack),
            stack: names(&held.frames, stack).collect(),
            live_bytes: stack.bytes.round() as u64,
            variance: stack.variance.round(),
            live_objects: (stack.objects * 1000.0).round() / 1000.0,
            samples: stack.samples.round() as u64,
            period_bytes: profile.period_of(kind) as u64,
        };
        serde_json::to_writer(&mut *out, &row)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Of the program itself: it is mapped first of all files.
fn build_id(profile: &Profile) -> Option<&str> {
    let program = profile.process.program();
    let mut files = profile.mappings.iter().filter(|m| m.path.starts_with('/'));
    let named = profile.mappings.iter().find(|m| m.file_name() == program);
    named.or_else(|| files.next())?.build_id.as_deref()
}

fn names<'a>(frames: &'a [Frame], stack: &'a Stack) -> impl Iterator<Item = &'a str> {
    stack.frames.iter().map(|at| frames[*at].name.as_str())
}

/// FNV-1a of the names and lines, in hexadecimal: engines differ in what numbers of 64 bits they hold.
fn stack_id(frames: &[Frame], stack: &Stack) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes.iter().chain(&[0]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for at in &stack.frames {
        let frame = &frames[*at];
        add(frame.name.as_bytes());
        add(&frame.line.unwrap_or(0).to_le_bytes());
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{Line, Location, LocationId, Sample, Values};

    fn profile(start: u64) -> Profile {
        let line = Line {
            function: "open;session".to_owned(),
            file: Some("a.c".to_owned()),
            line: Some(3),
            ..Line::default()
        };
        let facts = [
            ("command", "/srv/shop --port 1"),
            ("time_unix_ms", "1792670400123"),
            ("pid", "7"),
        ];
        let mut profile = Profile {
            period: 1 << 19,
            locations: vec![Location {
                address: start,
                lines: vec![line].into(),
                ..Location::default()
            }],
            samples: vec![Sample {
                stack: vec![LocationId(0)].into(),
                values: Values {
                    inuse_space: 1e6,
                    inuse_objects: 10.0,
                    ..Values::default()
                },
                ..Sample::default()
            }],
            ..Profile::default()
        };
        let facts = facts.map(|(key, value)| (key.to_owned(), value.to_owned()));
        profile.process.entries = facts.to_vec();
        profile
    }

    fn row(profile: &Profile, origin: &Origin) -> serde_json::Value {
        let mut out = Vec::new();
        write(profile, None, origin, &Filter::default(), &mut out).expect("written");
        assert_eq!(out.iter().filter(|b| **b == b'\n').count(), 1);
        serde_json::from_slice(&out).expect("JSON")
    }

    #[test]
    fn a_line_says_who_where_how_much_and_how_sure() {
        let row = row(&profile(1), &Origin::default());
        assert_eq!(row["time"], "2026-10-22T12:00:00.123Z");
        assert_eq!(row["service"], "shop");
        assert_eq!(
            (&row["culprit"], &row["line"]),
            (&"open;session".into(), &3.into())
        );
        assert_eq!(row["live_bytes"], 1_000_000);
        assert!(row["variance"].as_f64() > Some(1e10), "{row}");
        let columns: Vec<&String> = row.as_object().expect("an object").keys().collect();
        assert_eq!(columns.len(), COLUMNS.len());
        assert!(columns.iter().all(|name| COLUMNS.contains(&name.as_str())));
    }

    #[test]
    fn a_stack_is_the_same_in_another_process_and_a_label_is_a_column() {
        let origin = Origin {
            service: "web".to_owned(),
            labels: [("pod".to_owned(), "web-1".to_owned())].into(),
        };
        let (one, two) = (row(&profile(1), &origin), row(&profile(99), &origin));
        assert_eq!(one["stack_id"], two["stack_id"]);
        assert_eq!(
            (&one["service"], &one["pod"]),
            (&"web".into(), &"web-1".into())
        );
    }
}
