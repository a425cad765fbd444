//! A line of a perf map: `START SIZE NAME`, the numbers in hexadecimal. Pure.
//!
//! Source: `tools/perf/Documentation/jit-interface.txt` of Linux. Some writers put `0x` before the
//! numbers. The name is all the rest of the line, with the blanks that it may have.

use core::ops::Range;

/// All code lies below.
const HIGHEST: u64 = 1 << 47;

/// No function is larger.
const LARGEST: u64 = 1 << 30;

/// The code and the name of a line without its end.
pub fn parse(line: &[u8]) -> Option<(Range<u64>, &[u8])> {
    let (start, rest) = hex(line)?;
    let (size, rest) = hex(rest.trim_ascii_start())?;
    let name = rest.trim_ascii();
    let is_blank = |byte: &u8| byte.is_ascii_whitespace();
    let is_parted = rest.first().is_some_and(is_blank) && !name.is_empty();
    Some((code(start, size).filter(|_| is_parted)?, name))
}

/// The range of some code; `None` where no code can be.
pub fn code(start: u64, size: u64) -> Option<Range<u64>> {
    let end = start.checked_add(size)?;
    let is_code = start != 0 && (1..=LARGEST).contains(&size) && end <= HIGHEST;
    is_code.then_some(start..end)
}

/// The number that `text` begins with, and what is behind it.
fn hex(text: &[u8]) -> Option<(u64, &[u8])> {
    let text = text.strip_prefix(b"0x").unwrap_or(text);
    let length = text.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let (digits, rest) = text.split_at_checked(length.count())?;
    if !(1..=16).contains(&digits.len()) {
        return None;
    }
    let value = digits.iter().fold(0, |value, digit| {
        let digit = char::from(*digit).to_digit(16).unwrap_or_default();
        value << 4 | u64::from(digit)
    });
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_blanks_and_numbers_may_have_a_prefix() {
        let name: &[u8] = b"JS:~f a.js:1:2";
        assert_eq!(parse(b"1000 20 JS:~f a.js:1:2"), Some((0x1000..0x1020, name)));
        assert_eq!(
            parse(b"0x1000 0x20  JS:~f a.js:1:2\r"),
            Some((0x1000..0x1020, name))
        );
    }

    #[test]
    fn what_is_no_line_is_passed_over() {
        for line in [
            &b""[..],
            b"name",
            b"1000 20",
            b"1000 20 ",
            b"1000 0 f",
            b"0 20 f",
            b"1000 20f",
            b"1000 40000001 f",
            b"7ffffffffff0 20 f",
            b"ffffffffffffffff ff f",
            b"11111111111111111 20 f",
            b"-1 20 f",
            b"\xff\xff 20 f",
        ] {
            assert_eq!(parse(line), None, "{}", line.escape_ascii());
        }
    }
}
