//! The account of RSS: a bar for the first and the last dump, and a table of the parts. What a process does
//! not have stands in neither. HTML without a script. Pure.

use std::fmt::Write;

use super::summary::bytes;
use crate::figures::words::clock;
use crate::report::{Account, Report, Share};
use crate::view::picture::xml::escape;

/// Bytes from which on a part is worth a row.
const LEAST: f64 = 1.0;

/// The section, where a dump says what is resident.
pub fn section(report: &Report) -> String {
    let (Some(first), Some(last)) = (report.accounts.first(), report.accounts.last()) else {
        return String::new();
    };
    let widest = report.accounts.iter().map(|a| a.rss).fold(1.0, f64::max);
    let mut out = "<section id=\"account\" aria-labelledby=\"account-title\">\n<h2 id=\"account-title\">Where RSS is</h2>\n".to_owned();
    if first.dump != last.dump {
        out += &bar(report, first, widest);
    }
    out += &bar(report, last, widest);
    out += &table(first, last);
    out + "</section>\n"
}

fn bar(report: &Report, account: &Account, widest: f64) -> String {
    let dump = report.timeline.dumps.get(account.dump);
    let mut out = format!(
        "<div class=\"bar-row\"><span class=\"when\">{}</span><div class=\"bar\" style=\"width:{:.1}%\" role=\"img\" aria-label=\"{}\">",
        clock(dump.map_or(0.0, |d| d.seconds)),
        account.rss / widest * 100.0,
        escape(&format!("RSS {}", bytes(account.rss)))
    );
    for (at, part) in account.parts.iter().enumerate() {
        let share = part.bytes.max(0.0) / account.rss.max(1.0) * 100.0;
        if share < 0.005 {
            continue;
        }
        let title = escape(&format!("{}: {}", part.name, bytes(part.bytes)));
        let _ = write!(
            out,
            "<span class=\"part {}\" style=\"width:{share:.2}%\" title=\"{title}\"></span>",
            class(at, part)
        );
    }
    out + &format!(
        "</div><span class=\"sum\">{}</span></div>\n",
        bytes(account.rss)
    )
}

/// A part has the same colour in every page, whatever others there are.
fn class(at: usize, part: &Share) -> String {
    let colour = match part.name.as_str() {
        "live heap" => 0,
        "Java heap" => 1,
        "V8 heap" => 2,
        "Python objects" => 3,
        "other private memory" => 4,
        "thread stacks" => 5,
        "JIT code" => 6,
        "library data" => 7,
        "profiler" => 8,
        "mapped files" => 9,
        "shared memory" => 10,
        _ => at % COLOURS,
    };
    format!("p{colour}")
}

/// Colours that the style sheet has.
const COLOURS: usize = 11;

fn table(first: &Account, last: &Account) -> String {
    let mut out = "<table class=\"parts\"><thead><tr><th>Part</th><th class=\"n\">Last</th><th class=\"n\">Growth</th><th>What it is</th></tr></thead><tbody>\n".to_owned();
    for (at, part) in last.parts.iter().enumerate() {
        let before = first.parts.iter().find(|p| p.name == part.name);
        let before = before.map_or(0.0, |p| p.bytes);
        let growth = part.bytes - before;
        if part.bytes < LEAST && before < LEAST {
            continue;
        }
        let strong = if growth > 0.5 * (last.rss - first.rss) && growth > 0.0 {
            " class=\"grew\""
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "<tr{strong}><td><span class=\"part {}\"></span>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            class(at, part),
            escape(&part.name),
            bytes(part.bytes),
            signed(growth),
            escape(&part.meaning)
        );
    }
    out + "</tbody></table>\n"
}

fn signed(value: f64) -> String {
    match value {
        v if v.abs() < LEAST => "–".to_owned(),
        v if v > 0.0 => format!("+{}", bytes(v)),
        v => bytes(v),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_does_not_have_has_no_row() {
        let account = |live: f64| Account {
            rss: 100.0,
            parts: [("live heap", live), ("V8 heap", 0.0), ("profiler", 10.0)]
                .map(|(name, bytes)| Share {
                    name: name.into(),
                    bytes,
                    ..Share::default()
                })
                .into(),
            ..Account::default()
        };
        let rows = table(&account(10.0), &account(90.0));
        assert!(
            !rows.contains("V8 heap") && !rows.contains(">0 B<"),
            "{rows}"
        );
        assert!(rows.contains("p8\"></span>profiler"), "{rows}");
        assert!(rows.contains("<td class=\"n\">+80 B</td>"), "{rows}");
    }
}
