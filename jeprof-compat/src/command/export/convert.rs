//! `malloscope convert`: a dump in the format of another tool.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;
use flate2::{Compression, GzBuilder};

use super::deliver;
use crate::command::choice::Choice;
use crate::command::console::MALLOSCOPE;
use crate::command::load::{self, Loaded};
use crate::profile::model::ValueKind;
use crate::stacks::naming::Granularity;
use crate::stacks::{NamedProfile, Selection};
use crate::view::format::{callgrind, firefox, folded, json, pprof, speedscope, v8};

/// Write a dump in the format of another tool
#[derive(Clone, Debug, clap::Args)]
pub struct ConvertArgs {
    /// The format
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Format,
    #[command(flatten)]
    choice: Choice,
    /// With `--to folded`: an earlier dump, for a differential flame graph; each line ends in two values
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// Where to write instead of the standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line a stack, for flame graph tools
    Folded,
    /// For `go tool pprof`, Pyroscope, Parca: gzipped protobuf
    Pprof,
    /// For speedscope.app
    Speedscope,
    /// For profiler.firefox.com
    Firefox,
    /// For KCachegrind and callgrind_annotate
    Callgrind,
    /// A `.heapprofile`, for Chrome's DevTools
    V8,
    /// A list of stacks, for scripts
    Json,
    /// The dump with its names, which the real jeprof reads on any machine
    Jeprof,
}

/// Writes; the answer is the exit code.
pub fn convert(args: &ConvertArgs) -> Result<u8> {
    if args.base.is_some() && args.to != Format::Folded {
        bail!(
            "--base makes a differential file, which is one of --to folded; malloscope diff compares"
        );
    }
    let bytes = match args.to {
        Format::Jeprof if args.choice.is_part() => {
            bail!(
                "--to jeprof takes no --focus, --ignore, --language or --kind: the dump goes out as it is"
            )
        }
        Format::Jeprof => {
            let dump = args.choice.dump()?;
            let (bytes, warnings) =
                load::symbolized(&dump, &args.choice.narrowing.locator(), &|_| Ok(()))?;
            MALLOSCOPE.warn(&warnings);
            bytes
        }
        format => written(format, &args.choice, args.base.as_deref())?,
    };
    deliver(args.output.as_deref(), &bytes)?;
    Ok(0)
}

fn written(format: Format, choice: &Choice, base: Option<&Path>) -> Result<Vec<u8>> {
    let (loaded, kind) = choice.load(None)?;
    let select = |value: ValueKind, granularity: Granularity| {
        loaded.select(&Selection {
            kind: kind.clone(),
            value,
            granularity,
            filter: choice.narrowing.filter(),
            // `[inline]` is what tools for flame graphs know.
            marks_inlined: format == Format::Folded,
            ..Selection::default()
        })
    };
    let both = |granularity: Granularity| -> [NamedProfile; 2] {
        [ValueKind::InuseSpace, ValueKind::InuseObjects].map(|value| select(value, granularity))
    };
    let mut out = Vec::new();
    match format {
        Format::Folded => {
            let named = select(ValueKind::InuseSpace, Granularity::Functions);
            match base {
                None => folded::write(&named, &mut out)?,
                Some(base) => folded::write_pair(&before(base, choice)?, &named, &mut out)?,
            }
        }
        Format::V8 => v8::write(
            &select(ValueKind::InuseSpace, Granularity::Functions),
            &mut out,
        )?,
        Format::Json => {
            let named = select(ValueKind::InuseSpace, Granularity::Functions);
            json::write(&named, loaded.program(), &mut out)?;
        }
        Format::Speedscope => {
            let named = both(Granularity::Functions);
            speedscope::write(&named, &subject(&loaded, choice), &mut out)?;
        }
        Format::Firefox => {
            let named = both(Granularity::Functions);
            firefox::write(&named, &subject(&loaded, choice), &mut out)?;
        }
        Format::Callgrind => {
            let [bytes, blocks] = both(Granularity::Lines);
            callgrind::write(&bytes, &blocks, loaded.program(), &mut out)?;
        }
        Format::Pprof | Format::Jeprof => out = packed(&loaded, kind.as_deref(), choice)?,
    }
    Ok(out)
}

/// What a file is about: the program that ran, or the one that was given for it.
fn subject(loaded: &Loaded, choice: &Choice) -> String {
    let given = choice.narrowing.locator().program;
    let given = given.as_deref().and_then(Path::file_name);
    match loaded.program() {
        "" => given.map_or("heap".into(), |name| name.to_string_lossy().into_owned()),
        program => program.to_owned(),
    }
}

/// The stacks of an earlier dump.
fn before(base: &Path, choice: &Choice) -> Result<NamedProfile> {
    let mut loaded = Loaded::load(&[base.to_owned()], None, &choice.narrowing.locator())?;
    loaded.see(choice.narrowing.seen());
    MALLOSCOPE.warn(&loaded.warnings);
    Ok(loaded.select(&Selection {
        kind: loaded.kind(&choice.kind)?,
        filter: choice.narrowing.filter(),
        marks_inlined: true,
        ..Selection::default()
    }))
}

/// Without time or name in the header of gzip: the same dump gives the same bytes.
fn packed(loaded: &Loaded, kind: Option<&str>, choice: &Choice) -> Result<Vec<u8>> {
    let Some(profile) = loaded.profiles().first() else {
        bail!("no profile");
    };
    let message = pprof::encode(profile, kind, &choice.narrowing.filter());
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::default());
    gzip.write_all(&message)?;
    Ok(gzip.finish()?)
}
