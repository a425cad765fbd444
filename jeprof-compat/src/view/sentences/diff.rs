//! What changed between two dumps, in sentences, and its rows as they are written. Pure.

use serde::Serialize;

use crate::analysis::diff::{By, Change, Comparison, How, Mark, Paths, Row, home};
use crate::figures::words;
use crate::profile::model::{JAVA_HEAP, JS_HEAP, MALLOC, PYTHON_OBJECTS, RUBY_OBJECTS};
use crate::stacks::naming::Frame;

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// In one sentence.
    pub headline: String,
    /// What else is to be said.
    pub sentences: Vec<String>,
    /// How the dumps belong together.
    pub matched: How,
    /// The kind of samples.
    pub kind: String,
    /// The whole.
    pub total: Figures,
    /// What changed most first; certain ones first of all.
    pub rows: Vec<DiffRow>,
}

/// Bytes before and after, and the growth with its 95 % band.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Live in the first dump.
    pub before: f64,
    /// Live in the second.
    pub after: f64,
    /// Growth.
    pub change: f64,
    /// Lower end of its band.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Samples that came or went.
    pub samples: u64,
    /// `certain`, `n.s.` (not significant) or `few` (too few samples).
    pub mark: &'static str,
}

/// A row in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DiffRow {
    /// What it is about: a function, or a module.
    pub name: String,
    /// File and line.
    pub place: String,
    /// The file of code.
    pub module: String,
    /// Its caller, in the path that changed most.
    pub caller: String,
    /// What became of it.
    #[serde(flatten)]
    pub figures: Figures,
    /// The path that changed most, leaf first.
    pub stack: Vec<String>,
}

/// Headline, sentences and rows; without the directories of files where they are nobody's business.
pub fn diff(found: &Comparison, redact: bool) -> Diff {
    let teller = Teller {
        paths: &found.paths,
        redact,
    };
    let (total, mark) = (&found.total, found.mark);
    let kind = found.kind.as_deref().unwrap_or(MALLOC);
    let mut headline = whole(kind, total, mark, found.seconds);
    let direction = if total.value() < 0.0 { -1.0 } else { 1.0 };
    let certain = found
        .culprits
        .iter()
        .filter(|row| row.mark == Mark::Certain);
    let (with, against): (Vec<&Row>, Vec<&Row>) =
        certain.partition(|row| row.change.value() * direction > 0.0);
    if let Some(first) = with.first().filter(|_| mark == Mark::Certain) {
        headline += &format!("; {}", teller.share(first, total));
    }
    let mut sentences = Vec::new();
    if mark != Mark::Certain {
        sentences.extend(with.first().map(|row| teller.alone(row)));
    }
    sentences.extend(against.first().map(|row| teller.alone(row)));
    let is_quiet = with.is_empty() && against.is_empty() && !found.culprits.is_empty();
    if is_quiet && total.gross() > 0.0 {
        sentences.push("No place changed by more than its noise.".to_owned());
    }
    let rows = found.rows.iter();
    Diff {
        headline: headline + ".",
        sentences,
        matched: found.how,
        kind: kind.to_owned(),
        total: figures(total, mark),
        rows: rows.map(|row| teller.row(row, found.by)).collect(),
    }
}

/// `The live heap grew by 84.0 MB (78.1 MB to 90.2 MB), from 20.1 MB to 104 MB`.
fn whole(kind: &str, total: &Change, mark: Mark, after: Option<f64>) -> String {
    let subject = match kind {
        MALLOC => "The live heap".to_owned(),
        JAVA_HEAP => "The live Java heap".to_owned(),
        PYTHON_OBJECTS => "What Python holds in small objects".to_owned(),
        RUBY_OBJECTS => "What is live of Ruby's objects".to_owned(),
        JS_HEAP => "The live JavaScript heap".to_owned(),
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

/// Tells of the places of one comparison.
struct Teller<'a> {
    paths: &'a Paths,
    redact: bool,
}

impl Teller<'_> {
    /// `92 % of it at session_open (leak.c:45)`.
    fn share(&self, row: &Row, total: &Change) -> String {
        let place = self.called(row);
        match row.change.value() / total.value() {
            share if share <= 1.005 => format!("{:.0} % of it at {place}", share * 100.0),
            _ => format!(
                "{place} alone by {}",
                words::bytes(row.change.value().abs())
            ),
        }
    }

    /// `parse (a.c:3) shrank by 3.0 MB (1.1 MB to 4.9 MB).`
    fn alone(&self, row: &Row) -> String {
        let (value, (low, high)) = (row.change.value(), row.change.band());
        let (verb, low, high) = match value < 0.0 {
            true => ("shrank", -high, -low),
            false => ("grew", low, high),
        };
        format!(
            "{} {verb} by {} ({} to {}).",
            self.called(row),
            words::bytes(value.abs()),
            words::bytes(low),
            words::bytes(high)
        )
    }

    fn frame(&self, row: &Row) -> &Frame {
        &self.paths.frames[self.paths.paths[row.path].frames[row.at]]
    }

    fn called(&self, row: &Row) -> String {
        let frame = self.frame(row);
        match self.place(frame) {
            place if place.is_empty() => frame.name.clone(),
            place => format!("{} ({})", frame.name, base_name(&place)),
        }
    }

    fn row(&self, row: &Row, by: By) -> DiffRow {
        let path = &self.paths.paths[row.path];
        let frame = self.frame(row);
        let figures = figures(&row.change, row.mark);
        let name = |at: &usize| self.paths.frames[*at].name.clone();
        let stack = path.frames.iter().map(name).collect();
        if by == By::Module {
            return DiffRow {
                name: home(frame).to_owned(),
                figures,
                stack,
                ..DiffRow::default()
            };
        }
        // Recursion does not tell the caller.
        let callers = &path.frames[row.at..];
        let caller = callers.iter().find(|at| **at != path.frames[row.at]);
        DiffRow {
            name: frame.name.clone(),
            place: self.place(frame),
            module: frame.module.clone().unwrap_or_default(),
            caller: caller.map(name).unwrap_or_default(),
            figures,
            stack,
        }
    }

    fn place(&self, frame: &Frame) -> String {
        let file = frame.file.as_deref();
        let file = file.map(|file| if self.redact { base_name(file) } else { file });
        match (file, frame.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            (Some(file), None) => file.to_owned(),
            (None, _) => String::new(),
        }
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

/// A path without its directories.
fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
