//! Reads a dump event by event: our own, jemalloc's, and the one-line layout of gperftools.
//!
//! The companion calls it on a whole file in memory. It allocates nothing, panics on no bytes, and
//! goes on behind a line that it cannot read: whether that is fatal is the caller's choice, for
//! jeprof passes over such lines in silence.

use super::comment;
use super::event::{Event, Header, ParseError, Problem};
use super::list::Frames;
use super::record::Counts;
use crate::escape::Text;
use crate::maps;
use crate::number::Cursor;
use crate::unbias::Sampling;

/// What old profilers used when they named no period.
const OLD_PERIOD: u64 = 128 * 1024;

const THREAD_LINE: Problem = Problem::Expected("`t*: OBJECTS: BYTES [OBJECTS: BYTES]`");
const STACK_LINE: Problem = Problem::Expected("`@` and hexadecimal addresses");
const ONE_LINE: Problem = Problem::Expected("`OBJECTS: BYTES [OBJECTS: BYTES] @ ADDRESSES`");
const MAPS_LINE: Problem = Problem::Expected("a line of /proc/<pid>/maps");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    /// `%` lines and the header, which `new` has seen already.
    Percent,
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
    /// The counts of a one-line stack, whose frames were just handed out.
    pending: Option<Counts>,
}

