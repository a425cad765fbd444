//! What several commands let a person choose: which dump, which of its stacks, what is counted, and what
//! makes a frame or a row. The words of the command line stand here, beside what they mean.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use regex::Regex;

use crate::analysis::diff::By;
use crate::analysis::series::Series;
use crate::command::console::MALLOSCOPE;
use crate::command::load::Loaded;
use crate::command::places::Places;
use crate::figures::quantity;
use crate::profile::model::{Language, MALLOC, Seen, ValueKind};
use crate::stacks::filter::Filter;
use crate::stacks::naming::Granularity;
use crate::stacks::{NamedProfile, Pattern, Selection};
use crate::symbolize::Locator;

/// Which stacks of which dump.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Choice {
    /// A dump, or a directory: its last whole dump
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Show samples of this kind: `java_heap`, `mmap`
    #[arg(long, value_name = "NAME", default_value = MALLOC)]
    pub(super) kind: String,
    #[command(flatten)]
    pub(super) narrowing: Narrowing,
}

/// Which stacks, and where their names are.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Narrowing {
    /// Only stacks with a frame that matches
    #[arg(long, value_name = "REGEXP")]
    focus: Option<Pattern>,
    /// No stacks with a frame that matches
    #[arg(long, value_name = "REGEXP")]
    ignore: Option<Pattern>,
    /// Only frames of this language; stacks without one are left out
    #[arg(long, value_enum, value_name = "NAME")]
    pub(super) language: Option<Seen>,
    /// Only what threads hold of which the name matches, as in web-pool or ^t3
    #[arg(long, value_name = "REGEXP")]
    pub(super) thread: Option<Regex>,
    #[command(flatten)]
    places: Places,
}

/// What of the stacks is drawn.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Shown {
    /// Subtract this dump; stacks cancel out by name
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// What is counted
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub(super) value: ValueKind,
    /// In its place what is temporary: the bytes of blocks that were freed within this time of their
    /// allocation, as in 100ms or 2s
    #[arg(long, value_name = "TIME", value_parser = quantity::milliseconds, conflicts_with = "value")]
    temporary: Option<f64>,
    /// What makes a frame
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    by: Granularity,
}

impl Narrowing {
    pub(super) fn filter(&self) -> Filter {
        Filter {
            focus: self.focus.clone(),
            ignore: self.ignore.clone(),
            ..Filter::default()
        }
    }

    /// Whose frames are shown.
    pub(super) fn seen(&self) -> Seen {
        self.language.unwrap_or_default()
    }

    pub(super) fn locator(&self) -> Locator {
        self.places.locator()
    }
}

impl Choice {
    /// As it was given.
    pub(super) fn path(&self) -> &Path {
        &self.file
    }

    /// The dump itself: the last whole one of a directory.
    pub(super) fn dump(&self) -> Result<PathBuf> {
        if !self.file.is_dir() {
            return Ok(self.file.clone());
        }
        let (mut dumps, notes) = Series::largest(&self.file)?;
        MALLOSCOPE.warn(&notes);
        Ok(dumps
            .pop()
            .map_or_else(|| self.file.clone(), |dump| dump.path))
    }

    /// Reads it with its names; `base` is to be subtracted.
    pub(super) fn load(&self, base: Option<&Path>) -> Result<(Loaded, Option<String>)> {
        let mut loaded = Loaded::load(&[self.dump()?], base, &self.narrowing.locator())?;
        loaded.see(self.narrowing.seen());
        loaded.keep_threads(self.narrowing.thread.as_ref())?;
        MALLOSCOPE.warn(&loaded.warnings);
        let kind = loaded.kind(&self.kind)?;
        if kind.is_none() {
            MALLOSCOPE.warn(&loaded.bigger_kinds());
        }
        Ok((loaded, kind))
    }

    /// True when it is not the whole of malloc's samples.
    pub(super) fn is_part(&self) -> bool {
        let filter = self.narrowing.filter();
        let is_narrow =
            filter.focus.is_some() || filter.ignore.is_some() || self.narrowing.thread.is_some();
        is_narrow || self.kind != MALLOC || self.narrowing.seen() != Seen::All
    }
}

