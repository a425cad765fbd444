//! The lines that begin with `#`: ours, one function each. Called by `reader` alone.

use super::event::Event;
use super::list::{Frames, Parts};
use super::record::{BuildId, Estimate, ManagedFrame, StackLine};
use crate::escape::Text;
use crate::number::Cursor;

/// Reads a line behind its `#`; `Ok(None)` for a line that is nobody's, `Err` with what a line of
/// ours should have been.
pub(super) fn parse(line: &[u8]) -> Result<Option<Event<'_>>, &'static str> {
    let mut cursor = Cursor(line);
    if cursor.eat(b"@").is_some() {
        return other_kind(cursor);
    }
    let Some(key) = cursor.eat(b" ").and_then(|()| cursor.word()) else {
        return Ok(None);
    };
    let _ = cursor.eat(b" ");
    let (event, expected) = match key {
        b"malloscope" => (
            cursor.decimal().map(Event::Version),
            "`# malloscope VERSION`",
        ),
        b"end" => (Some(Event::End), ""),
        b"epochs" => (epochs(cursor), "`# epochs WIDTH_MS COUNT`"),
        b"stack" => (
            stack(cursor).map(Event::StackFacts),
            "`# stack ID KEY=VALUE... [@ FRAMES]`",
        ),
        b"frame" => (
            frame(cursor),
            "`# frame ADDRESS` and KIND, CLASS, NAME, FILE, LINE behind tabs",
        ),
        b"live" => (live(cursor), "`# live ADDRESS SIZE STACK`"),
        b"build_id" => (build_id(cursor), "`# build_id START HEX PATH`"),
        _ => return Ok(fact(key, cursor)),
    };
    event.map(Some).ok_or(expected)
}

fn fact<'a>(key: &'a [u8], cursor: Cursor<'a>) -> Option<Event<'a>> {
    let key = core::str::from_utf8(key).ok()?;
    let value = Text::escaped(cursor.0);
    Some(Event::Fact { key, value })
}

/// A line behind its `#@`; words of later versions are passed over.
fn other_kind(mut cursor: Cursor<'_>) -> Result<Option<Event<'_>>, &'static str> {
    let mut word = || cursor.eat(b" ").and_then(|()| cursor.word());
    let (Some(kind), Some(what)) = (word(), word()) else {
        return Err("`#@ KIND fact|stack ...`");
    };
    let kind = Text::escaped(kind);
    let _ = cursor.eat(b" ");
    match what {
        b"fact" => kind_fact(kind, cursor).ok_or("`#@ KIND fact KEY TEXT`"),
        b"stack" => stack(cursor)
            .filter(|line| line.frames.is_some())
            .map(|line| Event::KindStack { kind, line })
            .ok_or("`#@ KIND stack ID KEY=VALUE... @ FRAMES`"),
        _ => return Ok(None),
    }
    .map(Some)
}

fn kind_fact<'a>(kind: Text<'a>, mut cursor: Cursor<'a>) -> Option<Event<'a>> {
    let key = core::str::from_utf8(cursor.word()?).ok()?;
    let _ = cursor.eat(b" ");
    let value = Text::escaped(cursor.0);
    Some(Event::KindFact { kind, key, value })
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
    let path = Text::escaped(cursor.0);
    Some(Event::BuildId(BuildId { start, hex, path }))
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

fn stack(mut cursor: Cursor<'_>) -> Option<StackLine<'_>> {
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
    Some(line)
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
        b"births" => line.births = Parts::parse(cursor.0)?,
        b"lives" => line.lifetimes = Parts::parse(cursor.0)?,
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
