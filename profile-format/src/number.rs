//! Numbers as text without the formatting machinery, and a cursor that takes a line apart.
//!
//! `core::fmt` would work without an allocator, but costs tens of kilobytes of code and stack in a
//! library that lives in other people's processes.

const LONGEST: usize = 39;

/// An unsigned number as decimal text.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    digits: [u8; LONGEST],
    start: usize,
}

impl Decimal {
    /// The text of `number`.
    pub fn new(number: u64) -> Decimal {
        Decimal::wide(number as u128)
    }

    /// The text of `number`, for sums of squares.
    pub fn wide(number: u128) -> Decimal {
        let mut text = Decimal {
            digits: [b'0'; LONGEST],
            start: LONGEST,
        };
        text.start -= fill(&mut text.digits, number, 10);
        text
    }

    /// The digits.
    pub fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
}

/// An unsigned number as lower-case hexadecimal text without `0x`.
#[derive(Clone, Copy, Debug)]
pub struct Hex {
    digits: [u8; 16],
    start: usize,
}

impl Hex {
    /// The text of `number`.
    pub fn new(number: u64) -> Hex {
        let mut text = Hex {
            digits: [b'0'; 16],
            start: 16,
        };
        text.start -= fill(&mut text.digits, number as u128, 16);
        text
    }

    /// The digits.
    pub fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
}

/// Writes the digits of `number` at the end of `digits`; their number, at least one.
fn fill(digits: &mut [u8], mut number: u128, base: u128) -> usize {
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        let value = (number % base) as u8;
        *digit = if value < 10 {
            b'0' + value
        } else {
            b'a' + value - 10
        };
        number /= base;
        count += 1;
        if number == 0 {
            break;
        }
    }
    count
}

/// What is left of a line. A method that gives `None` may have taken a part: give up the line then.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    /// Takes blanks and tabs, if any.
    pub fn skip_blanks(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    /// Takes exactly `text`.
    pub fn eat(&mut self, text: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// Takes a decimal number that fits.
    pub fn decimal(&mut self) -> Option<u64> {
        u64::try_from(self.wide()?).ok()
    }

    /// Takes a decimal number of up to 128 bits.
    pub fn wide(&mut self) -> Option<u128> {
        let digits = self.while_true(|byte| byte.is_ascii_digit())?;
        digits.iter().try_fold(0u128, |sum, digit| {
            sum.checked_mul(10)?.checked_add((digit - b'0') as u128)
        })
    }

    /// Takes one decimal digit.
    pub fn digit(&mut self) -> Option<u64> {
        let (digit, rest) = self
            .0
            .split_first()
            .filter(|(digit, _)| digit.is_ascii_digit())?;
        self.0 = rest;
        Some(u64::from(digit - b'0'))
    }

    /// Takes a hexadecimal number that fits, with or without `0x`.
    pub fn hex(&mut self) -> Option<u64> {
        let _ = self.eat(b"0x");
        let digits = self.while_true(|byte| byte.is_ascii_hexdigit())?;
        digits.iter().try_fold(0u64, |sum, digit| {
            Some(sum.checked_mul(16)? | (*digit as char).to_digit(16)? as u64)
        })
    }

    /// Takes what stands before the next blank, at least one byte.
    pub fn word(&mut self) -> Option<&'a [u8]> {
        self.while_true(|byte| *byte != b' ')
    }

    /// Takes what stands before the next `end` and `end` itself; all, if there is none.
    pub fn field(&mut self, end: u8) -> &'a [u8] {
        let all = self.0;
        let at = all.iter().position(|byte| *byte == end);
        let (field, rest) = all.split_at(at.unwrap_or(all.len()));
        self.0 = rest.get(1..).unwrap_or_default();
        field
    }

    fn while_true(&mut self, test: impl Fn(&u8) -> bool) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| !test(byte));
        let (taken, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        (!taken.is_empty()).then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;

    proptest! {
        #[test]
        fn decimal_is_what_fmt_says(number: u128) {
            let (ours, fmt) = (Decimal::wide(number), format!("{number}"));
            prop_assert_eq!(ours.as_bytes(), fmt.as_bytes());
            prop_assert_eq!(Cursor(fmt.as_bytes()).wide(), Some(number));
        }

        #[test]
        fn hex_is_what_fmt_says(number: u64) {
            let (ours, fmt) = (Hex::new(number), format!("{number:x}"));
            prop_assert_eq!(ours.as_bytes(), fmt.as_bytes());
            prop_assert_eq!(Cursor(fmt.as_bytes()).hex(), Some(number));
        }
    }

    #[test]
    fn zero_has_a_digit() {
        assert_eq!(Decimal::new(0).as_bytes(), b"0");
        assert_eq!(Hex::new(0).as_bytes(), b"0");
    }

    #[test]
    fn too_long_numbers_are_refused() {
        assert_eq!(Cursor(b"18446744073709551616").decimal(), None);
        assert_eq!(Cursor(b"0x10000000000000000").hex(), None);
        assert_eq!(Cursor(b"").decimal(), None);
    }
}
