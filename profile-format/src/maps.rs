//! One line of `/proc/<pid>/maps`, as proc_pid_maps(5) describes it, and the shorter form that old
//! gperftools wrote (`40000000-40015000: /lib/ld-2.3.2.so`).

use crate::number::Cursor;

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
}

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
    let deleted = cursor.0.strip_suffix(b" (deleted)");
    Some(Mapping {
        start,
        end,
        read: read == b'r',
        write: write == b'w',
        execute: execute == b'x',
        offset,
        inode,
        path: deleted.unwrap_or(cursor.0),
        deleted: deleted.is_some(),
    })
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
