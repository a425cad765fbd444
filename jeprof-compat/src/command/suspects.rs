//! `malloscope suspects`: reads a series of dumps and names what leaks. Data goes to stdout, talk to
//! stderr.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use crate::analysis::series::{Process, Series};
use crate::command::console::MALLOSCOPE;
use crate::command::tolerance::{LEAKS, Tolerance};
use crate::figures::words;
use crate::profile::model::MALLOC;
use crate::report::{Conclusion, Findings, Suspect};
use crate::symbolize::Locator;
use crate::view::{markdown, sentences, terminal};

/// Say whether a program leaks, how fast, and where, from its dumps
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Directories with dumps, or dumps
    #[arg(value_name = "DIR", required = true)]
    dumps: Vec<PathBuf>,
    /// Machine-readable output
    #[arg(long)]
    json: bool,
    /// The verdict and its figures in twenty lines of Markdown, for a pull request or an incident
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    #[command(flatten)]
    tolerance: Tolerance,
}

/// The findings of one kind of samples of one process, in JSON.
#[derive(Serialize)]
struct Answer<'a> {
    process: &'a str,
    kind: &'a str,
    seconds: f64,
    dumps: usize,
    conclusion: &'a Conclusion,
    detection_floor_bytes_per_hour: Option<f64>,
    leak_lower_bytes_per_hour: f64,
    suspects: &'a [Suspect],
}

/// Findings with whose they are.
struct Found<'a> {
    process: &'a Process,
    kind: Option<String>,
    findings: Findings,
}

/// Runs; the answer is the exit code.
pub fn suspects(args: &Args) -> Result<u8> {
    let mut series = Series::read(&args.dumps)?;
    series.symbolize(&Locator::default());
    MALLOSCOPE.warn(&series.notes);
    let mut found: Vec<Found<'_>> = Vec::new();
    for process in &series.processes {
        let kinds = sentences::survey::found(process).into_iter();
        found.extend(kinds.map(|(kind, findings)| Found {
            process,
            kind,
            findings,
        }));
    }
    found.sort_by(|a, b| b.findings.leak_lower.total_cmp(&a.findings.leak_lower));
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let answers: Vec<Answer<'_>> = found.iter().map(Found::answer).collect();
        serde_json::to_writer_pretty(&mut out, &answers)?;
        writeln!(out)?;
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
    Ok(args.tolerance.exceeded(lower).map_or(0, |_| LEAKS))
}

/// All of the first process, and of the others the verdict: they are mostly its equals.
fn print(found: &[Found<'_>], out: &mut dyn Write) -> Result<()> {
    let Some(first) = found.first() else {
        return Ok(());
    };
    let (own, others): (Vec<_>, Vec<_>) = found
        .iter()
        .partition(|f| std::ptr::eq(f.process, first.process));
    for (number, found) in own.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        terminal::suspects::write(&found.title(), &found.findings, found.seconds(), out)?;
    }
    for found in others {
        let headline = &found.findings.conclusion.headline;
        writeln!(out, "\n{}\n{headline}.", found.title())?;
    }
    Ok(())
}

impl Found<'_> {
    fn seconds(&self) -> f64 {
        self.process.dumps.last().map_or(0.0, |dump| dump.at)
    }

    fn title(&self) -> String {
        let program = self.process.last().process.program();
        let count = self.process.dumps.len();
        let kind = self
            .kind
            .as_ref()
            .map_or(String::new(), |kind| format!(", {kind}"));
        format!(
            "{program} {}, {count} {} in {}{kind}",
            self.process.name,
            if count == 1 { "dump" } else { "dumps" },
            words::duration(self.seconds()),
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
        markdown::findings(&self.title(), conclusion, suspects, self.seconds())
    }

    fn answer(&self) -> Answer<'_> {
        Answer {
            process: &self.process.name,
            kind: self.kind.as_deref().unwrap_or(MALLOC),
            seconds: self.seconds(),
            dumps: self.process.dumps.len(),
            conclusion: &self.findings.conclusion,
            detection_floor_bytes_per_hour: self.findings.floor,
            leak_lower_bytes_per_hour: self.findings.leak_lower,
            suspects: &self.findings.suspects,
        }
    }
}
