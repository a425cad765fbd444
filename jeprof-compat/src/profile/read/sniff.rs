//! What a file is, by its first bytes. Names of files say nothing: dumps are renamed, and piped.

use std::fmt;

/// A format that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `heap_v2` in both layouts, with growth and Go's `debug=1`.
    HeapText,
    /// `--- symbol`: names, then a profile of another format.
    Symbolized,
    /// gperftools' and Go's profiles of delays.
    Contention,
    /// A JVM's heap or delays, as Google's agent writes them.
    Java,
    /// gperftools' binary profile of a processor's time.
    Cpu,
    /// pprof's protobuf.
    Pprof,
    /// V8's `.heapprofile`.
    V8,
    /// heaptrack's data, interpreted.
    Heaptrack,
    /// Folded stacks.
    Folded,
}

/// Where a profile begins in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its format.
    pub format: Format,
    /// Bytes before it.
    pub offset: usize,
    /// Lines before it.
    pub lines: usize,
}

/// What a file is instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing at all.
    Empty,
    /// An executable.
    Program,
    /// Something whose name is known.
    Known(&'static str),
    /// Anything else; its first bytes.
    Unknown(Vec<u8>),
}

/// Tools print lines of their own before what they pass on, but not many.
const MOST_BEFORE: usize = 64 << 10;

/// Looks at the beginning of `bytes`.
pub fn sniff(bytes: &[u8]) -> Result<Start, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    let at_once = |format| Start {
        format,
        offset: 0,
        lines: 0,
    };
    if let Some(format) = binary(bytes) {
        return Ok(at_once(format));
    }
    if let Some(start) = headed(bytes) {
        return Ok(start);
    }
    if let Some(what) = foreign(bytes) {
        return Err(what);
    }
    if is_heaptrack(bytes) {
        return Ok(at_once(Format::Heaptrack));
    }
    if is_json(bytes) {
        return match contains(bytes, b"\"selfSize\"") && contains(bytes, b"\"callFrame\"") {
            true => Ok(at_once(Format::V8)),
            false => Err(Refusal::Known("JSON, but not a .heapprofile of V8")),
        };
    }
    match is_folded(bytes) {
        true => Ok(at_once(Format::Folded)),
        false => Err(Refusal::Unknown(bytes[..bytes.len().min(24)].to_vec())),
    }
}

/// A profile of time begins with the words 0 and 3; one of pprof is fields of protobuf from end to end.
fn binary(bytes: &[u8]) -> Option<Format> {
    let narrow: [u8; 8] = [0, 0, 0, 0, 3, 0, 0, 0];
    let wide = bytes.get(8..16) == Some(&[3, 0, 0, 0, 0, 0, 0, 0]);
    if bytes.starts_with(&narrow) || (wide && bytes.starts_with(&[0; 8])) {
        return Some(Format::Cpu);
    }
    is_pprof(bytes).then_some(Format::Pprof)
}

/// As many fields as a beginning of a file must have.
const FIELDS: usize = 4;

/// Numbers and messages of the fields 1 to 16, up to the end or to where the bytes were cut.
fn is_pprof(mut bytes: &[u8]) -> bool {
    let mut fields = 0;
    while let Some((tag, rest)) = bytes.split_first() {
        let Some((number, rest)) = varint(rest) else {
            break;
        };
        match (tag >> 3, tag & 7) {
            (1..=15, 0) => bytes = rest,
            (1..=15, 2) => match rest.get(usize::try_from(number).unwrap_or(usize::MAX)..) {
                Some(behind) => bytes = behind,
                None => return fields >= FIELDS,
            },
            _ => return false,
        }
        fields += 1;
        if fields > 1000 {
            break;
        }
    }
    fields >= FIELDS
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * at).min(63);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[at + 1..]));
        }
    }
    None
}

/// A format with a line of its own at the head; lines of other tools may stand before it.
fn headed(bytes: &[u8]) -> Option<Start> {
    let (mut offset, mut lines) = (0, 0);
    // Where gperftools' own `%` lines begin.
    let mut percent = None;
    for line in bytes[..bytes.len().min(MOST_BEFORE)].split_inclusive(|byte| *byte == b'\n') {
        if let Some(format) = header(line) {
            let (offset, lines) = percent.unwrap_or((offset, lines));
            return Some(Start {
                format,
                offset,
                lines,
            });
        }
        match line.starts_with(b"%") {
            true => percent = percent.or(Some((offset, lines))),
            false => percent = None,
        }
        offset += line.len();
        lines += 1;
    }
    None
}

fn header(line: &[u8]) -> Option<Format> {
    let starts = |word: &str| line.starts_with(word.as_bytes());
    if starts("heap_v2/") || starts("heap profile:") {
        return Some(Format::HeapText);
    }
    let section = line.strip_prefix(b"---")?.trim_ascii_start();
    let begins = |word: &str| section.starts_with(word.as_bytes());
    if begins("symbol") {
        Some(Format::Symbolized)
    } else if begins("heapz 1 ---") || begins("contentionz 1 ---") {
        Some(Format::Java)
    } else if ["contention", "mutex", "Stacks:"].iter().any(|w| begins(w)) {
        Some(Format::Contention)
    } else {
        None
    }
}