impl Shown {
    /// The stacks that were chosen, and the name of the program.
    pub(super) fn named(&self, choice: &Choice) -> Result<(NamedProfile, String)> {
        let (named, loaded) = self.loaded(choice)?;
        Ok((named, loaded.program().to_owned()))
    }

    /// The same, with the dumps that they are from.
    pub(super) fn loaded(&self, choice: &Choice) -> Result<(NamedProfile, Loaded)> {
        let (loaded, kind) = choice.load(self.base.as_deref())?;
        if self.temporary.is_some() && !loaded.has_all_stacks() {
            MALLOSCOPE.warn(&[
                "the dump has only stacks of which something is live: start the program with \
                 MALLOSCOPE_CONF=prof_accum:true for all"
                    .to_owned(),
            ]);
        }
        let named = loaded.select(&Selection {
            kind,
            value: self.value,
            freed_within_ms: self.temporary,
            granularity: self.by,
            filter: choice.narrowing.filter(),
            ..Selection::default()
        });
        Ok((named, loaded))
    }

    /// Is the whole of malloc's live memory shown, and no base subtracted?
    pub(super) fn is_whole(&self, choice: &Choice) -> bool {
        let filter = choice.narrowing.filter();
        filter.focus.is_none()
            && filter.ignore.is_none()
            && choice.narrowing.thread.is_none()
            && self.base.is_none()
            && choice.kind == MALLOC
    }
}

fn possible(name: &'static str, help: &'static str) -> Option<PossibleValue> {
    Some(PossibleValue::new(name).help(help))
}

impl ValueEnum for ValueKind {
    fn value_variants<'a>() -> &'a [Self] {
        use ValueKind::{AllocObjects, AllocSpace, InuseObjects, InuseSpace};
        &[InuseSpace, InuseObjects, AllocSpace, AllocObjects]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            ValueKind::InuseSpace => possible("bytes", "Bytes that are live"),
            ValueKind::InuseObjects => possible("blocks", "Blocks that are live"),
            ValueKind::AllocSpace => {
                possible("allocated-bytes", "Bytes ever allocated (prof_accum)")
            }
            ValueKind::AllocObjects => {
                possible("allocated-blocks", "Blocks ever allocated (prof_accum)")
            }
            ValueKind::Mean => None,
        }
    }
}

impl ValueEnum for Seen {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Language; 5] = Language::ALL;
        &[
            Seen::Only(ALL[0]),
            Seen::Only(ALL[1]),
            Seen::Only(ALL[2]),
            Seen::Only(ALL[3]),
            Seen::Only(ALL[4]),
            Seen::Native,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Seen::All => None,
            Seen::Only(Language::Java) => possible("java", "Java, and what else a JVM runs"),
            Seen::Only(Language::Ruby) => possible("ruby", "Ruby"),
            Seen::Only(Language::Python) => possible("python", "Python"),
            Seen::Only(Language::JavaScript) => possible("js", "JavaScript"),
            Seen::Only(Language::Jit) => possible("jit", "Generated code that a perf map names"),
            Seen::Native => possible("native", "C, C++, Rust: code of files"),
        }
    }
}

impl ValueEnum for Granularity {
    fn value_variants<'a>() -> &'a [Self] {
        use Granularity::{Addresses, Files, Functions, Lines, Pools, Threads};
        &[Functions, Lines, Files, Addresses, Threads, Pools]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Granularity::Functions => possible("function", "Functions"),
            Granularity::Lines => possible("line", "Source lines"),
            Granularity::Files => possible("file", "Source files"),
            Granularity::Addresses => possible("address", "Addresses of code"),
            Granularity::Threads => possible("thread", "The threads that allocated"),
            Granularity::Pools => {
                possible("pool", "Threads whose names differ in a number, together")
            }
        }
    }
}

impl ValueEnum for By {
    fn value_variants<'a>() -> &'a [Self] {
        &[By::Culprit, By::Path, By::Function, By::Module]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            By::Culprit => possible(
                "culprit",
                "The place to blame: the first frame that is not allocator, C library or runtime",
            ),
            By::Path => possible("path", "A whole call path"),
            By::Function => possible("function", "A function"),
            By::Module => possible("module", "A file of code"),
        }
    }
}
