//! The names that Go writes behind a stack when it is asked for `debug=1`, with tabs between the parts:
//! `#  0x4b3eca  main.leaf+0x2a  /app/gh.go:5`. The functions inlined at an address follow each other,
//! the innermost first.

use std::collections::HashMap;

use crate::profile::model::Line;

/// The functions at each address of a call. Every other line is passed over.
pub fn names(bytes: &[u8]) -> HashMap<u64, Vec<Line>> {
    let mut names: HashMap<u64, Vec<Line>> = HashMap::new();
    let mut open: Option<(u64, Vec<Line>)> = None;
    for line in bytes.split(|byte| *byte == b'\n') {
        let named = named(line);
        if let Some((address, line)) = named {
            match &mut open {
                Some((at, lines)) if *at == address => lines.push(line),
                _ => {
                    close(open.replace((address, vec![line])), &mut names);
                }
            }
        } else {
            close(open.take(), &mut names);
        }
    }
    close(open, &mut names);
    names
}

fn close(open: Option<(u64, Vec<Line>)>, names: &mut HashMap<u64, Vec<Line>>) {
    let Some((address, mut lines)) = open else {
        return;
    };
    let outermost = lines.len() - 1;
    for line in &mut lines[..outermost] {
        line.inlined = true;
    }
    names.entry(address).or_insert(lines);
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
        function: function.to_owned(),
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
        let names = names(text);
        let shown = |at: u64| -> Vec<(&str, bool, Option<u32>)> {
            let lines = names[&at].iter();
            lines.map(|l| (&*l.function, l.inlined, l.line)).collect()
        };
        assert_eq!(
            shown(0x10),
            [("main.leaf", true, Some(5)), ("main.mid", false, Some(9))]
        );
        assert_eq!(shown(0x20), [("main.main", false, Some(12))]);
    }
}
