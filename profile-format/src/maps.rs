//! One line of `/proc/<pid>/maps`, as proc_pid_maps(5) describes it, and the shorter form that old
//! gperftools wrote (`40000000-40015000: /lib/ld-2.3.2.so`).

use crate::number::{Cursor, Hex};
use crate::sink::Sink;

/// One mapped area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping<'a> {
    /// First address.
    pub start: u64,
    /// One past the last address.
    pub end: u64,
    /// The pages may be read.
    pub read: bool,
    /// The pages may be written.
    pub write: bool,
    /// The pages may be executed.
    pub execute: bool,
    /// Offset in the file.
    pub offset: u64,
    /// Inode of the file, 0 for areas without one.
    pub inode: u64,
    /// Path as the kernel writes it (`\012` for a newline), or a pseudo-name such as `[vdso]`, or
    /// nothing. Without the mark of a deleted file.
    pub path: &'a [u8],
    /// The file was unlinked or replaced since it was mapped.
    pub deleted: bool,
    /// The file was mapped once, and was closed before the dump was written: a line of ours.
    pub unloaded: bool,
}

/// Behind the path of a file that was unlinked, and of one that was closed.
const DELETED: &[u8] = b" (deleted)";
const UNLOADED: &[u8] = b" (unloaded)";

/// Reads one line, without its newline.
pub fn parse(line: &[u8]) -> Option<Mapping<'_>> {
    let mut cursor = Cursor(line);
    let start = cursor.hex()?;
    cursor.eat(b"-")?;
    let end = cursor.hex()?;
    if cursor.eat(b":").is_some() {
        cursor.skip_blanks();
        return Some(short(start, end, cursor.0));
    }
    cursor.eat(b" ")?;
    let &[read, write, execute, _shared] = cursor.word()? else {
        return None;
    };
    cursor.eat(b" ")?;
    let offset = cursor.hex()?;
    cursor.eat(b" ")?;
    let _device = cursor.word()?;
    cursor.eat(b" ")?;
    let inode = cursor.decimal()?;
    cursor.skip_blanks();
    let unloaded = cursor.0.strip_suffix(UNLOADED);
    let path = unloaded.unwrap_or(cursor.0);
    let deleted = path.strip_suffix(DELETED);
    Some(Mapping {
        start,
        end,
        read: read == b'r',
        write: write == b'w',
        execute: execute == b'x',
        offset,
        inode,
        path: deleted.unwrap_or(path),
        deleted: deleted.is_some(),
        unloaded: unloaded.is_some(),
    })
}

/// Writes a line as [`parse`] reads it: of what the loader knows and the kernel does not tell.
pub fn write<S: Sink>(sink: &mut S, mapping: &Mapping<'_>) -> Result<(), S::Error> {
    let flag = |is_set: bool, letter: u8| if is_set { letter } else { b'-' };
    sink.write(Hex::new(mapping.start).as_bytes())?;
    sink.write(b"-")?;
    sink.write(Hex::new(mapping.end).as_bytes())?;
    sink.write(&[
        b' ',
        flag(mapping.read, b'r'),
        flag(mapping.write, b'w'),
        flag(mapping.execute, b'x'),
        b'p',
        b' ',
    ])?;
    sink.write(Hex::new(mapping.offset).as_bytes())?;
    sink.write(b" 00:00 0 ")?;
    for (at, piece) in mapping.path.split(|byte| *byte == b'\n').enumerate() {
        let newline: &[u8] = if at == 0 { b"" } else { b"\\012" };
        sink.write(newline)?;
        sink.write(piece)?;
    }
    let mark = if mapping.unloaded { UNLOADED } else { b"" };
    sink.write(mark)?;
    sink.write(b"\n")
}

fn short(start: u64, end: u64, path: &[u8]) -> Mapping<'_> {
    let (read, write, execute) = (true, false, true);
    Mapping {
        start,
        end,
        read,
        write,
        execute,
        offset: 0,
        inode: 0,
        path,
        deleted: false,
        unloaded: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn a_library() {
        let line = b"7f12-7f34 r-xp 00001000 fe:01 1234                       /usr/lib/a b.so.6";
        let mapping = parse(line).unwrap();
        assert_eq!(
            (mapping.start, mapping.end, mapping.offset),
            (0x7f12, 0x7f34, 0x1000)
        );
        assert!(mapping.read && mapping.execute && !mapping.write && !mapping.deleted);
        assert_eq!(
            (mapping.inode, mapping.path),
            (1234, &b"/usr/lib/a b.so.6"[..])
        );
    }

    #[test]
    fn a_deleted_file_and_an_area_without_name() {
        let line = b"7f12-7f34 rw-s 00000000 00:01 5 /memfd:doublemapper (deleted)";
        let mapping = parse(line).unwrap();
        assert_eq!(
            (mapping.path, mapping.deleted),
            (&b"/memfd:doublemapper"[..], true)
        );
        assert_eq!(
            parse(b"7f12-7f34 rw-p 00000000 00:00 0 ").unwrap().path,
            b""
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let written = Mapping {
            start: 0x4000_7f12_0000_0000,
            end: 0x4000_7f12_0000_2000,
            read: true,
            write: false,
            execute: true,
            offset: 0x1000,
            inode: 0,
            path: b"/tmp/libplug in.so",
            deleted: false,
            unloaded: true,
        };
        let mut line = Vec::new();
        write(&mut line, &written).unwrap();
        assert_eq!(parse(line.strip_suffix(b"\n").unwrap()), Some(written));
        let (mut line, path) = (Vec::new(), &b"/a\nb"[..]);
        write(&mut line, &Mapping { path, ..written }).unwrap();
        assert!(line.ends_with(b"/a\\012b (unloaded)\n"));
    }

    #[test]
    fn the_short_form() {
        let mapping = parse(b"40000000-40015000: /lib/ld-2.3.2.so").unwrap();
        assert_eq!(
            (mapping.end, mapping.path),
            (0x40015000, &b"/lib/ld-2.3.2.so"[..])
        );
        assert!(mapping.execute);
    }

    #[test]
    fn the_lines_of_this_process() {
        let maps = std::fs::read("/proc/self/maps").unwrap();
        for line in maps
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            assert!(parse(line).is_some());
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line: Vec<u8>) {
            let _ = parse(&line);
        }
    }
}
