//! Findings for a pull request, an incident or the summary of a job: the verdict, the culprits, the call
//! path of the first and the figures, in at most twenty lines of Markdown. A pure writer. Names are hostile
//! input: none of them becomes markup.
//!
//! Source: the GitHub Flavored Markdown Spec, tables and code spans.

use crate::figures::hidden::is_hidden;
use crate::figures::words;
use crate::report::{Conclusion, StackFrame, Suspect};

/// Rows of the table.
const SUSPECTS: usize = 4;

/// Frames of the call path.
const FRAMES: usize = 6;

/// The longest name.
const MOST: usize = 120;

/// The findings of one process and kind of samples, which `title` names, of a run of `run` seconds.
pub fn findings(title: &str, conclusion: &Conclusion, suspects: &[Suspect], run: f64) -> String {
    let mut lines = vec![
        format!("### {}", text(&conclusion.headline)),
        format!("malloscope, {}", text(title)),
        String::new(),
    ];
    let sentences: Vec<String> = conclusion.sentences.iter().map(|s| text(s)).collect();
    lines.push(sentences.join(" "));
    let shown = &suspects[..suspects.len().min(SUSPECTS)];
    if let [first, ..] = shown {
        lines.push(String::new());
        lines.extend(table(shown, run));
        lines.push(String::new());
        lines.extend(path(first));
    }
    lines.join("\n") + "\n"
}

fn table(suspects: &[Suspect], run: f64) -> Vec<String> {
    let head = [
        "| verdict | place | growth | live | samples |",
        "|---|---|---|---|---|",
    ];
    let rows = suspects.iter().map(|suspect| row(suspect, run));
    head.into_iter().map(str::to_owned).chain(rows).collect()
}

fn row(suspect: &Suspect, run: f64) -> String {
    let growth = match suspect.rate {
        Some(rate) if suspect.verdict.is_growth() => words::rate(rate.value / 3600.0, run),
        _ => "none".to_owned(),
    };
    format!(
        "| {} | {}{} | {growth} | {} | {} |",
        suspect.verdict.word(),
        code(&suspect.culprit),
        behind(&suspect.place),
        words::bytes(suspect.live.value),
        suspect.samples
    )
}

/// The call path of a suspect, glue left out, as one line.
fn path(suspect: &Suspect) -> Option<String> {
    let own: Vec<&StackFrame> = suspect
        .stack
        .iter()
        .filter(|f| !f.glue || f.keeps)
        .collect();
    let frames = own.iter().take(FRAMES);
    let names: Vec<String> = frames
        .map(|frame| code(&frame.name) + &behind(&frame.place))
        .collect();
    let more = match own.len().saturating_sub(FRAMES) {
        0 => String::new(),
        more => format!(", and {}", words::count(more as u64, "frame")),
    };
    (!names.is_empty()).then(|| format!("Called by way of {}{more}", names.join(" ← ")))
}

fn behind(place: &str) -> String {
    match place {
        "" => String::new(),
        place => format!(" {}", code(place)),
    }
}

/// A name as code. A code span has no escapes: what would end it, or a cell of a table, is replaced.
fn code(name: &str) -> String {
    let short: String = name.chars().take(MOST).collect();
    let shown = short.chars().map(|c| match c {
        '`' => '\'',
        '|' => '¦',
        c if is_hidden(c) => '\u{fffd}',
        c => c,
    });
    format!("`{}`", shown.collect::<String>())
}

/// A sentence. What is markup at any place is escaped.
fn text(sentence: &str) -> String {
    let mut out = String::new();
    for c in sentence.chars() {
        match c {
            c if is_hidden(c) => out.push('\u{fffd}'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&' | '@' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::suspects::Verdict;
    use crate::figures::Estimate;

    fn sample() -> (Conclusion, Vec<Suspect>) {
        let frame = |name: &str, place: &str, glue| StackFrame {
            name: name.into(),
            place: place.into(),
            glue,
            ..StackFrame::default()
        };
        let suspect = Suspect {
            verdict: Verdict::Leak,
            culprit: "Deflater.<init>".into(),
            place: "Deflater.java:12".into(),
            rate: Some(Estimate::of(3600.0 * 1_048_576.0, 0.0)),
            live: Estimate::of(2_097_152.0, 0.0),
            samples: 39,
            stack: vec![
                frame("malloc", "", true),
                frame("Deflater.<init>", "Deflater.java:12", false),
                frame("a|b`c", "", false),
            ],
            ..Suspect::default()
        };
        let conclusion = Conclusion {
            verdict: Verdict::Leak,
            headline: "Yes, it leaks 1.0 MB/s".into(),
            sentences: vec!["All of it comes from <init>.".into()],
            caution: false,
        };
        (conclusion, vec![suspect; 9])
    }

    #[test]
    fn what_is_said_fits_in_twenty_lines() {
        let (conclusion, suspects) = sample();
        let said = findings("java pid 7, 3 dumps in 9 s", &conclusion, &suspects, 9.0);
        assert!(said.lines().count() <= 20, "{said}");
        let row = "| LEAK | `Deflater.<init>` `Deflater.java:12` | 1.0 MB/s | 2.0 MB | 39 |";
        assert_eq!(said.matches(row).count(), SUSPECTS, "{said}");
        assert!(said.starts_with("### Yes, it leaks 1.0 MB/s\nmalloscope, java pid 7"));
        assert!(
            said.ends_with("Called by way of `Deflater.<init>` `Deflater.java:12` ← `a¦b'c`\n")
        );
    }

    #[test]
    fn a_name_is_no_markup() {
        assert_eq!(text("<init> a_b @all"), "\\<init\\> a\\_b \\@all");
        assert_eq!(code("x`\n|y"), "`x'\u{fffd}¦y`");
    }
}
