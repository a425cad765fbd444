//! gperftools' profile of a processor's time: machine words, then the map as text. A word has four or eight
//! bytes, little end first. Source: `ReadCPUProfile` of jeprof, `docs/cpuprofile-fileformat` of gperftools.

use anyhow::{Result, bail};
use profile_format::maps;

use super::assembly::Assembly;
use crate::profile::model::{Measure, Profile, Sample, Values};

/// Deeper stacks are taken for a sign that the file is spoiled.
const DEEPEST: u64 = 1 << 16;

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
    let (stacks, whole) = stacks(&mut words);
    if stacks.is_empty() {
        bail!("{name}: byte {}: no sample is in it", words.at);
    }
    let mut out = Assembly::default();
    for (count, stack) in without_signal_frames(stacks) {
        let stack = out.stack(&stack, |_| false);
        let (objects, space) = (count as f64, count as f64 * period as f64 * 1000.0);
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
    }
    for line in bytes[words.at..].split(|byte| *byte == b'\n') {
        if let Some(line) = maps::parse(line.trim_ascii()) {
            out.map(&line);
        }
    }
    let mut profile = out.finish();
    profile.measure = Measure::Time;
    profile.cut_off = !whole;
    let cut = format!(
        "{name}: byte {}: the file ends before its end mark",
        words.at
    );
    Ok((profile, (!whole).then_some(cut).into_iter().collect()))
}

/// Counts with their stacks; false when the end mark, a stack of the address 0 alone, never came.
fn stacks(words: &mut Words<'_>) -> (Vec<(u64, Vec<u64>)>, bool) {
    let mut stacks = Vec::new();
    while let (Some(count), Some(depth)) = (words.next(), words.next()) {
        if depth > DEEPEST {
            break;
        }
        let stack: Vec<u64> = (0..depth).map_while(|_| words.next()).collect();
        if stack.first() == Some(&0) {
            return (stacks, true);
        }
        if stack.len() as u64 == depth && depth > 0 {
            stacks.push((count, stack));
        }
    }
    (stacks, false)
}

/// The handler of the signal stands between a leaf and its caller in every stack: a second address that all
/// have is no caller.
fn without_signal_frames(mut stacks: Vec<(u64, Vec<u64>)>) -> Vec<(u64, Vec<u64>)> {
    loop {
        let second = stacks.first().and_then(|(_, stack)| stack.get(1)).copied();
        let Some(second) = second.filter(|_| stacks.len() > 1) else {
            return stacks;
        };
        if stacks
            .iter()
            .any(|(_, stack)| stack.get(1) != Some(&second))
        {
            return stacks;
        }
        for (_, stack) in &mut stacks {
            stack.remove(1);
        }
    }
}
