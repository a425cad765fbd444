//! Lists inside a line. They own nothing: each is checked when the line is read, and read again
//! while it is walked, so that walking cannot fail.

use crate::number::Cursor;

/// The frames of a stack, leaf first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frames<'a>(Cursor<'a>);

impl<'a> Frames<'a> {
    /// Reads ` 0x1 0x2`: nothing but hexadecimal numbers, parted by blanks.
    pub fn parse(text: &'a [u8]) -> Option<Frames<'a>> {
        let mut frames = Frames(Cursor(text));
        while frames.next().is_some() {}
        frames.0.skip_blanks();
        frames.0.0.is_empty().then_some(Frames(Cursor(text)))
    }
}

impl Iterator for Frames<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let mut after = self.0;
        after.skip_blanks();
        let address = after.hex()?;
        // A word is a number as a whole, or none.
        if !matches!(after.0.first(), None | Some(b' ' | b'\t')) {
            return None;
        }
        self.0 = after;
        Some(address)
    }
}

/// Samples by what tells them apart: `place:samples[:bytes[:squares]],...`
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a>(Cursor<'a>);

/// One of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Epoch or bucket.
    pub place: u64,
    /// Real samples.
    pub samples: u64,
    /// What they stand for; `None` for the lifetimes of version 1.
    pub bytes: Option<u64>,
    /// The sum of the squares of what each stands for; `None` in version 1.
    pub squares: Option<u128>,
}

impl<'a> Parts<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Option<Parts<'a>> {
        let mut parts = Parts(Cursor(text));
        while parts.next().is_some() {}
        parts.0.0.is_empty().then_some(Parts(Cursor(text)))
    }
}

impl Iterator for Parts<'_> {
    type Item = Part;

    /// Takes the numbers of one item, and the comma behind them if there is one.
    fn next(&mut self) -> Option<Part> {
        let mut after = self.0;
        let place = after.decimal()?;
        after.eat(b":")?;
        let mut part = Part {
            place,
            samples: after.decimal()?,
            ..Part::default()
        };
        if after.eat(b":").is_some() {
            part.bytes = Some(after.decimal()?);
            if after.eat(b":").is_some() {
                part.squares = Some(after.wide()?);
            }
        }
        if !after.0.is_empty() {
            after.eat(b",")?;
        }
        self.0 = after;
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn frames_are_whole_words() {
        let frames: Vec<u64> = Frames::parse(b" 0x1 ff\t0x2 ").unwrap().collect();
        assert_eq!(frames, [1, 0xff, 2]);
        assert_eq!(Frames::parse(b"").unwrap().count(), 0);
        assert!(Frames::parse(b" 0x1g").is_none());
        assert!(Frames::parse(b" 0x").is_none());
        assert!(Frames::parse(b" 0x12345678123456789").is_none());
    }

    #[test]
    fn lists_are_whole_items() {
        let part = |place, samples, bytes, squares| Part {
            place,
            samples,
            bytes,
            squares,
        };
        let parts: Vec<_> = Parts::parse(b"0:1:2:4,7:8:9,3:4").unwrap().collect();
        let expected = [
            part(0, 1, Some(2), Some(4)),
            part(7, 8, Some(9), None),
            part(3, 4, None, None),
        ];
        assert_eq!(parts, expected);
        for spoiled in [&b"3:4:5:6:7"[..], b"3", b"1:2:3,x", b"1:2:", b"1:2:3:"] {
            assert!(Parts::parse(spoiled).is_none());
        }
    }
}
