//! `malloscope run`: starts a program under the profiler, waits for it, and says what was found.
//! Everything it says goes to stderr; stdout belongs to the program.
//!
//! ```text
//! program (what will run) + library (what is preloaded) + directory -> plan -> child -> summary
//! ```

mod child;
mod ending;
mod family;
mod no_dump;
mod progress;
mod push;
mod remarks;
mod summary;
mod verdict;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::command::console;
use crate::command::doctor;
use crate::command::launch::environment::{CONF, Configuration, Inherited, Wishes};
use crate::command::launch::library;
use crate::command::launch::program::{self, Program};
use crate::command::tolerance::Tolerance;
use crate::figures::date;
use crate::report::End;
use crate::symbolize::Locator;
use crate::view::terminal;
use remarks::Remarks;

/// Exit code for what goes wrong before the program starts, as in `env` and `timeout`.
const FAILED: u8 = 125;

/// Run a program under the profiler and name what it does not give back
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[arg(
        short,
        long,
        value_name = "DIR",
        help = "Where the dumps go; made when it is not there [default: malloscope-COMMAND-TIME]"
    )]
    output: Option<PathBuf>,
    #[command(flatten)]
    wishes: Wishes,
    #[command(flatten)]
    tolerance: Tolerance,
    #[arg(long, help = "Do not write report.html beside the dumps")]
    no_report: bool,
    #[command(flatten)]
    push: push::Wish,
    /// The program and its arguments
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<OsString>,
}

/// Runs the program; the answer is the exit code to pass on: the program's, 128 and the signal
/// that killed it, 3 when it leaks more than it may, 4 when that was asked for and nobody can tell, 127 when it was not found, 126 when it could not be run, 125 for our own
/// failures.
pub fn run(args: &Args) -> u8 {
    match prepare(args) {
        Ok(Ok(plan)) => start(&plan),
        Ok(Err(missing)) => {
            say(&missing);
            missing.exit_code()
        }
        Err(error) => {
            say(&format_args!("{error:#}"));
            FAILED
        }
    }
}

/// Everything that is known before the start.
struct Plan {
    program: Program,
    arguments: Vec<OsString>,
    library: PathBuf,
    configuration: Configuration,
    /// Between two lines about how it is doing, where there is no terminal.
    interval: Duration,
    /// What may leak.
    tolerance: Tolerance,
    /// Whether a page is written.
    page: bool,
    /// Where else the dumps go.
    push: push::Wish,
}

/// The inner error is the program's, and so is its exit code.
fn prepare(args: &Args) -> Result<Result<Plan, program::Missing>> {
    let (name, arguments) = args.command.split_first().context("no command")?;
    if let Some(option) = name.to_str().filter(|name| name.starts_with('-')) {
        bail!(
            "there is no option {option}; see malloscope run --help (a program of that name is started \
             by its path)"
        );
    }
    args.push.check()?;
    let program = match Program::find(name) {
        Ok(program) => program,
        Err(missing) => return Ok(Err(missing)),
    };
    let library = library::find()?;
    let directory = match &args.output {
        Some(directory) => directory.clone(),
        None => default_directory(&program),
    };
    let directory = absolute(&directory)?;
    let configuration = Configuration::new(&directory, &Inherited::read(), &args.wishes)?;
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    Ok(Ok(Plan {
        program,
        arguments: arguments.to_vec(),
        library,
        configuration,
        interval: interval(args.wishes.every),
        tolerance: args.tolerance,
        page: !args.no_report,
        push: args.push.clone(),
    }))
}

/// As long as between two dumps; a minute when no dump is written by the clock.
fn interval(every: Option<u64>) -> Duration {
    Duration::from_secs(every.filter(|every| *every > 0).unwrap_or(60))
}

fn start(plan: &Plan) -> u8 {
    let problems = doctor::problems(&plan.program.path, &plan.library);
    for problem in &problems {
        say(problem);
    }
    if plan.arguments.iter().any(|word| sets_configuration(word)) {
        say(&format_args!(
            "the command sets {CONF} itself, in place of what run sets: its dumps go where that says, and \
             run does not see them; set {CONF} before malloscope run, which adds to it"
        ));
    }
    say(&format_args!(
        "running {} with {}; dumps go to {}.*",
        plan.program.name(),
        plan.library.display(),
        shown(&plan.configuration.prefix).display(),
    ));
    // In a directory that was used before, other runs' dumps are not ours.
    let before = summary::dumps(&plan.configuration.prefix);
    let pusher = plan.push.begin(plan, &before);
    let code = watched(plan, &before, !problems.is_empty());
    if let Some(pusher) = pusher {
        pusher.end();
    }
    code
}

