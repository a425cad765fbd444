//! What must not leave the house.
//!
//! Function names and the names of files stay: without them there is no report. What says where a
//! machine is, who its users are and how they call their programs is left out.

use super::{Fact, Kind, Report, Suspect};

/// What is kept secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Leave the command line out.
    pub no_command: bool,
    /// Leave out the command line, host, process number, names of threads, other processes, marks
    /// and directories of files too.
    pub redact: bool,
}

/// Facts that tell one machine from another.
const PERSONAL: [&str; 2] = ["Host", "Process"];

impl Report {
    /// Takes out what `secrets` names.
    pub fn hide(&mut self, secrets: Secrets) {
        if secrets.no_command || secrets.redact {
            self.header.command = None;
        }
        if !secrets.redact {
            return;
        }
        let is_public = |fact: &Fact| !PERSONAL.contains(&fact.name.as_str());
        self.header.facts.retain(is_public);
        // They are full of paths, and they are about the measurement.
        self.notes.clear();
        self.neighbours.clear();
        self.timeline.marks.clear();
        for dump in &mut self.timeline.dumps {
            dump.file.clear();
        }
        self.kinds.iter_mut().for_each(hide_in_kind);
        let conclusion = &mut self.conclusion;
        let said = std::iter::once(&mut conclusion.headline).chain(&mut conclusion.sentences);
        self.suspects.iter_mut().for_each(|s| s.threads.clear());
        let suspects = self.suspects.iter_mut().flat_map(Suspect::texts);
        for text in said.chain(suspects) {
            *text = without_directories(text);
        }
    }
}

fn hide_in_kind(kind: &mut Kind) {
    for thread in &mut kind.threads {
        if let Some((number, _)) = thread.split_once(' ')
            && number.starts_with('t')
        {
            *thread = number.to_owned();
        }
    }
    for frame in &mut kind.frames {
        let others = [&mut frame.full, &mut frame.module, &mut frame.file];
        let texts = others.into_iter().filter_map(Option::as_mut);
        for text in std::iter::once(&mut frame.name).chain(texts) {
            *text = without_directories(text);
        }
    }
}

fn base_name(path: &str) -> &str {
    match path.rsplit('/').next() {
        Some(name) if !name.is_empty() => name,
        _ => path,
    }
}

/// Every path in a text loses its directories; `MB/h` has none, and an operator is no path.
fn without_directories(text: &str) -> String {
    let word = |word: &str| {
        let begins = |at: usize| at == 0 || word[..at].ends_with(['(', '[', '<', '"', '\'']);
        match word.find('/') {
            Some(at) if begins(at) => format!("{}{}", &word[..at], base_name(&word[at..])),
            // `src/shop/Orders.java:42`
            Some(_) if word.matches('/').count() > 1 || is_source(word) => {
                base_name(word).to_owned()
            }
            _ => word.to_owned(),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// `app/mail.rb:3`: a name with an ending, behind a slash.
fn is_source(word: &str) -> bool {
    base_name(word)
        .trim_end_matches(['.', ',', ')'])
        .contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Dump, Header, Mark, Neighbour, ReportFrame, StackFrame, Timeline};

    fn secret() -> Report {
        let fact = |name: &str, text: &str| Fact {
            name: name.into(),
            text: text.into(),
            warning: false,
        };
        Report {
            header: Header {
                program: "shop".into(),
                command: Some("shop --token=s3cret".into()),
                facts: vec![
                    fact("Host", "s3cret-1.internal"),
                    fact("Process", "s3cret"),
                    fact("Threads", "4"),
                ],
            },
            timeline: Timeline {
                dumps: vec![Dump {
                    file: "s3cret.1.heap".into(),
                    ..Dump::default()
                }],
                marks: vec![Mark {
                    label: "exit".into(),
                    seconds: 1.0,
                    text: "s3cret deployed".into(),
                }],
                ..Timeline::default()
            },
            suspects: vec![Suspect {
                culprit: "buy /s3cret/shop.js".into(),
                place: "/home/s3cret/shop.c:3 in /opt/s3cret/shop".into(),
                keywords: vec!["buy".into(), "/opt/s3cret/libshop.so".into()],
                stack: vec![StackFrame {
                    name: "buy /s3cret/shop.js".into(),
                    place: "s3cret/lib/shop.c:3".into(),
                    module: "/opt/s3cret/shop".into(),
                    ..StackFrame::default()
                }],
                ..Suspect::default()
            }],
            kinds: vec![Kind {
                threads: vec!["t4 s3cret-worker".into(), "9 other threads".into()],
                frames: vec![ReportFrame {
                    name: "buy /s3cret/shop.js".into(),
                    full: Some("buy(\"/s3cret/shop.js\")".into()),
                    module: Some("/opt/s3cret/shop".into()),
                    file: Some("/home/s3cret/shop.c".into()),
                    ..ReportFrame::default()
                }],
                ..Kind::default()
            }],
            neighbours: vec![Neighbour {
                name: "s3cret".into(),
                ..Neighbour::default()
            }],
            notes: vec!["/opt/s3cret/x is not here".into()],
            ..Report::default()
        }
    }

    #[test]
    fn nothing_goes_unasked_and_the_command_alone_when_that_is_asked() {
        let (mut report, whole) = (secret(), secret());
        report.hide(Secrets::default());
        assert_eq!(report, whole);
        report.hide(Secrets {
            no_command: true,
            redact: false,
        });
        assert_eq!(report.header.command, None);
        assert_eq!(report.header.facts, whole.header.facts);
    }

    #[test]
    fn no_secret_is_left_anywhere() {
        let mut report = secret();
        report.hide(Secrets {
            no_command: false,
            redact: true,
        });
        let left = serde_json::to_string(&report).expect("JSON");
        assert!(!left.contains("s3cret"), "{left}");
        let frame = &report.kinds[0].frames[0];
        assert_eq!(frame.name, report.suspects[0].culprit, "still one frame");
        assert_eq!(frame.file.as_deref(), Some("shop.c"));
        assert_eq!(report.suspects[0].place, "shop.c:3 in shop");
        assert_eq!(report.kinds[0].threads, ["t4", "9 other threads"]);
    }

    #[test]
    fn rates_and_operators_are_no_paths() {
        let sentence =
            "41 MB/h from buy (/home/alice/shop.c:3 in shop) and operator/ app/mail.rb:3.";
        assert_eq!(
            without_directories(sentence),
            "41 MB/h from buy (shop.c:3 in shop) and operator/ mail.rb:3."
        );
    }
}
