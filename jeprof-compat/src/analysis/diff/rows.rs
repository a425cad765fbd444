//! Call paths summed up to the rows of a table, and which of them changed for certain. Pure.

use std::collections::{BTreeSet, HashMap};

use super::change::Change;
use super::paths::{Path, Paths};
use crate::analysis::suspects::discovery;
use crate::stacks::naming::{Frame, FrameKind};

/// Level of the test for a change.
const LEVEL: f64 = 0.05;

/// Samples without which nothing is said: 1/sqrt(9) is a third.
pub const LEAST: f64 = 9.0;

/// What makes a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// The frame that is to blame.
    #[default]
    Culprit,
    /// A call path.
    Path,
    /// A function, with what it asked for itself.
    Function,
    /// A file of code, with what it asked for itself.
    Module,
}

/// What can be said of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// More than the noise.
    Certain,
    /// Not significant: the sampling alone may do that.
    Noise,
    /// Too few samples to say.
    #[default]
    Few,
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Index into [`Paths::paths`] of the path that changed most.
    pub path: usize,
    /// Which of its frames the row is about.
    pub at: usize,
    /// What became of it.
    pub change: Change,
    /// What can be said.
    pub mark: Mark,
}

/// The rows, what changed most first; certain ones first of all.
pub fn rows(paths: &Paths, by: By, cumulative: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut by_key: HashMap<Key<'_>, usize> = HashMap::new();
    for (number, path) in paths.paths.iter().enumerate() {
        for (key, at) in keys(paths, number, path, by, cumulative) {
            let next = rows.len();
            let row = *by_key.entry(key).or_insert(next);
            if row == next {
                rows.push(Row {
                    path: number,
                    at,
                    change: Change::default(),
                    mark: Mark::Few,
                });
            }
            rows[row].change.add(&path.change);
        }
    }
    mark(&mut rows);
    let name = |row: &Row| &paths.frames[paths.paths[row.path].frames[row.at]].name;
    rows.sort_by(|a, b| {
        let is_certain = |row: &Row| row.mark == Mark::Certain;
        let size = |row: &Row| row.change.value().abs();
        is_certain(b)
            .cmp(&is_certain(a))
            .then(size(b).total_cmp(&size(a)))
            .then_with(|| name(a).cmp(name(b)))
    });
    rows
}

/// What can be said of one change that is tested alone.
pub fn mark_of(change: &Change) -> Mark {
    match change {
        c if c.worth() < LEAST => Mark::Few,
        // Of few samples the test knows less than the band.
        c if c.p() <= LEVEL && !c.may_be_nothing() => Mark::Certain,
        _ => Mark::Noise,
    }
}

/// Corrected for the number of rows.
fn mark(rows: &mut [Row]) {
    let tested = rows.iter().filter(|row| row.change.worth() >= LEAST);
    let p: Vec<f64> = tested.map(|row| row.change.p()).collect();
    let threshold = discovery::threshold(&p, LEVEL);
    for row in rows {
        row.mark = match mark_of(&row.change) {
            Mark::Certain if row.change.p() > threshold => Mark::Noise,
            mark => mark,
        };
    }
}

#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key<'a> {
    Path(usize),
    Frame(usize),
    Module(&'a str),
}

/// The rows a path belongs to, each with the frame that it is there for.
fn keys<'a>(
    paths: &'a Paths,
    number: usize,
    path: &Path,
    by: By,
    cumulative: bool,
) -> Vec<(Key<'a>, usize)> {
    if path.frames.is_empty() {
        return Vec::new();
    }
    let key = |at: usize| match by {
        By::Path => Key::Path(number),
        By::Culprit | By::Function => Key::Frame(path.frames[at]),
        By::Module => Key::Module(home(&paths.frames[path.frames[at]])),
    };
    let leaf = match by {
        By::Path | By::Culprit => path.culprit,
        By::Function | By::Module => 0,
    };
    if !cumulative || by == By::Path {
        return vec![(key(leaf), leaf)];
    }
    // A path counts once for a frame, however often it recurses through it.
    let mut seen = BTreeSet::new();
    let all = (0..path.frames.len()).filter(|&at| seen.insert(key(at)));
    let all: Vec<usize> = all.collect();
    all.into_iter().map(|at| (key(at), at)).collect()
}

/// Where the code of a frame lies.
pub fn home(frame: &Frame) -> &str {
    match (&frame.module, frame.kind) {
        (Some(module), _) => module,
        (None, FrameKind::Managed) => "managed code",
        (None, _) => "no file",
    }
}
