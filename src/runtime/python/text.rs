//! A `str` of CPython, as UTF-8.
//!
//! Names of functions and files are compact: the characters follow the head of the object, one, two
//! or four bytes each, and ASCII where a bit says so. A `str` of another form has no text here.
//!
//! Source: CPython `Include/cpython/unicodeobject.h`.

use super::layout::Layout;
use crate::runtime::memory::Memory;

/// The most characters that are read of a string.
const LONGEST: usize = 256;

/// Room for a name: each character takes at most four bytes.
pub type Room = [u8; 4 * LONGEST];

/// The type of strings is at `kind`. `None`: this is no `str`, or one that is not compact.
pub fn read<'a>(
    layout: &Layout,
    memory: &mut Memory,
    kind: u64,
    at: u64,
    to: &'a mut Room,
) -> Option<&'a [u8]> {
    if memory.word(at.checked_add(layout.kind)?)? != kind {
        return None;
    }
    let [length, state] = layout.text.map(|field| at.wrapping_add(field));
    let (length, state) = (memory.word(length)?, memory.half(state)?);
    let length = usize::try_from(length).ok()?.min(LONGEST);
    let width = usize::try_from(state >> 2 & 7).ok()?;
    let is_compact = state >> 5 & 1 != 0;
    let is_ascii = state >> 6 & 1 != 0;
    let [ascii, compact] = layout.sizes;
    if !is_compact || !matches!(width, 1 | 2 | 4) || is_ascii && width != 1 {
        return None;
    }
    if length == 0 {
        return Some(&[]);
    }
    let from = at.wrapping_add(if is_ascii { ascii } else { compact });
    // The characters come to the end of the room, so that they are read before they are written over.
    let start = to.len() - length * width;
    memory.copy(from, to.get_mut(start..)?)?;
    let end = if is_ascii {
        to.copy_within(start.., 0);
        length
    } else {
        encode(to, start, width)?
    };
    to.get(..end)
}

/// Encodes the characters from `start` on; returns the length of the result.
fn encode(to: &mut Room, start: usize, width: usize) -> Option<usize> {
    let mut end = 0;
    for at in (start..to.len()).step_by(width) {
        let character = match *to.get(at..at + width)? {
            [one] => u32::from(one),
            [low, high] => u32::from(u16::from_le_bytes([low, high])),
            [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
            _ => return None,
        };
        let character = char::from_u32(character).unwrap_or(char::REPLACEMENT_CHARACTER);
        end += character.encode_utf8(to.get_mut(end..end + character.len_utf8())?).len();
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::super::layout::of_version;
    use super::*;

    /// The words of a `str`: `width` bytes a character.
    fn object(text: &[u8], width: u64, is_ascii: bool) -> Vec<u64> {
        let mut bytes = Vec::new();
        let length = text.len() as u64 / width;
        let state = width << 2 | 1 << 5 | u64::from(is_ascii) << 6;
        for word in [1, 77, length, 0, state] {
            bytes.extend(u64::to_le_bytes(word));
        }
        bytes.resize(if is_ascii { 40 } else { 56 }, 0);
        bytes.extend(text);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let (words, _) = bytes.as_chunks::<8>();
        words.iter().map(|word| u64::from_le_bytes(*word)).collect()
    }

    fn read_all(words: &[u64]) -> Option<String> {
        let layout = of_version(12).expect("a layout");
        let mut room = [0; 4 * LONGEST];
        let text = read(&layout, &mut Memory::new(), 77, words.as_ptr() as u64, &mut room)?;
        Some(String::from_utf8(text.to_vec()).expect("UTF-8"))
    }

    #[test]
    fn each_width_becomes_utf8() {
        assert_eq!(read_all(&object(b"Cache.put", 1, true)).as_deref(), Some("Cache.put"));
        assert_eq!(read_all(&object(b"", 1, true)).as_deref(), Some(""));
        assert_eq!(read_all(&object(b"gr\xfc\xdfe", 1, false)).as_deref(), Some("grüße"));
        let wide: Vec<u8> = "имя€".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read_all(&object(&wide, 2, false)).as_deref(), Some("имя€"));
        let widest: Vec<u8> = "a𝒳".chars().flat_map(|c| (c as u32).to_le_bytes()).collect();
        assert_eq!(read_all(&object(&widest, 4, false)).as_deref(), Some("a𝒳"));
        let surrogate = 0xdc80_u16.to_le_bytes();
        assert_eq!(read_all(&object(&surrogate, 2, false)).as_deref(), Some("\u{fffd}"));
    }

    #[test]
    fn the_longest_string_fits() {
        let long: Vec<u8> = "𝒳".repeat(999).chars().flat_map(|c| (c as u32).to_le_bytes()).collect();
        let text = read_all(&object(&long, 4, false)).expect("a text");
        assert_eq!(text.chars().count(), LONGEST);
        let long = vec![0xff; 999];
        let text = read_all(&object(&long, 1, false)).expect("a text");
        assert_eq!(text, "ÿ".repeat(LONGEST));
    }

    #[test]
    fn what_is_no_compact_string_has_no_text() {
        let good = object(b"abc", 1, true);
        for (at, wrong) in [(1, 78), (4, 1 << 2), (4, 3 << 2 | 1 << 5), (4, 0)] {
            let mut words = good.clone();
            words[at] = wrong;
            assert_eq!(read_all(&words), None);
        }
    }
}
