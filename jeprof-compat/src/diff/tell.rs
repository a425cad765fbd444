//! The comparison as a person reads it. Called by `diff`; pure.

use super::change::Change;
use super::paths::Paths;
use super::rows::{self, By, Mark, Row};
use super::{Diff, Figures, How, Options, Told};
use crate::figures::words;
use crate::model::{JAVA_HEAP, MALLOC};
use crate::naming::Frame;

/// Headline, sentences and rows.
/// `after` seconds lie between two dumps of one process.
pub fn diff(paths: &Paths, how: How, options: &Options, after: Option<f64>) -> Diff {
    let mut total = Change::default();
    paths.paths.iter().for_each(|path| total.add(&path.change));
    // Whatever the rows are, the sentence is about who is to blame.
    let culprits = rows::rows(paths, By::Culprit, false);
    let rows = match (options.by, options.cumulative) {
        (By::Culprit, false) => culprits.clone(),
        (by, cumulative) => rows::rows(paths, by, cumulative),
    };
    let kind = options.kind.as_deref().unwrap_or(MALLOC);
    let mark = rows::mark_of(&total);
    let mut headline = whole(kind, &total, mark, after);
    let direction = if total.value() < 0.0 { -1.0 } else { 1.0 };
    let certain = culprits.iter().filter(|row| row.mark == Mark::Certain);
    let (with, against): (Vec<&Row>, Vec<&Row>) =
        certain.partition(|row| row.change.value() * direction > 0.0);
    if let Some(first) = with.first().filter(|_| mark == Mark::Certain) {
        headline += &format!("; {}", share(paths, first, &total));
    }
    let mut sentences = Vec::new();
    if mark != Mark::Certain {
        sentences.extend(with.first().map(|row| alone(paths, row)));
    }
    sentences.extend(against.first().map(|row| alone(paths, row)));
    let is_quiet = with.is_empty() && against.is_empty() && !culprits.is_empty();
    if is_quiet && total.gross() > 0.0 {
        sentences.push("No place changed by more than its noise.".to_owned());
    }
    Diff {
        headline: headline + ".",
        sentences,
        matched: how,
        kind: kind.to_owned(),
        total: figures(&total, mark),
        rows: rows
            .iter()
            .map(|row| told(paths, row, options.by))
            .collect(),
    }
}

/// `The live heap grew by 84.0 MB (78.1 MB to 90.2 MB), from 20.1 MB to 104 MB`.
fn whole(kind: &str, total: &Change, mark: Mark, after: Option<f64>) -> String {
    let subject = match kind {
        MALLOC => "The live heap".to_owned(),
        JAVA_HEAP => "The live Java heap".to_owned(),
        "mmap" => "What mmap gave".to_owned(),
        other => format!("What is live of {other}"),
    };
    let (value, (low, high)) = (total.value(), total.band());
    if total.gross() == 0.0 {
        return format!(
            "{subject} is the same in both: {}",
            words::bytes(total.after)
        );
    }
    let time = after.map_or(String::new(), |s| format!(" in {}", words::duration(s)));
    let (before, after) = (words::bytes(total.before), words::bytes(total.after));
    match (mark, value < 0.0) {
        (Mark::Certain, false) => format!(
            "{subject} grew by {} ({} to {}), from {before} to {after}{time}",
            words::bytes(value),
            words::bytes(low),
            words::bytes(high)
        ),
        (Mark::Certain, true) => format!(
            "{subject} shrank by {} ({} to {}), from {before} to {after}{time}",
            words::bytes(-value),
            words::bytes(-high),
            words::bytes(-low)
        ),
        (Mark::Noise, _) => format!(
            "{subject} did not change by more than the noise: {} ({} to {}), from {before} to {after}{time}",
            words::signed(value),
            words::signed(low),
            words::signed(high)
        ),
        (Mark::Few, _) => format!(
            "Too few samples came or went to say that {} changed: {}, from {before} to {after}{time}",
            lowered(&subject),
            words::signed(value)
        ),
    }
}

fn lowered(subject: &str) -> String {
    let mut chars = subject.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

/// `92 % of it at session_open (leak.c:45)`.
fn share(paths: &Paths, row: &Row, total: &Change) -> String {
    let place = called(paths, row);
    match row.change.value() / total.value() {
        share if share <= 1.005 => format!("{:.0} % of it at {place}", share * 100.0),
        _ => format!(
            "{place} alone by {}",
            words::bytes(row.change.value().abs())
        ),
    }
}

/// `parse (a.c:3) shrank by 3.0 MB (1.1 MB to 4.9 MB).`
fn alone(paths: &Paths, row: &Row) -> String {
    let (value, (low, high)) = (row.change.value(), row.change.band());
    let (verb, low, high) = match value < 0.0 {
        true => ("shrank", -high, -low),
        false => ("grew", low, high),
    };
    format!(
        "{} {verb} by {} ({} to {}).",
        called(paths, row),
        words::bytes(value.abs()),
        words::bytes(low),
        words::bytes(high)
    )
}

fn frame<'a>(paths: &'a Paths, row: &Row) -> &'a Frame {
    &paths.frames[paths.paths[row.path].frames[row.at]]
}

fn called(paths: &Paths, row: &Row) -> String {
    let frame = frame(paths, row);
    match place(frame) {
        place if place.is_empty() => frame.name.clone(),
        place => format!("{} ({})", frame.name, base_name(&place)),
    }
}

fn told(paths: &Paths, row: &Row, by: By) -> Told {
    let path = &paths.paths[row.path];
    let frame = frame(paths, row);
    let figures = figures(&row.change, row.mark);
    let name = |at: &usize| paths.frames[*at].name.clone();
    let stack = path.frames.iter().map(name).collect();
    if by == By::Module {
        return Told {
            name: rows::home(frame).to_owned(),
            figures,
            stack,
            ..Told::default()
        };
    }
    // Recursion does not explain who calls.
    let callers = &path.frames[row.at..];
    let caller = callers.iter().find(|at| **at != path.frames[row.at]);
    Told {
        name: match by {
            By::Function => frame.name.clone(),
            _ => frame.name.clone(),
        },
        place: place(frame),
        module: frame.module.clone().unwrap_or_default(),
        caller: caller.map(name).unwrap_or_default(),
        figures,
        stack,
    }
}

fn figures(change: &Change, mark: Mark) -> Figures {
    let (low, high) = change.band();
    Figures {
        before: change.before,
        after: change.after,
        change: change.value(),
        low,
        high,
        samples: change.samples().round() as u64,
        mark: match mark {
            Mark::Certain => "certain",
            Mark::Noise => "n.s.",
            Mark::Few => "few",
        },
    }
}

fn place(frame: &Frame) -> String {
    match (frame.file.as_deref(), frame.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.to_owned(),
        (None, _) => String::new(),
    }
}

/// A path without its directories.
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
