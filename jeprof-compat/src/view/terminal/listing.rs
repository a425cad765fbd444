//! Source and instructions of functions with the values of each line, as `jeprof --list` and `--disasm` print
//! them. A pure writer: the text of source files comes in.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use crate::analysis::listing::{Listing, Pair};
use crate::figures::units::Unit;
use crate::profile::code::Routine;
use crate::view::terminal::printable;

/// Lines around a function that are shown, too.
const AROUND: u32 = 5;

/// The longest name of a file.
const LONGEST: usize = 58;

/// The source of one function.
pub fn source(
    routine: &Routine,
    listing: &Listing,
    text: &[&str],
    unit: Unit,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(
        out,
        "ROUTINE ====================== {} in {}\n{:>6} {:>6} Total {} (flat / cumulative)",
        printable(&routine.name),
        printable(&listing.file),
        unit.format(listing.total.0),
        unit.format(listing.total.1),
        unit.name()
    )?;
    for (number, line) in shown(listing, text) {
        if number == listing.first {
            writeln!(out, "---")?;
        }
        let (flat, cumulative) = listing.lines.get(&number).copied().unwrap_or_default();
        let (flat, cumulative) = (short(flat, unit), short(cumulative, unit));
        writeln!(
            out,
            "{flat:>6} {cumulative:>6} {number:>4}: {}",
            clean(line)
        )?;
        if number == listing.last {
            writeln!(out, "---")?;
        }
    }
    Ok(())
}

/// The numbered lines of a file that belong to a listing.
pub fn shown<'a>(listing: &Listing, text: &[&'a str]) -> impl Iterator<Item = (u32, &'a str)> {
    let first = listing.first.saturating_sub(AROUND).max(1);
    let last = listing.last.max(listing.last_code.saturating_add(AROUND));
    let numbered = (1..).zip(text.iter().copied());
    numbered
        .filter(move |(number, _)| (first..=last).contains(number))
        .collect::<Vec<_>>()
        .into_iter()
}

/// The instructions of one function below the lines that they are from. `total` is that of the profile, and
/// `text` has source files by name.
pub fn instructions(
    routine: &Routine,
    values: &BTreeMap<u64, Pair>,
    total: f64,
    text: &HashMap<String, Vec<String>>,
    unit: Unit,
    out: &mut impl Write,
) -> io::Result<()> {
    let whole = sum(values, routine.start, routine.end);
    writeln!(
        out,
        "ROUTINE ====================== {}\n{:>6} {:>6} {} (flat, cumulative) {:.1}% of total",
        printable(&routine.name),
        unit.format(whole.0),
        unit.format(whole.1),
        unit.name(),
        whole.1 * 100.0 / total
    )?;
    let (mut file, mut line) = ("", 0);
    for (at, instruction) in routine.instructions.iter().enumerate() {
        let end = routine
            .instructions
            .get(at + 1)
            .map_or(routine.end, |next| next.address);
        let row = routine
            .rows
            .iter()
            .find(|row| (row.start..row.end).contains(&instruction.address));
        if let Some(row) = row.filter(|row| row.file != file || row.line != line) {
            if row.file != file {
                writeln!(
                    out,
                    "-------------------- {}",
                    printable(&shortened(&row.file))
                )?;
            }
            (file, line) = (&row.file, row.line);
            let of_line = sum(values, row.start, row.end);
            let text = text
                .get(file)
                .and_then(|lines| lines.get(line as usize - 1));
            if let Some(text) = text {
                let (flat, cumulative) = (short(of_line.0, unit), short(of_line.1, unit));
                writeln!(
                    out,
                    "{flat:>6} {cumulative:>6} {line:>5}: {}",
                    clean(text.trim_start())
                )?;
            }
        }
        let (flat, cumulative) = sum(values, instruction.address, end);
        let (flat, cumulative) = (short(flat, unit), short(cumulative, unit));
        writeln!(
            out,
            "{flat:>6} {cumulative:>6}    {:>8x}: {:>6}",
            instruction.address,
            printable(&instruction.text)
        )?;
    }
    Ok(())
}

fn sum(values: &BTreeMap<u64, Pair>, start: u64, end: u64) -> Pair {
    let values = values.range(start..end.max(start));
    values.fold((0.0, 0.0), |sum, (_, value)| {
        (sum.0 + value.0, sum.1 + value.1)
    })
}

/// A tab is no harm in a terminal, other control characters are.
fn clean(line: &str) -> String {
    let shown = |c: char| {
        if c.is_control() && c != '\t' {
            '\u{fffd}'
        } else {
            c
        }
    };
    line.trim_end().chars().map(shown).collect()
}

/// Nothing is a point.
fn short(value: f64, unit: Unit) -> String {
    match value == 0.0 {
        true => ".".to_owned(),
        false => unit.format(value),
    }
}

fn shortened(file: &str) -> String {
    let file = file.strip_prefix("./").unwrap_or(file);
    let count = file.chars().count();
    match count >= LONGEST {
        true => format!(
            "...{}",
            file.chars().skip(count - LONGEST + 3).collect::<String>()
        ),
        false => file.to_owned(),
    }
}
