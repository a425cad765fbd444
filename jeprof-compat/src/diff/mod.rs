//! What changed between two dumps, and what of it is no noise. Called by the command; pure.
//!
//! ```text
//! two profiles -> stand -> change -> paths (across) -> rows -> tell -> Diff -> view::diff
//! ```
//! `change` has the derivation: how births and deaths are told apart in two dumps of one process, and
//! what the sampling leaves uncertain of them, or of two runs.

mod across;
mod change;
mod paths;
mod rows;
mod stand;
mod tell;

use serde::Serialize;

use crate::filter::Filter;
use crate::model::Profile;
use paths::Paths;
pub use rows::{By, LEAST, Mark};

/// How two dumps belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Both of one process: what lives in both is the same.
    #[default]
    Process,
    /// Of a process and its fork child, or of two children: the same addresses, other lives.
    Relatives,
    /// Of two runs: only names are the same.
    Names,
}

/// One of the two dumps.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Symbolized.
    pub profile: &'a Profile,
    /// Seconds since the process started.
    pub seconds: f64,
}

/// What to compare.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which kind of samples, malloc's without one.
    pub kind: Option<String>,
    /// What makes a row.
    pub by: By,
    /// A row has all that passes it, not only what it asked for itself.
    pub cumulative: bool,
    /// Lines of a function are told apart.
    pub lines: bool,
    /// Which stacks take part.
    pub filter: Filter,
    /// Leave out directories.
    pub redact: bool,
}

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
    pub rows: Vec<Told>,
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
pub struct Told {
    /// What it is about: a function, or a module.
    pub name: String,
    /// File and line.
    pub place: String,
    /// The file of code.
    pub module: String,
    /// Who calls it, in the path that changed most.
    pub caller: String,
    /// What became of it.
    #[serde(flatten)]
    pub figures: Figures,
    /// The path that changed most, leaf first.
    pub stack: Vec<String>,
}

impl Side<'_> {
    fn period(&self, kind: Option<&str>) -> f64 {
        self.profile.period_of(kind)
    }
}

/// Compares two dumps.
pub fn compare(before: &Side<'_>, after: &Side<'_>, how: How, options: &Options) -> Diff {
    let mut paths = Paths::of(before, after, how, options);
    if options.redact {
        for file in paths.frames.iter_mut().filter_map(|f| f.file.as_mut()) {
            *file = tell::base_name(file).to_owned();
        }
    }
    let seconds = (after.seconds - before.seconds).abs();
    let time = (how == How::Process && seconds > 0.0).then_some(seconds);
    tell::diff(&paths, how, options, time)
}
