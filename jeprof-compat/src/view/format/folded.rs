//! Folded stacks for flame graphs, as `jeprof --collapsed` prints them: `root;...;leaf BYTES`.
//!
//! Names are whole. Lines are sorted, so that two runs can be compared with `diff`; a semicolon
//! inside a name (Java signatures) becomes a colon, because here it parts the frames,
//! and a control character, which could part lines, becomes U+FFFD.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::io::{self, Write};
use std::rc::Rc;

use crate::figures::hidden::printable;
use crate::stacks::NamedProfile;
use crate::stacks::naming::Frame;

/// Writes one line a stack; what rounds to nothing is left out.
pub fn write(profile: &NamedProfile, out: &mut impl Write) -> io::Result<()> {
    for (line, [value]) in sums([profile]) {
        let value = value as i64;
        if value != 0 {
            line.write(out)?;
            writeln!(out, " {value}")?;
        }
    }
    Ok(())
}

/// Writes the stacks of two profiles with the values of both, `STACK BEFORE AFTER`, as differential flame graphs
/// want them.
pub fn write_pair(
    before: &NamedProfile,
    after: &NamedProfile,
    out: &mut impl Write,
) -> io::Result<()> {
    for (line, [before, after]) in sums([before, after]) {
        let (before, after) = (before as i64, after as i64);
        if before != 0 || after != 0 {
            line.write(out)?;
            writeln!(out, " {before} {after}")?;
        }
    }
    Ok(())
}

/// The names of a stack, root first. All lines together are often more than fits into memory, so they are
/// compared and written name by name.
struct Path(Vec<Rc<str>>);

impl Path {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for (at, name) in self.0.iter().enumerate() {
            let between = if at > 0 { ";" } else { "" };
            write!(out, "{between}{name}")?;
        }
        Ok(())
    }

    /// Compares the lines as texts.
    fn cmp(&self, other: &Path) -> Ordering {
        let pairs = self.0.iter().zip(&other.0);
        let equal = pairs.take_while(|(a, b)| Rc::ptr_eq(a, b)).count();
        rest(&self.0[equal..]).cmp(rest(&other.0[equal..]))
    }
}

/// The bytes of a line from one of its names on.
fn rest(names: &[Rc<str>]) -> impl Iterator<Item = u8> {
    let last = names.len().saturating_sub(1);
    let parted = move |(at, name): (usize, &'_ Rc<str>)| (name.clone(), at < last);
    names
        .iter()
        .enumerate()
        .map(parted)
        .flat_map(|(name, goes_on)| {
            let length = name.len();
            let bytes = (0..length).map(move |at| name.as_bytes()[at]);
            bytes.chain(goes_on.then_some(b';'))
        })
}

/// The stacks of some profiles, sorted, with their value in each.
fn sums<const N: usize>(profiles: [&NamedProfile; N]) -> Vec<(Path, [f64; N])> {
    let mut names: HashMap<String, Rc<str>> = HashMap::new();
    let mut all: Vec<(Path, [f64; N])> = Vec::new();
    for (at, profile) in profiles.into_iter().enumerate() {
        let shared = |frame: &Frame| {
            let name = name(frame);
            let known = names.entry(name);
            known
                .or_insert_with_key(|name| name.as_str().into())
                .clone()
        };
        let frames: Vec<Rc<str>> = profile.frames.iter().map(shared).collect();
        for stack in &profile.stacks {
            let path = stack.frames.iter().rev();
            let path = Path(path.map(|id| frames[id.0 as usize].clone()).collect());
            let mut values = [0.0; N];
            values[at] = stack.value;
            all.push((path, values));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.dedup_by(|next, sum| {
        let is_equal = next.0.cmp(&sum.0).is_eq();
        if is_equal {
            sum.1
                .iter_mut()
                .zip(next.1)
                .for_each(|(sum, value)| *sum += value);
        }
        is_equal
    });
    all
}

fn name(frame: &Frame) -> String {
    let mark = if frame.inlined { "[inline]" } else { "" };
    let name = frame.full.replace(';', ":");
    format!("{}{mark}", printable(&name))
}
