//! What the doctor says: a verdict, a sentence, and what to do. Made by every room of `doctor`,
//! printed by its door. Pure.

use serde_json::{Value, json};

/// How bad it is. In the order of badness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Looked at, and as it should be.
    Ok,
    /// Good to know; the profile is right in what it shows.
    Note,
    /// The profile would be empty, wrong or missing.
    Problem,
}

impl Severity {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Problem => "problem",
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) verdict: Severity,
    /// What was looked at, in one word: a name that programs can rely on.
    pub(crate) about: &'static str,
    pub(crate) text: String,
    /// What to do instead.
    pub(crate) advice: Option<String>,
}

impl Finding {
    pub(crate) fn ok(about: &'static str, text: impl Into<String>) -> Finding {
        Finding::new(Severity::Ok, about, text.into())
    }

    pub(crate) fn note(about: &'static str, text: impl Into<String>) -> Finding {
        Finding::new(Severity::Note, about, text.into())
    }

    pub(crate) fn problem(about: &'static str, text: impl Into<String>) -> Finding {
        Finding::new(Severity::Problem, about, text.into())
    }

    fn new(verdict: Severity, about: &'static str, text: String) -> Finding {
        Finding {
            verdict,
            about,
            text,
            advice: None,
        }
    }

    pub(crate) fn instead(mut self, advice: impl Into<String>) -> Finding {
        self.advice = Some(advice.into());
        self
    }

    /// Sentence and advice.
    pub(crate) fn sentence(&self) -> String {
        let text = match &self.advice {
            Some(advice) => format!("{}; {advice}", self.text),
            None => self.text.clone(),
        };
        printable(&text)
    }

    pub(crate) fn line(&self) -> String {
        format!("{:<8} {}", self.verdict.word(), self.sentence())
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "verdict": self.verdict.word(),
            "about": self.about,
            "text": self.text,
            "advice": self.advice,
        })
    }
}

pub(crate) use crate::figures::hidden::printable;

/// The worst of them.
pub(crate) fn worst(findings: &[Finding]) -> Severity {
    let verdicts = findings.iter().map(|finding| finding.verdict);
    verdicts.max().unwrap_or(Severity::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides() {
        let ok = Finding::ok("a", "fine");
        let note = Finding::note("a", "look");
        let problem = Finding::problem("a", "bad");
        assert_eq!(worst(&[]), Severity::Ok);
        assert_eq!(worst(&[note.clone(), ok.clone()]), Severity::Note);
        assert_eq!(worst(&[note, problem, ok]), Severity::Problem);
    }

    #[test]
    fn a_finding_is_one_line() {
        let finding = Finding::problem("format", "/tmp/a\nb is static").instead("link it");
        assert_eq!(
            finding.line(),
            "problem  /tmp/a\u{fffd}b is static; link it"
        );
        assert_eq!(
            finding.json()["advice"],
            Value::String("link it".to_owned())
        );
        assert_eq!(Finding::ok("a", "b").json()["advice"], Value::Null);
    }
}
