//! The comparison of two dumps for a terminal: one sentence, what grew, what shrank. A pure writer.
//! Names are hostile input, and a terminal obeys control characters.

use std::io::{self, Write};

use super::printable;
use crate::analysis::diff::LEAST;
use crate::figures::words;
use crate::view::sentences::diff::{Diff, DiffRow};

/// Writes it; `title` lines say what was compared, and at most `top` rows stand in a block.
pub fn write(diff: &Diff, title: &[String], top: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", printable(&diff.headline))?;
    for line in diff.sentences.iter().chain(title) {
        writeln!(out, "{}", printable(line))?;
    }
    let (grown, shrunk): (Vec<&DiffRow>, Vec<&DiffRow>) = diff
        .rows
        .iter()
        .filter(|row| row.figures.change != 0.0)
        .partition(|row| row.figures.change > 0.0);
    block("Grew", &grown, top, out)?;
    block("Shrank", &shrunk, top, out)?;
    let has = |mark| {
        grown
            .iter()
            .chain(&shrunk)
            .any(|row| row.figures.mark == mark)
    };
    if has("n.s.") || has("few") {
        writeln!(
            out,
            "\nn.s.: within the noise of the sampling. few: what came or went is worth fewer than {LEAST:.0} samples."
        )?;
    }
    Ok(())
}

fn block(name: &str, rows: &[&DiffRow], top: usize, out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{name}")?;
    writeln!(
        out,
        "{:>10}  {:^24}  {:>9}  {:>9}  {:>7}  mark  place",
        "change", "95 % band", "before", "after", "samples"
    )?;
    for row in rows.iter().take(top) {
        let figures = &row.figures;
        let mark = match figures.mark {
            "certain" => "",
            other => other,
        };
        writeln!(
            out,
            "{:>10}  {:>10} to {:>10}  {:>9}  {:>9}  {:>7}  {mark:4}  {}",
            words::signed(figures.change),
            words::signed(figures.low),
            words::signed(figures.high),
            words::bytes(figures.before),
            words::bytes(figures.after),
            figures.samples,
            printable(&place(row))
        )?;
    }
    let rest = rows.get(top..).unwrap_or_default();
    if !rest.is_empty() {
        let sum: f64 = rest.iter().map(|row| row.figures.change).sum();
        let certain = rest
            .iter()
            .filter(|row| row.figures.mark == "certain")
            .count();
        let certain = match certain {
            0 => "none of them for certain".to_owned(),
            n => format!("{n} of them for certain"),
        };
        writeln!(
            out,
            "{:>10}  in {} more, {certain}",
            words::signed(sum),
            rest.len()
        )?;
    }
    Ok(())
}

/// `session_open (leak.c:45 in leak) < worker`.
fn place(row: &DiffRow) -> String {
    let file = row.place.rsplit('/').next().unwrap_or_default();
    let place = match (file, row.module.as_str()) {
        ("", "") => String::new(),
        ("", one) | (one, "") => format!(" ({one})"),
        (file, module) => format!(" ({file} in {module})"),
    };
    let caller = match row.caller.as_str() {
        "" => String::new(),
        caller => format!(" < {caller}"),
    };
    format!("{}{place}{caller}", row.name)
}
