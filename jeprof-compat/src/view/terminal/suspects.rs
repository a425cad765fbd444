//! Findings for a terminal: the verdict, then the suspects, each with its stack folded beneath. A
//! pure writer. Names are hostile input, and a terminal obeys control characters.

use std::io::{self, Write};

use crate::figures::{Estimate, words};
use crate::report::{Findings, Lifetime, StackFrame, Suspect};

/// How many frames of a stack are shown.
const FRAMES: usize = 8;

/// Writes the findings of one process, which `title` names.
pub fn write(title: &str, findings: &Findings, run: f64, out: &mut dyn Write) -> io::Result<()> {
    let conclusion = &findings.conclusion;
    writeln!(out, "{}", printable(title))?;
    let text =
        std::iter::once(format!("{}.", conclusion.headline)).chain(conclusion.sentences.clone());
    for sentence in text {
        writeln!(out, "{}", printable(&sentence))?;
    }
    for (number, suspect) in findings.suspects.iter().enumerate() {
        writeln!(out)?;
        card(number + 1, suspect, run, out)?;
    }
    Ok(())
}

fn card(number: usize, suspect: &Suspect, run: f64, out: &mut dyn Write) -> io::Result<()> {
    let place = match suspect.place.as_str() {
        "" => String::new(),
        place => format!(" ({place})"),
    };
    let culprit = printable(&format!("{}{place}", suspect.culprit));
    writeln!(out, "{number}. {}: {culprit}", suspect.verdict.word())?;
    writeln!(out, "   {}", printable(&figures(suspect, run)))?;
    writeln!(out, "   because {}", printable(&suspect.reason))?;
    for tip in &suspect.advice {
        writeln!(out, "   {}", printable(tip))?;
    }
    if suspect.ages.iter().any(|bytes| *bytes > 0.0) {
        writeln!(
            out,
            "   live by birth, oldest first: |{}|",
            sparkline(&suspect.ages)
        )?;
    }
    if suspect.lifetimes.len() > 1 {
        writeln!(out, "   {}", lifetimes(&suspect.lifetimes))?;
    }
    if !suspect.threads.is_empty() {
        let threads = suspect.threads.iter();
        let threads: Vec<String> = threads
            .map(|(name, share)| format!("{name} {:.0} %", share * 100.0))
            .collect();
        writeln!(out, "   by thread: {}", printable(&threads.join(", ")))?;
    }
    stack(&suspect.stack, out)
}

/// `freed after less than 1 ms to 16 s: |█▂ ▁|`: octaves of time.
fn lifetimes(lifetimes: &[Lifetime]) -> String {
    let bytes: Vec<f64> = lifetimes.iter().map(|l| l.bytes).collect();
    let at = |lifetime: Option<&Lifetime>| match lifetime.map_or(0.0, |l| l.from_ms) {
        0.0 => "less than 1 ms".to_owned(),
        ms => words::duration(ms / 1000.0),
    };
    format!(
        "freed after {} to {}: |{}|",
        at(lifetimes.first()),
        at(lifetimes.last()),
        sparkline(&bytes)
    )
}

/// `9.6 MB/h (6.3 to 14.1), 98 % of growth, 19.5 MB live, 39 samples, survival 100 %`.
fn figures(suspect: &Suspect, run: f64) -> String {
    let mut parts = Vec::new();
    if let Some(rate) = suspect.rate {
        parts.push(with_band(rate, run));
    }
    if let Some(share) = suspect.share {
        parts.push(format!("{:.0} % of growth", share * 100.0));
    }
    parts.push(format!("{} live", words::bytes(suspect.live.value)));
    parts.push(words::count(suspect.samples, "sample"));
    if let Some(survival) = suspect.survival {
        parts.push(format!("survival {:.0} %", survival * 100.0));
    }
    parts.join(", ")
}

fn with_band(rate: Estimate, run: f64) -> String {
    let [value, low, high] = [rate.value, rate.low, rate.high].map(|hourly| hourly / 3600.0);
    format!(
        "{} ({})",
        words::rate(value, run),
        words::band(low, high, run)
    )
}

/// A bar a column, the highest as high as the line.
fn sparkline(values: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().fold(0.0, f64::max);
    let bar = |value: &f64| match value {
        v if *v <= 0.0 => ' ',
        v => BARS[((v / most * 8.0).ceil() as usize).clamp(1, 8) - 1],
    };
    values.iter().map(bar).collect()
}

/// The stack. Glue is left out, with a mark where it stood between two others; what keeps is no glue here.
fn stack(frames: &[StackFrame], out: &mut dyn Write) -> io::Result<()> {
    let own: Vec<(usize, &StackFrame)> = frames
        .iter()
        .enumerate()
        .filter(|(_, f)| !f.glue || f.keeps)
        .collect();
    let mut next = own.first().map_or(0, |(at, _)| *at);
    for (at, frame) in own.iter().take(FRAMES) {
        match at - next {
            0 => {}
            between => {
                let between = words::count(between as u64, "frame");
                writeln!(out, "       ⋮ {between} of libraries")?;
            }
        }
        next = at + 1;
        let place = match (frame.place.as_str(), frame.module.as_str()) {
            ("", "") => String::new(),
            ("", module) => format!(" ({module})"),
            (place, _) => format!(" ({place})"),
        };
        writeln!(out, "     {}", printable(&format!("{}{place}", frame.name)))?;
    }
    match frames.len() - next {
        0 => Ok(()),
        more => writeln!(out, "     and {} more", words::count(more as u64, "frame")),
    }
}

/// No line is longer than a person would read.
fn printable(text: &str) -> String {
    super::printable(text).chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::suspects::{Horizon, Verdict};
    use crate::report::Conclusion;

    #[test]
    fn a_card() {
        let frame = |name: &str, glue| StackFrame {
            name: name.into(),
            place: "leak.c:45".into(),
            glue,
            ..StackFrame::default()
        };
        let findings = Findings {
            conclusion: Conclusion {
                headline: "Yes, it leaks 1.0 MB/h (0.5 MB/h to 1.5 MB/h)".into(),
                ..Conclusion::default()
            },
            suspects: vec![Suspect {
                verdict: Verdict::Leak,
                culprit: "session\u{1b}[2J".into(),
                place: "leak.c:45".into(),
                reason: "none died".into(),
                rate: Some(Estimate {
                    value: 1_048_576.0,
                    low: 524_288.0,
                    high: 1_572_864.0,
                }),
                share: Some(0.5),
                samples: 39,
                ages: vec![0.0, 1.0, 8.0],
                stack: vec![
                    frame("xmalloc", true),
                    frame("session", false),
                    frame("apply", true),
                    frame("call", true),
                    frame("main", false),
                    frame("start", true),
                ],
                ..Suspect::default()
            }],
            leak_lower: 0.0,
            growing: 0.0,
            floor: None,
            horizon: Horizon::default(),
        };
        let mut out = Vec::new();
        write("pid 1", &findings, 7200.0, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "pid 1\nYes, it leaks 1.0 MB/h (0.5 MB/h to 1.5 MB/h).\n\n\
             1. LEAK: session\u{fffd}[2J (leak.c:45)\n   \
             1.0 MB/h (512 KB/h to 1.5 MB/h), 50 % of growth, 0 B live, 39 samples\n   \
             because none died\n   \
             live by birth, oldest first: | ▁█|\n     \
             session (leak.c:45)\n       ⋮ 2 frames of libraries\n     main (leak.c:45)\n     and 1 frame more\n"
        );
    }
}
