//! `malloscope table`, `flame`, `graph`: a dump as a person looks at it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::{deliver, rows};
use crate::analysis::graph::{Graph, Trim};
use crate::command::choice::{Choice, Shown};
use crate::command::console::MALLOSCOPE;
use crate::command::labels::Labels;
use crate::command::machine;
use crate::figures::amount::amount;
use crate::figures::units::Unit;
use crate::stacks::origin;
use crate::view::picture::layout::Layered;
use crate::view::picture::svg::Caption;
use crate::view::picture::{dot, flame_file, postscript, still, svg};
use crate::view::terminal::text;

/// Print the functions that hold the most of a dump
#[derive(Clone, Debug, clap::Args)]
pub struct TableArgs {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    shown: Shown,
    /// Sort by what passes a function instead of what it asked for itself
    #[arg(long)]
    cum: bool,
    /// Plain bytes instead of MB
    #[arg(long)]
    show_bytes: bool,
    /// Machine-readable output, in bytes or blocks
    #[arg(long)]
    json: bool,
    /// A line of JSON for each stack, of all dumps of a directory: for DuckDB, ClickHouse, Spark
    #[arg(long, conflicts_with_all = ["json", "cum", "show_bytes", "base", "temporary"])]
    json_lines: bool,
    #[command(flatten)]
    labels: Labels,
    /// Where to write instead of the standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Draw the call paths of a dump as an icicle (a flame graph, root at the top), in SVG; as PNG, GIF, PDF or PostScript
/// if the output ends so
#[derive(Clone, Debug, clap::Args)]
pub struct FlameArgs {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    shown: Shown,
    /// Where to write instead of the standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Draw the call graph of a dump, in SVG; as PNG, GIF, PDF, PostScript or as text for Graphviz (`.dot`) if the output
/// ends so
#[derive(Clone, Debug, clap::Args)]
pub struct GraphArgs {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    shown: Shown,
    /// The most boxes that are drawn
    #[arg(long, value_name = "N", default_value_t = Trim::default().node_count)]
    nodes: usize,
    /// Where to write instead of the standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Prints; the answer is the exit code.
pub fn table(args: &TableArgs) -> Result<u8> {
    if args.json_lines {
        let lines = rows::rows(&args.choice, &args.labels)?;
        return deliver(args.output.as_deref(), &lines).map(|()| 0);
    }
    let (named, loaded) = args.shown.loaded(&args.choice)?;
    if args.json {
        let table = text::table(&named, args.cum);
        let answer = machine::answer("table", table)?;
        return deliver(args.output.as_deref(), answer.as_bytes()).map(|()| 0);
    }
    let options = text::Options {
        unit: Unit::new(named.measure, named.value, args.show_bytes),
        by_cumulative: args.cum,
        says_shown: true,
        ..text::Options::default()
    };
    let mut out = Vec::new();
    text::write(&named, options, &mut out)?;
    if args.shown.is_whole(&args.choice) {
        text::origins(
            &origin::shares(loaded.profiles(), args.shown.value),
            &mut out,
        )?;
    }
    deliver(args.output.as_deref(), &out)?;
    Ok(0)
}

/// Draws; the answer is the exit code.
pub fn flame(args: &FlameArgs) -> Result<u8> {
    let (named, program) = args.shown.named(&args.choice)?;
    let unit = Unit::new(named.measure, named.value, false);
    let title = flame_file::title(&named, &program, &args.choice.kind, unit);
    let Some(picture) = flame_file::render(&named, &title, unit) else {
        bail!("nothing to draw: no stack that was asked for holds anything");
    };
    let hidden: f64 = named.stacks.iter().map(|s| s.value.min(0.0)).sum();
    if hidden < 0.0 {
        MALLOSCOPE.warn(&[format!(
            "{} that the base has more of cannot be drawn as widths; malloscope diff names them",
            amount(-hidden, unit)
        )]);
    }
    let output = args.output.as_deref();
    deliver(output, &drawn(picture, output)?)?;
    Ok(0)
}

/// Draws; the answer is the exit code.
pub fn graph(args: &GraphArgs) -> Result<u8> {
    let (named, program) = args.shown.named(&args.choice)?;
    let trim = Trim {
        node_count: args.nodes,
        ..Trim::default()
    };
    let graph = Graph::build(&named, &trim);
    if graph.nodes.is_empty() {
        bail!("nothing to draw: no stack that was asked for holds anything");
    }
    let caption = Caption {
        program: &program,
        unit: Unit::new(named.measure, named.value, false),
        kind: named.kind.as_ref(),
        ..Caption::default()
    };
    let output = args.output.as_deref();
    if matches!(end(output), Some("dot" | "gv")) {
        deliver(output, dot::render(&graph, &caption).as_bytes())?;
    } else {
        deliver(
            output,
            &drawn(svg::render(&graph, &caption, &Layered), output)?,
        )?;
    }
    Ok(0)
}

/// What the name of a file ends with.
fn end(output: Option<&Path>) -> Option<&str> {
    output?.extension().and_then(OsStr::to_str)
}

/// A picture in the format that the name of its file asks for.
fn drawn(svg: String, output: Option<&Path>) -> Result<Vec<u8>> {
    match end(output) {
        Some("png") => still::png(&svg),
        Some("gif") => still::gif(&svg),
        Some("pdf") => still::pdf(&svg),
        Some("ps" | "eps") => Ok(postscript::postscript(&svg)?.into_bytes()),
        Some(end @ ("jpg" | "jpeg" | "html" | "webp")) => {
            bail!("pictures are drawn as .svg, .png, .gif, .pdf and .ps, not as .{end}")
        }
        _ => Ok(svg.into_bytes()),
    }
}
