//! `malloscope report`: a series of dumps as one HTML page, or one for each process. Reads, names all
//! frames, has `view::sentences` judge, and `view::html` write.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use regex::Regex;

use crate::analysis::series::{Process, Series};
use crate::command::load::keep_threads;
use crate::command::machine;
use crate::command::places::Places;
use crate::figures::quantity;
use crate::profile::model::{Profile, Seen};
use crate::report::{self, Report, Secrets};
use crate::symbolize::{Locator, symbolize};
use crate::view::html;
use crate::view::sentences::survey::{MOST_NEIGHBOURS, Survey, number};

/// Write a page that says whether a program leaks, how fast, and where, from its dumps
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Directories with dumps, or dumps
    #[arg(value_name = "DIR", required = true)]
    dumps: Vec<PathBuf>,
    /// The page; `-` is the standard output
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
    /// The process to report on; without it, the one that leaks most
    #[arg(long, value_name = "PID")]
    pid: Option<u64>,
    /// Beside FILE a page for each other process: `report.PID.html`
    #[arg(long, conflicts_with = "pid")]
    each: bool,
    /// Only frames of this language; stacks without one are left out
    #[arg(long, value_enum, value_name = "NAME")]
    language: Option<Seen>,
    /// Only what threads hold of which the name matches, as in web-pool or ^t3
    #[arg(long, value_name = "REGEXP")]
    thread: Option<Regex>,
    /// The age that must be reached without being freed before it is called a leak, as in 10m
    #[arg(long, value_name = "TIME", value_parser = quantity::seconds)]
    horizon: Option<u64>,
    /// The data of the page instead of the page, for programs; to the standard output
    #[arg(long, conflicts_with_all = ["each", "output"])]
    json: bool,
    #[command(flatten)]
    places: Places,
    /// Leave out the command line
    #[arg(long)]
    no_cmdline: bool,
    /// Leave out the command line, the host, process numbers, and the directories of files
    #[arg(long)]
    redact: bool,
}

/// Writes the page of the process that leaks most; the answer is the exit code.
pub fn report(args: &Args) -> Result<u8> {
    let locator = args.places.locator();
    let mut series = Series::read(&args.dumps)?;
    series.see(args.language.unwrap_or_default());
    keep_threads(&mut series, args.thread.as_ref())?;
    series.symbolize(&locator);
    let survey = Survey::of(&series, args.horizon.unwrap_or(0) as f64);
    let Some(most) = survey.most(&series, args.pid) else {
        let names = series.processes.iter().map(|p| p.name.as_str());
        let names: Vec<&str> = names.take(MOST_NEIGHBOURS).collect();
        bail!("no such process; there are dumps of {}", names.join(", "));
    };
    if args.each && args.output.as_os_str() == "-" {
        bail!("several pages cannot go to the standard output");
    }
    let others = (0..series.processes.len()).filter(|at| *at != most);
    let written: Vec<usize> = std::iter::once(most)
        .chain(others.filter(|_| args.each))
        .collect();
    let files = files(&series, &args.output, &written);
    for &at in &written {
        let mut report = page(&survey, &mut series, at, &files, &locator);
        report.hide(Secrets {
            no_command: args.no_cmdline,
            redact: args.redact,
        });
        report.bound();
        if written.last() == Some(&at) {
            // All is in the report: what is drawn of it may have their memory.
            series.processes.clear();
        }
        if args.json {
            let answer = machine::answer("report", &report)?;
            io::stdout().lock().write_all(answer.as_bytes())?;
            continue;
        }
        write(&report, files[at].as_deref().unwrap_or(&args.output))?;
    }
    Ok(0)
}

fn write(report: &Report, output: &Path) -> Result<()> {
    let page = html::render(report);
    if output.as_os_str() == "-" {
        return Ok(io::stdout().lock().write_all(page.as_bytes())?);
    }
    let shown = output.display();
    fs::write(output, page).with_context(|| shown.to_string())?;
    // The reader may have gone: the page is there.
    let headline = &report.conclusion.headline;
    let _ = writeln!(io::stderr(), "malloscope: {headline}; see {shown}");
    Ok(())
}

/// A report with the figure that decides whose it is.
pub(crate) struct Judged {
    pub(crate) report: Report,
    /// Bytes an hour that leak for certain.
    pub(crate) leak_lower: f64,
    /// Bytes an hour that may leak untold.
    pub(crate) hidden: f64,
}

/// The report of the process that certainly leaks most; of equals the one with the most live bytes.
/// Nothing without a process.
pub(crate) fn of_series(mut series: Series, locator: &Locator, horizon: f64) -> Option<Judged> {
    series.symbolize(locator);
    let survey = Survey::of(&series, horizon);
    let at = survey.most(&series, None)?;
    let leak_lower = survey.lower(at);
    let mut report = page(&survey, &mut series, at, &[], locator);
    report.bound();
    Some(Judged {
        report,
        leak_lower,
        hidden: survey.hidden(at),
    })
}

/// What the page of a process says, with names for all frames of the dumps that it shows.
fn page(
    survey: &Survey,
    series: &mut Series,
    at: usize,
    files: &[Option<PathBuf>],
    locator: &Locator,
) -> Report {
    let (shown, warnings) = name_shown(&mut series.processes[at], locator);
    let name = |file: &PathBuf| Some(file.file_name()?.to_str()?.to_owned());
    let pages: Vec<Option<String>> = files.iter().map(|f| f.as_ref().and_then(name)).collect();
    let mut report = survey.report(series, at, &shown, &pages);
    report.notes.extend(warnings);
    for note in &series.notes {
        if !report.notes.contains(note) {
            report.notes.push(note.clone());
        }
    }
    report.notes.extend(survey.left_out());
    report
}

/// Which dumps a page shows, and what is to be said of the names in them.
fn name_shown(process: &mut Process, locator: &Locator) -> (BTreeSet<usize>, Vec<String>) {
    let seconds: Vec<f64> = process.dumps.iter().map(|dump| dump.at).collect();
    let shown = report::shown(&seconds, process.last().samples.len());
    let mut profiles: Vec<Profile> = shown
        .iter()
        .map(|at| std::mem::take(&mut process.dumps[*at].profile))
        .collect();
    let warnings = symbolize(&mut profiles, locator);
    for (at, profile) in shown.iter().zip(profiles) {
        process.dumps[*at].profile = profile;
    }
    (shown, warnings)
}

/// Where the page of each process goes: the first of `written` to `output`, the rest beside it.
fn files(series: &Series, output: &Path, written: &[usize]) -> Vec<Option<PathBuf>> {
    let mut files: Vec<Option<PathBuf>> = vec![None; series.processes.len()];
    let mut taken: Vec<u64> = Vec::new();
    for (rank, &at) in written.iter().enumerate() {
        let pid = number(&series.processes[at]);
        // A container's first process always has the same number.
        let again = taken.iter().filter(|t| **t == pid).count();
        taken.push(pid);
        let marks = match again {
            0 => pid.to_string(),
            n => format!("{pid}-{}", n + 1),
        };
        files[at] = Some(match rank {
            0 => output.to_owned(),
            _ => beside(output, &marks),
        });
    }
    files
}

/// `report.123.html` for `report.html`.
fn beside(output: &Path, marks: &str) -> PathBuf {
    let ending = output.extension().and_then(|e| e.to_str());
    output.with_extension(match ending {
        Some(ending) => format!("{marks}.{ending}"),
        None => marks.to_owned(),
    })
}
