//! The report's data for the script of the page: columns of small numbers as JSON, gzipped, in
//! base64. `assets/data.js` is the reader, and both change together.
//!
//! Columns of dumps are differences to the dump before: most stacks do not change, and zeros pack
//! best. Bytes are rounded to whole ones in the running value, so that the sum of differences is
//! the rounded value again.

use std::collections::{BTreeMap, HashMap};
use std::io::BufWriter;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Value, json};

use crate::profile::threads;
use crate::report::{Cell, Kind, Report, ReportFrame};
use crate::view::picture::{flame, hue, names, svg, text_width};

/// A call graph drawn beforehand, for a selection of the page.
pub struct Drawing {
    /// Which one: `KIND/live` or `KIND/growth`, and behind another `/` the frame in focus.
    pub key: String,
    /// SVG file.
    pub svg: String,
}

/// What stands in the page.
pub fn pack(report: &Report, drawings: &[Drawing]) -> String {
    let drawings = drawings.iter().map(|d| (d.key.as_str(), d.svg.as_str()));
    let data = Data {
        drawings: drawings.collect(),
        dumps: json!(report.timeline.dumps),
        facts: json!(report.header.facts),
        family: text_width::FONT_FAMILY,
        font: flame::FONT,
        graph_css: svg::css(),
        kinds: report.kinds.iter().map(Columns).collect(),
        per: json!(report.per()),
        program: &report.header.program,
        row: flame::ROW,
        suspects: json!(report.suspects),
        widths: json!(text_width::ascii()),
    };
    // The time in the header is none.
    let gzip = GzBuilder::new().mtime(0);
    let writer = gzip.write(Vec::new(), Compression::best());
    let mut writer = BufWriter::with_capacity(1 << 16, writer);
    // Writing into memory cannot fail.
    let _ = serde_json::to_writer(&mut writer, &data);
    let packed = writer.into_inner().ok().and_then(|gzip| gzip.finish().ok());
    STANDARD.encode(packed.unwrap_or_default())
}

/// All of it. The order of keys is that of their names, here and in [`Columns`].
#[derive(Serialize)]
struct Data<'a> {
    drawings: BTreeMap<&'a str, &'a str>,
    dumps: Value,
    facts: Value,
    family: &'a str,
    font: f64,
    graph_css: String,
    kinds: Vec<Columns<'a>>,
    per: Value,
    program: &'a str,
    row: f64,
    suspects: Value,
    widths: Value,
}

/// A kind, written column by column: each is there only while it is written, since all of them together are a
/// multiple of the report.
struct Columns<'a>(&'a Kind);

impl Serialize for Columns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = self.0;
        let mut strings = Strings::default();
        let frames = frames(kind, &mut strings);
        let parents = kind.nodes.iter().enumerate();
        let parents = parents.map(|(at, n)| n.parent.get().map_or(0, |p| at - p as usize));
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("age_bounds", &kind.age_bounds)?;
        map.serialize_entry("ages", &ages(kind))?;
        map.serialize_entry("allocated", &allocated(kind))?;
        map.serialize_entry("bytes", &columns(kind, |c| c.bytes.round()))?;
        map.serialize_entry("deviation", &columns(kind, relative_deviation))?;
        map.serialize_entry(
            "frame",
            &kind.nodes.iter().map(|n| n.frame).collect::<Vec<_>>(),
        )?;
        map.serialize_entry("frames", &frames)?;
        map.serialize_entry(
            "leaf",
            &kind.stacks.iter().map(|s| s.node).collect::<Vec<_>>(),
        )?;
        map.serialize_entry("name", &kind.name)?;
        map.serialize_entry("objects", &columns(kind, |c| c.objects.round()))?;
        map.serialize_entry("parent", &parents.collect::<Vec<_>>())?;
        map.serialize_entry("pools", &pools(kind))?;
        map.serialize_entry("samples", &columns(kind, |c| c.samples as f64))?;
        map.serialize_entry("strings", &strings.all)?;
        map.serialize_entry("thread_names", &kind.threads)?;
        map.serialize_entry("threads", &thread_shares(kind))?;
        map.serialize_entry("title", &kind.title)?;
        map.end()
    }
}

