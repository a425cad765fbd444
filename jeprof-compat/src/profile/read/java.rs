//! The heap and the delays of a JVM as Google's agent writes them: `--- heapz 1 ---`, attributes,
//! `BYTES COUNT @ ADDRESSES`, then a name for each address. Source: `legacy_java_profile.go` of pprof.

use anyhow::{Result, bail};
use profile_format::number::Cursor;
use profile_format::unbias::Sampling;

use super::assembly::{Assembly, too_big};
use crate::profile::bounds;
use crate::profile::model::{Line, Measure, Profile, Sample, Values};

/// The agent's mean number of bytes between samples; the file does not say it.
const PERIOD: u64 = 512 << 10;

/// Reads a whole file, its header included; `before` lines stand before these bytes in it.
pub fn parse(bytes: &[u8], name: &str, before: usize) -> Result<(Profile, Vec<String>)> {
    let text = String::from_utf8_lossy(bytes);
    let is_heap = text.trim_start().starts_with("--- heapz");
    let mut out = Assembly::default();
    let mut warnings = Vec::new();
    let mut factor = 1.0;
    for (line, number) in text.lines().map(str::trim).zip(before + 1..).skip(1) {
        if let Some((first, second, frames)) = sample(line) {
            let values = match is_heap {
                true => Sampling::Poisson(PERIOD).scale(second, first),
                false => (second as f64 * factor, first as f64 * factor),
            };
            let stack = out.exact_stack(&frames);
            out.count_record();
            out.push(Sample {
                stack,
                values: Values {
                    inuse_objects: values.0,
                    inuse_space: values.1,
                    ..Values::default()
                },
                ..Sample::default()
            });
        } else if let Some((address, line)) = named(line) {
            out.name(address, vec![line]);
        } else if let Some(period) = line.strip_prefix("sampling period") {
            let period = period.trim_start_matches([' ', '=']).parse();
            factor = period.ok().filter(|p: &f64| *p > 0.0).unwrap_or(1.0);
        }
        if out.is_full() {
            warnings.push(too_big(format_args!("{name}: line {number}")));
            break;
        }
    }
    let mut profile = out.finish();
    if profile.samples.is_empty() {
        bail!("{name}: no stack is in it");
    }
    if is_heap {
        profile.period = PERIOD;
    } else {
        profile.measure = Measure::Delay;
    }
    Ok((profile, warnings))
}

/// `BYTES COUNT @ ADDRESSES`.
fn sample(line: &str) -> Option<(u64, u64, Vec<u64>)> {
    let mut cursor = Cursor(line.as_bytes());
    let first = cursor.decimal()?;
    cursor.skip_blanks();
    let second = cursor.decimal()?;
    cursor.skip_blanks();
    cursor.eat(b"@")?;
    Some((first, second, super::heap_v2::frames(cursor.0)?))
}

/// `0x0000a java.lang.Thread.run (Thread.java:748)`.
fn named(line: &str) -> Option<(u64, Line)> {
    let (address, name) = line.strip_prefix("0x")?.split_once(' ')?;
    let address = u64::from_str_radix(address, 16).ok()?;
    let name = name.trim();
    let place = name
        .strip_suffix(')')
        .and_then(|name| name.rsplit_once(" ("));
    let (function, place) = match place {
        _ if name.contains("generated stub/JIT") => ("STUB", None),
        Some((function, place)) => (function, Some(place)),
        None => (name, None),
    };
    let numbered = place.and_then(|place| place.rsplit_once(':'));
    let file = numbered.map(|(file, _)| file).or(place);
    let line = Line {
        function: bounds::name(function),
        file: file.map(str::to_owned),
        line: numbered.and_then(|(_, line)| line.parse().ok()),
        ..Line::default()
    };
    Some((address, line))
}
