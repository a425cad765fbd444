//! gperftools' profile of a processor's time: machine words, then the map as text. A word has four or eight
//! bytes, little end first. Source: `ReadCPUProfile` of jeprof, `docs/cpuprofile-fileformat` of gperftools.

use anyhow::{Result, bail};
use profile_format::maps;

use super::assembly::{Assembly, too_big};
use crate::profile::model::{Measure, Profile, Sample, Values};

/// Deeper stacks are taken for a sign that the file is spoiled.
const DEEPEST: u64 = 1 << 16;

#[derive(Clone, Copy)]
struct Words<'a> {
    bytes: &'a [u8],
    at: usize,
    width: usize,
}

impl Words<'_> {
    fn next(&mut self) -> Option<u64> {
        let word = self.bytes.get(self.at..self.at + self.width)?;
        self.at += self.width;
        let mut wide = [0; 8];
        wide[..self.width].copy_from_slice(word);
        Some(u64::from_le_bytes(wide))
    }
}

/// Reads a whole file.
pub fn parse(bytes: &[u8], name: &str) -> Result<(Profile, Vec<String>)> {
    let width = if bytes.get(4..8) == Some(&[3, 0, 0, 0]) {
        4
    } else {
        8
    };
    let mut words = Words {
        bytes,
        at: 3 * width,
        width,
    };
    let Some(period) = words.next() else {
        bail!("{name}: byte {}: the file ends in its header", bytes.len());
    };
    words.next();
    // Twice: to keep the stacks would take ten times as much as the file.
    let handlers = handlers(&mut Stacks::new(words));
    let mut stacks = Stacks::new(words);
    let mut out = Assembly::default();
    let mut full = None;
    for (count, mut stack) in &mut stacks {
        stack.drain(1..=handlers);
        let stack = out.stack(&stack, |_| false);
        let (objects, space) = (count as f64, count as f64 * period as f64 * 1000.0);
        out.count_record();
        out.push(Sample {
            stack,
            values: Values {
                inuse_objects: objects,
                inuse_space: space,
                alloc_objects: objects,
                alloc_space: space,
            },
            ..Sample::default()
        });
        if out.is_full() {
            full = Some(too_big(format_args!("{name}: byte {}", stacks.words.at)));
            break;
        }
    }
    let (words, whole) = (stacks.words, stacks.whole || full.is_some());
    if out.profile.samples.is_empty() {
        bail!("{name}: byte {}: no sample is in it", words.at);
    }
    for line in bytes[words.at..].split(|byte| *byte == b'\n') {
        if let Some(line) = maps::parse(line.trim_ascii()) {
            out.count_record();
            out.map(&line);
        }
        if out.is_full() {
            break;
        }
    }
    let mut profile = out.finish();
    profile.measure = Measure::Time;
    profile.cut_off = !whole;
    let cut = format!(
        "{name}: byte {}: the file ends before its end mark",
        words.at
    );
    let cut = (!whole).then_some(cut);
    Ok((profile, full.into_iter().chain(cut).collect()))
}

/// Counts with their stacks.
struct Stacks<'a> {
    words: Words<'a>,
    /// The end mark came, a stack of the address 0 alone.
    whole: bool,
}

impl<'a> Stacks<'a> {
    fn new(words: Words<'a>) -> Stacks<'a> {
        Stacks {
            words,
            whole: false,
        }
    }
}

impl Iterator for Stacks<'_> {
    type Item = (u64, Vec<u64>);

    fn next(&mut self) -> Option<(u64, Vec<u64>)> {
        while !self.whole {
            let (count, depth) = (self.words.next()?, self.words.next()?);
            if depth > DEEPEST {
                return None;
            }
            let stack: Vec<u64> = (0..depth).map_while(|_| self.words.next()).collect();
            self.whole = stack.first() == Some(&0);
            if !self.whole && stack.len() as u64 == depth && depth > 0 {
                return Some((count, stack));
            }
        }
        None
    }
}

/// The handler of the signal stands between a leaf and its caller in every stack: second addresses that all
/// have are no callers. How many there are.
fn handlers(stacks: &mut Stacks<'_>) -> usize {
    let Some((_, first)) = stacks.next() else {
        return 0;
    };
    let alike = |(_, stack): (u64, Vec<u64>)| {
        let both = first.iter().zip(&stack).skip(1);
        both.take_while(|(one, other)| one == other).count()
    };
    stacks.map(alike).min().unwrap_or_default()
}
