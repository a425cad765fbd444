//! What a leak report says, before anyone decides how it looks: verdict, facts, timeline, account
//! of RSS, suspects, and the stacks of every dump. Filled from a series of dumps, written by
//! `view::html`; pure, and the same report gives the same bytes.
//!
//! Everything here is an estimate or a fact of the dumps already; the page computes sums of
//! stacks, and nothing of statistics. Names are as hostile as they were in the process.

mod dumps;
mod stacks;
mod suspect;
mod timeline;

pub use dumps::State;
pub use stacks::{Ages, Cell, Kind, KindBuilder, ReportFrame, Stack, TrieNode};
pub use suspect::{Estimate, StackFrame, Suspect, Verdict};
pub use timeline::{Account, Dump, Limit, Mark, Point, Share, Timeline};

use serde::Serialize;

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
    /// Kinds of samples; `malloc` first. Never summed with each other.
    pub kinds: Vec<Kind>,
    /// What the reader should know beside it: damaged files, names that were not found.
    pub notes: Vec<String>,
}

/// The answer in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Conclusion {
    /// The verdict over all suspects.
    pub verdict: Verdict,
    /// A few words: `Yes, it leaks 41 MB/h`.
    pub headline: String,
    /// At most three plain sentences: how fast and how certain, who, what comes next.
    pub sentences: Vec<String>,
}

/// Facts of the process and of the measurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Header {
    /// Short name of the program: `java`.
    pub program: String,
    /// Whole command line, unless it is to be kept secret.
    pub command: Option<String>,
    /// The rest in order: pid, host, start, duration, sample rate, overhead, lost samples.
    pub facts: Vec<Fact>,
}

/// One fact with its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Fact {
    /// `Process`.
    pub name: String,
    /// `4242 on web-1`.
    pub text: String,
    /// Something is wrong with the measurement, and the reader should know.
    pub warning: bool,
}

/// What must not leave the house.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Leave the command line out.
    pub no_command: bool,
    /// Leave out the command line, host and directories of files too.
    pub redact: bool,
}

impl Report {
    /// The unit of time in which all rates of this report are told, and its seconds.
    pub fn per(&self) -> (&'static str, f64) {
        crate::quantity::per(self.timeline.points.last().map_or(0.0, |p| p.seconds))
    }

    /// Takes out what `secrets` names. Function names stay: without them there is no report.
    pub fn hide(&mut self, secrets: Secrets) {
        if secrets.no_command || secrets.redact {
            self.header.command = None;
        }
        if !secrets.redact {
            return;
        }
        self.header.facts.retain(|fact| fact.name != "Host");
        self.notes.clear();
        for dump in &mut self.timeline.dumps {
            dump.file.clear();
        }
        let frames = self.kinds.iter_mut().flat_map(|kind| &mut kind.frames);
        for file in frames.filter_map(|frame| frame.file.as_mut()) {
            *file = base_name(file);
        }
        for suspect in &mut self.suspects {
            for frame in &mut suspect.stack {
                frame.place = base_name(&frame.place);
            }
            let texts = [
                &mut suspect.place,
                &mut suspect.sentence,
                &mut suspect.reason,
            ];
            for text in texts.into_iter().chain(&mut suspect.advice) {
                *text = without_directories(text);
            }
        }
        let conclusion = &mut self.conclusion;
        for text in std::iter::once(&mut conclusion.headline).chain(&mut conclusion.sentences) {
            *text = without_directories(text);
        }
    }
}

fn base_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// Every absolute path in a sentence loses its directories; `MB/h` has none.
fn without_directories(text: &str) -> String {
    let word = |word: &str| match word.find('/') {
        Some(at) if at == 0 || word[..at].ends_with('(') => {
            format!("{}{}", &word[..at], base_name(&word[at..]))
        }
        _ => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_goes() {
        let mut report = Report {
            header: Header {
                program: "shop".into(),
                command: Some("shop --token=s3cret".into()),
                facts: vec![Fact {
                    name: "Host".into(),
                    text: "db-1.internal".into(),
                    warning: false,
                }],
            },
            kinds: vec![Kind {
                frames: vec![ReportFrame {
                    name: "buy".into(),
                    file: Some("/home/alice/shop.c".into()),
                    ..ReportFrame::default()
                }],
                ..Kind::default()
            }],
            ..Report::default()
        };
        let whole = report.clone();
        report.hide(Secrets::default());
        assert_eq!(report, whole);
        report.hide(Secrets {
            no_command: true,
            redact: false,
        });
        assert_eq!(report.header.command, None);
        assert_eq!(report.header.facts.len(), 1);
        report.hide(Secrets {
            no_command: false,
            redact: true,
        });
        assert!(report.header.facts.is_empty());
        assert_eq!(report.kinds[0].frames[0].file.as_deref(), Some("shop.c"));
        assert_eq!(report.kinds[0].frames[0].name, "buy");
        assert_eq!(
            without_directories("41 MB/h from buy (/home/alice/shop.c:3 in shop) and /a/b."),
            "41 MB/h from buy (shop.c:3 in shop) and b."
        );
    }
}
