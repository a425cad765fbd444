//! `malloscope symbolize`: dumps with the names of their frames in them, to be read where the program's files
//! are not.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::console::MALLOSCOPE;
use crate::command::load;
use crate::command::places::Places;

/// Write dumps with the names of their frames in them: they can be read on any machine, by the real jeprof, too
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Dumps, or directories: their dumps
    #[arg(value_name = "FILE", required = true)]
    dumps: Vec<PathBuf>,
    /// The directory for the new files, which have the names of the old ones
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    places: Places,
}

/// Writes; the answer is the exit code.
pub fn symbolize(args: &Args) -> Result<u8> {
    let mut files = Vec::new();
    for path in &args.dumps {
        match path.is_dir() {
            true => files.extend(dumps(path)?),
            false => files.push(path.clone()),
        }
    }
    if files.is_empty() {
        bail!("there is no dump: the names of dumps end in .heap");
    }
    fs::create_dir_all(&args.output).with_context(|| args.output.display().to_string())?;
    // What is known of a file is known to the next dump.
    let locator = args.places.locator();
    for file in &files {
        let (bytes, warnings) = load::symbolized(file, &locator, &|_| Ok(()))?;
        MALLOSCOPE.warn(&warnings);
        let target = target(&args.output, file)?;
        fs::write(&target, bytes).with_context(|| target.display().to_string())?;
    }
    Ok(0)
}

/// In the new directory under the old name, without the end of what was compressed: it is plain now.
fn target(folder: &Path, file: &Path) -> Result<PathBuf> {
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .context("a name")?;
    let plain = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"));
    let target = folder.join(plain.unwrap_or(name));
    if fs::canonicalize(&target)
        .is_ok_and(|there| fs::canonicalize(file).is_ok_and(|old| old == there))
    {
        bail!("{} would be written over itself", file.display());
    }
    Ok(target)
}

fn dumps(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_dump = |file: &PathBuf| {
        let name = file.to_string_lossy();
        name.ends_with(".heap") || name.ends_with(".heap.gz") || name.ends_with(".heap.zst")
    };
    let mut files: Vec<PathBuf> = files.filter(is_dump).collect();
    files.sort();
    Ok(files)
}
