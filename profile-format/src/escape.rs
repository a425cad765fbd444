//! Percent escapes: a line of a dump must stay a line whatever bytes a thread name, a command or a
//! class name holds. Control bytes and `%` become `%XX`; bytes above 0x7f pass as they are.

use crate::sink::Sink;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes `text` with control bytes and `%` escaped.
pub fn write_text<S: Sink>(sink: &mut S, text: &[u8]) -> Result<(), S::Error> {
    write_escaped(sink, text, |byte| byte < 0x20)
}

/// Writes `text` as one word: as [`write_text`], and blanks are escaped too.
pub fn write_word<S: Sink>(sink: &mut S, text: &[u8]) -> Result<(), S::Error> {
    write_escaped(sink, text, |byte| byte <= 0x20)
}

/// Writes the bytes that `text` means as [`write_text`] does.
pub fn write_again<S: Sink>(sink: &mut S, text: Text<'_>) -> Result<(), S::Error> {
    if text.escaped {
        return text.bytes().try_for_each(|byte| write_text(sink, &[byte]));
    }
    write_text(sink, text.raw)
}

fn write_escaped<S: Sink>(
    sink: &mut S,
    text: &[u8],
    low: impl Fn(u8) -> bool,
) -> Result<(), S::Error> {
    let special = |byte: &u8| low(*byte) || *byte == 0x7f || *byte == b'%';
    let mut rest = text;
    while let Some(at) = rest.iter().position(special) {
        let (plain, tail) = rest.split_at(at);
        sink.write(plain)?;
        let Some((byte, after)) = tail.split_first() else {
            break;
        };
        sink.write(&[b'%', digit(byte >> 4), digit(byte & 15)])?;
        rest = after;
    }
    sink.write(rest)
}

fn digit(nibble: u8) -> u8 {
    HEX.get(nibble as usize).copied().unwrap_or(b'0')
}

/// A text field as it stands in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text<'a> {
    raw: &'a [u8],
    escaped: bool,
}

impl<'a> Text<'a> {
    /// A field of our own files, with escapes.
    pub fn escaped(raw: &'a [u8]) -> Text<'a> {
        Text { raw, escaped: true }
    }

    /// A field of somebody else's file: `%` means itself.
    pub fn plain(raw: &'a [u8]) -> Text<'a> {
        let escaped = false;
        Text { raw, escaped }
    }

    /// The bytes as they stand in the file.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// True when there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The bytes that were meant. A `%` without two hex digits behind it means itself.
    pub fn bytes(&self) -> Bytes<'a> {
        Bytes(*self)
    }

    /// The words of a text whose words were written by [`write_word`], as `command` is.
    pub fn words(&self) -> impl Iterator<Item = Text<'a>> + use<'a> {
        let escaped = self.escaped;
        self.raw
            .split(|&byte| byte == b' ')
            .filter(|word| !word.is_empty())
            .map(move |raw| Text { raw, escaped })
    }
}

/// The unescaped bytes of a [`Text`].
#[derive(Clone, Debug)]
pub struct Bytes<'a>(Text<'a>);

impl Iterator for Bytes<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.raw.split_first()?;
        self.0.raw = rest;
        if byte != b'%' || !self.0.escaped {
            return Some(byte);
        }
        if let [high, low, rest @ ..] = rest
            && let (Some(high), Some(low)) = (value(*high), value(*low))
        {
            self.0.raw = rest;
            return Some(high << 4 | low);
        }
        Some(byte)
    }
}

fn value(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn escape(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_text(&mut out, text).unwrap();
        out
    }

    #[test]
    fn control_bytes_and_percent_are_escaped() {
        assert_eq!(
            escape(b"a\tb\n100%\x7f \xc3\xa9"),
            b"a%09b%0a100%25%7f \xc3\xa9"
        );
    }

    #[test]
    fn foreign_text_keeps_its_percent_signs() {
        let name: Vec<u8> = Text::plain(b"%41").bytes().collect();
        assert_eq!(name, b"%41");
    }

    #[test]
    fn broken_escapes_mean_themselves() {
        let name: Vec<u8> = Text::escaped(b"%4x%").bytes().collect();
        assert_eq!(name, b"%4x%");
    }

    proptest! {
        #[test]
        fn text_comes_back(text: Vec<u8>) {
            let raw = escape(&text);
            prop_assert!(raw.iter().all(|byte| *byte >= 0x20));
            let back: Vec<u8> = Text::escaped(&raw).bytes().collect();
            prop_assert_eq!(back, &*text);
            for again in [Text::escaped(&raw), Text::plain(&text)] {
                let mut out = Vec::new();
                write_again(&mut out, again).unwrap();
                prop_assert_eq!(&out, &raw);
            }
        }

        #[test]
        fn words_come_back(words in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..9), 0..5)) {
            let mut raw = Vec::new();
            for word in &words {
                write_word(&mut raw, word).unwrap();
                raw.push(b' ');
            }
            let back: Vec<Vec<u8>> = Text::escaped(&raw).words().map(|word| word.bytes().collect()).collect();
            prop_assert_eq!(back, words);
        }
    }
}
