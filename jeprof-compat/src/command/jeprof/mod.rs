//! `jeprof-compat`: the same command line as jemalloc's `jeprof`, read, chosen from, and handed over to
//! the views.
//!
//! `argv` turns a command line of Perl's into one of ours, `options` and `mode` say what it means, `input`
//! what the arguments are and `remote` which of them are servers. `print` writes, `listing` and `symbols` what is not
//! made of named stacks, and `prompt` does it again and again.

mod argv;
mod input;
mod listing;
mod mode;
pub mod options;
mod print;
mod prompt;
mod remote;
mod symbols;

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};

use crate::command::console::{JEPROF, say};
use crate::command::load;
use crate::stacks::{Selection, Threads};
use input::Input;
use mode::Output;
use options::{Cli, Stop, ThreadChoice, usage};
use print::Printer;

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
    if cli.test {
        return Ok(());
    }
    let is_terminal = cli.interactive || io::stdout().is_terminal();
    let output = cli.mode.output(is_terminal);
    if output == Output::Symbols {
        return symbols::print(cli);
    }
    let Some(input) = Input::of(&cli.files) else {
        return Err(no_profile(cli));
    };
    if output == Output::Raw && input.hosts.is_empty() {
        return raw(cli, &input);
    }
    let locator = input.locator(cli);
    if output == Output::Raw {
        return raw_of_host(cli, input);
    }
    let (loaded, program) = input.load(cli)?;
    JEPROF.warn(&loaded.warnings);
    let selection = Selection {
        kind: loaded.kind(cli.kind())?,
        ..cli.selection(loaded.measure(), &output)
    };
    let printer = Printer {
        cli,
        loaded: &loaded,
        locator: &locator,
        program: &program,
    };
    if output == Output::Interactive {
        return prompt::run(&printer, &selection);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    for threads in threads(cli, &printer)? {
        let selection = Selection {
            threads,
            ..selection.clone()
        };
        printer.write(&output, &selection, &mut out)?;
    }
    Ok(out.flush()?)
}

/// In `jeprof`'s words, unless the one file that is there is missing itself.
fn no_profile(cli: &Cli) -> anyhow::Error {
    if let Some(file) = cli.files.first()
        && let Err(error) = std::fs::metadata(file)
    {
        return anyhow!("{}: {error}", file.display());
    }
    match usage("Did not specify profile file") {
        Stop::Answer(text) | Stop::Error(text) => anyhow!(text),
    }
}

/// All at once, or one after the other.
fn threads(cli: &Cli, printer: &Printer<'_>) -> Result<Vec<Threads>> {
    let known = || printer.loaded.thread_numbers();
    match cli.threads() {
        ThreadChoice::Whole => Ok(vec![Threads::All]),
        _ if known().is_empty() => bail!("the profile does not tell threads apart"),
        ThreadChoice::Each => Ok(known().into_iter().map(Threads::One).collect()),
        ThreadChoice::One(Some(uid)) if known().contains(&uid) => Ok(vec![Threads::One(uid)]),
        ThreadChoice::One(_) => {
            let known: Vec<String> = known().iter().map(u64::to_string).collect();
            bail!("there is no such thread, only: {}", known.join(", "))
        }
    }
}

/// The dump goes out as it came in, so nothing can be chosen from it, added to it or taken off.
fn raw(cli: &Cli, input: &Input) -> Result<()> {
    if cli.base.is_some() || cli.is_part() {
        bail!("--raw takes no --base, --focus, --ignore, --retain, --exclude, --thread or --kind");
    }
    let (bytes, warnings) = load::symbolized(input.one()?, &input.locator(cli), &|_| Ok(()))?;
    JEPROF.warn(&warnings);
    Ok(io::stdout().lock().write_all(&bytes)?)
}

/// The profile of a server with the names that it gave.
fn raw_of_host(cli: &Cli, input: Input) -> Result<()> {
    let [host] = &input.hosts[..] else {
        bail!("--raw takes one host");
    };
    let file = host.fetch(cli.seconds)?;
    let name = |profile: &mut _| host.name(profile);
    let (bytes, warnings) = load::symbolized(&file, &input.locator(cli), &name)?;
    JEPROF.warn(&warnings);
    say("names are those of the server");
    Ok(io::stdout().lock().write_all(&bytes)?)
}
