//! `malloscope table`, `flame`, `graph` and `convert`: one dump in, one file out. Reads, names,
//! chooses, and hands over to the views; a file is written at once when it is whole. Data goes to
//! stdout or where `-o` says, talk to stderr.

mod convert;
mod picture;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;
use regex::Regex;

pub use convert::{ConvertArgs, convert};
pub use picture::{FlameArgs, GraphArgs, TableArgs, flame, graph, table};

use crate::analysis::series::Series;
use crate::command::console::warn;
use crate::command::load::Loaded;
use crate::profile::model::{MALLOC, ValueKind};
use crate::stacks::filter::Filter;
use crate::stacks::naming::Granularity;
use crate::stacks::{NamedProfile, Selection};
use crate::symbolize::Locator;

/// Which stacks of which dump.
#[derive(Clone, Debug, clap::Args)]
struct Choice {
    /// A dump, or a directory: its last whole dump
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Show samples of this kind: `java_heap`, `mmap`
    #[arg(long, value_name = "NAME", default_value = MALLOC)]
    kind: String,
    /// Only stacks with a frame that matches
    #[arg(long, value_name = "REGEXP")]
    focus: Option<Regex>,
    /// No stacks with a frame that matches
    #[arg(long, value_name = "REGEXP")]
    ignore: Option<Regex>,
    /// Where the program lies now, if not where it ran
    #[arg(long, value_name = "PROGRAM")]
    program: Option<PathBuf>,
}

/// What of the stacks is drawn.
#[derive(Clone, Debug, clap::Args)]
struct Shown {
    /// Subtract this dump; stacks cancel out by name
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// What is counted
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    value: Counted,
    /// What makes a frame
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    by: Grain,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Counted {
    /// Bytes that are live
    #[default]
    Bytes,
    /// Blocks that are live
    Blocks,
    /// Bytes ever allocated (prof_accum)
    AllocatedBytes,
    /// Blocks ever allocated (prof_accum)
    AllocatedBlocks,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Grain {
    /// Functions
    #[default]
    Function,
    /// Source lines
    Line,
    /// Source files
    File,
    /// Addresses of code
    Address,
}

impl Choice {
    fn filter(&self) -> Filter {
        Filter {
            focus: self.focus.clone(),
            ignore: self.ignore.clone(),
        }
    }

    fn locator(&self) -> Locator {
        Locator {
            program: self.program.clone(),
            ..Locator::default()
        }
    }

    /// The dump itself: the last whole one of a directory.
    fn dump(&self) -> Result<PathBuf> {
        if !self.file.is_dir() {
            return Ok(self.file.clone());
        }
        let (mut dumps, notes) = Series::largest(&self.file)?;
        warn(&notes);
        Ok(dumps
            .pop()
            .map_or_else(|| self.file.clone(), |dump| dump.path))
    }

    /// Reads it with its names; `base` is to be subtracted.
    fn load(&self, base: Option<&Path>) -> Result<(Loaded, Option<String>)> {
        let loaded = Loaded::load(&[self.dump()?], base, &self.locator())?;
        warn(&loaded.warnings);
        let kind = loaded.kind(&self.kind)?;
        Ok((loaded, kind))
    }
}

impl Shown {
    fn value(&self) -> ValueKind {
        match self.value {
            Counted::Bytes => ValueKind::InuseSpace,
            Counted::Blocks => ValueKind::InuseObjects,
            Counted::AllocatedBytes => ValueKind::AllocSpace,
            Counted::AllocatedBlocks => ValueKind::AllocObjects,
        }
    }

    fn named(&self, choice: &Choice) -> Result<(NamedProfile, String)> {
        let (loaded, kind) = choice.load(self.base.as_deref())?;
        let granularity = match self.by {
            Grain::Function => Granularity::Functions,
            Grain::Line => Granularity::Lines,
            Grain::File => Granularity::Files,
            Grain::Address => Granularity::Addresses,
        };
        let named = loaded.select(&Selection {
            kind,
            value: self.value(),
            granularity,
            filter: choice.filter(),
            marks_inlined: false,
        });
        Ok((named, program(&loaded)))
    }
}

/// The short name of the program that ran.
fn program(loaded: &Loaded) -> String {
    let fact = |profile: &crate::profile::model::Profile| {
        profile.process.get("command").map(str::to_owned)
    };
    let command = loaded.profiles().first().and_then(fact).unwrap_or_default();
    let program = command.split(' ').next().unwrap_or_default();
    program.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Writes all of it to a file, or to the standard output where there is none.
fn deliver(output: Option<&Path>, bytes: &[u8]) -> Result<()> {
    match output {
        Some(file) if file.as_os_str() != "-" => {
            fs::write(file, bytes).with_context(|| file.display().to_string())
        }
        _ => Ok(io::stdout().lock().write_all(bytes)?),
    }
}
