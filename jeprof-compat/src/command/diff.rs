//! `malloscope diff`: what changed between two dumps. Reads them, finds out how they belong together,
//! and has `analysis::diff` compare and `view` write. Data goes to stdout, talk to stderr.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;
use regex::Regex;
use serde::Serialize;

use crate::analysis::diff::{self, By, How, Options, Side};
use crate::analysis::series::{Dump, Series};
use crate::command::console::warn;
use crate::figures::words;
use crate::profile::identity::Identity;
use crate::profile::model::{MALLOC, Profile};
use crate::profile::read;
use crate::stacks::filter::Filter;
use crate::symbolize::{Locator, symbolize};
use crate::view;
use crate::view::sentences::{self, diff::Diff};

/// Say what grew and what shrank between two dumps, and what of it is only noise
///
/// Two dumps of one process are compared stack by stack, and only what came and went is uncertain.
/// Dumps of two runs, or of two builds, are compared by the names of their functions.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The earlier dump, or a directory: its last whole dump
    before: PathBuf,
    /// The later dump, or a directory; without it BEFORE is a directory: its first dump and its last
    after: Option<PathBuf>,
    /// Compare samples of this kind: `java_heap`, `mmap`
    #[arg(long, value_name = "NAME", default_value = MALLOC)]
    kind: String,
    /// What makes a row
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    by: RowOf,
    /// Rows are functions with what they asked for themselves
    #[arg(long, conflicts_with = "cum")]
    flat: bool,
    /// Rows are functions with all that passes them
    #[arg(long)]
    cum: bool,
    /// Tell the lines of a function apart
    #[arg(long)]
    lines: bool,
    /// At most so many rows that grew, and as many that shrank
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// How the dumps belong together, if they do not say it right
    #[arg(long = "match", value_enum, default_value_t, value_name = "HOW")]
    matched: Match,
    /// Only stacks with a frame that matches
    #[arg(long, value_name = "REGEXP")]
    focus: Option<Regex>,
    /// No stacks with a frame that matches
    #[arg(long, value_name = "REGEXP")]
    ignore: Option<Regex>,
    /// Where the program lies now, if not where it ran
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Machine-readable output
    #[arg(long)]
    json: bool,
    /// Leave out the host and directories
    #[arg(long)]
    redact: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum RowOf {
    /// The place to blame: the first frame that is not allocator, C library or runtime
    #[default]
    Culprit,
    /// A whole call path
    Path,
    /// A function
    Function,
    /// A file of code
    Module,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Match {
    /// As the dumps say
    #[default]
    Auto,
    /// They are of one process
    Process,
    /// They are of two runs
    Names,
}

/// A dump with whose it is.
struct Taken {
    path: PathBuf,
    identity: Identity,
    profile: Profile,
}

/// The answer in JSON.
#[derive(Serialize)]
struct Answer<'a> {
    before: DumpFacts,
    after: DumpFacts,
    notes: &'a [String],
    #[serde(flatten)]
    diff: &'a Diff,
}

/// A dump in JSON.
#[derive(Serialize)]
struct DumpFacts {
    file: String,
    process: String,
    seconds: Option<f64>,
    period_bytes: f64,
}

/// Compares; the answer is the exit code.
pub fn diff(args: &Args) -> Result<u8> {
    let mut warnings = Vec::new();
    let (mut before, mut after) = read_both(args, &mut warnings)?;
    let mut profiles = [before.profile, after.profile];
    let locator = Locator {
        program: args.program.clone(),
        ..Locator::default()
    };
    warnings.extend(symbolize(&mut profiles, &locator));
    [before.profile, after.profile] = profiles;
    warn(&warnings);
    let how = how(args.matched, &before, &after);
    let options = args.options();
    let mut notes = notes(&before, &after, how, options.kind.as_deref())?;
    let found = diff::compare(&before.side(), &after.side(), how, &options);
    let diff = sentences::diff::diff(&found, args.redact);
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let kind = options.kind.as_deref();
        let answer = Answer {
            before: before.told(kind, args.redact),
            after: after.told(kind, args.redact),
            notes: &notes,
            diff: &diff,
        };
        serde_json::to_writer_pretty(&mut out, &answer)?;
        writeln!(out)?;
    } else {
        let mut title = title(&before, &after, how, args.redact);
        title.append(&mut notes);
        view::terminal::diff::write(&diff, &title, args.top, &mut out)?;
    }
    out.flush()?;
    Ok(0)
}

impl Args {
    fn options(&self) -> Options {
        let by = match self.by {
            RowOf::Culprit if self.flat || self.cum => By::Function,
            RowOf::Culprit => By::Culprit,
            RowOf::Path => By::Path,
            RowOf::Function => By::Function,
            RowOf::Module => By::Module,
        };
        Options {
            kind: (self.kind != MALLOC).then(|| self.kind.clone()),
            by,
            cumulative: self.cum,
            lines: self.lines,
            filter: Filter {
                focus: self.focus.clone(),
                ignore: self.ignore.clone(),
            },
        }
    }
}

fn read_both(args: &Args, warnings: &mut Vec<String>) -> Result<(Taken, Taken)> {
    let Some(after) = &args.after else {
        return of_directory(&args.before, warnings);
    };
    let before = Taken::read(&args.before, warnings)?;
    let after = Taken::read(after, warnings)?;
    let is_same = |a: &Path, b: &Path| a == b || a.canonicalize().ok() == b.canonicalize().ok();
    if is_same(&before.path, &after.path) {
        bail!(
            "both are the same dump, {}: give an earlier one first",
            before.path.display()
        );
    }
    Ok((before, after))
}

