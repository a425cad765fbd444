//! What a person reads first: verdict, facts, account of RSS, suspects. HTML without a script. Pure.

use std::fmt::Write;

use crate::analysis::suspects::Verdict;
use crate::figures::Estimate;
use crate::figures::amount::amount;
use crate::figures::units::Unit;
use crate::figures::words::clock;
use crate::report::{Account, Report, StackFrame, Suspect};
use crate::view::picture::xml::escape;

/// The answer, in the words of the report.
pub fn verdict(report: &Report) -> String {
    let conclusion = &report.conclusion;
    let sentences = conclusion.sentences.iter();
    let sentences: String = sentences
        .map(|s| format!("<p>{}</p>\n", escape(s)))
        .collect();
    format!(
        "<div class=\"verdict {}\" role=\"status\">\n<span class=\"word\">{}</span>\n<h1>{}</h1>\n{sentences}</div>\n",
        conclusion.verdict.class(),
        conclusion.verdict.word(),
        escape(&conclusion.headline)
    )
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

/// One bar for each dump that is shown: the first and the last, so that growth is seen.
pub fn account(report: &Report) -> String {
    let (Some(first), Some(last)) = (report.accounts.first(), report.accounts.last()) else {
        return String::new();
    };
    let widest = report.accounts.iter().map(|a| a.rss).fold(1.0, f64::max);
    let mut out = "<section id=\"account\" aria-labelledby=\"account-title\">\n<h2 id=\"account-title\">Where RSS is</h2>\n".to_owned();
    if first.dump != last.dump {
        out += &bar(report, first, widest);
    }
    out += &bar(report, last, widest);
    out += &parts(first, last);
    out + "</section>\n"
}

fn bar(report: &Report, account: &Account, widest: f64) -> String {
    let seconds = report
        .timeline
        .dumps
        .get(account.dump)
        .map_or(0.0, |d| d.seconds);
    let mut out = format!(
        "<div class=\"bar-row\"><span class=\"when\">{}</span><div class=\"bar\" style=\"width:{:.1}%\" role=\"img\" aria-label=\"{}\">",
        clock(seconds),
        account.rss / widest * 100.0,
        escape(&format!("RSS {}", bytes(account.rss)))
    );
    for (at, part) in account.parts.iter().enumerate() {
        let share = part.bytes.max(0.0) / account.rss.max(1.0) * 100.0;
        let title = escape(&format!("{}: {}", part.name, bytes(part.bytes)));
        let _ = write!(
            out,
            "<span class=\"part p{at}\" style=\"width:{share:.2}%\" title=\"{title}\"></span>"
        );
    }
    out + &format!(
        "</div><span class=\"sum\">{}</span></div>\n",
        bytes(account.rss)
    )
}

fn parts(first: &Account, last: &Account) -> String {
    let mut out = "<table class=\"parts\"><thead><tr><th>Part</th><th class=\"n\">Last</th><th class=\"n\">Growth</th><th>What it is</th></tr></thead><tbody>\n".to_owned();
    for (at, part) in last.parts.iter().enumerate() {
        let before = first.parts.iter().find(|p| p.name == part.name);
        let growth = part.bytes - before.map_or(0.0, |p| p.bytes);
        let strong = if growth > 0.5 * (last.rss - first.rss) && growth > 0.0 {
            " class=\"grew\""
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "<tr{strong}><td><span class=\"part p{at}\"></span>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            escape(&part.name),
            bytes(part.bytes),
            signed(growth),
            escape(&part.meaning)
        );
    }
    out + "</tbody></table>\n"
}

/// The cards.
pub fn suspects(report: &Report) -> String {
    if report.suspects.is_empty() {
        return "<p class=\"empty\">No call path is under suspicion.</p>\n".to_owned();
    }
    let per = report.per();
    let suspects = report.suspects.iter().enumerate();
    // What says nothing does not stand beside what does, unless there is nothing else.
    let (few, judged): (Vec<_>, Vec<_>) = suspects.partition(|(_, s)| s.verdict == Verdict::TooFew);
    let cards = |list: &[(usize, &Suspect)], before: usize| -> String {
        let ranks = list.iter().zip(before + 1..);
        ranks
            .map(|((at, s), rank)| card(*at, rank, s, per))
            .collect()
    };
    if judged.is_empty() || few.is_empty() {
        return cards(&judged, 0) + &cards(&few, 0);
    }
    format!(
        "{}<details class=\"few\"><summary>Too few samples to say anything: {}</summary>\n<div class=\"cards\">{}</div></details>\n",
        cards(&judged, 0),
        few.len(),
        cards(&few, judged.len())
    )
}

fn card(at: usize, rank: usize, suspect: &Suspect, per: (&str, f64)) -> String {
    let mut out = format!(
        "<article class=\"card {}\" id=\"suspect-{at}\" aria-labelledby=\"suspect-{at}-title\">\n\
         <header><span class=\"rank\">{rank}</span><span class=\"word\">{}</span>\
         <h3 id=\"suspect-{at}-title\"><code>{}</code></h3></header>\n",
        suspect.verdict.class(),
        suspect.verdict.word(),
        escape(&suspect.culprit)
    );
    if !suspect.place.is_empty() {
        out += &format!("<p class=\"place\">{}</p>\n", escape(&suspect.place));
    }
    out += &format!("<p class=\"sentence\">{}</p>\n", escape(&suspect.sentence));
    out += &figures(suspect, per);
    out += &charts(suspect);
    out += &format!("<p class=\"reason\">{}</p>\n", escape(&suspect.reason));
    for advice in &suspect.advice {
        out += &format!("<p class=\"advice\">{}</p>\n", escape(advice));
    }
    out += &stack(&suspect.stack);
    out += "<p class=\"actions\" hidden></p>\n";
    out + "</article>\n"
}

fn figures(suspect: &Suspect, (unit, seconds): (&str, f64)) -> String {
    let mut figures: Vec<(&str, String, String)> = Vec::new();
    if let Some(rate) = suspect.rate {
        // A suspect's rate is an hourly one.
        let in_unit = |hourly: f64| hourly * seconds / 3600.0;
        let rate = Estimate {
            value: in_unit(rate.value),
            low: in_unit(rate.low),
            high: in_unit(rate.high),
        };
        let value = format!("{}/{unit}", bytes(rate.value));
        figures.push(("growth", value, interval(rate)));
    }
    if let Some(share) = suspect.share {
        figures.push((
            "of all growth",
            format!("{:.0}%", share * 100.0),
            String::new(),
        ));
    }
    figures.push((
        "live now",
        bytes(suspect.live.value),
        interval(suspect.live),
    ));
    if let Some(survival) = suspect.survival {
        figures.push((
            "survive",
            format!("{:.0}%", survival * 100.0),
            String::new(),
        ));
    }
    figures.push(("samples", suspect.samples.to_string(), String::new()));
    let mut out = "<dl class=\"figures\">".to_owned();
    for (name, value, beside) in figures {
        out += &format!("<div><dt>{name}</dt><dd>{value}<small>{beside}</small></dd></div>");
    }
    out + "</dl>\n"
}

fn interval(estimate: Estimate) -> String {
    if estimate.low == estimate.high {
        return String::new();
    }
    format!(" {} – {}", bytes(estimate.low), bytes(estimate.high))
}

fn charts(suspect: &Suspect) -> String {
    let mut out = String::new();
    for (name, values) in [
        ("live at each dump", &suspect.history),
        ("live by time of birth, oldest first", &suspect.ages),
    ] {
        if values.len() > 1 {
            out += &format!(
                "<figure class=\"spark\">{}<figcaption>{name}</figcaption></figure>\n",
                columns(values, name)
            );
        }
    }
    format!("<div class=\"sparks\">{out}</div>\n")
}

/// A small column chart; of more values than can be seen, some.
fn columns(values: &[f64], name: &str) -> String {
    const HEIGHT: f64 = 34.0;
    const WIDTH: f64 = 160.0;
    const MOST: usize = 80;
    let last = values.len() - 1;
    let some = |at: usize| values[at * last / (MOST - 1)];
    let thinned: Vec<f64> = (0..MOST).map(some).collect();
    let values = if values.len() > MOST {
        &thinned
    } else {
        values
    };
    let most = values.iter().copied().fold(0.0, f64::max).max(1.0);
    let step = WIDTH / values.len() as f64;
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{name}, at most {}\" preserveAspectRatio=\"none\">",
        bytes(most)
    );
    for (at, value) in values.iter().enumerate() {
        let height = (value.max(0.0) / most * (HEIGHT - 1.0)).max(0.6);
        let _ = write!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{}</title></rect>",
            at as f64 * step,
            HEIGHT - height,
            (step * 0.84).max(0.5),
            bytes(*value)
        );
    }
    out + "</svg>"
}

fn stack(frames: &[StackFrame]) -> String {
    let mut out = "<details><summary>Call path, allocation first</summary>\n<ol class=\"stack\">\n"
        .to_owned();
    for frame in frames {
        let class = if frame.glue { " class=\"glue\"" } else { "" };
        let places = [&frame.place, &frame.module];
        let place: Vec<&str> = places
            .into_iter()
            .map(String::as_str)
            .filter(|p| !p.is_empty())
            .collect();
        let (name, place) = (escape(&frame.name), escape(&place.join(" in ")));
        out += &format!("<li{class}><code>{name}</code> <small>{place}</small></li>\n");
    }
    out + "</ol></details>\n"
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

fn signed(value: f64) -> String {
    let plus = if value > 0.0 { "+" } else { "" };
    format!("{plus}{}", bytes(value))
}
