//! Writes a dump line by line; the order of calls is the order of lines.
//!
//! Called by the profiler's `dump`. Stops at the sink's first error.

use super::VERSION;
use super::record::{Counts, Estimate, ManagedFrame, StackFacts, Weighed};
use crate::escape;
use crate::maps::{self, Mapping};
use crate::number::{Decimal, Hex};
use crate::sink::Sink;

/// A dump under construction.
pub struct Writer<S: Sink> {
    sink: S,
}

impl<S: Sink> Writer<S> {
    /// Begins a dump whose samples were drawn every `period` bytes.
    pub fn new(mut sink: S, period: u64) -> Result<Writer<S>, S::Error> {
        sink.write(b"heap_v2/")?;
        sink.write(Decimal::new(period).as_bytes())?;
        sink.write(b"\n")?;
        let mut writer = Writer { sink };
        writer.number("malloscope", VERSION)?;
        Ok(writer)
    }

    fn decimal(&mut self, number: u64) -> Result<(), S::Error> {
        self.sink.write(Decimal::new(number).as_bytes())
    }

    fn hex(&mut self, number: u64) -> Result<(), S::Error> {
        self.sink.write(b"0x")?;
        self.sink.write(Hex::new(number).as_bytes())
    }

    fn end_line(&mut self) -> Result<(), S::Error> {
        self.sink.write(b"\n")
    }

    /// A fact of text.
    pub fn fact(&mut self, key: &str, text: &[u8]) -> Result<(), S::Error> {
        self.key(key)?;
        escape::write_text(&mut self.sink, text)?;
        self.end_line()
    }

