//! `jeprof-compat`: the same command line as jemalloc's `jeprof`, read, chosen from, and handed over to
//! the views.

mod argv;
pub mod options;

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::analysis::graph::Graph;
use crate::command::console::{JEPROF, say};
use crate::command::load::{self, Loaded};
use crate::profile::model::MALLOC;
use crate::stacks::{NamedProfile, Selection};
use crate::symbolize::Locator;
use crate::view::format::folded;
use crate::view::picture::layout::Layered;
use crate::view::picture::svg::Caption;
use crate::view::picture::{dot, svg};
use crate::view::terminal::text;
use options::{Cli, Output, Stop};

/// Is this program called by jeprof's name, or by ours for it?
pub fn is_called() -> bool {
    let called = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&called).file_name().unwrap_or_default();
    name == "jeprof" || name == "jeprof-compat"
}

/// Parses, runs, and turns the result into an exit code.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match options::parse(arguments) {
        Ok(cli) => JEPROF.finish(run(&cli).map(|()| 0)),
        Err(Stop::Answer(answer)) => {
            let written = writeln!(io::stdout(), "{}", answer.trim_end());
            JEPROF.finish(written.map(|()| 0).map_err(Into::into))
        }
        Err(Stop::Error(error)) => {
            say(&error);
            ExitCode::FAILURE
        }
    }
}

/// Writes what was asked for to the standard output.
fn run(cli: &Cli) -> Result<()> {
    if let Some(program) = &cli.program {
        fs::metadata(program).with_context(|| program.display().to_string())?;
    }
    let locator = Locator {
        program: cli.program.clone(),
        ..Locator::default()
    };
    if cli.output() == Output::Raw {
        return raw(cli, &locator);
    }
    let loaded = Loaded::load(&cli.profiles, cli.base.as_deref(), &locator)?;
    JEPROF.warn(&loaded.warnings);
    let named = loaded.select(&Selection {
        kind: loaded.kind(&cli.kind)?,
        ..cli.selection()
    });
    let mut out = BufWriter::new(io::stdout().lock());
    match cli.output() {
        Output::Text => text::write(&named, cli.text_options(), &mut out)?,
        Output::Collapsed => folded::write(&named, &mut out)?,
        Output::Svg | Output::Dot | Output::Raw => {
            out.write_all(picture(cli, &named)?.as_bytes())?
        }
    }
    Ok(out.flush()?)
}

/// The dump goes out as it came in, so nothing can be chosen from it, added to it or taken off.
fn raw(cli: &Cli, locator: &Locator) -> Result<()> {
    let [file] = &cli.profiles[..] else {
        bail!("--raw takes one profile");
    };
    let filter = cli.selection().filter;
    let is_part = filter.focus.is_some() || filter.ignore.is_some() || cli.kind != MALLOC;
    if cli.base.is_some() || is_part {
        bail!("--raw takes no --base, --focus, --ignore or --kind");
    }
    let (bytes, warnings) = load::symbolized(file, locator)?;
    JEPROF.warn(&warnings);
    Ok(io::stdout().lock().write_all(&bytes)?)
}

fn picture(cli: &Cli, named: &NamedProfile) -> Result<String> {
    let graph = Graph::build(named, &cli.trim());
    if graph.nodes.is_empty() {
        bail!("No nodes to print");
    }
    let unit = cli.unit();
    say(&format!(
        "Dropping nodes with <= {} {unit}; edges with <= {} abs({unit})",
        unit.format(graph.node_limit),
        unit.format(graph.edge_limit),
    ));
    let program = cli.program.as_ref().map(|p| p.display().to_string());
    let caption = Caption {
        program: program.as_deref().unwrap_or_default(),
        unit,
        kind: named.kind.as_ref(),
        ..Caption::default()
    };
    Ok(match cli.output() {
        Output::Dot => dot::render(&graph, &caption),
        _ => svg::render(&graph, &caption, &Layered),
    })
}
