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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::series::Dump;
    use crate::analysis::suspects::Verdict;
    use crate::profile::model::Profile;
    use crate::report::Neighbour;

    fn process(command: &str, start: f64, end: f64, exit: Exit) -> Process {
        let facts = [
            ("command", command.to_owned()),
            ("start_unix_ms", start.to_string()),
            ("time_unix_ms", end.to_string()),
        ];
        let mut profile = Profile::default();
        profile.process.entries = facts.map(|(k, v)| (k.to_owned(), v)).into();
        Process {
            name: "pid 1".to_owned(),
            dumps: vec![Dump {
                path: "m.1.0.f.heap".into(),
                at: 1.0,
                profile,
            }],
            exit,
        }
    }

    /// The labels of the marks on the page of the first process.
    fn marks(processes: &[Process]) -> Vec<String> {
        let mut report = Report::default();
        mark(&mut report, processes, 0);
        let marks = report.timeline.marks.into_iter();
        marks.map(|mark| mark.label).collect()
    }

    #[test]
    fn what_took_the_place_of_a_process_is_marked() {
        let first = || process("app", 0.0, 5000.0, Exit::Whole);
        let again = |start: f64| process("app", start, start + 1000.0, Exit::Whole);
        assert_eq!(marks(&[first(), again(7000.0)]), [AGAIN]);
        assert!(
            marks(&[first(), again(3000.0)]).is_empty(),
            "a worker beside it"
        );
        assert!(
            marks(&[first(), again(900_000.0)]).is_empty(),
            "another day"
        );
        let other = process("other", 7000.0, 8000.0, Exit::Whole);
        assert!(marks(&[first(), other]).is_empty());
        let torn = process("app", 0.0, 5000.0, Exit::TornDown { held: 9.0 });
        assert_eq!(marks(&[torn]), [EXIT]);
    }

    #[test]
    fn a_calm_page_minds_a_process_that_grows() {
        let page = |verdict: Verdict| {
            let mut report = Report::default();
            report.neighbours.push(Neighbour {
                name: "pid 2".to_owned(),
                verdict,
                headline: "It grows".to_owned(),
                ..Neighbour::default()
            });
            mind(&mut report);
            (report.conclusion.caution, report.conclusion.sentences)
        };
        assert_eq!(
            page(Verdict::Growing),
            (true, vec!["Of pid 2 it is said: It grows.".to_owned()])
        );
        assert_eq!(page(Verdict::Bounded), (false, Vec::new()));
    }
}