    /// A fact of words, such as a command line: blanks inside a word are escaped.
    pub fn words<'a>(
        &mut self,
        key: &str,
        words: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), S::Error> {
        self.sink.write(b"# ")?;
        self.sink.write(key.as_bytes())?;
        for word in words {
            self.sink.write(b" ")?;
            escape::write_word(&mut self.sink, word)?;
        }
        self.end_line()
    }

    /// A fact that is a number.
    pub fn number(&mut self, key: &str, number: u64) -> Result<(), S::Error> {
        self.key(key)?;
        self.decimal(number)?;
        self.end_line()
    }

    /// A counter of what the profiler could not do.
    pub fn counter(&mut self, name: &str, count: u64) -> Result<(), S::Error> {
        self.sink.write(b"# counter_")?;
        self.sink.write(name.as_bytes())?;
        self.sink.write(b" ")?;
        self.decimal(count)?;
        self.end_line()
    }

    /// The birth epochs that `births` of the stacks count by.
    pub fn epochs(&mut self, width_ms: u64, count: u64) -> Result<(), S::Error> {
        self.key("epochs")?;
        self.decimal(width_ms)?;
        self.sink.write(b" ")?;
        self.decimal(count)?;
        self.end_line()
    }

    fn key(&mut self, key: &str) -> Result<(), S::Error> {
        self.sink.write(b"# ")?;
        self.sink.write(key.as_bytes())?;
        self.sink.write(b" ")
    }

    /// The counts of the whole, or of the stack begun last.
    pub fn total(&mut self, counts: Counts) -> Result<(), S::Error> {
        self.sink.write(b"  t*: ")?;
        self.counts(counts)?;
        self.end_line()
    }

    /// The counts of one thread. Its name stands in the head only; pass an empty one elsewhere.
    pub fn thread(&mut self, uid: u64, counts: Counts, name: &[u8]) -> Result<(), S::Error> {
        self.sink.write(b"  t")?;
        self.decimal(uid)?;
        self.sink.write(b": ")?;
        self.counts(counts)?;
        if !name.is_empty() {
            self.sink.write(b" ")?;
            escape::write_text(&mut self.sink, name)?;
        }
        self.end_line()
    }

    fn counts(&mut self, counts: Counts) -> Result<(), S::Error> {
        self.decimal(counts.objects)?;
        self.sink.write(b": ")?;
        self.decimal(counts.bytes)?;
        self.sink.write(b" [")?;
        self.decimal(counts.accumulated_objects)?;
        self.sink.write(b": ")?;
        self.decimal(counts.accumulated_bytes)?;
        self.sink.write(b"]")
    }

    /// Begins a stack that holds bytes. Its total, its threads and its facts follow.
    pub fn stack(&mut self, frames: &[u64]) -> Result<(), S::Error> {
        self.frames(frames)?;
        self.end_line()
    }

    fn frames(&mut self, frames: &[u64]) -> Result<(), S::Error> {
        self.sink.write(b"@")?;
        for frame in frames {
            self.sink.write(b" ")?;
            self.hex(*frame)?;
        }
        Ok(())
    }

    /// The facts of the stack begun last, and its freed samples by the bucket of their lifetime; of
    /// another stack, without bytes, if `frames` are given.
    pub fn stack_facts(
        &mut self,
        facts: &StackFacts<'_>,
        freed: impl Iterator<Item = (usize, Weighed)>,
        frames: Option<&[u64]>,
    ) -> Result<(), S::Error> {
        self.key("stack")?;
        self.stack_line(facts, freed, frames)
    }

    /// The line of a stack behind its first word.
    fn stack_line(
        &mut self,
        facts: &StackFacts<'_>,
        freed: impl Iterator<Item = (usize, Weighed)>,
        frames: Option<&[u64]>,
    ) -> Result<(), S::Error> {
        self.decimal(facts.id)?;
        self.estimate(b" live=", facts.live)?;
        if facts.live.samples != 0 {
            self.sink.write(b" variance=")?;
            self.sink.write(Decimal::wide(facts.variance).as_bytes())?;
        }
        self.estimate(b" alloc=", facts.accumulated)?;
        if let Some((least, most)) = facts.sizes {
            self.sink.write(b" size=")?;
            self.decimal(least)?;
            self.sink.write(b"-")?;
            self.decimal(most)?;
        }
        self.parts(b" births=", facts.births.iter().copied().enumerate())?;
        self.parts(b" lives=", freed)?;
        if let Some(frames) = frames {
            self.sink.write(b" ")?;
            self.frames(frames)?;
        }
        self.end_line()
    }

    fn estimate(&mut self, key: &[u8], estimate: Estimate) -> Result<(), S::Error> {
        self.sink.write(key)?;
        self.decimal(estimate.samples)?;
        self.sink.write(b":")?;
        self.decimal(estimate.objects_milli / 1000)?;
        self.sink.write(b".")?;
        let milli = estimate.objects_milli % 1000;
        let digit = |place: u64| b'0' + u8::try_from(milli / place % 10).unwrap_or(0);
        self.sink.write(&[digit(100), digit(10), digit(1)])?;
        self.sink.write(b":")?;
        self.decimal(estimate.bytes)
    }

    fn parts(
        &mut self,
        key: &[u8],
        parts: impl Iterator<Item = (usize, Weighed)>,
    ) -> Result<(), S::Error> {
        let mut before = key;
        for (place, part) in parts.filter(|(_, part)| part.samples != 0) {
            self.sink.write(before)?;
            before = b",";
            self.decimal(place as u64)?;
            self.sink.write(b":")?;
            self.decimal(part.samples)?;
            self.sink.write(b":")?;
            self.decimal(part.bytes)?;
            self.sink.write(b":")?;
            self.sink.write(Decimal::wide(part.squares).as_bytes())?;
        }
        Ok(())
    }

    /// One live sample.
    pub fn live(&mut self, address: u64, size: u64, stack: u64) -> Result<(), S::Error> {
        self.sink.write(b"# live ")?;
        self.hex(address)?;
        self.sink.write(b" ")?;
        self.decimal(size)?;
        self.sink.write(b" ")?;
        self.decimal(stack)?;
        self.end_line()
    }

    /// The build id of the file mapped at `start`.
    pub fn build_id(&mut self, start: u64, id: &[u8], path: &[u8]) -> Result<(), S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.sink.write(b"# build_id ")?;
        self.hex(start)?;
        self.sink.write(b" ")?;
        for byte in id {
            let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
            self.sink.write(&[digit(byte >> 4), digit(byte & 15)])?;
        }
        self.sink.write(b" ")?;
        escape::write_text(&mut self.sink, path)?;
        self.end_line()
    }

    /// The name of a managed frame.
    pub fn frame(&mut self, frame: &ManagedFrame<'_>) -> Result<(), S::Error> {
        self.sink.write(b"# frame ")?;
        self.hex(frame.address)?;
        for text in [frame.kind, frame.class, frame.name, frame.file] {
            self.sink.write(b"\t")?;
            escape::write_again(&mut self.sink, text)?;
        }
        self.sink.write(b"\t")?;
        if frame.line != 0 {
            self.decimal(frame.line)?;
        }
        self.end_line()
    }

    /// A fact of text about another kind of samples than malloc.
    pub fn kind_fact(&mut self, kind: &str, key: &str, text: &[u8]) -> Result<(), S::Error> {
        self.kind(kind, b"fact ")?;
        self.sink.write(key.as_bytes())?;
        self.sink.write(b" ")?;
        escape::write_text(&mut self.sink, text)?;
        self.end_line()
    }

    /// A fact about another kind that is a number.
    pub fn kind_number(&mut self, kind: &str, key: &str, number: u64) -> Result<(), S::Error> {
        self.kind_fact(kind, key, Decimal::new(number).as_bytes())
    }

    /// A stack of another kind, which no reader may add to those of malloc.
    pub fn kind_stack(
        &mut self,
        kind: &str,
        facts: &StackFacts<'_>,
        freed: impl Iterator<Item = (usize, Weighed)>,
        frames: &[u64],
    ) -> Result<(), S::Error> {
        self.kind(kind, b"stack ")?;
        self.stack_line(facts, freed, Some(frames))
    }

    fn kind(&mut self, kind: &str, word: &[u8]) -> Result<(), S::Error> {
        self.sink.write(b"#@ ")?;
        escape::write_word(&mut self.sink, kind.as_bytes())?;
        self.sink.write(b" ")?;
        self.sink.write(word)
    }

    /// Begins the trailer: the lines of `/proc/<pid>/maps` follow, as they are, by [`Writer::raw`].
    pub fn begin_maps(&mut self) -> Result<(), S::Error> {
        self.sink.write(b"\nMAPPED_LIBRARIES:\n")
    }

    /// A mapping, in the words of the kernel.
    pub fn mapping(&mut self, mapping: &Mapping<'_>) -> Result<(), S::Error> {
        maps::write(&mut self.sink, mapping)
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), S::Error> {
        self.sink.write(bytes)
    }

    /// The last line: without it the file was cut off.
    pub fn finish(mut self) -> Result<S, S::Error> {
        self.sink.write(b"# end\n")?;
        Ok(self.sink)
    }
}
