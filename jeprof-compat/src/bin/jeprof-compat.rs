//! `jeprof-compat`: the options and the text of jemalloc's `jeprof`, without Perl, binutils or
//! Graphviz. Parses, runs, and turns the result into an exit code; data goes to stdout, talk to
//! stderr.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use jeprof_compat::analysis::graph::Graph;
use jeprof_compat::command::jeprof::options::{self, Cli, Output, Stop};
use jeprof_compat::command::load::Loaded;
use jeprof_compat::profile::model::MALLOC;
use jeprof_compat::profile::read;
use jeprof_compat::stacks::{NamedProfile, Selection};
use jeprof_compat::symbolize::{Locator, symbolize};
use jeprof_compat::view;
use jeprof_compat::view::format::folded;
use jeprof_compat::view::picture::layout::Layered;
use jeprof_compat::view::picture::svg::Caption;
use jeprof_compat::view::picture::{dot, svg};
use jeprof_compat::view::terminal::text;

fn main() -> ExitCode {
    match options::parse(std::env::args_os().skip(1)) {
        Ok(cli) => finish(run(&cli)),
        Err(Stop::Answer(answer)) => {
            finish(writeln!(io::stdout(), "{}", answer.trim_end()).map_err(Into::into))
        }
        Err(Stop::Error(error)) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// A reader that went away (`| head`) has seen enough: no error.
fn finish(result: Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    let io_error = error.downcast_ref::<io::Error>();
    if io_error.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    complain(&printable(&format!("jeprof-compat: {error:#}")));
    ExitCode::FAILURE
}

/// A line to stderr. That nobody can read it must not end the work, as a panic of `eprintln` would.
fn complain(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Paths in a profile are anybody's: they do not get to talk to the terminal.
fn printable(line: &str) -> String {
    let shown = |c: char| match c {
        '\n' => c,
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    line.chars().map(shown).collect()
}

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
    warn(&loaded.warnings);
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

fn warn(warnings: &[String]) {
    for warning in warnings {
        complain(&printable(&format!("jeprof-compat: {warning}")));
    }
}

/// The dump goes out as it came in, so nothing can be chosen from it, added to it or taken off.
fn raw(cli: &Cli, locator: &Locator) -> Result<()> {
    let [file] = &cli.profiles[..] else {
        bail!("--raw takes one profile");
    };
    let selection = cli.selection();
    let chosen = cli.base.is_some() || selection.filter.focus.is_some();
    if chosen || selection.filter.ignore.is_some() || cli.kind != MALLOC {
        bail!("--raw takes no --base, --focus, --ignore or --kind");
    }
    let (profile, mut warnings, dump) = read::read_whole(file)?;
    let mut profiles = [profile];
    warnings.extend(symbolize(&mut profiles, locator));
    warn(&warnings);
    let program = cli.program.as_ref().map(|p| p.display().to_string());
    let mut out = BufWriter::new(io::stdout().lock());
    view::format::raw::write(&profiles[0], &dump, &program.unwrap_or_default(), &mut out)?;
    Ok(out.flush()?)
}

fn picture(cli: &Cli, named: &NamedProfile) -> Result<String> {
    let graph = Graph::build(named, &cli.trim());
    if graph.nodes.is_empty() {
        bail!("No nodes to print");
    }
    let unit = cli.unit();
    complain(&format!(
        "Dropping nodes with <= {} {unit}; edges with <= {} abs({unit})",
        unit.format(graph.node_limit),
        unit.format(graph.edge_limit),
    ));
    let program = cli.program.as_ref().map(|p| p.display().to_string());
    let caption = Caption {
        program: program.as_deref().unwrap_or_default(),
        unit,
        kind: named.kind.as_ref(),
    };
    Ok(match cli.output() {
        Output::Dot => dot::render(&graph, &caption),
        _ => svg::render(&graph, &caption, &Layered),
    })
}