type Item<'a> = Result<Event<'a>, ParseError>;

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
            pending: None,
        };
        let mut ahead = reader.clone();
        let mut found = None;
        while let Some((line, _)) = ahead.next_line() {
            if !line.starts_with(b"%") {
                found = header(line);
                break;
            }
        }
        reader.header = found.ok_or(ParseError {
            line: ahead.line.max(1),
            problem: Problem::NotAProfile,
        })?;
        Ok(reader)
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
        // Files of others may have been through an editor; in ours this byte belongs to a path.
        let bare = line.strip_suffix(b"\r").filter(|_| !self.ours);
        Some((bare.unwrap_or(line), end.is_some()))
    }

    fn error(&self, problem: Problem) -> Option<Item<'a>> {
        let line = self.line.max(1);
        Some(Err(ParseError { line, problem }))
    }

    fn event(&self, event: Option<Event<'a>>, otherwise: Problem) -> Option<Item<'a>> {
        event.map(Ok).or_else(|| self.error(otherwise))
    }

    /// What a line means; `None` for lines that say nothing.
    fn read(&mut self, line: &'a [u8]) -> Option<Item<'a>> {
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
            return self.map_line(line);
        }
        if line.starts_with(b"MAPPED_LIBRARIES:") || line.starts_with(b"--- Memory map:") {
            self.section = Section::Maps;
            return None;
        }
        let mut cursor = Cursor(line);
        cursor.skip_blanks();
        if self.header.one_line {
            self.one_line(cursor)
        } else {
            self.threaded(cursor)
        }
    }

    /// gperftools puts blanks before a line, and names folders that later lines call `$NAME`.
    fn map_line(&self, line: &'a [u8]) -> Option<Item<'a>> {
        let bare = if self.ours {
            line
        } else {
            line.trim_ascii_start()
        };
        let event = maps::parse(bare).map(Event::Mapping);
        let event = event.or_else(|| folder(bare).filter(|_| !self.ours));
        self.event(event, MAPS_LINE)
    }

    fn percent(&mut self, line: &'a [u8]) -> Option<Item<'a>> {
        if let Some(text) = line.strip_prefix(b"%") {
            return Some(Ok(Event::Percent(Text::plain(text))));
        }
        self.section = Section::Stacks;
        None
    }

    fn comment(&mut self, line: &'a [u8]) -> Option<Item<'a>> {
        match comment::parse(line) {
            Ok(Some(Event::Version(version))) => {
                self.ours = true;
                Some(Ok(Event::Version(version)))
            }
            _ if !self.ours => None,
            Ok(Some(Event::End)) => {
                self.section = Section::Done;
                Some(Ok(Event::End))
            }
            Ok(event) => event.map(Ok),
            Err(expected) => self.error(Problem::Expected(expected)),
        }
    }

    fn threaded(&mut self, mut cursor: Cursor<'a>) -> Option<Item<'a>> {
        if cursor.eat(b"@").is_some() {
            return self.event(Frames::parse(cursor.0).map(Event::Stack), STACK_LINE);
        }
        let Some((thread, counts)) = thread_counts(&mut cursor) else {
            return self.error(THREAD_LINE);
        };
        let _ = cursor.eat(b" ");
        let name = if self.ours {
            Text::escaped(cursor.0)
        } else {
            Text::plain(cursor.0)
        };
        Some(Ok(Event::Counts {
            thread,
            counts,
            name,
        }))
    }

    fn one_line(&mut self, mut cursor: Cursor<'a>) -> Option<Item<'a>> {
        let counts = counts(&mut cursor);
        cursor.skip_blanks();
        let frames = cursor.eat(b"@").and_then(|()| Frames::parse(cursor.0));
        self.pending = counts.filter(|_| frames.is_some());
        let stack = frames.filter(|_| counts.is_some()).map(Event::Stack);
        self.event(stack, ONE_LINE)
    }

    /// What must still come before the file may end.
    fn missing(&self) -> Option<&'static str> {
        let maps_must_come = !self.header.one_line && self.section != Section::Maps;
        if self.section == Section::Done {
            None
        } else if self.ours {
            Some("`# end`")
        } else {
            maps_must_come.then_some("MAPPED_LIBRARIES")
        }
    }

    /// Half a line may look like a whole one with other numbers: where the file must go on, it is
    /// not read.
    fn is_half(&self, line: &[u8], ended: bool) -> bool {
        !ended && self.missing().is_some() && line != b"# end"
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        if let Some(counts) = self.pending.take() {
            let (thread, name) = (None, Text::default());
            return Some(Ok(Event::Counts {
                thread,
                counts,
                name,
            }));
        }
        while self.section != Section::Done
            && let Some((line, ended)) = self.next_line()
        {
            if self.is_half(line, ended) {
                break;
            }
            let item = self.read(line);
            if item.is_some() {
                return item;
            }
        }
        let missing = self.missing();
        self.section = Section::Done;
        self.error(Problem::CutOff(missing?))
    }
}

/// `NAME=FOLDER`.
fn folder(line: &[u8]) -> Option<Event<'_>> {
    let end = line.iter().position(|byte| *byte == b'=')?;
    let (name, folder) = line.split_at(end);
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric);
    let folder = folder.get(1..).filter(|_| is_name)?;
    Some(Event::Folder { name, folder })
}

fn header(line: &[u8]) -> Option<Header> {
    let mut cursor = Cursor(line);
    if cursor.eat(b"heap_v2/").is_some() {
        return Some(Header {
            one_line: false,
            sampling: Sampling::Poisson(cursor.decimal()?),
            totals: None,
        });
    }
    cursor.eat(b"heap profile:")?;
    let totals = counts(&mut cursor)?;
    cursor.skip_blanks();
    let word = cursor.eat(b"@").map(|()| cursor.field(b'/').trim_ascii());
    let sampling = match word {
        Some(word) if !word.is_empty() => named(word, cursor.decimal().unwrap_or(0)),
        _ => unnamed(totals),
    };
    Some(Header {
        one_line: true,
        sampling,
        totals: Some(totals),
    })
}

/// How `WORD/PERIOD` scales, decided as jeprof decides it, but for the `heap/PERIOD` of Go and of old
/// gperftools: it is Go's reader that knows how Go samples, and jeprof takes it for something older.
fn named(word: &[u8], period: u64) -> Sampling {
    let has = |part: &[u8]| word.windows(part.len()).any(|window| window == part);
    if word == b"heapprofile" || !has(b"heap") {
        return Sampling::None;
    }
    match (has(b"_v2"), period) {
        (true, 0) => Sampling::Poisson(OLD_PERIOD),
        (true, period) => Sampling::Poisson(period),
        (false, 0) => Sampling::Linear(OLD_PERIOD as f64),
        (false, period) => Sampling::Poisson(period / 2),
    }
}

fn unnamed(totals: Counts) -> Sampling {
    let ever = (totals.accumulated_objects, totals.accumulated_bytes);
    if ever == (totals.objects, totals.bytes) {
        Sampling::Linear(OLD_PERIOD as f64)
    } else {
        Sampling::None
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
