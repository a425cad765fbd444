//! The source of functions with the values of each line, as a page of its own: `jeprof`'s `weblist`. A click on
//! a line shows its instructions. A pure writer.

use std::fmt::{self, Write};

use crate::analysis::listing::{Listing, Pair};
use crate::figures::units::Unit;
use crate::profile::code::Routine;
use crate::view::picture::xml::escape;
use crate::view::terminal::listing;

const CSS: &str = "body{font-family:sans-serif;color:#1c1b1a;background:#fff}h1{font-size:1.3em}\
    pre{line-height:1.35}summary{list-style:none;cursor:pointer}details div{color:#5a5751;background:#f3f1ee}\
    .live{background:#fdf0d9}.number{color:#98948f}\
    @media(prefers-color-scheme:dark){body{color:#e9e7e4;background:#17181a}.live{background:#3a2f1b}\
    details div{color:#b8b4ae;background:#26272a}}";

/// One function.
#[derive(Debug)]
pub struct Section<'a> {
    /// Its code.
    pub routine: &'a Routine,
    /// Its lines.
    pub listing: &'a Listing,
    /// The text of its file.
    pub text: &'a [&'a str],
    /// By address.
    pub values: &'a std::collections::BTreeMap<u64, Pair>,
}

/// The whole page; `total` is that of the profile.
pub fn page(program: &str, total: f64, sections: &[Section<'_>], unit: Unit) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = written(program, total, sections, unit, &mut out);
    out
}

fn written(
    program: &str,
    total: f64,
    sections: &[Section<'_>],
    unit: Unit,
    out: &mut String,
) -> fmt::Result {
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <style>{CSS}</style></head><body>\n<p>{0}<br>Total: {1} {2}</p>\n",
        escape(program),
        unit.format(total),
        unit.name()
    )?;
    for section in sections {
        function(section, unit, out)?;
    }
    out.write_str("</body></html>\n")
}

fn function(section: &Section<'_>, unit: Unit, out: &mut String) -> fmt::Result {
    let listing = section.listing;
    write!(
        out,
        "<h1>{}</h1>{}\n<pre>Total: {:>6} {:>6} (flat / cumulative {})\n",
        escape(&section.routine.name),
        escape(&listing.file),
        unit.format(listing.total.0),
        unit.format(listing.total.1),
        unit.name()
    )?;
    for (number, line) in listing::shown(listing, section.text) {
        let (flat, cumulative) = listing.lines.get(&number).copied().unwrap_or_default();
        let class = if cumulative == 0.0 {
            ""
        } else {
            " class=\"live\""
        };
        let line = format!(
            "<span class=\"number\">{number:>5}</span> <span{class}>{:>6} {:>6} {}</span>",
            short(flat, unit),
            short(cumulative, unit),
            escape(line.trim_end())
        );
        let code = code(section, number, unit);
        match code.is_empty() {
            true => writeln!(out, "{line}")?,
            false => write!(
                out,
                "<details><summary>{line}</summary><div>{code}</div></details>"
            )?,
        }
    }
    out.write_str("</pre>\n")
}

/// The instructions of one line.
fn code(section: &Section<'_>, number: u32, unit: Unit) -> String {
    let is_of_line = |address: u64| {
        let mut rows = section.routine.rows.iter();
        let row = rows.find(|row| (row.start..row.end).contains(&address));
        row.is_some_and(|row| row.line == number && row.file == section.listing.file)
    };
    let own = section
        .routine
        .instructions
        .iter()
        .filter(|i| is_of_line(i.address));
    own.map(|instruction| {
        let value = section
            .values
            .get(&instruction.address)
            .copied()
            .unwrap_or_default();
        format!(
            "      {:>6} {:>6} {:>8x}: {}\n",
            short(value.0, unit),
            short(value.1, unit),
            instruction.address,
            escape(&instruction.text)
        )
    })
    .collect()
}

fn short(value: f64, unit: Unit) -> String {
    match value == 0.0 {
        true => String::new(),
        false => unit.format(value),
    }
}
