//! Reads a dump event by event: our own, jemalloc's, and the one-line layout of gperftools.
//!
//! The companion calls it on the whole file in memory. It allocates nothing, never panics on any
//! bytes, and goes on after a line it cannot read: whether that is fatal is the caller's choice.
//! jeprof passes over such lines in silence.

use super::comment::{self, Comment};
use super::record::{BuildId, Counts, Frames, ManagedFrame, StackLine};
use crate::escape::Text;
use crate::maps::{self, Mapping};
use crate::number::Cursor;
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
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A `%` line before the header; `%warn` is meant for the user.
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
    /// A sample of another kind than malloc.
    Other {
        /// The kind.
        kind: Text<'a>,
        /// All the rest.
        text: Text<'a>,
    },
    /// One mapped area.
    Mapping(Mapping<'a>),
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    /// `%` lines, which `new` has counted already.
    Percent,
    Head,
    Stacks,
    Maps,
    Done,
}

/// Walks the events of a dump.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    line: usize,
    header: Header,
    section: Section,
    /// `# malloscope` was seen: `#` lines mean something, text is escaped, `# end` must come.
    ours: bool,
    ended: bool,
    /// The counts of a one-line stack, whose frames were just delivered.
    pending: Option<Counts>,
}

impl<'a> Reader<'a> {
    /// Reads the header, which stands in the first line that does not begin with `%`.
    pub fn new(input: &'a [u8]) -> Result<Reader<'a>, ParseError> {
        let mut reader = Reader {
            rest: input,
            line: 0,
            header: Header {
                one_line: false,
                sampling: Sampling::None,
                totals: None,
            },
            section: Section::Percent,
            ours: false,
            ended: false,
            pending: None,
        };
        let mut ahead = reader.clone();
        while let Some((line, _)) = ahead.next_line() {
            if line.starts_with(b"%") {
                continue;
            }
            if let Some(header) = header(line) {
                reader.header = header;
                return Ok(reader);
            }
            break;
        }
        Err(ParseError {
            line: ahead.line.max(1),
            problem: Problem::NotAProfile,
        })
    }

    /// What the first line says.
    pub fn header(&self) -> Header {
        self.header
    }

    /// Number of the line read last, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The next line without its end, and whether it had one.
    fn next_line(&mut self) -> Option<(&'a [u8], bool)> {
        if self.rest.is_empty() {
            return None;
        }
        self.line += 1;
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let (line, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest.get(1..).unwrap_or_default();
        Some((line.strip_suffix(b"\r").unwrap_or(line), end.is_some()))
    }

    fn error(&self, problem: Problem) -> Result<Event<'a>, ParseError> {
        Err(ParseError {
            line: self.line,
            problem,
        })
    }

    /// What a line means; `None` for lines without an event.
    fn line_event(&mut self, line: &'a [u8]) -> Option<Result<Event<'a>, ParseError>> {
        if self.section == Section::Percent {
            return self.percent(line);
        }
        if let Some(comment) = line.strip_prefix(b"#") {
            return self.comment(comment);
        }
        if line.trim_ascii().is_empty() {
            return None;
        }
        if self.section == Section::Maps {
            let what = Problem::Expected("a line of /proc/<pid>/maps");
            return Some(
                maps::parse(line).map_or_else(|| self.error(what), |m| Ok(Event::Mapping(m))),
            );
        }
        if line.starts_with(b"MAPPED_LIBRARIES:") || line.starts_with(b"--- Memory map:") {
            self.section = Section::Maps;
            return None;
        }
        Some(match self.header.one_line {
            true => self.one_line(line.trim_ascii()),
            false => self.threaded(line.trim_ascii()),
        })
    }

    fn percent(&mut self, line: &'a [u8]) -> Option<Result<Event<'a>, ParseError>> {
        if let Some(text) = line.strip_prefix(b"%") {
            return Some(Ok(Event::Percent(Text::plain(text))));
        }
        self.section = Section::Head;
        None
    }

    fn comment(&mut self, line: &'a [u8]) -> Option<Result<Event<'a>, ParseError>> {
        match comment::parse(line) {
            Ok(Comment::Version(version)) => {
                self.ours = true;
                Some(Ok(Event::Version(version)))
            }
            _ if !self.ours => None,
            Ok(Comment::End) => {
                self.ended = true;
                None
            }
            Ok(Comment::Event(event)) => Some(Ok(event)),
            Err(what) => Some(self.error(Problem::Expected(what))),
        }
    }

    fn threaded(&mut self, line: &'a [u8]) -> Result<Event<'a>, ParseError> {
        if let Some(frames) = line.strip_prefix(b"@") {
            self.section = Section::Stacks;
            return match Frames::parse(frames) {
                Some(frames) => Ok(Event::Stack(frames)),
                None => self.error(Problem::Expected("`@` and hexadecimal addresses")),
            };
        }
        let mut cursor = Cursor(line);
        let Some((thread, counts)) = thread_counts(&mut cursor) else {
            return self.error(Problem::Expected("`t*: OBJECTS: BYTES [OBJECTS: BYTES]`"));
        };
        cursor.skip_blanks();
        let name = if self.ours {
            Text::escaped(cursor.0)
        } else {
            Text::plain(cursor.0)
        };
        Ok(Event::Counts {
            thread,
            counts,
            name,
        })
    }

    fn one_line(&mut self, line: &'a [u8]) -> Result<Event<'a>, ParseError> {
        let expected = Problem::Expected("`OBJECTS: BYTES [OBJECTS: BYTES] @ ADDRESSES`");
        let Some((counts, frames)) = one_line(line) else {
            return self.error(expected);
        };
        self.section = Section::Stacks;
        self.pending = Some(counts);
        Ok(Event::Stack(frames))
    }

    /// At the end of the input: is anything missing?
    fn finish(&mut self) -> Option<Result<Event<'a>, ParseError>> {
        let section = core::mem::replace(&mut self.section, Section::Done);
        let missing = match section {
            Section::Done => return None,
            Section::Maps if !self.ours || self.ended => return None,
            Section::Maps => "the line `# end`",
            _ => "MAPPED_LIBRARIES",
        };
        Some(self.error(Problem::CutOff(missing)))
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Event<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(counts) = self.pending.take() {
            return Some(Ok(Event::Counts {
                thread: None,
                counts,
                name: Text::default(),
            }));
        }
        if self.section == Section::Done {
            return None;
        }
        while let Some((line, whole)) = self.next_line() {
            if !whole && !line.is_empty() {
                // Half a line may look like a whole one with other numbers.
                self.section = Section::Done;
                return Some(self.error(Problem::CutOff("the end of this line")));
            }
            if let Some(event) = self.line_event(line) {
                return Some(event);
            }
        }
        self.finish()
    }
}

fn header(line: &[u8]) -> Option<Header> {
    let mut cursor = Cursor(line);
    if cursor.eat(b"heap_v2/").is_some() {
        let sampling = Sampling::Poisson(cursor.decimal()?);
        return Some(Header {
            one_line: false,
            sampling,
            totals: None,
        });
    }
    cursor.eat(b"heap profile:")?;
    let totals = counts(&mut cursor)?;
    cursor.skip_blanks();
    let sampling = match cursor.eat(b"@") {
        Some(()) => one_line_sampling(cursor),
        None => unnamed_sampling(totals),
    };
    Some(Header {
        one_line: true,
        sampling,
        totals: Some(totals),
    })
}

/// What old profilers used when they did not say.
const OLD_PERIOD: u64 = 128 * 1024;

/// `WORD/PERIOD`, decided as jeprof decides it.
fn one_line_sampling(mut cursor: Cursor<'_>) -> Sampling {
    cursor.skip_blanks();
    let word = cursor.field(b'/').trim_ascii_end();
    let period = cursor.decimal().unwrap_or(0);
    let has = |part: &[u8]| word.windows(part.len()).any(|window| window == part);
    if word == b"heapprofile" || !has(b"heap") {
        return Sampling::None;
    }
    match (has(b"_v2"), period) {
        (true, 0) => Sampling::Poisson(OLD_PERIOD),
        (true, period) => Sampling::Poisson(period),
        (false, 0) => Sampling::Linear(OLD_PERIOD as f64),
        (false, period) => Sampling::Linear(period as f64 / 2.0),
    }
}

fn unnamed_sampling(totals: Counts) -> Sampling {
    let live = (totals.objects, totals.bytes);
    match live == (totals.accumulated_objects, totals.accumulated_bytes) {
        true => Sampling::Linear(OLD_PERIOD as f64),
        false => Sampling::None,
    }
}

/// `t*: counts` or `t12: counts`.
fn thread_counts(cursor: &mut Cursor<'_>) -> Option<(Option<u64>, Counts)> {
    cursor.eat(b"t")?;
    let thread = match cursor.eat(b"*") {
        Some(()) => None,
        None => Some(cursor.decimal()?),
    };
    cursor.eat(b":")?;
    Some((thread, counts(cursor)?))
}

fn one_line(line: &[u8]) -> Option<(Counts, Frames<'_>)> {
    let mut cursor = Cursor(line);
    let counts = counts(&mut cursor)?;
    cursor.skip_blanks();
    cursor.eat(b"@")?;
    Some((counts, Frames::parse(cursor.0)?))
}

/// `OBJECTS: BYTES [OBJECTS: BYTES]`, with blanks wherever anybody put them.
fn counts(cursor: &mut Cursor<'_>) -> Option<Counts> {
    let mut number = |before: &[u8]| {
        cursor.skip_blanks();
        cursor.eat(before)?;
        cursor.skip_blanks();
        cursor.decimal()
    };
    let counts = Counts {
        objects: number(b"")?,
        bytes: number(b":")?,
        accumulated_objects: number(b"[")?,
        accumulated_bytes: number(b":")?,
    };
    cursor.skip_blanks();
    cursor.eat(b"]")?;
    Some(counts)
}
