//! `malloscope report`: a series of dumps as one HTML page. Called by `bin/malloscope` and by
//! `run`; reads, names all frames, lets `suspects` judge, and has `view::html` write.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::model::{MALLOC, Profile};
use crate::report::{Report, Secrets, State};
use crate::series::{Process, Series};
use crate::suspects::{self, Findings};
use crate::symbolize::{Locator, symbolize};
use crate::view::html;

/// Write a page that says whether a program leaks, how fast, and where, from its dumps
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Directories with dumps, or dumps
    #[arg(value_name = "DIR", required = true)]
    dumps: Vec<PathBuf>,
    /// The page; `-` is the standard output
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
    /// Leave out the command line
    #[arg(long)]
    no_cmdline: bool,
    /// Leave out the command line, the host, and the directories of files
    #[arg(long)]
    redact: bool,
}

/// Writes the page of the process that leaks most; the answer is the exit code.
pub fn report(args: &Args) -> Result<u8> {
    let series = Series::read(&args.dumps)?;
    let Some(mut judged) = of_series(series, &Locator::default()) else {
        return Ok(0);
    };
    judged.report.hide(Secrets {
        no_command: args.no_cmdline,
        redact: args.redact,
    });
    let page = html::render(&judged.report);
    let shown = args.output.display();
    if args.output.as_os_str() == "-" {
        io::stdout().lock().write_all(page.as_bytes())?;
    } else {
        fs::write(&args.output, page).with_context(|| shown.to_string())?;
        // Who reads it may have gone: the page is there.
        let headline = &judged.report.conclusion.headline;
        let _ = writeln!(io::stderr(), "malloscope: {headline}; see {shown}");
    }
    Ok(0)
}

/// A report with the figure that decides whose it is.
pub(crate) struct Judged {
    pub(crate) report: Report,
    /// Bytes an hour that leak for certain.
    pub(crate) leak_lower: f64,
}

/// The report of the process that certainly leaks most; of equals the one with the most live bytes.
/// Nothing without a process.
pub(crate) fn of_series(mut series: Series, locator: &Locator) -> Option<Judged> {
    series.symbolize(locator);
    let all = series.processes.iter().enumerate().map(|(at, process)| {
        let kinds = process.kinds().into_iter();
        let lowest = kinds.map(|kind| suspects::find(process, kind.as_deref()).leak_lower);
        (at, lowest.fold(0.0, f64::max))
    });
    let (at, leak_lower) = all.reduce(|a, b| if b.1 > a.1 { b } else { a })?;
    let mut report = of_process(&mut series.processes[at], locator);
    let known: Vec<String> = series
        .notes
        .into_iter()
        .filter(|note| !report.notes.contains(note))
        .collect();
    report.notes.extend(known);
    let others = series.processes.len() - 1;
    if others > 0 {
        report.notes.push(format!(
            "{others} more processes have dumps here; this one leaks or else holds the most: {}",
            series.processes[at].name
        ));
    }
    Some(Judged { report, leak_lower })
}

/// Names the frames of all dumps and judges every kind.
fn of_process(process: &mut Process, locator: &Locator) -> Report {
    let mut profiles: Vec<Profile> = process
        .dumps
        .iter_mut()
        .map(|dump| std::mem::take(&mut dump.profile))
        .collect();
    let warnings = symbolize(&mut profiles, locator);
    for (dump, profile) in process.dumps.iter_mut().zip(profiles) {
        dump.profile = profile;
    }
    let states: Vec<State<'_>> = process
        .dumps
        .iter()
        .map(|dump| State {
            seconds: dump.at,
            file: dump
                .path
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or_default(),
            profile: &dump.profile,
        })
        .collect();
    let mut report = Report::of_dumps(&states);
    report.notes.extend(warnings);
    let mut found: Vec<(Option<String>, Findings)> = Vec::new();
    for kind in process.kinds() {
        let findings = suspects::find(process, kind.as_deref());
        found.push((kind, findings));
    }
    // The kind that certainly leaks most speaks for the process; malloc stands first among equals.
    found.sort_by(|a, b| b.1.leak_lower.total_cmp(&a.1.leak_lower));
    for (at, (kind, findings)) in found.into_iter().enumerate() {
        if at == 0 {
            report.conclusion = findings.conclusion;
        }
        let name = kind.as_deref().unwrap_or(MALLOC);
        report
            .suspects
            .extend(findings.suspects.into_iter().map(|mut suspect| {
                suspect.kind = name.to_owned();
                suspect
            }));
    }
    report
}