/// Runs the program to its end, and says what its dumps say that were not there `before`; the answer is the exit
/// code.
fn watched(plan: &Plan, before: &BTreeSet<PathBuf>, was_told: bool) -> u8 {
    let remarks = Remarks::begin(&plan.configuration.prefix);
    let ended = match child::run(plan, before) {
        Ok(ended) => ended,
        Err(error) => {
            say(&format_args!("{}: {error}", plan.program.name()));
            return program::start_error(&error);
        }
    };
    remarks.print();
    let locator = Locator {
        program: Some(plan.program.path.clone()),
        ..Locator::default()
    };
    let end = ending(plan, before, &ended);
    if let Some(end) = &end {
        say(&terminal::printable(&end.sentence));
    }
    let mut fullest = None;
    if summary::dumps(&plan.configuration.prefix).is_subset(before) {
        say(&no_dump::reason(&plan.configuration.prefix, was_told));
    } else {
        fullest = summary::print(plan, before, ended.at);
    }
    // The answer comes first, and the biggest places of the kind that it speaks of behind it.
    let answer = verdict::print(plan, before, &locator, end);
    if let Some(fullest) = &fullest {
        let kind = answer.as_ref().and_then(verdict::Answer::kind);
        summary::print_sites(fullest, kind, &locator);
    }
    let own = child::exit_code(ended.status);
    let (leaks, hidden) = answer.map_or((0.0, f64::INFINITY), |answer| answer.write(plan));
    if let Some(tolerated) = plan.tolerance.exceeded(leaks) {
        return verdict::leaks(leaks, tolerated, own);
    }
    match plan.tolerance.untold(hidden) {
        Some(untold) => verdict::unseen(own, &untold),
        None => own,
    }
}

/// Does a word of the command, as in `env NAME=value` or `sh -c "NAME=value ..."`, set our variable?
fn sets_configuration(word: &OsStr) -> bool {
    let text = word.to_string_lossy();
    let mut words = text.split(|c: char| c.is_whitespace() || c == ';');
    words.any(|word| word.split_once('=').is_some_and(|(name, _)| name == CONF))
}

/// How it ended; nothing where it ended well.
fn ending(plan: &Plan, before: &BTreeSet<PathBuf>, ended: &child::Ended) -> Option<End> {
    if ended.status.success() {
        return None;
    }
    let path = plan.program.path.to_string_lossy().into_owned();
    let arguments = plan
        .arguments
        .iter()
        .map(|a| a.to_string_lossy().into_owned());
    let command: Vec<String> = std::iter::once(path).chain(arguments).collect();
    let last = summary::last(&plan.configuration.prefix, before);
    let ending = ending::Ending {
        status: ended.status,
        after: ended.after,
        out_of_memory: ended.out_of_memory.as_deref(),
        command: &command,
        last: last.as_ref(),
    };
    ending.told()
}

/// One line of ours between those of the program.
fn say(line: &dyn fmt::Display) {
    write(&format_args!("malloscope: {line}"));
}

fn write(line: &dyn fmt::Display) {
    console::say(&line.to_string());
}

/// A name of no end would push everything else off the line.
fn printable(name: &str) -> String {
    const MOST: usize = 160;
    let mut text: String = terminal::printable(name).chars().take(MOST).collect();
    if name.chars().count() > MOST {
        text.push('…');
    }
    text
}

/// The dumps' prefix must hold wherever the program changes its directory to.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("no such directory: {}", path.display()))
}

/// A path as the user would type it here.
fn shown(path: &Path) -> &Path {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok())
        .unwrap_or(path)
}

/// `malloscope-java-20261121-093005`, with a number behind it when that is taken.
fn default_directory(program: &Program) -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let stamp = date::stamp(now.map_or(0, |d| d.as_secs() as i64));
    // What the grammar of the configuration cannot carry does not get into a name of ours.
    let name: String = program
        .name()
        .chars()
        .map(|c| if c == ',' || c.is_control() { '_' } else { c })
        .collect();
    let base = format!("malloscope-{name}-{stamp}");
    let taken = (2..).map(|n| format!("{base}-{n}"));
    let mut names = std::iter::once(base.clone()).chain(taken);
    let free = names.find(|name| !Path::new(name).exists());
    PathBuf::from(free.unwrap_or(base))
}
