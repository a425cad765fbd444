//! Reads profiles: sniffs the format, hands the bytes to the reader of that format, and gives
//! back the model. Everything odd about a format ends here: counts leave as unbiased estimates,
//! return addresses as the addresses of their calls.
//!
//! A file that is cut off or spoiled gives what could be read, with a warning that names file
//! and line; a file that gives nothing at all is an error.
//!
//! `unpack` has the bytes, `sniff` says what they are, and there is a reader for each format: `heap_v2` (of
//! jemalloc, gperftools, Go and our own), `symbolized`, `contention`, `java`, `cpu`, `pprof`, `v8`,
//! `heaptrack` and `folded`. `assembly` puts a profile together.

mod assembly;
mod clojure;
mod contention;
mod cpu;
mod facts;
mod folded;
mod go;
mod heap_v2;
mod heaptrack;
mod java;
pub mod losses;
mod missing;
mod pprof;
mod sniff;
mod symbolized;
#[cfg(test)]
mod tests;
mod unpack;
mod v8;

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow};

use crate::profile::bounds;
use crate::profile::model::{Line, Profile, Shared};
use sniff::{Format, Refusal, Start};

/// A file as it was read.
#[derive(Debug)]
pub struct Whole {
    /// The profile.
    pub profile: Profile,
    /// What the user should know, one line each.
    pub warnings: Vec<String>,
    /// The profile's own bytes, without compression, without what stands before it; none where its format
    /// is not a text that jeprof reads.
    pub text: Option<Vec<u8>>,
}

/// Reads the file at `path`, or the standard input for `-`; beside the profile come warnings.
pub fn read(path: &Path) -> Result<(Profile, Vec<String>)> {
    let whole = read_whole(path)?;
    Ok((whole.profile, whole.warnings))
}

/// As [`read`], with the text of the file.
pub fn read_whole(path: &Path) -> Result<Whole> {
    let shown = path.display().to_string();
    let unpacked = unpack::read(path).with_context(|| shown.clone())?;
    let bytes = unpacked.bytes;
    let (mut profile, mut warnings, at) = parse_at(&bytes, &shown)?;
    if unpacked.cut_off {
        profile.cut_off = true;
        warnings.push(format!("{shown}: the compressed file is cut off"));
    }
    let text = at.map(|at| match at {
        0 => bytes,
        at => bytes[at..].to_vec(),
    });
    Ok(Whole {
        profile,
        warnings,
        text,
    })
}

/// Names of addresses, as a server answers: `0xADDRESS NAME` in each line.
pub fn names(answer: &[u8]) -> HashMap<u64, Shared<Line>> {
    let mut symbols = symbolized::Symbols::default();
    let answer = String::from_utf8_lossy(answer);
    let mut lines = answer.lines();
    while lines.next().is_some_and(|line| symbols.line(line)) {}
    symbols.names
}

/// Is this file a profile, rather than a program? `None` when it is neither.
pub fn is_profile(path: &Path) -> Option<bool> {
    match sniff::sniff(&unpack::head(path)?) {
        Ok(_) => Some(true),
        Err(Refusal::Program) => Some(false),
        Err(_) => None,
    }
}

/// Reads the bytes of a file that errors and warnings call `name`.
pub fn parse(bytes: &[u8], name: &str) -> Result<(Profile, Vec<String>)> {
    let (profile, warnings, _) = parse_at(bytes, name)?;
    Ok((profile, warnings))
}

/// The same, and where the text that jeprof would read begins.
fn parse_at(bytes: &[u8], name: &str) -> Result<(Profile, Vec<String>, Option<usize>)> {
    let start = sniff::sniff(bytes).map_err(|refusal| anyhow!("{name}: {refusal}"))?;
    let mut warnings = Vec::new();
    if start.lines > 0 {
        let header = start.lines + 1;
        let text = format!(
            "{name}: the profile begins in line {header}; what stands before is no part of it"
        );
        warnings.push(text);
    }
    let (mut profile, more, at) = read_format(bytes, name, start)?;
    warnings.extend(more);
    let kinds = bounds::bound_kinds(&mut profile).into_iter();
    let left_out = kinds.chain(bounds::bound(&mut profile));
    warnings.extend(left_out.map(|text| format!("{name}: {text}")));
    Ok((profile, shortened(warnings, name), at))
}

/// Warnings of a file that are shown: a file may have a million of its own.
const MOST_WARNINGS: usize = 40;

/// The first and the last of too many.
fn shortened(mut warnings: Vec<String>, name: &str) -> Vec<String> {
    if let Some(more @ 1..) = warnings.len().checked_sub(MOST_WARNINGS) {
        let out = MOST_WARNINGS / 2..MOST_WARNINGS / 2 + more;
        let said = format!("{name}: {more} more warnings are left out");
        warnings.splice(out, [said]);
    }
    warnings
}

fn read_format(
    bytes: &[u8],
    name: &str,
    start: Start,
) -> Result<(Profile, Vec<String>, Option<usize>)> {
    let body = &bytes[start.offset..];
    let (read, is_text) = match start.format {
        Format::HeapText => (heap_v2::parse(body, name, start.lines), true),
        Format::Contention => (contention::parse(body, name, start.lines), true),
        Format::Cpu => (cpu::parse(body, name), true),
        Format::Java => (java::parse(body, name, start.lines), false),
        Format::Pprof => (pprof::parse(body, name), false),
        Format::V8 => (v8::parse(body, name), false),
        Format::Heaptrack => (heaptrack::parse(body, name), false),
        Format::Folded => (folded::parse(body, name), false),
        Format::Symbolized => return named(bytes, name, start),
    };
    let (profile, warnings) = read?;
    Ok((profile, warnings, is_text.then_some(start.offset)))
}

/// A profile with its names before it.
fn named(bytes: &[u8], name: &str, start: Start) -> Result<(Profile, Vec<String>, Option<usize>)> {
    let symbols = symbolized::Symbols::read(&bytes[start.offset..]);
    let offset = start.offset + symbols.rest;
    let inner = match sniff::sniff(&bytes[offset..]) {
        Ok(inner) if inner.format != Format::Symbolized => inner,
        _ => {
            return Err(anyhow!(
                "{name}: byte {offset}: no profile is behind the symbols"
            ));
        }
    };
    let inner = Start {
        format: inner.format,
        offset: offset + inner.offset,
        lines: start.lines + symbols.lines + inner.lines,
    };
    let (mut profile, mut warnings, at) = read_format(bytes, name, inner)?;
    if let Some(line) = symbols.left_out {
        let line = start.lines + line;
        warnings.push(format!("{name}: {}", assembly::names_left_out(line)));
    }
    symbols.apply(&mut profile);
    Ok((profile, warnings, at))
}
