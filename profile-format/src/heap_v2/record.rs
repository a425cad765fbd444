//! The records that writer and reader of a dump have in common. Nothing here owns memory: lists are
//! borrowed from the file and parsed again while they are walked.

use crate::escape::Text;
use crate::number::Cursor;

/// Estimates or counts of one line: live and, in brackets, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Live blocks.
    pub objects: u64,
    /// Live bytes.
    pub bytes: u64,
    /// Blocks ever allocated.
    pub accumulated_objects: u64,
    /// Bytes ever allocated.
    pub accumulated_bytes: u64,
}

/// Real samples and what they stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Real samples.
    pub samples: u64,
    /// Estimated blocks, in 1/1000.
    pub objects_milli: u64,
    /// Estimated bytes.
    pub bytes: u64,
}

/// What the `# stack` line says of a stack, but for its frames.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StackFacts<'a> {
    /// Number of the stack in its process.
    pub id: u64,
    /// What is live.
    pub live: Estimate,
    /// Variance of the live bytes, in bytes squared.
    pub variance: u128,
    /// All that was ever allocated.
    pub accumulated: Estimate,
    /// Smallest and largest size of the live samples.
    pub sizes: Option<(u64, u64)>,
    /// Live samples and bytes by birth epoch; epochs without any may be left out.
    pub births: &'a [(u64, u64)],
    /// Freed samples by lifetime bucket.
    pub lifetimes: &'a [u32],
}

/// A `# stack` line as it is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct StackLine<'a> {
    /// Number of the stack in its process, the same in all its dumps.
    pub id: u64,
    /// What is live.
    pub live: Estimate,
    /// Variance of the live bytes, in bytes squared.
    pub variance: u128,
    /// All that was ever allocated.
    pub accumulated: Estimate,
    /// Smallest and largest size of the live samples.
    pub sizes: Option<(u64, u64)>,
    /// `(epoch, samples, bytes)`: live samples by birth epoch.
    pub births: Triples<'a>,
    /// `(bucket, count)`: freed samples by lifetime bucket.
    pub lifetimes: Pairs<'a>,
    /// The frames, for a stack that has no `@` block. `None`: it describes the block before it.
    pub frames: Option<Frames<'a>>,
}

/// A `# frame` line: the name behind a pseudo-address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ManagedFrame<'a> {
    /// The pseudo-address as it stands in stacks.
    pub address: u64,
    /// `java`, `ruby`, `python`, `js`, ...
    pub kind: Text<'a>,
    /// Class or module; may be empty.
    pub class: Text<'a>,
    /// Function or method.
    pub name: Text<'a>,
    /// Source file; may be empty.
    pub file: Text<'a>,
    /// Line in the file; 0 when not known.
    pub line: u64,
}

/// A `# build_id` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildId<'a> {
    /// Where the ELF file is mapped.
    pub start: u64,
    /// The build id in lower-case hex.
    pub hex: &'a str,
    /// The file's path as in the maps.
    pub path: Text<'a>,
}

/// The frames of a stack, leaf first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frames<'a>(Cursor<'a>);

impl<'a> Frames<'a> {
    /// Reads ` 0x1 0x2`: only hexadecimal numbers, parted by blanks.
    pub(crate) fn parse(line: &'a [u8]) -> Option<Frames<'a>> {
        let mut frames = Frames(Cursor(line));
        while frames.next().is_some() {}
        frames.0.0.is_empty().then_some(Frames(Cursor(line)))
    }
}

impl Iterator for Frames<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0.skip_blanks();
        let mut after = self.0;
        let address = after.hex()?;
        // A token is a number as a whole, or none.
        if !matches!(after.0.first(), None | Some(b' ' | b'\t')) {
            return None;
        }
        self.0 = after;
        Some(address)
    }
}

/// `a:b,a:b,...`
#[derive(Clone, Copy, Debug, Default)]
pub struct Pairs<'a>(Cursor<'a>);

impl<'a> Pairs<'a> {
    pub(crate) fn parse(text: &'a [u8]) -> Option<Pairs<'a>> {
        let mut pairs = Pairs(Cursor(text));
        while pairs.next().is_some() {}
        pairs.0.0.is_empty().then_some(Pairs(Cursor(text)))
    }
}

impl Iterator for Pairs<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        let mut after = self.0;
        let first = after.decimal()?;
        after.eat(b":")?;
        let second = after.decimal()?;
        next_item(&mut after)?;
        self.0 = after;
        Some((first, second))
    }
}

/// `a:b:c,a:b:c,...`
#[derive(Clone, Copy, Debug, Default)]
pub struct Triples<'a>(Cursor<'a>);

impl<'a> Triples<'a> {
    pub(crate) fn parse(text: &'a [u8]) -> Option<Triples<'a>> {
        let mut triples = Triples(Cursor(text));
        while triples.next().is_some() {}
        triples.0.0.is_empty().then_some(Triples(Cursor(text)))
    }
}

impl Iterator for Triples<'_> {
    type Item = (u64, u64, u64);

    fn next(&mut self) -> Option<(u64, u64, u64)> {
        let mut after = self.0;
        let first = after.decimal()?;
        after.eat(b":")?;
        let second = after.decimal()?;
        after.eat(b":")?;
        let third = after.decimal()?;
        next_item(&mut after)?;
        self.0 = after;
        Some((first, second, third))
    }
}

/// Takes the comma between two items of a list, or finds the end.
fn next_item(cursor: &mut Cursor) -> Option<()> {
    if cursor.0.is_empty() {
        return Some(());
    }
    cursor.eat(b",")
}
