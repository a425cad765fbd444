//! What changed between two dumps, and what of it is no noise. Pure; what is found are figures, and
//! `view::sentences::diff` puts them into words.
//!
//! ```text
//! two profiles -> holding -> change -> paths (across) -> rows -> Comparison
//! ```
//! `change` has the derivation: how births and deaths are told apart in two dumps of one process, and
//! what the sampling leaves uncertain of them, or of two runs.

mod across;
mod change;
pub mod holding;
mod paths;
mod rows;

use serde::Serialize;

use crate::profile::model::Profile;
use crate::stacks::filter::Filter;
pub use change::Change;
pub use paths::Paths;
pub use rows::{By, LEAST, Mark, Row, home};

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
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// All call paths.
    pub paths: Paths,
    /// How the dumps belong together.
    pub how: How,
    /// Which kind of samples, malloc's without one.
    pub kind: Option<String>,
    /// What makes a row.
    pub by: By,
    /// As was asked for; what changed most first, certain ones first of all.
    pub rows: Vec<Row>,
    /// The same by culprits, whatever the rows are.
    pub culprits: Vec<Row>,
    /// The whole.
    pub total: Change,
    /// What can be said of the whole.
    pub mark: Mark,
    /// Between two dumps of one process.
    pub seconds: Option<f64>,
}

impl Side<'_> {
    fn period(&self, kind: Option<&str>) -> f64 {
        self.profile.period_of(kind)
    }
}

/// Compares two dumps.
pub fn compare(before: &Side<'_>, after: &Side<'_>, how: How, options: &Options) -> Comparison {
    let paths = Paths::of(before, after, how, options);
    let seconds = (after.seconds - before.seconds).abs();
    let culprits = rows::rows(&paths, By::Culprit, false);
    let rows = match (options.by, options.cumulative) {
        (By::Culprit, false) => culprits.clone(),
        (by, cumulative) => rows::rows(&paths, by, cumulative),
    };
    let mut total = Change::default();
    paths.paths.iter().for_each(|path| total.add(&path.change));
    Comparison {
        how,
        kind: options.kind.clone(),
        by: options.by,
        rows,
        culprits,
        mark: rows::mark_of(&total),
        total,
        seconds: (how == How::Process && seconds > 0.0).then_some(seconds),
        paths,
    }
}
