//! `malloscope report`: a series of dumps as one HTML page. Called by `bin/malloscope`; reads, names
//! all frames, lets `suspects` judge, and has `view::html` write.

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

/// Writes the page of the process with the most live bytes; the answer is the exit code.
pub fn report(args: &Args) -> Result<u8> {
    let mut series = Series::read(&args.dumps)?;
    let notes = std::mem::take(&mut series.notes);
    let others = series.processes.len().saturating_sub(1);
    let Some(process) = series.processes.first_mut() else {
        return Ok(0);
    };
    let mut report = of_process(process);
    report.notes.extend(notes);
    if others > 0 {
        report.notes.push(format!(
            "{others} more processes have dumps here; this one held the most: {}",
            process.name
        ));
    }
    report.hide(Secrets {
        no_command: args.no_cmdline,
        redact: args.redact,
    });
    let page = html::render(&report);
    let shown = args.output.display();
    if args.output.as_os_str() == "-" {
        io::stdout().lock().write_all(page.as_bytes())?;
    } else {
        fs::write(&args.output, page).with_context(|| shown.to_string())?;
        // Who reads it may have gone: the page is there.
        let headline = &report.conclusion.headline;
        let _ = writeln!(io::stderr(), "malloscope: {headline}; see {shown}");
    }
    Ok(0)
}

/// Names the frames of all dumps and judges every kind.
fn of_process(process: &mut Process) -> Report {
    let mut profiles: Vec<Profile> = process
        .dumps
        .iter_mut()
        .map(|dump| std::mem::take(&mut dump.profile))
        .collect();
    let warnings = symbolize(&mut profiles, &Locator::default());
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
