//! What a leak report says, before anyone decides how it looks: verdict, facts, timeline, account
//! of RSS, suspects, and the stacks of every dump. Filled from a series of dumps, written by
//! `view::html`; pure, and the same report gives the same bytes.
//!
//! Everything here is an estimate or a fact of the dumps already; the page computes sums of
//! stacks, and nothing of statistics. Names are as hostile as they were in the process.

mod fill;
mod header;
mod kind;
mod kind_builder;
mod neighbour;
mod redact;
pub mod sample_rate;
mod state;
mod suspect;
mod text;
mod timeline;

pub use header::{Fact, Header};
pub use kind::{Ages, Cell, Kind, Parent, ReportFrame, Stack, TrieNode};
pub use kind_builder::{KindBuilder, MOST_STACKS};
pub use neighbour::Neighbour;
pub use redact::Secrets;
pub use state::{State, shown};
pub use suspect::{Conclusion, Findings, Lifetime, StackFrame, Suspect};
pub use timeline::{Account, Dump, Limit, Mark, Point, Share, Timeline};

use crate::analysis::suspects::Verdict;
use crate::figures::words;
use crate::profile::model::MALLOC;
use serde::Serialize;

/// The mark of an end by the program's own will.
pub(crate) const EXIT: &str = "exit";

/// The mark of another process of the program that took the place of one that ended.
pub(crate) const AGAIN: &str = "started again";

/// How a process ended that did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// In a sentence.
    pub sentence: String,
    /// In a word or two: `OOM`, `SIGSEGV`, `exit 1`.
    pub label: String,
    /// For want of memory.
    pub of_memory: bool,
}

/// A whole report.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// What the first lines say.
    pub conclusion: Conclusion,
    /// Whose report it is.
    pub header: Header,
    /// How memory went.
    pub timeline: Timeline,
    /// The account of RSS at each dump that has one, in order of time.
    pub accounts: Vec<Account>,
    /// The most certain and the fastest first.
    pub suspects: Vec<Suspect>,
    /// Kinds of samples; the one that the conclusion is about first. Never summed with each other.
    pub kinds: Vec<Kind>,
    /// Other processes whose dumps lie beside.
    pub neighbours: Vec<Neighbour>,
    /// What the reader should know beside it: damaged files, names that were not found.
    pub notes: Vec<String>,
}

impl Report {
    /// The unit of time of all rates in this report, and its seconds.
    pub fn per(&self) -> (&'static str, f64) {
        words::per(self.timeline.points.last().map_or(0.0, |p| p.seconds))
    }

    /// Makes the report speak of one kind of samples: it comes first, and the timeline shows it.
    pub fn put_first(&mut self, kind: &str) {
        let Some(at) = self.kinds.iter().position(|k| k.name == kind) else {
            return;
        };
        self.kinds[..=at].rotate_right(1);
        let first = &self.kinds[0];
        if first.name == MALLOC {
            return;
        }
        self.timeline.kind = Some(first.title.clone());
        let dumps = &self.timeline.dumps;
        for point in &mut self.timeline.points {
            point.malloc = point.live.map(|live| live.value);
            let dump = dumps.iter().position(|d| d.seconds == point.seconds);
            point.live = dump.map(|dump| first.live(dump));
        }
    }

    /// Tells how the process ended before all else, and marks it on the timeline. A process that ended for want
    /// of memory is not well, whatever its places did last.
    pub fn tell_end(&mut self, end: End) {
        let conclusion = &mut self.conclusion;
        if end.of_memory && !conclusion.verdict.is_growth() {
            conclusion.verdict = Verdict::Growing;
            conclusion.headline = "It ran out of memory, and no place grew to the end".to_owned();
            // What would have been seen of a steady leak is beside the point.
            conclusion
                .sentences
                .retain(|s| !s.starts_with("A steady leak"));
        }
        conclusion.caution = true;
        self.timeline.marks.retain(|mark| mark.label != EXIT);
        self.mark_end(&end.label, &end.sentence);
        self.conclusion.sentences.insert(0, end.sentence);
    }

    /// Marks something that happened when the last dump was written, or after it.
    pub fn mark_end(&mut self, label: &str, text: &str) {
        let last = self.timeline.points.last();
        self.timeline.marks.push(Mark {
            seconds: last.map_or(0.0, |point| point.seconds),
            label: label.to_owned(),
            text: text.to_owned(),
        });
    }

    /// Texts that come from names, as a page can bear them.
    pub fn bound(&mut self) {
        let header = &mut self.header;
        header.program = text::shorten(&header.program);
        header.command = header.command.take().map(|c| text::shorten_to(&c, 4000));
        let facts = header.facts.iter_mut().map(|fact| &mut fact.text);
        let conclusion = &mut self.conclusion;
        let said = std::iter::once(&mut conclusion.headline).chain(&mut conclusion.sentences);
        let suspects = self.suspects.iter_mut().flat_map(Suspect::texts);
        let files = self.timeline.dumps.iter_mut().map(|d| &mut d.file);
        let notes = self.notes.iter_mut();
        for text in facts.chain(said).chain(suspects).chain(files).chain(notes) {
            *text = text::shorten(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Estimate;

    #[test]
    fn the_kind_that_leaks_comes_first_and_is_in_the_timeline() {
        let cell = |bytes: f64| Cell {
            bytes,
            variance: 1.0,
            ..Cell::default()
        };
        let kind = |name: &str, bytes: f64| Kind {
            name: name.into(),
            title: format!("{name} heap"),
            stacks: vec![Stack {
                node: 0,
                cells: vec![cell(bytes)],
            }],
            ..Kind::default()
        };
        let live = Some(Estimate {
            value: 5.0,
            ..Estimate::default()
        });
        let mut report = Report {
            timeline: Timeline {
                points: vec![Point {
                    live,
                    ..Point::default()
                }],
                dumps: vec![Dump::default()],
                ..Timeline::default()
            },
            kinds: vec![
                kind(MALLOC, 5.0),
                kind("mmap", 1.0),
                kind("java_heap", 70.0),
            ],
            ..Report::default()
        };
        let before = report.clone();
        report.put_first(MALLOC);
        assert_eq!(report, before);
        report.put_first("java_heap");
        let names: Vec<&str> = report.kinds.iter().map(|k| k.name.as_str()).collect();
        assert_eq!(names, ["java_heap", MALLOC, "mmap"]);
        let point = report.timeline.points[0];
        assert_eq!(point.malloc, Some(5.0));
        assert_eq!(point.live.map(|l| (l.value, l.high)), Some((70.0, 71.96)));
        assert_eq!(report.timeline.kind.as_deref(), Some("java_heap heap"));
    }
}
