//! What other processes of the same dumps change on the page of one: its colour where they grow and it does
//! not, and the marks of an end and of a new start. Pure.

use crate::analysis::series::{Exit, Process};
use crate::figures::words;
use crate::report::{AGAIN, EXIT, Report};

/// A calm verdict on one process is not the whole truth where another one grows.
pub(super) fn mind(report: &mut Report) {
    if report.conclusion.verdict.is_growth() {
        return;
    }
    let mut others = report.neighbours.iter();
    if let Some(other) = others.find(|other| other.verdict.is_growth()) {
        let sentence = format!("Of {} it is said: {}.", other.name, other.headline);
        report.conclusion.sentences.push(sentence);
        report.conclusion.caution = true;
    }
}

/// Seconds after the last dump of a process within which a new one of its program has taken its place.
const SUCCESSION: f64 = 120.0;

/// Marks the end of a process whose last dump was left out, and the start of one that took its place.
pub(super) fn mark(report: &mut Report, processes: &[Process], at: usize) {
    let own = &processes[at];
    if matches!(own.exit, Exit::TornDown { .. }) {
        let text = "The program's exit: its exit handlers and destructors free what it held.";
        report.mark_end(EXIT, text);
    }
    let fact = |process: &Process, key: &str| process.last().process.get(key)?.parse::<f64>().ok();
    let Some(end) = fact(own, "time_unix_ms") else {
        return;
    };
    let same =
        |key: &str, other: &Process| other.last().process.get(key) == own.last().process.get(key);
    let others = processes.iter().enumerate();
    let starts = others
        .filter(|(other, p)| *other != at && same("command", p) && same("host", p))
        .filter_map(|(_, p)| Some((fact(p, "start_unix_ms")? - end) / 1000.0));
    let next = starts.filter(|after| (0.0..SUCCESSION).contains(after));
    if let Some(after) = next.reduce(f64::min) {
        let text = format!(
            "Another process of this program began {} later.",
            words::duration(after)
        );
        report.mark_end(AGAIN, &text);
    }
}
