//! The cards of the suspects, with their charts and call paths. HTML without a script. Pure.

use std::fmt::Write;

use super::summary::bytes;
use crate::analysis::suspects::Verdict;
use crate::figures::{Estimate, words};
use crate::report::{Report, StackFrame, Suspect};
use crate::view::picture::xml::escape;

/// The section of the cards. What says nothing is folded; where nothing grows, no place is a suspect.
pub fn section(report: &Report) -> String {
    let title = match report.conclusion.verdict.is_growth() {
        true => "Suspects",
        false => "Who holds memory",
    };
    format!(
        "<section id=\"suspects\" aria-labelledby=\"suspects-title\">\n\
         <h2 id=\"suspects-title\">{title}</h2>\n{}</section>\n",
        cards(report)
    )
}

fn cards(report: &Report) -> String {
    if report.suspects.is_empty() {
        return "<p class=\"empty\">No call path is under suspicion.</p>\n".to_owned();
    }
    let suspects = report.suspects.iter().enumerate();
    let (few, judged): (Vec<_>, Vec<_>) = suspects.partition(|(_, s)| s.verdict == Verdict::TooFew);
    let cards = |list: &[(usize, &Suspect)], before: usize| -> String {
        let ranks = list.iter().zip(before + 1..);
        ranks
            .map(|((at, s), rank)| card(*at, rank, s, report))
            .collect()
    };
    let folded = match few.len() {
        0 => String::new(),
        many => format!(
            "<details class=\"few\"><summary>Too few samples to say anything: {many}</summary>\n\
             <div class=\"cards\">{}</div></details>\n",
            cards(&few, judged.len())
        ),
    };
    cards(&judged, 0) + &folded
}

fn card(at: usize, rank: usize, suspect: &Suspect, report: &Report) -> String {
    let mut out = format!(
        "<article class=\"card {}\" id=\"suspect-{at}\" aria-labelledby=\"suspect-{at}-title\">\n\
         <header><span class=\"rank\">{rank}</span><span class=\"word\">{}</span>{}\
         <h3 id=\"suspect-{at}-title\"><code>{}</code></h3></header>\n",
        suspect.verdict.class(),
        suspect.verdict.word(),
        kind(suspect, report),
        escape(&suspect.culprit)
    );
    if !suspect.place.is_empty() {
        out += &format!("<p class=\"place\">{}</p>\n", escape(&suspect.place));
    }
    out += &format!("<p class=\"sentence\">{}</p>\n", escape(&suspect.sentence));
    out += &figures(suspect, report.per());
    out += &charts(suspect);
    out += &format!("<p class=\"reason\">{}</p>\n", escape(&suspect.reason));
    if !suspect.threads.is_empty() {
        let share = |(name, share): &(String, f64)| format!("{name} {:.0} %", share * 100.0);
        let threads: Vec<String> = suspect.threads.iter().map(share).collect();
        let threads = escape(&threads.join(", "));
        out += &format!("<p class=\"advice\">By thread: {threads}</p>\n");
    }
    for advice in &suspect.advice {
        out += &format!("<p class=\"advice\">{}</p>\n", escape(advice));
    }
    out += &stack(&suspect.stack);
    out += "<p class=\"actions\" hidden></p>\n";
    out + "</article>\n"
}

/// Which kind of samples it was found in, where there are several.
fn kind(suspect: &Suspect, report: &Report) -> String {
    let found = report.kinds.iter().find(|kind| kind.name == suspect.kind);
    match found.filter(|_| report.kinds.len() > 1) {
        Some(kind) => format!("<small>{}</small>", escape(&kind.title)),
        None => String::new(),
    }
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
        figures.push(("growth", value, interval(rate, &format!("/{unit}"))));
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
        interval(suspect.live, ""),
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

/// ` 6.5 – 8.3 MB/s`: the unit once, where both ends have it.
fn interval(estimate: Estimate, per: &str) -> String {
    if estimate.low == estimate.high {
        return String::new();
    }
    let (low, high) = (bytes(estimate.low), bytes(estimate.high));
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((figure, unit)), Some((_, same))) if unit == same => {
            format!(" {figure} – {high}{per}")
        }
        _ => format!(" {low}{per} – {high}{per}"),
    }
}

fn charts(suspect: &Suspect) -> String {
    let mut out = String::new();
    let freed: Vec<f64> = suspect.lifetimes.iter().map(|l| l.bytes).collect();
    let freed_name = lifetimes(suspect);
    for (name, values) in [
        ("live at each dump", &suspect.history),
        ("live by time of birth, oldest first", &suspect.ages),
        (freed_name.as_str(), &freed),
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

/// `freed after less than 1 ms … 16 s`: each column twice the time of the one before.
fn lifetimes(suspect: &Suspect) -> String {
    let at = |ms: f64| match ms {
        0.0 => "less than 1 ms".to_owned(),
        ms => words::duration(ms / 1000.0),
    };
    let ends = [suspect.lifetimes.first(), suspect.lifetimes.last()];
    let [from, to] = ends.map(|lifetime| at(lifetime.map_or(0.0, |l| l.from_ms)));
    format!("freed after {from} … {to}")
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
        let class = match (frame.keeps, frame.glue) {
            (true, _) => " class=\"keeps\"",
            (_, true) => " class=\"glue\"",
            _ => "",
        };
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