fn foreign(bytes: &[u8]) -> Option<Refusal> {
    let known = [
        (
            &b"goroutine profile:"[..],
            "a profile of goroutines: it holds no memory",
        ),
        (
            b"threadcreate profile:",
            "a profile of threads: it holds no memory",
        ),
        (
            b"JAVA PROFILE 1.0.",
            "a heap dump of a JVM (hprof): it holds objects, not stacks",
        ),
        (
            b"{\"snapshot\":",
            "a heap snapshot of V8: it holds objects, not stacks",
        ),
        (b"FLR\0", "a recording of JDK Flight Recorder"),
        (
            b"PERFILE2",
            "data of perf: `perf script` with a folding script makes stacks of it",
        ),
        (b"PK\x03\x04", "a zip archive"),
        (b"\xfd7zXZ\0", "compressed with xz: unpack it first"),
        (b"BZh", "compressed with bzip2: unpack it first"),
        (b"<!DOCTYPE", "a page"),
        (b"<html", "a page"),
        (b"#!", "a script"),
    ];
    if bytes.starts_with(b"\x7fELF") {
        return Some(Refusal::Program);
    }
    let found = known.iter().find(|(head, _)| bytes.starts_with(head));
    found.map(|(_, what)| Refusal::Known(what))
}

fn is_json(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"{")
}

fn is_heaptrack(bytes: &[u8]) -> bool {
    let first = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let numbers = first.strip_prefix(b"v ").unwrap_or_default();
    let is_hex = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_hexdigit);
    let words: Vec<&[u8]> = numbers.split(|byte| *byte == b' ').collect();
    (1..=2).contains(&words.len()) && words.iter().all(|word| is_hex(word))
}

/// The first line is text that ends in a number, and so are most of those behind it.
fn is_folded(bytes: &[u8]) -> bool {
    let lines = bytes.split(|byte| *byte == b'\n').take(20);
    let lines = lines.map(<[u8]>::trim_ascii);
    let lines: Vec<&[u8]> = lines.filter(|l| !l.is_empty() && l[0] != b'#').collect();
    let is_stack = |line: &&&[u8]| {
        let text = std::str::from_utf8(line).ok();
        let parts = text.and_then(|text| text.rsplit_once(' '));
        parts.is_some_and(|(stack, value)| !stack.is_empty() && value.parse::<f64>().is_ok())
    };
    let stacks = lines.iter().filter(is_stack).count();
    lines.first().is_some_and(|line| is_stack(&line)) && 2 * stacks > lines.len()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Empty => f.write_str("Profile is empty."),
            Refusal::Program => f.write_str("is a program, not a profile"),
            Refusal::Known(what) => write!(f, "not a profile that can be read: {what}"),
            Refusal::Unknown(head) => {
                let head = head.escape_ascii();
                write!(f, "byte 0: no heap profile begins like this: \"{head}\"")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(bytes: &[u8]) -> Format {
        sniff(bytes).unwrap().format
    }

    #[test]
    fn each_format_is_known_by_its_beginning() {
        assert_eq!(format(b"heap_v2/1\n"), Format::HeapText);
        assert_eq!(
            format(b"%warn x\nheap profile: 1: 2 [3: 4]\n"),
            Format::HeapText
        );
        assert_eq!(format(b"---symbol\n"), Format::Symbolized);
        assert_eq!(format(b"--- contention:\n"), Format::Contention);
        assert_eq!(format(b"--- heapz 1 ---\n"), Format::Java);
        assert_eq!(format(&[0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]), Format::Cpu);
        let types = [0x0a, 0x04, 0x08, 0x01, 0x10, 0x02];
        assert_eq!(
            format(&[&types[..], &[0x32, 0], &[0x48, 1, 0x60, 2]].concat()),
            Format::Pprof
        );
        assert_eq!(format(b"v 10350 3\n"), Format::Heaptrack);
        assert_eq!(format(b"main;f 12\nmain;g h 3\n"), Format::Folded);
        let v8 = br#"{"head":{"callFrame":{},"selfSize":0}}"#;
        assert_eq!(format(v8), Format::V8);
    }

    #[test]
    fn lines_of_other_tools_may_come_first() {
        let start = sniff(b"Defaulted container\n\n%warn a\nheap_v2/1\n").unwrap();
        assert_eq!((start.offset, start.lines), (21, 2));
        let start = sniff(b"<jemalloc>: ~1 >= 46 contexts\nheap_v2/1\n").unwrap();
        assert_eq!((start.offset, start.lines), (30, 1));
    }

    #[test]
    fn what_is_something_else_is_named() {
        let said = |bytes: &[u8]| sniff(bytes).unwrap_err().to_string();
        assert_eq!(said(b""), "Profile is empty.");
        assert_eq!(said(b"\x7fELF"), "is a program, not a profile");
        assert!(said(b"#!/bin/sh\n").ends_with("a script"));
        assert!(said(b"{}").contains("JSON"));
        assert!(said(b"Hello\x01").contains("byte 0") && said(b"Hello\x01").contains("Hello\\x01"));
    }
}
