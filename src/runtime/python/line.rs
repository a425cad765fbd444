//! The line of an instruction, by the table in its code object.
//!
//! The table is decoded here, as `PyCode_Addr2Line` does it, because it is read through the
//! readability probe and that function would follow any pointer.
//!
//! Sources: CPython `Objects/lnotab_notes.txt` (3.8 to 3.10), `Objects/locations.md` and
//! `InternalDocs/code_objects.md` (since 3.11).

use super::layout::Lines;

/// The line of the instruction at byte `at` of a code object that begins at line `first`.
pub fn of(lines: Lines, table: &[u8], first: i32, at: i32) -> i32 {
    match lines {
        Lines::Lnotab => lnotab(table, first, at),
        Lines::Linetable => linetable(table, first, at),
        Lines::Locations => locations(table, first, at),
    }
}

/// Pairs: so many bytes later the line is so many more.
fn lnotab(table: &[u8], first: i32, at: i32) -> i32 {
    let (mut address, mut line) = (0_i32, first);
    let (pairs, _) = table.as_chunks::<2>();
    for &[bytes, step] in pairs {
        address = address.wrapping_add(i32::from(bytes));
        if address > at {
            break;
        }
        line = line.wrapping_add(i32::from(step.cast_signed()));
    }
    line
}

/// Pairs: the next so many bytes are on a line that is so many more than that of the bytes before.
/// -128: they have no line.
fn linetable(table: &[u8], first: i32, at: i32) -> i32 {
    let (mut end, mut line) = (0_i32, first);
    let (pairs, _) = table.as_chunks::<2>();
    for &[bytes, step] in pairs {
        if at < end {
            break;
        }
        end = end.wrapping_add(i32::from(bytes));
        if step.cast_signed() != -128 {
            line = line.wrapping_add(i32::from(step.cast_signed()));
        }
    }
    line
}

/// Entries of several bytes, of which only the first has its highest bit set: what kind of entry it is,
/// and for how many instructions of two bytes it holds. What follows are columns, and for two kinds the step
/// to the line.
fn locations(table: &[u8], first: i32, at: i32) -> i32 {
    const ONE_LINE: u8 = 10;
    const NO_COLUMNS: u8 = 13;
    const LONG: u8 = 14;
    let (mut end, mut line) = (0_i32, first);
    let mut bytes = table.iter().copied();
    while let Some(head) = bytes.next() {
        if head & 0x80 == 0 {
            continue;
        }
        if at < end {
            break;
        }
        let step = match head >> 3 & 15 {
            kind @ ONE_LINE..NO_COLUMNS => i32::from(kind - ONE_LINE),
            NO_COLUMNS | LONG => signed(&mut bytes),
            _ => 0,
        };
        line = line.wrapping_add(step);
        end = end.wrapping_add(2 * (i32::from(head & 7) + 1));
    }
    line
}

/// A number in groups of six bits, the lowest first; bit 6 says that another group follows. The
/// lowest bit of the number is its sign.
fn signed(bytes: &mut impl Iterator<Item = u8>) -> i32 {
    let (mut number, mut shift) = (0_u32, 0_u32);
    for byte in bytes {
        number |= u32::from(byte & 63).checked_shl(shift).unwrap_or(0);
        shift += 6;
        if byte & 64 == 0 {
            break;
        }
    }
    let size = (number >> 1).cast_signed();
    if number & 1 == 0 {
        size
    } else {
        size.wrapping_neg()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: Lines, table: &[u8], ends: i32) -> Vec<i32> {
        (0..ends).step_by(2).map(|at| of(lines, table, 10, at)).collect()
    }

    #[test]
    fn lnotab_counts_from_the_first_line() {
        // Lines 11, 11, 12, then back to 10.
        let table = [0, 1, 4, 1, 2, 0xfe];
        assert_eq!(all(Lines::Lnotab, &table, 8), [11, 11, 12, 10]);
        assert_eq!(of(Lines::Lnotab, &[], 10, 4), 10);
        assert_eq!(of(Lines::Lnotab, &table, 10, -1), 10, "not begun");
    }

    #[test]
    fn a_linetable_has_ranges() {
        let table = [4, 1, 2, 0x80, 2, 0xff];
        assert_eq!(all(Lines::Linetable, &table, 8), [11, 11, 11, 10]);
    }

    #[test]
    fn locations_are_entries_of_several_bytes() {
        let entry = |kind: u8, length: u8| 0x80 | kind << 3 | (length - 1);
        let table = [
            entry(11, 2), 1, 2, // one line more, columns
            entry(0, 1), 5, // the same line
            entry(13, 1), 0b101, // two back
            entry(14, 1), 0b100_0000 | 2, 1, 0, 0, 0, // 33 more
            entry(15, 1), // no location
        ];
        let lines = all(Lines::Locations, &table, 12);
        assert_eq!(lines, [11, 11, 11, 9, 42, 42]);
        assert_eq!(of(Lines::Locations, &table, 10, -2), 10, "not begun");
    }

    #[test]
    fn garbage_ends() {
        let garbage: Vec<u8> = (0..=255).rev().chain(0..=255).collect();
        for lines in [Lines::Lnotab, Lines::Linetable, Lines::Locations] {
            of(lines, &garbage, i32::MAX, i32::MAX);
            of(lines, &[0xff; 300], i32::MIN, i32::MAX);
            of(lines, &[0xf0, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f], 1, 9);
        }
    }
}
