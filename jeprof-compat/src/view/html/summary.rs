//! What a person reads first: whose page it is, the verdict, facts, notes. HTML without a script. Pure.

use crate::analysis::suspects::Verdict;
use crate::figures::amount::amount;
use crate::figures::units::Unit;
use crate::report::{AGAIN, Conclusion, EXIT, Report};
use crate::view::picture::xml::escape;

/// The answer, in the words of the report, and above it whose it is.
pub fn verdict(report: &Report) -> String {
    let conclusion = &report.conclusion;
    let sentences = conclusion.sentences.iter();
    let sentences: String = sentences
        .map(|s| format!("<p>{}</p>\n", escape(s)))
        .collect();
    format!(
        "<div class=\"verdict {}\" role=\"status\">\n<p class=\"whose\">{}</p>\n\
         {}\n<h1>{}</h1>\n{sentences}</div>\n",
        tone(conclusion),
        whose(report),
        badges(report),
        escape(&conclusion.headline)
    )
}

/// The word of the verdict, and how the process ended. Where it ran out of memory and no place grew, no word says
/// that one did.
fn badges(report: &Report) -> String {
    let marks = report.timeline.marks.iter();
    let ends = marks.filter(|mark| mark.label != EXIT && mark.label != AGAIN);
    let ends: Vec<String> = ends
        .map(|mark| format!("<span class=\"word end\">{}</span>", escape(&mark.label)))
        .collect();
    let verdict = report.conclusion.verdict;
    let is_of_place = report.suspects.iter().any(|s| s.verdict.is_growth());
    let says_nothing = verdict == Verdict::Growing && !is_of_place && !ends.is_empty();
    let word = (!says_nothing).then(|| format!("<span class=\"word\">{}</span>", verdict.word()));
    word.into_iter().chain(ends).collect::<Vec<_>>().join(" ")
}

/// The class of the whole truth: a calm verdict is no green page while something else is not well.
fn tone(conclusion: &Conclusion) -> &'static str {
    match conclusion.verdict {
        Verdict::NoLeak | Verdict::TooFew if conclusion.caution => "caution",
        verdict => verdict.class(),
    }
}

/// `java, process 12604 on vm; from 2026-11-30 03:45:21 UTC on; 30 s, 64 dumps`.
fn whose(report: &Report) -> String {
    let fact = |name: &str| {
        let found = report.header.facts.iter().find(|fact| fact.name == name);
        found.map(|fact| escape(&fact.text))
    };
    let mut out = format!("<b>{}</b>", escape(&report.header.program));
    for (words, name) in [
        (", process", "Process"),
        (" on", "Host"),
        ("; started", "Started"),
        ("; seen for", "Seen"),
    ] {
        if let Some(text) = fact(name) {
            out += &format!("{words} {text}");
        }
    }
    out
}

/// Command and measurement.
pub fn facts(report: &Report) -> String {
    let mut out = String::new();
    if let Some(command) = &report.header.command {
        out += &format!(
            "<p class=\"command\"><code>{}</code></p>\n",
            escape(command)
        );
    }
    out += "<dl class=\"facts\">\n";
    for fact in &report.header.facts {
        let class = if fact.warning {
            " class=\"warning\""
        } else {
            ""
        };
        let (name, text) = (escape(&fact.name), escape(&fact.text));
        out += &format!("<div{class}><dt>{name}</dt><dd>{text}</dd></div>\n");
    }
    out + "</dl>\n"
}

/// Notes that are listed one by one: a damaged file has one each.
const MOST_NOTES: usize = 100;

/// What else the reader should know.
pub fn notes(report: &Report) -> String {
    if report.notes.is_empty() {
        return String::new();
    }
    let line = |note: &String| format!("<li>{}</li>\n", escape(note));
    let mut notes: String = report.notes.iter().take(MOST_NOTES).map(line).collect();
    let rest = report.notes.len().saturating_sub(MOST_NOTES);
    if rest > 0 {
        notes += &format!("<li>and {rest} more like these</li>\n");
    }
    format!(
        "<details class=\"notes\"><summary>Notes on this measurement: {}</summary><ul>\n{notes}</ul></details>\n",
        report.notes.len()
    )
}

/// Bytes in words.
pub fn bytes(value: f64) -> String {
    amount(value, Unit::Megabytes)
}
