//! `malloscope merge`: the dumps of many processes of one service as one dump.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::analysis::merged;
use crate::analysis::series::Series;
use crate::command::console::MALLOSCOPE;
use crate::figures::words;
use crate::profile::model::Profile;
use crate::view::format::heap_v2;

/// Add the last dumps of many processes up, by names and build ids, into one
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Directories with dumps, or dumps: of each process the last
    #[arg(value_name = "DIR", required = true)]
    dumps: Vec<PathBuf>,
    /// The dump of all; `table`, `flame`, `graph`, `diff` and `convert` read it
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Add processes of different programs up, too
    #[arg(long)]
    any_program: bool,
}

/// Writes it; the answer is the exit code.
pub fn merge(args: &Args) -> Result<u8> {
    let series = Series::read(&args.dumps)?;
    MALLOSCOPE.warn(&series.notes);
    let last: Vec<&Profile> = series
        .processes
        .iter()
        .map(|process| process.last())
        .collect();
    let programs: std::collections::BTreeSet<&str> = last
        .iter()
        .map(|profile| profile.process.program())
        .collect();
    if programs.len() > 1 && !args.any_program {
        let programs: Vec<&str> = programs.into_iter().collect();
        bail!(
            "these are dumps of different programs ({}); --any-program adds them up all the same",
            programs.join(", ")
        );
    }
    let bytes = heap_v2::write(&merged::merged(&last));
    fs::write(&args.output, bytes).with_context(|| args.output.display().to_string())?;
    let dumps = words::count(last.len() as u64, "dump");
    MALLOSCOPE.warn(&[format!("{}: {dumps} added up", args.output.display())]);
    Ok(0)
}
