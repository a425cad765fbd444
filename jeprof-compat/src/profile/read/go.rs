//! The names that Go writes behind a stack when it is asked for `debug=1`, with tabs between the parts:
//! `#  0x4b3eca  main.leaf+0x2a  /app/gh.go:5`. The functions inlined at an address follow each other,
//! the innermost first.

use super::assembly::Assembly;
use crate::profile::bounds::{self, MOST_INLINED};
use crate::profile::model::Line;

/// Gives an assembly the functions at each address of a call. Every other line is passed over. The line behind
/// which there was no room for more.
pub fn names(bytes: &[u8], out: &mut Assembly) -> Option<usize> {
    let mut open: Option<(u64, Vec<Line>)> = None;
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
        let named = named(line);
        if let Some((address, line)) = named {
            match &mut open {
                Some((at, lines)) if *at == address => {
                    lines.truncate(MOST_INLINED - 1);
                    lines.push(line);
                }
                _ if out.is_full() => return Some(number),
                _ => close(open.replace((address, vec![line])), out),
            }
        } else {
            close(open.take(), out);
        }
    }
    close(open, out);
    None
}

fn close(open: Option<(u64, Vec<Line>)>, out: &mut Assembly) {
    let Some((address, mut lines)) = open else {
        return;
    };
    let outermost = lines.len() - 1;
    for line in &mut lines[..outermost] {
        line.inlined = true;
    }
    out.name(address, lines);
}

fn named(line: &[u8]) -> Option<(u64, Line)> {
    let text = std::str::from_utf8(line.strip_prefix(b"#\t0x")?).ok()?;
    let mut parts = text.split('\t').filter(|part| !part.is_empty());
    let address = u64::from_str_radix(parts.next()?, 16).ok()?;
    let function = parts.next()?.trim();
    let function = function
        .rsplit_once("+0x")
        .map_or(function, |(name, _)| name);
    let place = parts.next().and_then(|place| place.trim().rsplit_once(':'));
    let line = Line {
        function: bounds::name(function),
        file: place.map(|(file, _)| file.to_owned()),
        line: place.and_then(|(_, line)| line.parse().ok()),
        ..Line::default()
    };
    Some((address, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_inlined_stands_before_its_caller() {
        let text = b"1: 2 [1: 2] @ 0x11 0x21\n#\t0x10\tmain.leaf+0x2a\t\t/a/gh.go:5\n\
                     #\t0x10\tmain.mid+0x1\t/a/gh.go:9\n#\t0x20\tmain.main\t/a/gh.go:12\n\n# x\n";
        let mut out = Assembly::default();
        out.exact_stack(&[0x10, 0x20]);
        assert_eq!(names(text, &mut out), None);
        let profile = out.finish();
        let shown = |at: usize| -> Vec<(&str, bool, Option<u32>)> {
            let lines = profile.locations[at].lines.iter();
            lines.map(|l| (&*l.function, l.inlined, l.line)).collect()
        };
        assert_eq!(
            shown(0),
            [("main.leaf", true, Some(5)), ("main.mid", false, Some(9))]
        );
        assert_eq!(shown(1), [("main.main", false, Some(12))]);
    }
}
