//! Whether the program leaks, by the dumps of its run: said in words, shown on a page, and given by the
//! exit code where that was asked for.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Plan, say, shown, summary};
use crate::analysis::series::Series;
use crate::command::report;
use crate::command::tolerance::{LEAKS, UNSEEN};
use crate::figures::words;
use crate::profile::model::MALLOC;
use crate::report::{End, Report};
use crate::symbolize::Locator;
use crate::view::terminal::printable;
use crate::view::{html, markdown};

/// The page, beside the dumps.
const PAGE: &str = "report.html";

/// What the dumps of a run say.
pub(super) struct Answer(report::Judged);

/// Says what the dumps that were not there `before` say; `None` where nobody can tell. The page tells the `end`
/// of the program first.
pub(super) fn print(
    plan: &Plan,
    before: &BTreeSet<PathBuf>,
    locator: &Locator,
    end: Option<End>,
) -> Option<Answer> {
    let now = summary::dumps(&plan.configuration.prefix);
    let new: Vec<PathBuf> = now.difference(before).cloned().collect();
    let series = Series::read(&new).ok()?;
    let notes = series.notes.clone();
    let mut judged = report::of_series(series, locator, plan.tolerance.horizon())?;
    let is_said = end.is_some();
    if let Some(end) = end {
        judged.report.tell_end(end);
    }
    let conclusion = &judged.report.conclusion;
    say(&printable(&conclusion.headline));
    // How it ended was said before all else.
    for sentence in conclusion.sentences.iter().skip(usize::from(is_said)) {
        say(&printable(sentence));
    }
    for note in &notes {
        say(&printable(note));
    }
    Some(Answer(judged))
}

impl Answer {
    /// The kind of samples that grows, where it is not malloc's.
    pub(super) fn kind(&self) -> Option<&str> {
        let report = &self.0.report;
        let first = report.suspects.first()?;
        let grows = report.conclusion.verdict.is_growth() && first.verdict.is_growth();
        (grows && first.kind != MALLOC).then_some(first.kind.as_str())
    }

    /// Writes the page, and says what to type next; the answer is how many bytes an hour leak for certain, in the
    /// process and the kind of samples that leak most, and how many may leak untold.
    pub(super) fn write(&self, plan: &Plan) -> (f64, f64) {
        let Answer(judged) = self;
        if plan.tolerance.is_asked() {
            summarize(plan, &judged.report);
        }
        let dumps = plan.configuration.prefix.parent().unwrap_or(Path::new("."));
        if plan.page {
            let page = dumps.join(PAGE);
            match fs::write(&page, html::render(&judged.report)) {
                Ok(()) => say(&format_args!("report: {}", shown(&page).display())),
                Err(error) => say(&format_args!("{}: {error}", shown(&page).display())),
            }
        }
        say(&format_args!(
            "who leaks, and why: malloscope suspects {}",
            summary::quoted(shown(dumps))
        ));
        (judged.leak_lower, judged.hidden)
    }
}

/// Says that nobody can tell whether it leaks; the answer is the exit code, the program's own where that tells
/// of a failure.
pub(super) fn unseen(own: u8, why: &str) -> u8 {
    let code = if own == 0 { UNSEEN } else { own };
    let whose = match own {
        0 => "for --fail-if-leak",
        _ => "the program's own",
    };
    say(&format_args!("exit {code}, {whose}: {why}"));
    code
}

/// Adds the answer to the summary of a job, where one is kept (GitHub Actions: each step appends to the file
/// that this variable names).
fn summarize(plan: &Plan, report: &Report) {
    let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()) else {
        return;
    };
    let run = report
        .timeline
        .dumps
        .last()
        .map_or(0.0, |dump| dump.seconds);
    let title = format!("{} in {}", plan.program.name(), words::duration(run));
    let text = markdown::findings(&title, &report.conclusion, &report.suspects, run);
    let mut appended = OpenOptions::new();
    let appended = appended.append(true).create(true).open(&file);
    if let Err(error) = appended.and_then(|mut file| file.write_all(text.as_bytes())) {
        say(&format_args!("{}: {error}", Path::new(&file).display()));
    }
}

/// Says that more leaks than the `tolerated` bytes an hour; the answer is the exit code. `own` is the
/// program's.
pub(super) fn leaks(leaks: f64, tolerated: f64, own: u8) -> u8 {
    let rate = |bytes: f64| words::rate(bytes / 3600.0, 3600.0);
    say(&format_args!(
        "exit {LEAKS}, for --fail-if-leak {}: at least {} leak for certain (the program's own exit \
         code was {own})",
        rate(tolerated),
        rate(leaks)
    ));
    LEAKS
}
