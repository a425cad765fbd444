//! Samples by epoch of birth or by lifetime, packed: a dump has some for each stack, a series has many dumps, and
//! most numbers are small or round. Nothing is lost.
//!
//! An entry is its place and its samples in LEB128, then one byte with two lengths, and so many of the first bytes
//! of two numbers: what the samples stand for, and the squares of that. Bytes that are left out are zero.

use prost::encoding::{decode_varint, encode_varint};

use super::weighed::Weighed;

/// `(place, samples)` in the order of the file.
#[derive(Clone, Default, PartialEq)]
pub struct Parts(Box<[u8]>);

/// The entries of [`Parts`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Entries<'a>(&'a [u8]);

impl Parts {
    /// The entries.
    pub fn iter(&self) -> Entries<'_> {
        Entries(&self.0)
    }

    /// Bytes in memory.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// The same places with other samples.
    pub fn map(&self, of: impl Fn(Weighed) -> Weighed) -> Parts {
        self.iter().map(|(place, part)| (place, of(part))).collect()
    }
}

impl FromIterator<(u32, Weighed)> for Parts {
    fn from_iter<I: IntoIterator<Item = (u32, Weighed)>>(entries: I) -> Parts {
        let mut out = Vec::new();
        for (place, part) in entries {
            encode_varint(u64::from(place), &mut out);
            encode_varint(part.samples, &mut out);
            let numbers = [part.bytes, part.squares].map(|number| number.to_bits().to_be_bytes());
            let lengths =
                numbers.map(|bytes| 8 - bytes.iter().rev().take_while(|b| **b == 0).count());
            out.push((lengths[0] << 4 | lengths[1]) as u8);
            for (bytes, length) in numbers.iter().zip(lengths) {
                out.extend_from_slice(&bytes[..length]);
            }
        }
        Parts(out.into())
    }
}

impl From<Vec<(u32, Weighed)>> for Parts {
    fn from(entries: Vec<(u32, Weighed)>) -> Parts {
        entries.into_iter().collect()
    }
}

impl<'a> IntoIterator for &'a Parts {
    type Item = (u32, Weighed);
    type IntoIter = Entries<'a>;

    fn into_iter(self) -> Entries<'a> {
        self.iter()
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Iterator for Entries<'_> {
    type Item = (u32, Weighed);

    fn next(&mut self) -> Option<(u32, Weighed)> {
        let place = decode_varint(&mut self.0).ok()? as u32;
        let samples = decode_varint(&mut self.0).ok()?;
        let lengths = usize::from(*self.0.split_off_first()?);
        let part = Weighed {
            samples,
            bytes: self.number(lengths >> 4)?,
            squares: self.number(lengths & 0xf)?,
        };
        Some((place, part))
    }
}

impl Entries<'_> {
    /// Those before the first of this place or of a later one.
    pub fn before(&self, place: u32) -> Self {
        let mut rest = *self;
        loop {
            let left = rest.0.len();
            if rest.next().is_none_or(|(at, _)| at >= place) {
                return Entries(&self.0[..self.0.len() - left]);
            }
        }
    }

    fn number(&mut self, length: usize) -> Option<f64> {
        let mut bytes = [0; 8];
        let first = self.0.split_off(..length)?;
        bytes.get_mut(..length)?.copy_from_slice(first);
        Some(f64::from_bits(u64::from_be_bytes(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_out_again() {
        let part = |samples, bytes, squares| Weighed {
            samples,
            bytes,
            squares,
        };
        let entries = vec![
            (0, Weighed::default()),
            (7, Weighed::alike(1, 524_288.0)),
            (31, part(300, 157_286_400.0, 8.2e13)),
            (u32::MAX, part(u64::MAX, -0.1, f64::MAX)),
            (127, part(128, f64::INFINITY, 5e-324)),
        ];
        let parts = Parts::from(entries.clone());
        assert_eq!(parts.iter().collect::<Vec<_>>(), entries);
        let common = Parts::from(vec![entries[1]]);
        assert!(common.0.len() <= 8, "{}", common.0.len());
        assert_eq!(Parts::default().iter().next(), None);
        let early: Vec<u32> = parts.iter().before(31).map(|entry| entry.0).collect();
        assert_eq!(early, [0, 7]);
        assert_eq!(parts.iter().before(0), Entries::default());
        let halves = parts.map(|part| part.part(0.5));
        assert_eq!(halves.iter().nth(1), Some((7, entries[1].1.part(0.5))));
    }
}
