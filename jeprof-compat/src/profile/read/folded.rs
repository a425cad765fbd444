//! Folded stacks: `root;...;leaf VALUE`, as `jeprof --collapsed`, Brendan Gregg's scripts, inferno, bcc and
//! async-profiler write them. Of two values (a differential file) the second less the first is taken.

use anyhow::{Result, bail};

use super::assembly::{Assembly, too_big};
use crate::profile::bounds::DEEPEST;
use crate::profile::model::{Line, Profile, Sample, Values};

const INLINED: [&str; 2] = ["[inline]", "_[i]"];

/// Reads a whole file.
pub fn parse(bytes: &[u8], name: &str) -> Result<(Profile, Vec<String>)> {
    let text = String::from_utf8_lossy(bytes);
    let mut out = Assembly::default();
    let (mut strange, mut pairs) = (0, 0);
    let mut full = None;
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((stack, value, is_pair)) = stack(line) else {
            strange += 1;
            continue;
        };
        pairs += usize::from(is_pair);
        let frames = stack.rsplit(';').take(DEEPEST + 1).map(frame);
        let stack = frames.map(|line| out.named(line)).collect();
        out.push(Sample {
            stack,
            values: Values {
                inuse_space: value,
                ..Values::default()
            },
            ..Sample::default()
        });
        if out.is_full() {
            full = Some(too_big(format_args!("{name}: line {number}")));
            break;
        }
    }
    let profile = out.finish();
    if profile.samples.is_empty() {
        bail!("{name}: no stack is in it");
    }
    let mut warnings = Vec::new();
    if strange > 0 {
        warnings.push(format!(
            "{name}: {strange} lines do not end in a number: they are left out"
        ));
    }
    if pairs > 0 {
        warnings.push(format!(
            "{name}: of two values the second less the first is shown"
        ));
    }
    warnings.extend(full);
    Ok((profile, warnings))
}

/// The stack, its value, and whether there were two of them.
fn stack(line: &str) -> Option<(&str, f64, bool)> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite());
    let (rest, last) = line.rsplit_once(' ')?;
    let last = number(last)?;
    let before = rest.trim_end().rsplit_once(' ');
    let before = before.and_then(|(stack, value)| Some((stack, number(value)?)));
    Some(match before {
        Some((stack, first)) if !stack.is_empty() => (stack.trim_end(), last - first, true),
        _ => (rest.trim_end(), last, false),
    })
}

fn frame(text: &str) -> Line {
    let bare = INLINED.iter().find_map(|mark| text.strip_suffix(mark));
    Line {
        inlined: bare.is_some(),
        ..super::symbolized::line(bare.unwrap_or(text))
    }
}