/// The first dump of a directory's process and its last.
fn of_directory(directory: &Path, warnings: &mut Vec<String>) -> Result<(Taken, Taken)> {
    let mut dumps = Taken::whole(directory, warnings)?;
    let (Some(last), true) = (dumps.pop(), directory.is_dir()) else {
        bail!(
            "one dump alone has nothing to be compared with: give another one behind {}",
            directory.display()
        );
    };
    match dumps.into_iter().next() {
        Some(first) => Ok((first, last)),
        None => bail!(
            "{} has only one whole dump of {}: give two",
            directory.display(),
            last.identity.name()
        ),
    }
}

impl Taken {
    fn whole(path: &Path, warnings: &mut Vec<String>) -> Result<Vec<Taken>> {
        let (dumps, notes) = Series::largest(path)?;
        warnings.extend(notes);
        let state = |dump: Dump| Taken {
            identity: Identity::of(&dump.path, &dump.profile),
            path: dump.path,
            profile: dump.profile,
        };
        Ok(dumps.into_iter().map(state).collect())
    }

    fn read(path: &Path, warnings: &mut Vec<String>) -> Result<Taken> {
        if path.is_dir() {
            let Some(last) = Taken::whole(path, warnings)?.pop() else {
                bail!("no dump can be read in {}", path.display());
            };
            return Ok(last);
        }
        let (profile, more) = read::read(path)?;
        warnings.extend(more);
        Ok(Taken {
            path: path.to_owned(),
            identity: Identity::of(path, &profile),
            profile,
        })
    }

    fn side(&self) -> Side<'_> {
        Side {
            profile: &self.profile,
            seconds: self.identity.at,
        }
    }

    fn file(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    fn told(&self, kind: Option<&str>, redact: bool) -> DumpFacts {
        let shown = self.path.display().to_string();
        DumpFacts {
            file: if redact { self.file() } else { shown },
            process: self.identity.called(redact),
            seconds: self.identity.knows_start.then_some(self.identity.at),
            period_bytes: self.profile.period_of(kind),
        }
    }

    /// `m.12.3.t3.heap, pid 12 at 3 s`.
    fn called(&self, redact: bool) -> String {
        let (file, name) = (self.file(), self.identity.called(redact));
        match self.identity.knows_start {
            true => format!("{file}, {name} at {}", words::duration(self.identity.at)),
            false if name == file => file,
            false => format!("{file}, {name}"),
        }
    }

    /// Where the kernel put the vdso: every start of a program has it elsewhere.
    fn home(&self) -> Option<u64> {
        let mut mappings = self.profile.mappings.iter();
        Some(mappings.find(|m| m.path == "[vdso]")?.start)
    }
}

/// How two dumps belong together: by what they say of themselves, and by where the vdso lies,
/// because a pid comes again and so does a name.
fn how(asked: Match, before: &Taken, after: &Taken) -> How {
    let elsewhere = before.home().zip(after.home()).is_some_and(|(a, b)| a != b);
    let (a, b) = (&before.identity, &after.identity);
    match asked {
        Match::Process => How::Process,
        Match::Names => How::Names,
        Match::Auto if elsewhere => How::Names,
        Match::Auto if a.is_same_process(b) => How::Process,
        Match::Auto if a.is_relative(b) => How::Relatives,
        Match::Auto => How::Names,
    }
}

fn title(before: &Taken, after: &Taken, how: How, redact: bool) -> Vec<String> {
    let how = match how {
        How::Process => "One process: what lives in both dumps brings no error.",
        How::Relatives => "A process and its fork child: the samples of both bring their error.",
        How::Names => "Two runs, matched by name: the samples of both bring their error.",
    };
    vec![
        format!("before: {}", before.called(redact)),
        format!("after:  {}", after.called(redact)),
        how.to_owned(),
    ]
}

/// What makes the comparison less than it seems.
fn notes(before: &Taken, after: &Taken, how: How, kind: Option<&str>) -> Result<Vec<String>> {
    let mut notes = kinds(before, after, kind)?;
    let (a, b) = (&before.identity, &after.identity);
    if how == How::Process && a.at > b.at {
        notes.push(
            "The first dump is the later one: what grows in time shows as shrunk here.".to_owned(),
        );
    }
    if how == How::Relatives {
        notes.push(
            "What was sampled before the fork is in both, as far as it was not freed since."
                .to_owned(),
        );
    }
    let no_ages = [before, after]
        .iter()
        .any(|state| state.profile.process.epochs.is_none());
    if how == How::Process && no_ages {
        notes.push(
            "The dumps do not say how old blocks are: the band is as wide as of two runs."
                .to_owned(),
        );
    }
    for (state, word) in [(before, "growth"), (after, "shrinkage")] {
        if state.profile.cut_off {
            let file = state.file();
            notes.push(format!(
                "{file} is cut off: what is missing there looks like {word}."
            ));
        }
    }
    Ok(notes)
}

/// Both should have samples of the kind.
fn kinds(before: &Taken, after: &Taken, kind: Option<&str>) -> Result<Vec<String>> {
    let Some(kind) = kind else {
        return Ok(Vec::new());
    };
    let lacks: Vec<&Taken> = [before, after]
        .into_iter()
        .filter(|state| !state.profile.other_kinds.contains_key(kind))
        .collect();
    match lacks[..] {
        [] => Ok(Vec::new()),
        [one] => Ok(vec![format!(
            "{} has no samples of {kind} at all: were they asked for there?",
            one.file()
        )]),
        _ => {
            let all = [before, after].into_iter();
            let others = all.flat_map(|state| state.profile.other_kinds.keys());
            let mut names: Vec<&str> = others.map(String::as_str).collect();
            names.push(MALLOC);
            names.sort_unstable();
            names.dedup();
            bail!(
                "there are no samples of the kind {kind}, only of: {}",
                names.join(", ")
            )
        }
    }
}
