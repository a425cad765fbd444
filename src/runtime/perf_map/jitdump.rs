//! The records of a jitdump. Pure.
//!
//! In the byte order of the machine, because the process that writes it is this one.
//! ```text
//! 0: u32 "JiTD" | u32 version | u32 bytes of the header | ...
//! record: u32 id | u32 bytes | u64 time |
//!   0 load        u32 pid | u32 tid | u64 vma | u64 address | u64 size | u64 index | name NUL | code
//!   1 move        u32 pid | u32 tid | u64 vma | u64 old | u64 address | u64 size | u64 index
//!   2 debug info  u64 address | u64 entries | (u64 address | u32 line | u32 discriminator | file NUL)...
//! ```
//! Debug info comes before the load that it describes. Of its entries the first is read: where the
//! function begins.
//!
//! Source: `tools/perf/Documentation/jitdump-specification.txt` of Linux.

use core::ops::Range;

use super::line;

const MAGIC: u32 = 0x4A69_5444;
const HEAD: usize = 16;
const LOAD: u32 = 0;
const MOVE: u32 = 1;
const DEBUG_INFO: u32 = 2;

/// Bytes of a record that are looked at; its code is not.
const LOOKED_AT: usize = 4096;

/// What a record says.
#[derive(Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// There is code.
    Load(Range<u64>, &'a [u8]),
    /// Code that was at the first address is there now.
    Move(u64, Range<u64>),
    /// The code that will be at the address comes from this line of this file.
    Source(u64, &'a [u8], u32),
    /// Something else.
    Other,
}

/// Bytes of the file's header.
pub fn header(bytes: &[u8]) -> Option<u64> {
    let (magic, length) = (half(bytes, 0)?, half(bytes, 8)?);
    (magic == MAGIC && half(bytes, 4)? == 1 && length >= 40).then_some(u64::from(length))
}

/// The record at the beginning of `bytes`, and its length in the file, of which `left` bytes are
/// left. `None`: it is not whole yet, or there is none.
pub fn record(bytes: &[u8], left: u64) -> Option<(Record<'_>, u64)> {
    let length = half(bytes, 4)?;
    let seen = bytes.len().min(LOOKED_AT);
    if (length as usize) < HEAD || u64::from(length) > left || seen < LOOKED_AT.min(length as usize) {
        return None;
    }
    let own = bytes.get(..seen.min(length as usize))?;
    let record = match half(own, 0)? {
        LOAD => load(own),
        MOVE => moved(own),
        DEBUG_INFO => source(own),
        _ => None,
    };
    Some((record.unwrap_or(Record::Other), u64::from(length)))
}

fn load(bytes: &[u8]) -> Option<Record<'_>> {
    let code = line::code(word(bytes, 32)?, word(bytes, 40)?)?;
    Some(Record::Load(code, string(bytes, 56)?))
}

fn moved(bytes: &[u8]) -> Option<Record<'_>> {
    let code = line::code(word(bytes, 40)?, word(bytes, 48)?)?;
    Some(Record::Move(word(bytes, 32)?, code))
}

fn source(bytes: &[u8]) -> Option<Record<'_>> {
    let (line, file) = (half(bytes, 40)?, string(bytes, 48)?);
    Some(Record::Source(word(bytes, 16)?, file, line))
}

fn string(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    let length = rest.iter().position(|byte| *byte == 0)?;
    rest.get(..length).filter(|text| !text.is_empty())
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(id: u32, words: &[u64], text: &[u8]) -> Vec<u8> {
        let length = HEAD + words.len() * 8 + text.len();
        let mut bytes = Vec::new();
        bytes.extend(id.to_ne_bytes());
        bytes.extend((length as u32).to_ne_bytes());
        bytes.extend(7_u64.to_ne_bytes());
        words.iter().for_each(|word| bytes.extend(word.to_ne_bytes()));
        bytes.extend(text);
        bytes
    }

    #[test]
    fn records_are_read() {
        let long = [b"sum\0".to_vec(), vec![0x90; 9000]].concat();
        let load = bytes(LOAD, &[1, 0, 0x1000, 0x20, 5], &long);
        let whole = load.len() as u64;
        let read = record(&load[..LOOKED_AT], whole);
        assert_eq!(read, Some((Record::Load(0x1000..0x1020, b"sum"), whole)));
        let moved = bytes(MOVE, &[1, 0, 0x1000, 0x2000, 0x20, 5], b"");
        let read = record(&moved, 1000).map(|read| read.0);
        assert_eq!(read, Some(Record::Move(0x1000, 0x2000..0x2020)));
        let source = bytes(DEBUG_INFO, &[0x1000, 1, 0x1000, 42], b"/a b.py\0");
        let read = record(&source, 1000).map(|read| read.0);
        assert_eq!(read, Some(Record::Source(0x1000, b"/a b.py", 42)));
        let close = bytes(3, &[], b"");
        assert_eq!(record(&close, 16), Some((Record::Other, 16)));
    }

    #[test]
    fn what_is_torn_is_left_for_later() {
        let load = bytes(LOAD, &[1, 0, 0x1000, 0x20, 5], b"sum\0code");
        for length in 0..load.len() {
            assert_eq!(record(&load[..length], length as u64), None, "{length}");
            assert_eq!(record(&load, length as u64), None, "{length} in the file");
        }
        let nameless = bytes(LOAD, &[1, 0, 0x1000, 0x20, 5], b"sum");
        assert_eq!(record(&nameless, 1000).map(|read| read.0), Some(Record::Other));
        assert_eq!(record(&[0; 64], 64), None, "a record of no length");
    }

    #[test]
    fn only_its_own_header_is_believed() {
        let mut head = [0_u8; 40];
        head[..4].copy_from_slice(&MAGIC.to_ne_bytes());
        head[4] = 1;
        assert_eq!(header(&head), None);
        head[8] = 40;
        assert_eq!(header(&head), Some(40));
        head[..4].copy_from_slice(&MAGIC.swap_bytes().to_ne_bytes());
        assert_eq!(header(&head), None, "of another byte order");
    }
}