fn frames<'a>(kind: &'a Kind, strings: &mut Strings<'a>) -> Value {
    let hues = hues(kind);
    let frames = &kind.frames;
    let module = |at: usize| frames[at].module.as_deref();
    let hue = |at: usize| hues.get(frames[at].home()).copied();
    let all = 0..frames.len();
    json!({
        "name": frames.iter().map(|f| &f.name).collect::<Vec<_>>(),
        "full": frames.iter().map(|f| f.full.as_deref().unwrap_or("")).collect::<Vec<_>>(),
        "module": all.clone().map(|at| strings.id(module(at))).collect::<Vec<_>>(),
        "file": frames.iter().map(|f| strings.id(f.file.as_deref())).collect::<Vec<_>>(),
        "mine": frames.iter().map(|f| u8::from(f.is_own)).collect::<Vec<_>>(),
        "own": frames.iter().map(own_part).collect::<Vec<_>>(),
        "line": frames.iter().map(|f| f.line.unwrap_or(0)).collect::<Vec<_>>(),
        "hue": all.map(|at| hue(at).unwrap_or(hue::rest())).collect::<Vec<_>>(),
    })
}

/// Where the class and its method begin behind their package, as JavaScript counts.
fn own_part(frame: &ReportFrame) -> usize {
    match frame.kind {
        "managed" | "class" => {
            let (place, _) = names::parts(&frame.name, frame.kind == "class");
            place.encode_utf16().count()
        }
        _ => 0,
    }
}

/// Standard deviation in thousandths of the value.
fn relative_deviation(cell: &Cell) -> f64 {
    if cell.bytes <= 0.0 {
        return 0.0;
    }
    (cell.variance.max(0.0).sqrt() / cell.bytes * 1000.0)
        .min(9999.0)
        .round()
}

/// Bytes ever allocated, where they were counted: else a dump has those of what is live.
fn allocated(kind: &Kind) -> Vec<Vec<i64>> {
    let mut cells = kind.stacks.iter().flat_map(|s| &s.cells);
    if cells.any(|c| (c.allocated - c.bytes).abs() > 0.5) {
        columns(kind, |c| c.allocated.round())
    } else {
        Vec::new()
    }
}

/// One column a dump; each value less that of the dump before.
fn columns(kind: &Kind, value: impl Fn(&Cell) -> f64) -> Vec<Vec<i64>> {
    let dumps = kind.stacks.first().map_or(0, |s| s.cells.len());
    let at = |stack: usize, dump: usize| value(&kind.stacks[stack].cells[dump]) as i64;
    let column = |dump: usize| {
        (0..kind.stacks.len())
            .map(|stack| {
                let before = dump.checked_sub(1).map_or(0, |d| at(stack, d));
                at(stack, dump) - before
            })
            .collect::<Vec<i64>>()
    };
    let all: Vec<Vec<i64>> = (0..dumps).map(column).collect();
    let nothing = all.iter().flatten().all(|v| *v == 0);
    if nothing { Vec::new() } else { all }
}

/// Live bytes by age class, without the youngest class, which is the rest; stacks that are young
/// altogether say nothing.
fn ages(kind: &Kind) -> Vec<Vec<u64>> {
    shares(kind, |cell| {
        let classes = cell.ages.iter().enumerate();
        classes.map(|(class, b)| (class as u64, *b)).collect()
    })
    .map(|list| list.filter(|(_, class, _)| *class > 0))
    .map(flat)
    .collect()
}

/// Live bytes by thread; nothing where there is no other.
fn thread_shares(kind: &Kind) -> Vec<Vec<u64>> {
    if kind.threads.len() < 2 {
        return Vec::new();
    }
    shares(kind, |cell| cell.threads.to_vec())
        .map(flat)
        .collect()
}

/// The pool of each thread, empty where it is in none.
fn pools(kind: &Kind) -> Vec<String> {
    let name = |title: &String| {
        title
            .split_once(' ')
            .map_or("", |(_, name)| name)
            .to_owned()
    };
    let names: Vec<String> = kind.threads.iter().map(name).collect();
    let pools = threads::pools(names.iter().map(String::as_str));
    let pool = |name: &String| pools.get(name).cloned().unwrap_or_default();
    names.iter().map(pool).collect()
}

