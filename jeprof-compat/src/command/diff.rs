//! `malloscope diff`: what changed between two dumps. Reads them, finds out how they belong together,
//! and has `analysis::diff` compare and `view` write. Data goes to stdout, talk to stderr.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;
use serde::Serialize;

use crate::analysis::diff::{self, By, How, Options, Side};
use crate::analysis::series::{Dump, Series};
use crate::command::choice::Narrowing;
use crate::command::console::MALLOSCOPE;
use crate::command::load::{self, no_such_kind};
use crate::command::machine;
use crate::profile::identity::Identity;
use crate::profile::model::MALLOC;
use crate::profile::read;
use crate::symbolize::symbolize;
use crate::view;
use crate::view::sentences::pair::{self, Taken};
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
    by: By,
    /// Rows are functions with what they asked for themselves
    #[arg(long, conflicts_with = "cum")]
    flat: bool,
    /// Rows are functions with all that passes them
    #[arg(long)]
    cum: bool,
    /// Tell the lines of a function apart
    #[arg(long)]
    lines: bool,
    /// The most rows that grew, and the most that shrank
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// How the dumps belong together, if they do not say it right
    #[arg(long = "match", value_enum, default_value_t, value_name = "HOW")]
    matched: Match,
    #[command(flatten)]
    narrowing: Narrowing,
    /// Machine-readable output
    #[arg(long)]
    json: bool,
    /// Leave out the host and directories
    #[arg(long)]
    redact: bool,
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

impl DumpFacts {
    fn of(dump: &Taken, kind: Option<&str>, redact: bool) -> DumpFacts {
        let shown = dump.path.display().to_string();
        DumpFacts {
            file: if redact { dump.file() } else { shown },
            process: dump.identity.called(redact),
            seconds: dump.identity.knows_start.then_some(dump.identity.at),
            period_bytes: dump.profile.period_of(kind),
        }
    }
}

/// Compares; the answer is the exit code.
pub fn diff(args: &Args) -> Result<u8> {
    let mut warnings = Vec::new();
    let (mut before, mut after) = read_both(args, &mut warnings)?;
    let mut profiles = [before.profile, after.profile];
    for profile in &mut profiles {
        profile.seen = args.narrowing.seen();
    }
    if let Some(wanted) = &args.narrowing.thread {
        let all = load::threads(&profiles);
        profiles.iter_mut().for_each(|p| p.keep_threads(wanted));
        load::demand_threads(wanted, &profiles, &all)?;
    }
    warnings.extend(symbolize(&mut profiles, &args.narrowing.locator()));
    if args.kind == MALLOC {
        warnings.extend(load::bigger_kinds(&profiles[1..]));
    }
    [before.profile, after.profile] = profiles;
    MALLOSCOPE.warn(&warnings);
    let how = how(args.matched, &before, &after);
    let options = args.options();
    demand(&before, &after, options.kind.as_deref())?;
    let mut notes = pair::notes(&before, &after, how, options.kind.as_deref());
    let found = diff::compare(&side(&before), &side(&after), how, &options);
    let diff = sentences::diff::diff(&found, args.redact);
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let kind = options.kind.as_deref();
        let answer = Answer {
            before: DumpFacts::of(&before, kind, args.redact),
            after: DumpFacts::of(&after, kind, args.redact),
            notes: &notes,
            diff: &diff,
        };
        out.write_all(machine::answer("diff", answer)?.as_bytes())?;
    } else {
        let mut title = pair::title(&before, &after, how, args.redact);
        title.append(&mut notes);
        view::terminal::diff::write(&diff, &title, args.top, &mut out)?;
    }
    out.flush()?;
    Ok(0)
}

impl Args {
    fn options(&self) -> Options {
        let by = match self.by {
            By::Culprit if self.flat || self.cum => By::Function,
            by => by,
        };
        Options {
            kind: (self.kind != MALLOC).then(|| self.kind.clone()),
            by,
            cumulative: self.cum,
            lines: self.lines,
            filter: self.narrowing.filter(),
        }
    }
}

fn read_both(args: &Args, warnings: &mut Vec<String>) -> Result<(Taken, Taken)> {
    let Some(after) = &args.after else {
        return of_directory(&args.before, warnings);
    };
    let before = read_one(&args.before, warnings)?;
    let after = read_one(after, warnings)?;
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
    let mut dumps = whole(directory, warnings)?;
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

fn whole(path: &Path, warnings: &mut Vec<String>) -> Result<Vec<Taken>> {
    let (dumps, notes) = Series::largest(path)?;
    warnings.extend(notes);
    let taken = |dump: Dump| Taken {
        identity: Identity::of(&dump.path, &dump.profile),
        path: dump.path,
        profile: dump.profile,
    };
    Ok(dumps.into_iter().map(taken).collect())
}

fn read_one(path: &Path, warnings: &mut Vec<String>) -> Result<Taken> {
    if path.is_dir() {
        let Some(last) = whole(path, warnings)?.pop() else {
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

fn side(dump: &Taken) -> Side<'_> {
    Side {
        profile: &dump.profile,
        seconds: dump.identity.at,
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

/// One of both should have samples of the kind.
fn demand(before: &Taken, after: &Taken, kind: Option<&str>) -> Result<()> {
    let profiles = [&before.profile, &after.profile];
    match kind {
        Some(kind) if profiles.iter().all(|p| !p.other_kinds.contains_key(kind)) => {
            Err(no_such_kind(kind, profiles))
        }
        _ => Ok(()),
    }
}
