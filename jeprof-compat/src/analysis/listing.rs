//! The lines of a function with the values of its addresses: what `jeprof --list` shows. Pure.
//!
//! The first file that the code of a function names is taken for its own. What was inlined from other files
//! goes to the next line of it, as `jeprof` has it.

use std::collections::BTreeMap;

use crate::profile::code::Row;

/// Flat and cumulative.
pub type Pair = (f64, f64);

/// The part of a source file that is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The source file.
    pub file: String,
    /// The first line of the function.
    pub first: u32,
    /// Its last line that has code.
    pub last_code: u32,
    /// Its last line, by the indentation of what follows.
    pub last: u32,
    /// By line.
    pub lines: BTreeMap<u32, Pair>,
    /// Of the whole function.
    pub total: Pair,
}

/// The file of a function, which must be read for the rest; `None` without line numbers.
pub fn file(rows: &[Row]) -> Option<&str> {
    rows.first().map(|row| row.file.as_str())
}

impl Listing {
    /// Spreads `values`, by address, over the lines of the file, whose text is `source`.
    pub fn of(rows: &[Row], values: &BTreeMap<u64, Pair>, source: &[&str]) -> Option<Listing> {
        let file = file(rows)?;
        let own = || rows.iter().filter(|row| row.file == file);
        let first = own().next()?.line;
        let last_code = own().map(|row| row.line).max()?.max(first);
        let mut listing = Listing {
            file: file.to_owned(),
            first,
            last_code,
            last: end(source, first, last_code),
            ..Listing::default()
        };
        let (mut open, mut from) = ((0.0, 0.0), 0);
        for row in rows {
            for (_, value) in values.range(from.max(row.start)..row.end.max(from)) {
                add(&mut open, *value);
            }
            from = from.max(row.end);
            if row.file == file && (first..=listing.last).contains(&row.line) {
                listing.add(row.line, std::mem::take(&mut open));
            }
        }
        listing.add(listing.last, open);
        Some(listing)
    }

    fn add(&mut self, line: u32, value: Pair) {
        add(self.lines.entry(line).or_default(), value);
        add(&mut self.total, value);
    }
}

fn add(sum: &mut Pair, value: Pair) {
    sum.0 += value.0;
    sum.1 += value.1;
}

/// The line where the indentation falls below that of the first one: the end of a body.
fn end(source: &[&str], first: u32, last_code: u32) -> u32 {
    let indentation = |line: &str| {
        let text = line.trim_start();
        (!text.is_empty()).then(|| line.len() - text.len())
    };
    let numbered = (1..)
        .zip(source)
        .map(|(number, line)| (number, indentation(line)));
    let mut from_first = numbered.skip_while(|(number, _)| *number < first);
    let depth = from_first.clone().find_map(|(_, depth)| depth).unwrap_or(0);
    if depth == 0 {
        return last_code;
    }
    let behind = from_first
        .find(|(number, found)| *number >= last_code && found.is_some_and(|found| found < depth));
    behind.map_or(last_code, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(start: u64, end: u64, file: &str, line: u32) -> Row {
        Row {
            start,
            end,
            file: file.into(),
            line,
        }
    }

    #[test]
    fn what_was_inlined_goes_to_the_next_line_of_the_function() {
        let rows = [
            row(0x10, 0x20, "a.c", 3),
            row(0x20, 0x30, "b.h", 90),
            row(0x30, 0x40, "a.c", 5),
        ];
        let values = BTreeMap::from([(0x14, (1.0, 2.0)), (0x24, (4.0, 4.0)), (0x38, (0.0, 8.0))]);
        let source = ["", "int f() {", "  a();", "  b();", "  c();", "}"];
        let listing = Listing::of(&rows, &values, &source).unwrap();
        assert_eq!((listing.first, listing.last_code, listing.last), (3, 5, 6));
        assert_eq!(listing.lines[&3], (1.0, 2.0));
        assert_eq!(listing.lines[&5], (4.0, 12.0));
        assert_eq!(listing.total, (5.0, 14.0));
        assert_eq!(Listing::of(&[], &values, &source), None);
    }
}
