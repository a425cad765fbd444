//! What [`super::Reader`] hands out: one event for each line that says something, or an error.

use super::list::Frames;
use super::record::{BuildId, Counts, ManagedFrame, StackLine};
use crate::escape::Text;
use crate::maps::Mapping;
use crate::unbias::Sampling;

/// What the first line says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    /// One line a stack; otherwise jemalloc's threaded layout.
    pub one_line: bool,
    /// How counts are scaled.
    pub sampling: Sampling,
    /// The totals in the header of the one-line layout.
    pub totals: Option<Counts>,
}

/// One thing read. Borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A `%` line before the header, without its `%`; `warn TEXT` is meant for the user.
    Percent(Text<'a>),
    /// Version of our own lines; comes before all of them. Absent in other people's files.
    Version(u64),
    /// A fact about process or dump.
    Fact {
        /// Its name.
        key: &'a str,
        /// Its value.
        value: Text<'a>,
    },
    /// How birth epochs are cut.
    Epochs {
        /// Width of each.
        width_ms: u64,
        /// How many have begun.
        count: u64,
    },
    /// A stack begins: its [`Event::Counts`] follow, then perhaps [`Event::StackFacts`].
    Stack(Frames<'a>),
    /// Counts of the stack before, or of the whole process if there was none yet. Not scaled.
    Counts {
        /// The thread; `None` for all together.
        thread: Option<u64>,
        /// Its counts.
        counts: Counts,
        /// The thread's name; only before the first stack.
        name: Text<'a>,
    },
    /// Our own line about the stack before, or about one that it carries itself.
    StackFacts(StackLine<'a>),
    /// The name of a pseudo-address.
    Frame(ManagedFrame<'a>),
    /// One live sample.
    Live {
        /// Address of the block.
        address: u64,
        /// Its requested size.
        size: u64,
        /// Number of its stack.
        stack: u64,
    },
    /// A build id.
    BuildId(BuildId<'a>),
    /// A fact about samples of another kind than malloc.
    KindFact {
        /// The kind.
        kind: Text<'a>,
        /// Its name.
        key: &'a str,
        /// Its value.
        value: Text<'a>,
    },
    /// A stack of another kind than malloc; it carries its frames.
    KindStack {
        /// The kind.
        kind: Text<'a>,
        /// The stack.
        line: StackLine<'a>,
    },
    /// A folder that the lines of the map call `$NAME`.
    Folder {
        /// The name, without its `$`.
        name: &'a [u8],
        /// The folder.
        folder: &'a [u8],
    },
    /// One mapped area.
    Mapping(Mapping<'a>),
    /// The last line of our own files.
    End,
}

/// A line that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The file does not begin like a heap profile at all.
    NotAProfile,
    /// The line should have been something else.
    Expected(&'static str),
    /// The file ends too early; everything before was delivered.
    CutOff(&'static str),
}

impl core::fmt::Display for ParseError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match self.problem {
            Problem::NotAProfile => {
                f.write_str("not a heap profile (expected `heap_v2/PERIOD` or `heap profile: ...`)")
            }
            Problem::Expected(what) => write!(f, "expected {what}"),
            Problem::CutOff(what) => write!(f, "the file ends before {what}"),
        }
    }
}

impl core::error::Error for ParseError {}
