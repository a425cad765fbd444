//! heaptrack's data as `heaptrack_interpret` leaves it: one letter and hexadecimal numbers a line. What is
//! live at the end is in use, and all of it together is what was allocated. Source:
//! `accumulatedtracedata.cpp` of heaptrack. Numbers of strings, frames and traces count from 1; 0 is none.

use std::collections::HashMap;

use anyhow::{Result, bail};

use super::assembly::{Assembly, mapping_named, too_big};
use super::symbolized;
use crate::profile::bounds::MOST_INLINED;
use crate::profile::model::{Line, Location, LocationId, Profile, Sample, Values};

/// Longer stacks are circles of a spoiled file.
const DEEPEST: usize = 4096;

#[derive(Default)]
struct Data<'a> {
    version: u64,
    strings: Vec<&'a str>,
    frames: Vec<LocationId>,
    /// Frame and parent.
    traces: Vec<(usize, usize)>,
    /// Size and trace of an allocation.
    kinds: Vec<(u64, usize)>,
    /// By trace.
    values: HashMap<usize, Values>,
    modules: HashMap<usize, usize>,
    out: Assembly,
}

/// Reads a whole file.
pub fn parse(bytes: &[u8], name: &str) -> Result<(Profile, Vec<String>)> {
    let text = String::from_utf8_lossy(bytes);
    let mut data = Data::default();
    let mut warnings = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        data.line(line);
        if data.out.is_full() {
            warnings.push(too_big(format_args!("{name}: line {number}")));
            break;
        }
    }
    let (profile, left_out) = data.finish();
    if left_out > 0 {
        warnings.push(format!(
            "{name}: {left_out} stacks are left out: they take too much memory"
        ));
    }
    if profile.samples.is_empty() {
        bail!("{name}: no allocation is in it (raw data goes through heaptrack_interpret first)");
    }
    Ok((profile, warnings))
}

impl<'a> Data<'a> {
    fn line(&mut self, line: &'a str) {
        let Some((letter, rest)) = line.split_once(' ') else {
            return;
        };
        let mut numbers = rest
            .split(' ')
            .map_while(|word| u64::from_str_radix(word, 16).ok());
        let mut next = || numbers.next();
        match letter {
            "v" => self.version = next().and(next()).unwrap_or(0),
            "X" => self.fact("command", rest),
            "s" => self.strings.push(self.string(rest)),
            "t" => {
                let trace = (place(next()), place(next()));
                self.traces.push(trace);
            }
            "i" => self.frame(rest),
            "a" => {
                let kind = (next().unwrap_or(0), place(next()));
                self.kinds.push(kind);
            }
            "+" | "-" if self.version == 0 => {
                // The first version says size and trace with each allocation, and frees by address.
                let kind = next()
                    .zip(next())
                    .map(|(size, trace)| (size, place(Some(trace))));
                self.count(kind.filter(|_| letter == "+"), 1.0);
            }
            "+" => self.count(self.kind(next()), 1.0),
            "-" => self.count(self.kind(next()), -1.0),
            _ => {}
        }
    }

    fn fact(&mut self, key: &str, value: &str) {
        let facts = &mut self.out.profile.process.entries;
        facts.push((key.to_owned(), value.to_owned()));
    }

    /// From the third version on the length stands before a string.
    fn string(&self, rest: &'a str) -> &'a str {
        let sized = rest.split_once(' ').filter(|_| self.version >= 3);
        sized.map_or(rest, |(_, string)| string)
    }

    fn kind(&self, index: Option<u64>) -> Option<(u64, usize)> {
        self.kinds.get(usize::try_from(index?).ok()?).copied()
    }

    fn count(&mut self, kind: Option<(u64, usize)>, sign: f64) {
        let Some((size, trace)) = kind else {
            return;
        };
        let values = self.values.entry(trace).or_default();
        values.inuse_objects += sign;
        values.inuse_space += sign * size as f64;
        if sign > 0.0 {
            values.alloc_objects += 1.0;
            values.alloc_space += size as f64;
        }
    }

    /// `ADDRESS MODULE (FUNCTION FILE LINE)*`, the innermost function first.
    fn frame(&mut self, rest: &str) {
        let numbers = rest
            .split(' ')
            .map_while(|word| u64::from_str_radix(word, 16).ok());
        let numbers: Vec<u64> = numbers.collect();
        let (head, functions) = numbers.split_at(numbers.len().min(2));
        let text = |index: u64| {
            self.strings
                .get(place(Some(index)).wrapping_sub(1))
                .copied()
        };
        let mut lines: Vec<Line> = functions
            .chunks(3)
            .take(MOST_INLINED)
            .filter_map(|function| {
                let name = text(*function.first()?)?;
                Some(Line {
                    file: function.get(1).and_then(|f| text(*f)).map(str::to_owned),
                    line: function.get(2).and_then(|l| u32::try_from(*l).ok()),
                    ..symbolized::line(name)
                })
            })
            .collect();
        let inlined = lines.len().saturating_sub(1);
        for line in &mut lines[..inlined] {
            line.inlined = true;
        }
        let module = place(head.get(1).copied());
        let mapping = self.module(module);
        let location = self.out.place(Location {
            address: head.first().copied().unwrap_or(0),
            mapping,
            lines: lines.into(),
            ..Location::default()
        });
        self.frames.push(location);
    }

    /// The file does not say where a module lay, only its path.
    fn module(&mut self, index: usize) -> Option<usize> {
        let path = *self.strings.get(index.checked_sub(1)?)?;
        let next = self.out.profile.mappings.len();
        let at = *self.modules.entry(index).or_insert(next);
        if at == next {
            self.out.profile.mappings.push(mapping_named(path));
        }
        Some(at)
    }

    /// The profile, and how many stacks there was no room for.
    fn finish(mut self) -> (Profile, usize) {
        let mut values: Vec<(usize, Values)> = self.values.drain().collect();
        values.sort_by_key(|(trace, _)| *trace);
        let mut left = values.len();
        for (trace, values) in values {
            let stack = self.stack(trace);
            self.out.push(Sample {
                stack: stack.into(),
                values,
                ..Sample::default()
            });
            left -= 1;
            if self.out.is_full() {
                break;
            }
        }
        (self.out.finish(), left)
    }

    fn stack(&self, mut trace: usize) -> Vec<LocationId> {
        let mut stack = Vec::new();
        while let Some(&(frame, parent)) = self.traces.get(trace.wrapping_sub(1)) {
            stack.extend(self.frames.get(frame.wrapping_sub(1)));
            if stack.len() > DEEPEST || parent == trace {
                break;
            }
            trace = parent;
        }
        stack
    }
}

fn place(number: Option<u64>) -> usize {
    number.and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
}
