//! The table that `jeprof --text` prints: flat, share, running share, cumulative, share, name.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::io::{self, Write};

use serde::Serialize;

use crate::analysis::graph::Graph;
use crate::figures::hidden::{self, is_hidden};
use crate::figures::units::{Unit, percent};
use crate::figures::words;
use crate::profile::model::Language;
use crate::stacks::{FrameId, NamedProfile, Threads};

/// How to print.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What the numbers count.
    pub unit: Unit,
    /// Sort by the cumulative value instead of the flat one.
    pub by_cumulative: bool,
    /// Say what the shares are of, where that is not the total; jeprof does so at its prompt alone.
    pub says_shown: bool,
    /// Whose samples they are.
    pub threads: Threads,
    /// The most rows; all without it.
    pub rows: Option<usize>,
}

/// Writes the total and one row for each frame that has any value.
pub fn write(profile: &NamedProfile, options: Options, out: &mut impl Write) -> io::Result<()> {
    let unit = options.unit;
    if let Some(kind) = &profile.kind {
        writeln!(out, "Kind: {}", printable(&kind.to_string()))?;
    }
    if let Some(ms) = profile.freed_within_ms {
        let limit = words::duration(ms / 1000.0);
        writeln!(out, "Temporary: allocated, and freed within {limit}")?;
    }
    if profile.total != 0.0 {
        let thread = match options.threads {
            Threads::All => String::new(),
            Threads::One(uid) => format!(" (t{uid})"),
        };
        let total = unit.format(profile.total);
        writeln!(out, "Total{thread}: {total} {}", unit.name())?;
    }
    // A sum of nothing is below zero.
    let shown = profile.shown() + 0.0;
    let rest = profile.total - shown;
    if options.says_shown && rest.abs() > 0.001 * profile.total.abs() {
        writeln!(
            out,
            "Shown: {} {}, {} of it; the shares below are of what is shown",
            unit.format(shown),
            unit.name(),
            percent(shown, profile.total)
        )?;
    }
    let mut running = 0.0;
    let most = options.rows.unwrap_or(usize::MAX);
    for row in rows(profile, options.by_cumulative).into_iter().take(most) {
        running += row.flat;
        if row.flat != 0.0 || row.cumulative != 0.0 {
            writeln!(
                out,
                "{:>8} {:>6} {:>6} {:>8} {:>6} {}",
                unit.format(row.flat),
                percent(row.flat, shown),
                percent(running, shown),
                unit.format(row.cumulative),
                percent(row.cumulative, shown),
                printable(row.name),
            )?;
        }
    }
    Ok(())
}

/// Each function whose name is meant, between its callers and what it calls.
pub fn peek(
    graph: &Graph,
    unit: Unit,
    is_meant: impl Fn(&str) -> bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let name = |at: usize| printable(&graph.nodes[at].frame.name);
    let meant = graph
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| is_meant(&node.frame.name));
    for (at, node) in meant {
        for edge in graph.edges.iter().filter(|edge| edge.to == at) {
            writeln!(
                out,
                "{:>17} {:>8} | {}",
                "",
                unit.format(edge.value),
                name(edge.from)
            )?;
        }
        writeln!(
            out,
            "{:>8} {:>8} {:>8} {}",
            unit.format(node.flat),
            unit.format(node.cumulative),
            percent(node.cumulative, graph.shown),
            name(at)
        )?;
        for edge in graph.edges.iter().filter(|edge| edge.from == at) {
            writeln!(
                out,
                "{:>17} {:>8} |   {}",
                "",
                unit.format(edge.value),
                name(edge.to)
            )?;
        }
        writeln!(out, "{:->60}", "")?;
    }
    Ok(())
}

/// How many origins are named.
const ORIGINS: usize = 4;

/// One line that says who asked for the memory: `Asked for by: mcache.so 91.0%, the script 9.0%`. Nothing
/// where there is nothing to say.
pub fn origins(shares: &[(String, f64)], out: &mut impl Write) -> io::Result<()> {
    let total: f64 = shares.iter().map(|share| share.1).sum();
    let said: Vec<String> = shares
        .iter()
        .take(ORIGINS)
        .map(|(name, value)| format!("{} {}", printable(name), percent(*value, total)))
        .collect();
    match said.is_empty() {
        true => Ok(()),
        false => writeln!(out, "Asked for by: {}", said.join(", ")),
    }
}

/// The table for programs.
#[derive(Serialize)]
pub struct Table<'a> {
    total: f64,
    is_difference: bool,
    rows: Vec<TableRow<'a>>,
}

/// What a function holds: bytes, or blocks.
#[derive(Serialize)]
struct TableRow<'a> {
    function: &'a str,
    flat: f64,
    cumulative: f64,
    module: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
    language: Option<&'static str>,
}

/// The rows of the table in its order.
pub fn table(profile: &NamedProfile, by_cumulative: bool) -> Table<'_> {
    let row = |row: Row<'_>| {
        let frame = profile.frame(row.id);
        TableRow {
            function: &frame.name,
            flat: row.flat,
            cumulative: row.cumulative,
            module: frame.module.as_deref(),
            file: frame.file.as_deref(),
            line: frame.line,
            language: frame.language.map(Language::key),
        }
    };
    let rows = rows(profile, by_cumulative).into_iter();
    Table {
        total: profile.total,
        is_difference: profile.is_difference,
        rows: rows.map(row).collect(),
    }
}

/// A row stays one, and a symbol does not talk to the terminal.
fn printable(name: &str) -> Cow<'_, str> {
    if name.chars().any(is_hidden) {
        hidden::printable(name).into()
    } else {
        name.into()
    }
}

struct Row<'a> {
    id: FrameId,
    flat: f64,
    cumulative: f64,
    name: &'a str,
}

fn rows(profile: &NamedProfile, by_cumulative: bool) -> Vec<Row<'_>> {
    let sums = profile.sums();
    let frames = profile.frames.iter().zip(sums).zip(0..);
    let mut rows: Vec<Row<'_>> = frames
        .map(|((frame, (flat, cumulative)), id)| Row {
            id: FrameId(id),
            flat,
            cumulative,
            name: &frame.name,
        })
        .collect();
    let key = |row: &Row<'_>| {
        if by_cumulative {
            row.cumulative
        } else {
            row.flat
        }
    };
    rows.sort_by(|a, b| {
        let by_value = key(b).partial_cmp(&key(a)).unwrap_or(Ordering::Equal);
        by_value.then_with(|| a.name.cmp(b.name))
    });
    rows
}
