//! Reads profiles: sniffs the format, hands the bytes to the reader of that format, and gives
//! back the model. Everything odd about a format ends here: counts leave as unbiased estimates,
//! return addresses as the addresses of their calls.
//!
//! A file that is cut off or spoiled gives what could be read, with a warning that names file
//! and line; a file that gives nothing at all is an error.

mod assembly;
mod facts;
mod heap_v2;
pub mod losses;

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::read::MultiGzDecoder;

use crate::profile::model::Profile;

/// Reads the file at `path`; beside the profile come warnings, one line each.
pub fn read(path: &Path) -> Result<(Profile, Vec<String>)> {
    let (profile, warnings, _) = read_whole(path)?;
    Ok((profile, warnings))
}

/// As [`read`], with the file's uncompressed bytes.
pub fn read_whole(path: &Path) -> Result<(Profile, Vec<String>, Vec<u8>)> {
    let shown = path.display().to_string();
    let raw = fs::read(path).with_context(|| shown.clone())?;
    let (bytes, cut_off) = unzip(raw).with_context(|| shown.clone())?;
    let (mut profile, mut warnings) = parse(&bytes, &shown)?;
    if cut_off {
        profile.cut_off = true;
        warnings.push(format!("{shown}: the compressed file is cut off"));
    }
    Ok((profile, warnings, bytes))
}

/// Reads the bytes of a file that errors and warnings call `name`.
pub fn parse(bytes: &[u8], name: &str) -> Result<(Profile, Vec<String>)> {
    let Some(format) = sniff(bytes) else {
        bail!("{name}: Profile is empty.");
    };
    match format {
        Format::HeapText => heap_v2::parse(bytes, name),
        Format::Symbolized => bail!("{name}: symbolized profiles are not supported yet"),
        Format::Unknown => bail!("{name}: not a heap profile of jemalloc or malloscope"),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `heap_v2` in both layouts.
    HeapText,
    /// The output of `jeprof --raw`.
    Symbolized,
    Unknown,
}

/// Looks at the first line that is not one of the `%` lines gperftools puts before a header.
fn sniff(bytes: &[u8]) -> Option<Format> {
    let mut lines = bytes.split(|&b| b == b'\n');
    let header = lines.find(|l| !l.starts_with(b"%"))?;
    let starts = |words: &[&[u8]]| words.iter().any(|w| header.starts_with(w));
    if bytes.is_empty() {
        None
    } else if starts(&[b"heap_v2/", b"heap profile:"]) {
        Some(Format::HeapText)
    } else if starts(&[b"--- symbol", b"---symbol"]) {
        Some(Format::Symbolized)
    } else {
        Some(Format::Unknown)
    }
}

/// Undoes gzip where there is any; true when the end was missing.
fn unzip(raw: Vec<u8>) -> Result<(Vec<u8>, bool)> {
    if !raw.starts_with(&[0x1f, 0x8b]) {
        return Ok((raw, false));
    }
    let mut bytes = Vec::new();
    let result = MultiGzDecoder::new(&*raw).read_to_end(&mut bytes);
    match result {
        Ok(_) => Ok((bytes, false)),
        Err(_) if !bytes.is_empty() => Ok((bytes, true)),
        Err(error) => Err(error).context("cannot be decompressed"),
    }
}