/// For each dump `(stack, part, thousandths)`: those that are others than at the dump before.
fn shares(
    kind: &Kind,
    of: impl Fn(&Cell) -> Vec<(u64, f64)>,
) -> impl Iterator<Item = impl Iterator<Item = (usize, u64, u64)>> {
    let dumps = kind.stacks.first().map_or(0, |s| s.cells.len());
    let mut before: Vec<BTreeMap<u64, u64>> = vec![BTreeMap::new(); kind.stacks.len()];
    (0..dumps).map(move |dump| {
        let mut list = Vec::new();
        for (stack, before) in before.iter_mut().enumerate() {
            let parts = of(&kind.stacks[stack].cells[dump]);
            let sum: f64 = parts.iter().map(|p| p.1).sum();
            // Of nothing there are no parts, and none are asked for.
            if sum <= 0.0 {
                continue;
            }
            let thousandths = |bytes: f64| (bytes / sum * 1000.0).round() as u64;
            let mut now: BTreeMap<u64, u64> = before.keys().map(|part| (*part, 0)).collect();
            now.extend(parts.iter().map(|p| (p.0, thousandths(p.1))));
            for (&part, &share) in &now {
                if before.get(&part).copied().unwrap_or(0) != share {
                    list.push((stack, part, share));
                }
            }
            now.retain(|_, share| *share > 0);
            *before = now;
        }
        list.into_iter()
    })
}

/// One after the other, the stack as difference to the one before.
fn flat(parts: impl Iterator<Item = (usize, u64, u64)>) -> Vec<u64> {
    let mut before = 0;
    parts
        .flat_map(|(stack, part, thousandths)| {
            let step = (stack - std::mem::replace(&mut before, stack)) as u64;
            [step, part, thousandths]
        })
        .collect()
}

/// Hue of every module of a kind, managed code being one.
pub fn hues(kind: &Kind) -> HashMap<&str, usize> {
    let frames = kind.nodes.iter().map(|n| &kind.frames[n.frame as usize]);
    hue::modules(
        frames
            .map(ReportFrame::home)
            .filter(|home| !home.is_empty()),
    )
}

/// Texts, each once; 0 is none.
struct Strings<'a> {
    all: Vec<&'a str>,
    ids: HashMap<&'a str, usize>,
}

impl Default for Strings<'_> {
    fn default() -> Self {
        Strings {
            all: vec![""],
            ids: HashMap::new(),
        }
    }
}

impl<'a> Strings<'a> {
    fn id(&mut self, text: Option<&'a str>) -> usize {
        let Some(text) = text else { return 0 };
        *self.ids.entry(text).or_insert_with(|| {
            self.all.push(text);
            self.all.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Stack;

    #[test]
    fn a_class_begins_behind_its_package() {
        let own = |name: &str, kind| {
            own_part(&ReportFrame {
                name: name.into(),
                kind,
                ..ReportFrame::default()
            })
        };
        assert_eq!(own("java.lang.Integer", "class"), 10);
        assert_eq!(own("\u{1d538}.b.C.m", "managed"), 5);
        assert_eq!(own("std::vector::push", "native"), 0);
    }

    #[test]
    fn shares_are_told_when_they_change() {
        let cell = |threads: &[(u64, f64)]| Cell {
            threads: threads.into(),
            ..Cell::default()
        };
        let first = [
            cell(&[(0, 3.0), (1, 1.0)]),
            cell(&[(0, 6.0), (1, 2.0)]),
            cell(&[]),
            cell(&[(1, 5.0)]),
        ];
        let second = [cell(&[]), cell(&[(1, 1.0)]), cell(&[(1, 9.0)]), cell(&[])];
        let stack = |cells: [Cell; 4]| Stack {
            node: 0,
            cells: cells.into(),
        };
        let kind = Kind {
            threads: vec!["t1".into(), "t2".into()],
            stacks: vec![stack(first), stack(second)],
            ..Kind::default()
        };
        let found = thread_shares(&kind);
        let wanted: [&[u64]; 4] = [
            &[0, 0, 750, 0, 1, 250],
            &[1, 1, 1000],
            &[],
            &[0, 0, 0, 0, 1, 1000],
        ];
        assert_eq!(found, wanted);
    }
}
