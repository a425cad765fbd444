//! Profiles of delays as gperftools and Go write them: `CYCLES COUNT @ ADDRESSES` below `--- contention`,
//! with `KEY = VALUE` lines before and a map behind. Source: `ReadSynchProfile` of jeprof.

use anyhow::{Result, bail};
use profile_format::maps;
use profile_format::number::Cursor;

use super::assembly::{Assembly, names_left_out, too_big};
use super::go;
use crate::profile::model::{Measure, Profile, Sample, Values};

/// What jeprof takes for the clock of a file that names none, in cycles a nanosecond.
const OLD_CLOCK: f64 = 2.8;

struct Delays {
    out: Assembly,
    cycles_a_nanosecond: Option<f64>,
    sampling: f64,
}

/// Reads a whole file, its header included; `before` lines stand before these bytes in it.
pub fn parse(bytes: &[u8], name: &str, before: usize) -> Result<(Profile, Vec<String>)> {
    let mut delays = Delays {
        out: Assembly::default(),
        cycles_a_nanosecond: None,
        sampling: 1.0,
    };
    let mut warnings = Vec::new();
    let lines = bytes.split(|byte| *byte == b'\n').zip(before + 1..);
    for (line, number) in lines.skip(1) {
        delays.line(line.trim_ascii());
        if delays.out.is_full() {
            warnings.push(too_big(format_args!("{name}: line {number}")));
            break;
        }
    }
    let left = go::names(bytes, &mut delays.out);
    warnings.extend(left.map(|line| format!("{name}: {}", names_left_out(before + line))));
    let mut profile = delays.out.finish();
    if profile.samples.is_empty() {
        bail!("{name}: no delay is in it");
    }
    profile.measure = Measure::Delay;
    if delays.cycles_a_nanosecond.is_none() {
        warnings.push(format!(
            "{name}: it names no cycles/second: {OLD_CLOCK} GHz are taken"
        ));
    }
    Ok((profile, warnings))
}

impl Delays {
    fn line(&mut self, line: &[u8]) {
        if let Some((key, value)) = attribute(line) {
            return self.attribute(key, value);
        }
        if let Some((cycles, count, frames)) = delay(line) {
            let nanoseconds = cycles / self.cycles_a_nanosecond.unwrap_or(OLD_CLOCK);
            let (objects, space) = (count * self.sampling, nanoseconds * self.sampling);
            let stack = self.out.stack(&frames, |_| false);
            self.out.count_record();
            self.out.push(Sample {
                stack,
                values: Values {
                    inuse_objects: objects,
                    inuse_space: space,
                    alloc_objects: objects,
                    alloc_space: space,
                },
                ..Sample::default()
            });
        } else if let Some(line) = maps::parse(line) {
            self.out.count_record();
            self.out.map(&line);
        }
    }

    fn attribute(&mut self, key: &str, value: &str) {
        let number = value.parse::<f64>().ok().filter(|n| *n > 0.0);
        match (key, number) {
            ("cycles/second", Some(hertz)) => self.cycles_a_nanosecond = Some(hertz / 1e9),
            ("sampling period", Some(period)) => self.sampling = period,
            _ => {}
        }
    }
}

/// `KEY = VALUE`.
fn attribute(line: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(line).ok()?;
    let (key, value) = text.split_once('=')?;
    let is_key = key.starts_with(|c: char| c.is_ascii_lowercase());
    is_key.then(|| (key.trim(), value.trim()))
}

/// `CYCLES COUNT @ ADDRESSES`; old files have no COUNT.
fn delay(line: &[u8]) -> Option<(f64, f64, Vec<u64>)> {
    let mut cursor = Cursor(line);
    let cycles = cursor.decimal()?;
    cursor.skip_blanks();
    let count = cursor.decimal().unwrap_or(1);
    cursor.skip_blanks();
    cursor.eat(b"@")?;
    let frames = super::heap_v2::frames(cursor.0)?;
    Some((cycles as f64, count as f64, frames))
}
