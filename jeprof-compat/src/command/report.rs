//! `malloscope report`: a series of dumps as one HTML page, or one for each process. Reads, names all
//! frames, lets `analysis::suspects` judge, and has `view::html` write.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::analysis::series::{Process, Series};
use crate::analysis::suspects;
use crate::profile::model::{MALLOC, Profile, ValueKind};
use crate::report::{self, Findings, Neighbour, Report, Secrets, State};
use crate::symbolize::{Locator, symbolize};
use crate::view::{html, sentences};

/// Other processes that a page names.
const MOST_NEIGHBOURS: usize = 100;

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
    /// Leave out the command line
    #[arg(long)]
    no_cmdline: bool,
    /// Leave out the command line, the host, process numbers, and the directories of files
    #[arg(long)]
    redact: bool,
}

/// Writes the page of the process that leaks most; the answer is the exit code.
pub fn report(args: &Args) -> Result<u8> {
    let locator = Locator::default();
    let mut survey = Survey::of(Series::read(&args.dumps)?, &locator);
    let Some(most) = survey.most(args.pid) else {
        let names: Vec<&str> = survey.names().take(MOST_NEIGHBOURS).collect();
        bail!("no such process; there are dumps of {}", names.join(", "));
    };
    if args.each && args.output.as_os_str() == "-" {
        bail!("several pages cannot go to the standard output");
    }
    let others = (0..survey.found.len()).filter(|at| *at != most);
    let written: Vec<usize> = std::iter::once(most)
        .chain(others.filter(|_| args.each))
        .collect();
    let files = survey.files(&args.output, &written);
    for &at in &written {
        let mut report = survey.report(at, &files, &locator);
        report.hide(Secrets {
            no_command: args.no_cmdline,
            redact: args.redact,
        });
        report.bound();
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
}

/// The report of the process that certainly leaks most; of equals the one with the most live bytes.
/// Nothing without a process.
pub(crate) fn of_series(series: Series, locator: &Locator) -> Option<Judged> {
    let mut survey = Survey::of(series, locator);
    let at = survey.most(None)?;
    let leak_lower = lower(&survey.found[at]);
    let mut report = survey.report(at, &[], locator);
    report.bound();
    Some(Judged { report, leak_lower })
}

/// What was found in a process, by kind of samples.
type Found = Vec<(Option<String>, Findings)>;

/// All processes, judged.
struct Survey {
    series: Series,
    /// One a process.
    found: Vec<Found>,
}

impl Survey {
    fn of(mut series: Series, locator: &Locator) -> Survey {
        series.symbolize(locator);
        let found = series.processes.iter().map(findings).collect();
        Survey { series, found }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.series.processes.iter().map(|p| p.name.as_str())
    }

    /// The process that leaks most, of those with that number.
    fn most(&self, pid: Option<u64>) -> Option<usize> {
        let is_asked = |at: &usize| pid.is_none_or(|p| number(&self.series.processes[*at]) == p);
        (0..self.found.len()).filter(is_asked).reduce(|best, at| {
            let is_more = lower(&self.found[at]) > lower(&self.found[best]);
            if is_more { at } else { best }
        })
    }

    /// Where the page of each process goes: the first of `written` to `output`, the rest beside it.
    fn files(&self, output: &Path, written: &[usize]) -> Vec<Option<PathBuf>> {
        let mut files: Vec<Option<PathBuf>> = vec![None; self.found.len()];
        let mut taken: Vec<u64> = Vec::new();
        for (rank, &at) in written.iter().enumerate() {
            let pid = number(&self.series.processes[at]);
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

    fn report(&mut self, at: usize, files: &[Option<PathBuf>], locator: &Locator) -> Report {
        let found = self.found[at].clone();
        let mut report = of_process(&mut self.series.processes[at], found, locator);
        for note in &self.series.notes {
            if !report.notes.contains(note) {
                report.notes.push(note.clone());
            }
        }
        let others = (0..self.found.len()).filter(|other| *other != at);
        report.neighbours = others
            .take(MOST_NEIGHBOURS)
            .map(|other| self.neighbour(other, files))
            .collect();
        let left_out = self.found.len() - 1 - report.neighbours.len();
        if left_out > 0 {
            let note = format!("Processes that have dumps here and are not named: {left_out}");
            report.notes.push(note);
        }
        report
    }

    fn neighbour(&self, at: usize, files: &[Option<PathBuf>]) -> Neighbour {
        let process = &self.series.processes[at];
        let conclusion = self.found[at].first().map(|(_, f)| &f.conclusion);
        let page = files.get(at).and_then(Option::as_ref);
        let page = page.and_then(|file| file.file_name()?.to_str());
        Neighbour {
            name: process.name.clone(),
            pid: number(process),
            verdict: conclusion.map(|c| c.verdict).unwrap_or_default(),
            headline: conclusion.map_or_else(String::new, |c| c.headline.clone()),
            dumps: process.dumps.len(),
            live: process.last().total(ValueKind::InuseSpace),
            page: page.map(str::to_owned),
        }
    }
}

/// `report.123.html` for `report.html`.
fn beside(output: &Path, marks: &str) -> PathBuf {
    let ending = output.extension().and_then(|e| e.to_str());
    output.with_extension(match ending {
        Some(ending) => format!("{marks}.{ending}"),
        None => marks.to_owned(),
    })
}

/// The number of a process, 0 when it is not known.
fn number(process: &Process) -> u64 {
    let told = process.last().process.get("pid");
    let named = || process.name.strip_prefix("pid ")?.split(' ').next();
    let pid = told.or_else(named).and_then(|pid| pid.parse().ok());
    pid.unwrap_or_default()
}

/// The kind that certainly leaks most speaks for the process; malloc stands first among equals.
fn findings(process: &Process) -> Found {
    let kinds = process.kinds().into_iter();
    let mut found: Found = kinds
        .map(|kind| {
            let findings = sentences::findings(&suspects::find(process, kind.as_deref()));
            (kind, findings)
        })
        .collect();
    found.sort_by(|a, b| b.1.leak_lower.total_cmp(&a.1.leak_lower));
    found
}

/// Bytes an hour that leak for certain, in the kind that leaks most.
fn lower(found: &Found) -> f64 {
    found.first().map_or(0.0, |(_, f)| f.leak_lower.max(0.0))
}

/// Names the frames of the dumps that the page shows, and says what was found.
fn of_process(process: &mut Process, found: Found, locator: &Locator) -> Report {
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
    let states: Vec<State<'_>> = process
        .dumps
        .iter()
        .enumerate()
        .map(|(at, dump)| State {
            seconds: dump.at,
            file: dump
                .path
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or_default(),
            profile: &dump.profile,
            is_shown: shown.contains(&at),
        })
        .collect();
    let mut report = Report::of_dumps(&states);
    report.notes.extend(warnings);
    for (at, (kind, findings)) in found.into_iter().enumerate() {
        let name = kind.as_deref().unwrap_or(MALLOC);
        if at == 0 {
            report.conclusion = findings.conclusion;
            report.put_first(name);
        }
        report
            .suspects
            .extend(findings.suspects.into_iter().map(|mut suspect| {
                suspect.kind = name.to_owned();
                suspect
            }));
    }
    report
}
