//! `malloscope convert`: a dump in the format of another tool.

use std::io::Write;
use std::path::PathBuf;

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
use crate::view::format::{callgrind, folded, pprof, speedscope};

/// Write a dump in the format of another tool
#[derive(Clone, Debug, clap::Args)]
pub struct ConvertArgs {
    /// The format
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Format,
    #[command(flatten)]
    choice: Choice,
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
    /// For KCachegrind and callgrind_annotate
    Callgrind,
    /// The dump with its names, which the real jeprof reads on any machine
    Jeprof,
}

/// Writes; the answer is the exit code.
pub fn convert(args: &ConvertArgs) -> Result<u8> {
    let bytes = match args.to {
        Format::Jeprof if args.choice.is_part() => {
            bail!(
                "--to jeprof takes no --focus, --ignore, --language or --kind: the dump goes out as it is"
            )
        }
        Format::Jeprof => {
            let dump = args.choice.dump()?;
            let (bytes, warnings) = load::symbolized(&dump, &args.choice.narrowing.locator())?;
            MALLOSCOPE.warn(&warnings);
            bytes
        }
        format => written(format, &args.choice)?,
    };
    deliver(args.output.as_deref(), &bytes)?;
    Ok(0)
}

fn written(format: Format, choice: &Choice) -> Result<Vec<u8>> {
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
            folded::write(&named, &mut out)?;
        }
        Format::Speedscope => {
            let named = both(Granularity::Functions);
            speedscope::write(&named, loaded.program(), &mut out)?;
        }
        Format::Callgrind => {
            let [bytes, blocks] = both(Granularity::Lines);
            callgrind::write(&bytes, &blocks, loaded.program(), &mut out)?;
        }
        Format::Pprof | Format::Jeprof => out = packed(&loaded, kind.as_deref(), choice)?,
    }
    Ok(out)
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
