//! The messages of reading the configuration, in jemalloc's words with our prefix.

use super::Source;
use crate::{diag, platform::sys};

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the pair as it was typed")]
pub enum Message<'a> {
    /// There is no such key.
    InvalidPair { key: &'a [u8], value: &'a [u8] },
    /// The value cannot be read.
    InvalidValue { key: &'a [u8], value: &'a [u8] },
    /// The value is outside its range; the option keeps what it had.
    OutOfRange { key: &'a [u8], value: &'a [u8] },
    /// A byte that no key may hold; the rest of the string is dropped.
    Malformed,
    /// The string ends before the colon.
    EndsWithKey,
    /// The string ends with a comma; what came before it counts.
    EndsWithComma,
    /// jemalloc has the option, we do not: what to use instead.
    Refused {
        key: &'a [u8],
        instead: &'static str,
    },
    /// `prof_leak_error` has no effect.
    LeakErrorWithoutFinal,
    /// With `confirm_conf`: where the string is from.
    Source { source: Source, text: &'a [u8] },
    /// With `confirm_conf`: the pair was accepted.
    Set { key: &'a [u8], value: &'a [u8] },
}

/// The pieces of a message, in their order.
pub(super) type Pieces<'a> = [&'a [u8]; 5];

fn pair<'a>(what: &'a str, key: &'a [u8], value: &'a [u8]) -> Pieces<'a> {
    [what.as_bytes(), key, b":", value, b""]
}

fn line(what: &str) -> Pieces<'_> {
    [what.as_bytes(), b"", b"", b"", b""]
}

fn from(source: Source) -> &'static str {
    match source {
        Source::MalloscopeConf => {
            "malloscope_conf (value of the environment variable MALLOSCOPE_CONF): \""
        }
        // The number is jemalloc's for this source.
        Source::MallocConf => "malloc_conf #4 (value of the environment variable MALLOC_CONF): \"",
    }
}

impl<'a> Message<'a> {
    /// Does it end the program under `abort_conf`?
    pub fn is_error(&self) -> bool {
        match self {
            Message::Refused { .. } | Message::Source { .. } | Message::Set { .. } => false,
            Message::InvalidPair { key, .. } => !key.starts_with(b"experimental_"),
            _ => true,
        }
    }

    /// The text, in pieces.
    pub(super) fn pieces(&self) -> Pieces<'a> {
        match *self {
            Message::InvalidPair { key, value } => pair("Invalid conf pair: ", key, value),
            Message::InvalidValue { key, value } => pair("Invalid conf value: ", key, value),
            Message::OutOfRange { key, value } => pair("Out-of-range conf value: ", key, value),
            Message::Set { key, value } => pair("-- Set conf value: ", key, value),
            Message::Malformed => line("Malformed conf string"),
            Message::EndsWithKey => line("Conf string ends with key"),
            Message::EndsWithComma => line("Conf string ends with comma"),
            Message::LeakErrorWithoutFinal => line("prof_leak_error is set w/o prof_final."),
            Message::Refused { key, instead } => {
                [key, b" is not supported: ", instead.as_bytes(), b"", b""]
            }
            Message::Source { source, text } => [from(source).as_bytes(), text, b"\"", b"", b""],
        }
    }

    /// Writes it to stderr.
    pub fn print(&self) {
        diag::message_bytes(&self.pieces());
    }
}

/// Ends the program for `abort_conf`, as jemalloc does.
pub(super) fn abort() -> ! {
    diag::message(&["Abort (abort_conf:true) on invalid conf value (see above)."]);
    sys::abort()
}
