//! The lines that begin with `#`: ours, one function each. Only the reader calls this.

use super::reader::Event;
use super::record::{BuildId, Estimate, Frames, ManagedFrame, Pairs, StackLine, Triples};
use crate::escape::Text;
use crate::number::Cursor;

/// What a `#` line turned out to be.
pub(super) enum Comment<'a> {
    Version(u64),
    End,
    Event(Event<'a>),
}

/// Reads a line after its `#`. `Err` says what was expected of it.
pub(super) fn parse(line: &[u8]) -> Result<Comment<'_>, &'static str> {
    let mut cursor = Cursor(line);
    if cursor.eat(b"@").is_some() {
        let other = other(cursor).ok_or("`#@ KIND TEXT`")?;
        return Ok(Comment::Event(other));
    }
    cursor.skip_blanks();
    let Some(key) = cursor.word() else {
        return Err("`# KEY TEXT`");
    };
    cursor.skip_blanks();
    let event = match key {
        b"malloscope" => {
            let version = cursor.decimal().ok_or("`# malloscope VERSION`")?;
            return Ok(Comment::Version(version));
        }
        b"end" => return Ok(Comment::End),
        b"epochs" => epochs(cursor).ok_or("`# epochs WIDTH_MS COUNT`")?,
        b"stack" => stack(cursor).ok_or("`# stack ID KEY=VALUE...`")?,
        b"frame" => frame(cursor).ok_or("`# frame ADDRESS`, KIND, CLASS, NAME, FILE, LINE")?,
        b"live" => live(cursor).ok_or("`# live ADDRESS SIZE STACK`")?,
        b"build_id" => build_id(cursor).ok_or("`# build_id START HEX PATH`")?,
        _ => fact(key, cursor).ok_or("`# KEY TEXT`")?,
    };
    Ok(Comment::Event(event))
}

fn fact<'a>(key: &'a [u8], cursor: Cursor<'a>) -> Option<Event<'a>> {
    let key = core::str::from_utf8(key).ok()?;
    Some(Event::Fact {
        key,
        value: Text::escaped(cursor.0),
    })
}

fn other(mut cursor: Cursor<'_>) -> Option<Event<'_>> {
    cursor.eat(b" ")?;
    let kind = Text::escaped(cursor.word()?);
    let _ = cursor.eat(b" ");
    Some(Event::Other {
        kind,
        text: Text::escaped(cursor.0),
    })
}

fn epochs(mut cursor: Cursor<'_>) -> Option<Event<'_>> {
    let width_ms = cursor.decimal().filter(|width| *width > 0)?;
    cursor.eat(b" ")?;
    let count = cursor.decimal()?;
    Some(Event::Epochs { width_ms, count })
}

fn live(mut cursor: Cursor<'_>) -> Option<Event<'_>> {
    let address = cursor.hex()?;
    cursor.eat(b" ")?;
    let size = cursor.decimal()?;
    cursor.eat(b" ")?;
    let stack = cursor.decimal()?;
    Some(Event::Live {
        address,
        size,
        stack,
    })
}

fn build_id(mut cursor: Cursor<'_>) -> Option<Event<'_>> {
    let start = cursor.hex()?;
    cursor.eat(b" ")?;
    let hex = core::str::from_utf8(cursor.word()?).ok()?;
    if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let _ = cursor.eat(b" ");
    Some(Event::BuildId(BuildId {
        start,
        hex,
        path: Text::escaped(cursor.0),
    }))
}

fn frame(mut cursor: Cursor<'_>) -> Option<Event<'_>> {
    let address = cursor.hex()?;
    cursor.eat(b"\t")?;
    let mut field = || Text::escaped(cursor.field(b'\t'));
    let (kind, class, name, file) = (field(), field(), field(), field());
    let line = match cursor.0 {
        b"" => 0,
        _ => cursor.decimal()?,
    };
    Some(Event::Frame(ManagedFrame {
        address,
        kind,
        class,
        name,
        file,
        line,
    }))
}

fn stack(mut cursor: Cursor<'_>) -> Option<Event<'_>> {
    let mut line = StackLine {
        id: cursor.decimal()?,
        ..StackLine::default()
    };
    loop {
        cursor.skip_blanks();
        if cursor.eat(b"@").is_some() {
            line.frames = Some(Frames::parse(cursor.0)?);
            break;
        }
        let Some(word) = cursor.word() else {
            break;
        };
        stack_word(&mut line, word)?;
    }
    Some(Event::StackFacts(line))
}

/// One `KEY=VALUE`; keys of later versions are passed over.
fn stack_word<'a>(line: &mut StackLine<'a>, word: &'a [u8]) -> Option<()> {
    let mut cursor = Cursor(word);
    match cursor.field(b'=') {
        b"live" => line.live = estimate(cursor)?,
        b"alloc" => line.accumulated = estimate(cursor)?,
        b"variance" => line.variance = cursor.wide()?,
        b"size" => {
            let least = cursor.decimal()?;
            cursor.eat(b"-")?;
            line.sizes = Some((least, cursor.decimal()?));
        }
        b"births" => line.births = Triples::parse(cursor.0)?,
        b"lives" => line.lifetimes = Pairs::parse(cursor.0)?,
        _ => {}
    }
    Some(())
}

/// `SAMPLES:OBJECTS:BYTES`; OBJECTS may have a fraction, of which three digits count.
fn estimate(mut cursor: Cursor<'_>) -> Option<Estimate> {
    let samples = cursor.decimal()?;
    cursor.eat(b":")?;
    let mut objects_milli = cursor.decimal()?.checked_mul(1000)?;
    if cursor.eat(b".").is_some() {
        for unit in [100, 10, 1] {
            objects_milli = objects_milli.checked_add(cursor.digit().unwrap_or(0) * unit)?;
        }
        while cursor.digit().is_some() {}
    }
    cursor.eat(b":")?;
    let bytes = cursor.decimal()?;
    Some(Estimate {
        samples,
        objects_milli,
        bytes,
    })
}
