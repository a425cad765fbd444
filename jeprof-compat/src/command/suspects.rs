//! `malloscope suspects`: reads a series of dumps and names what leaks. Data goes to stdout, talk to
//! stderr.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Result;
use regex::Regex;
use serde::Serialize;

use crate::analysis::series::{Process, Series};
use crate::command::console::MALLOSCOPE;
use crate::command::load::keep_threads;
use crate::command::machine;
use crate::command::places::Places;
use crate::command::tolerance::{LEAKS, Tolerance, UNSEEN};
use crate::figures::words;
use crate::profile::model::{MALLOC, Seen};
use crate::report::{Conclusion, Findings, Suspect};
use crate::view::sentences::survey::Survey;
use crate::view::{markdown, terminal};

/// Say whether a program leaks, how fast, and where, from its dumps
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Directories with dumps, or dumps
    #[arg(value_name = "DIR", required = true)]
    dumps: Vec<PathBuf>,
    /// Only frames of this language; stacks without one are left out
    #[arg(long, value_enum, value_name = "NAME")]
    language: Option<Seen>,
    /// Only what threads hold of which the name matches, as in web-pool or ^t3
    #[arg(long, value_name = "REGEXP")]
    thread: Option<Regex>,
    /// Machine-readable output
    #[arg(long)]
    json: bool,
    /// The verdict and its figures in twenty lines of Markdown, for a pull request or an incident
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    #[command(flatten)]
    tolerance: Tolerance,
    #[command(flatten)]
    places: Places,
}

/// All that is said, in JSON.
#[derive(Serialize)]
struct All<'a> {
    /// What leaks most first.
    found: Vec<Answer<'a>>,
    notes: &'a [String],
}

/// The findings of one kind of samples of one process, or of the workers of one program together, in JSON.
#[derive(Serialize)]
struct Answer<'a> {
    process: &'a str,
    processes: Vec<&'a str>,
    kind: &'a str,
    seconds: f64,
    dumps: usize,
    horizon: Watched,
    conclusion: &'a Conclusion,
    detection_floor_bytes_per_hour: Option<f64>,
    leak_lower_bytes_per_hour: f64,
    suspects: &'a [Suspect],
}

/// How far the verdicts see, in JSON.
#[derive(Serialize)]
struct Watched {
    watched_seconds: f64,
    slowest_cycle_seconds: f64,
    needed_age_seconds: f64,
}

/// Findings with whose they are.
struct Found<'a> {
    /// One process, or the workers of one program.
    processes: Vec<&'a Process>,
    name: String,
    kind: Option<String>,
    seconds: f64,
    dumps: usize,
    findings: Findings,
}

/// Runs; the answer is the exit code.
pub fn suspects(args: &Args) -> Result<u8> {
    let mut series = Series::read(&args.dumps)?;
    series.see(args.language.unwrap_or_default());
    keep_threads(&mut series, args.thread.as_ref())?;
    series.symbolize(&args.places.locator());
    MALLOSCOPE.warn(&series.notes);
    let survey = Survey::of(&series, args.tolerance.horizon());
    let found = all(&series, &survey);
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let found = found.iter().map(Found::answer).collect();
        let notes = &series.notes;
        out.write_all(machine::answer("suspects", All { found, notes })?.as_bytes())?;
    } else if args.markdown {
        let first = found.first().map(Found::markdown).unwrap_or_default();
        out.write_all(first.as_bytes())?;
    } else {
        print(&found, &mut out)?;
    }
    out.flush()?;
    let lower = found
        .iter()
        .map(|f| f.findings.leak_lower)
        .fold(0.0, f64::max);
    if args.tolerance.exceeded(lower).is_some() {
        return Ok(LEAKS);
    }
    let hidden = survey
        .most(&series, None)
        .map_or(f64::INFINITY, |at| survey.hidden(at));
    let untold = args.tolerance.untold(hidden);
    MALLOSCOPE.warn(untold.as_slice());
    Ok(untold.map_or(0, |_| UNSEEN))
}

/// What leaks most first; of equals the workers of a program before each of them.
fn all<'a>(series: &'a Series, survey: &Survey) -> Vec<Found<'a>> {
    let together = survey.services().into_iter().map(|together| Found {
        processes: together
            .service
            .workers
            .iter()
            .map(|at| &series.processes[*at])
            .collect(),
        name: format!("{} workers", together.service.workers.len()),
        kind: None,
        seconds: together.seconds,
        dumps: together.dumps,
        findings: together.findings.clone(),
    });
    let mut found: Vec<Found<'_>> = together.collect();
    for (at, process) in series.processes.iter().enumerate() {
        found.extend(survey.found(at).iter().map(|(kind, findings)| Found {
            processes: vec![process],
            name: process.name.clone(),
            kind: kind.clone(),
            seconds: process.dumps.last().map_or(0.0, |dump| dump.at),
            dumps: process.dumps.len(),
            findings: findings.clone(),
        }));
    }
    found.sort_by(|a, b| b.findings.leak_lower.total_cmp(&a.findings.leak_lower));
    found
}

/// All of the first process, and of the others the verdict: they are mostly its equals.
fn print(found: &[Found<'_>], out: &mut dyn Write) -> Result<()> {
    let Some(first) = found.first() else {
        return Ok(());
    };
    let (own, others): (Vec<_>, Vec<_>) = found.iter().partition(|f| f.name == first.name);
    for (number, found) in own.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        terminal::suspects::write(&found.title(), &found.findings, found.seconds, out)?;
    }
    for found in others {
        let headline = &found.findings.conclusion.headline;
        writeln!(out, "\n{}\n{headline}.", found.title())?;
    }
    Ok(())
}

impl Found<'_> {
    fn title(&self) -> String {
        let program = self
            .processes
            .first()
            .map_or("", |p| p.last().process.program());
        let count = self.dumps;
        let kind = self
            .kind
            .as_ref()
            .map_or(String::new(), |kind| format!(", {kind}"));
        format!(
            "{program} {}, {count} {} in {}{kind}",
            self.name,
            if count == 1 { "dump" } else { "dumps" },
            words::duration(self.seconds),
        )
        .trim_start()
        .to_owned()
    }

    fn markdown(&self) -> String {
        let Findings {
            conclusion,
            suspects,
            ..
        } = &self.findings;
        markdown::findings(&self.title(), conclusion, suspects, self.seconds)
    }

    fn answer(&self) -> Answer<'_> {
        Answer {
            process: &self.name,
            processes: self.processes.iter().map(|p| p.name.as_str()).collect(),
            kind: self.kind.as_deref().unwrap_or(MALLOC),
            seconds: self.seconds,
            dumps: self.dumps,
            horizon: Watched {
                watched_seconds: self.findings.horizon.watched,
                slowest_cycle_seconds: self.findings.horizon.cycle,
                needed_age_seconds: self.findings.horizon.needed(),
            },
            conclusion: &self.findings.conclusion,
            detection_floor_bytes_per_hour: self.findings.floor,
            leak_lower_bytes_per_hour: self.findings.leak_lower,
            suspects: &self.findings.suspects,
        }
    }
}
