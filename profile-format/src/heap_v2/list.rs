//! Lists inside a line. They own nothing: each is checked when the line is read, and read again
//! while it is walked, so that walking cannot fail.

use crate::number::Cursor;

/// The frames of a stack, leaf first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frames<'a>(Cursor<'a>);

impl<'a> Frames<'a> {
    /// Reads ` 0x1 0x2`: nothing but hexadecimal numbers, parted by blanks.
    pub(super) fn parse(text: &'a [u8]) -> Option<Frames<'a>> {
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

/// `a:b,a:b,...`
#[derive(Clone, Copy, Debug, Default)]
pub struct Pairs<'a>(Cursor<'a>);

impl<'a> Pairs<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Option<Pairs<'a>> {
        let mut pairs = Pairs(Cursor(text));
        while pairs.next().is_some() {}
        pairs.0.0.is_empty().then_some(Pairs(Cursor(text)))
    }
}

impl Iterator for Pairs<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        let [first, second] = item(&mut self.0)?;
        Some((first, second))
    }
}

/// `a:b:c,a:b:c,...`
#[derive(Clone, Copy, Debug, Default)]
pub struct Triples<'a>(Cursor<'a>);

impl<'a> Triples<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Option<Triples<'a>> {
        let mut triples = Triples(Cursor(text));
        while triples.next().is_some() {}
        triples.0.0.is_empty().then_some(Triples(Cursor(text)))
    }
}

impl Iterator for Triples<'_> {
    type Item = (u64, u64, u64);

    fn next(&mut self) -> Option<(u64, u64, u64)> {
        let [first, second, third] = item(&mut self.0)?;
        Some((first, second, third))
    }
}

/// Takes `N` numbers with colons between them, and the comma behind them if there is one.
fn item<const N: usize>(cursor: &mut Cursor<'_>) -> Option<[u64; N]> {
    let mut after = *cursor;
    let mut numbers = [0; N];
    for (place, number) in numbers.iter_mut().enumerate() {
        if place > 0 {
            after.eat(b":")?;
        }
        *number = after.decimal()?;
    }
    if !after.0.is_empty() {
        after.eat(b",")?;
    }
    *cursor = after;
    Some(numbers)
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
        let triples: Vec<_> = Triples::parse(b"0:1:2,7:8:9").unwrap().collect();
        assert_eq!(triples, [(0, 1, 2), (7, 8, 9)]);
        let pairs: Vec<_> = Pairs::parse(b"3:4").unwrap().collect();
        assert_eq!(pairs, [(3, 4)]);
        assert!(Pairs::parse(b"3:4:5").is_none());
        assert!(Triples::parse(b"3:4").is_none());
        assert!(Triples::parse(b"1:2:3,x").is_none());
    }
}
