//! Folded stacks for flame graphs, as `jeprof --collapsed` prints them: `root;...;leaf BYTES`.
//!
//! Names are whole. Lines are sorted, so that two runs can be compared with `diff`; a semicolon
//! inside a name (Java signatures) becomes a colon, because here it parts the frames,
//! and a control character, which could part lines, becomes U+FFFD.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::figures::hidden::printable;
use crate::stacks::naming::Frame;
use crate::stacks::{NamedProfile, NamedStack};

/// Writes one line a stack; what rounds to nothing is left out.
pub fn write(profile: &NamedProfile, out: &mut impl Write) -> io::Result<()> {
    let mut lines: BTreeMap<String, f64> = BTreeMap::new();
    for stack in &profile.stacks {
        *lines.entry(path(profile, stack)).or_default() += stack.value;
    }
    for (line, value) in lines {
        let value = value as i64;
        if value != 0 {
            writeln!(out, "{line} {value}")?;
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
    let mut lines: BTreeMap<String, [f64; 2]> = BTreeMap::new();
    for (at, profile) in [before, after].into_iter().enumerate() {
        for stack in &profile.stacks {
            lines.entry(path(profile, stack)).or_default()[at] += stack.value;
        }
    }
    for (line, [before, after]) in lines {
        let (before, after) = (before as i64, after as i64);
        if before != 0 || after != 0 {
            writeln!(out, "{line} {before} {after}")?;
        }
    }
    Ok(())
}

fn path(profile: &NamedProfile, stack: &NamedStack) -> String {
    let frames = stack.frames.iter().rev();
    let names: Vec<String> = frames.map(|&id| name(profile.frame(id))).collect();
    names.join(";")
}

fn name(frame: &Frame) -> String {
    let mark = if frame.inlined { "[inline]" } else { "" };
    let name = frame.full.replace(';', ":");
    format!("{}{mark}", printable(&name))
}
