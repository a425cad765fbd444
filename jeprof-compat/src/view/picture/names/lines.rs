//! Characters on lines that end where a name allows it. Pure.

use super::Span;

/// A character, and whether it is dim.
pub(super) type Glyph = (char, bool);

/// Fills lines greedily; what does not fit on one has the path of the source begin another.
pub(super) fn break_lines(text: &[Glyph], columns: usize) -> Vec<Vec<Glyph>> {
    if text.len() <= columns {
        return fill(text, columns);
    }
    let before_path = |a: &Glyph, b: &Glyph| a.0 == ' ' && b.0 == '/';
    text.chunk_by(|a, b| !before_path(a, b))
        .flat_map(|stretch| fill(stretch, columns))
        .collect()
}

fn fill(text: &[Glyph], columns: usize) -> Vec<Vec<Glyph>> {
    let mut lines: Vec<Vec<Glyph>> = Vec::new();
    for atom in atoms(text, columns) {
        match lines.last_mut() {
            Some(line) if line.len() + width(&atom) <= columns => line.extend(atom),
            _ => lines.push(atom),
        }
    }
    lines
}

/// A blank at the end of a line takes no room.
fn width(atom: &[Glyph]) -> usize {
    atom.len() - usize::from(atom.last().is_some_and(|(c, _)| *c == ' '))
}

/// Stretches that stay on one line.
fn atoms(text: &[Glyph], columns: usize) -> Vec<Vec<Glyph>> {
    let good = pieces(text, |before, after| {
        matches!(before, '/' | ',' | ' ' | '.')
            || (before == ':' && after != ':')
            || matches!(after, '<' | '(')
            || (before == '$' && after.is_alphabetic())
    });
    let fair = good.into_iter().flat_map(|piece| {
        if width(&piece) <= columns {
            vec![piece]
        } else {
            pieces(&piece, |before, after| {
                before == '_' || (before.is_lowercase() && after.is_uppercase())
            })
        }
    });
    fair.flat_map(|piece| {
        if width(&piece) <= columns {
            vec![piece]
        } else {
            piece.chunks(columns).map(<[Glyph]>::to_vec).collect()
        }
    })
    .collect()
}

fn pieces(text: &[Glyph], may_break: impl Fn(char, char) -> bool) -> Vec<Vec<Glyph>> {
    text.chunk_by(|before, after| !may_break(before.0, after.0))
        .map(<[Glyph]>::to_vec)
        .collect()
}

/// Leaves out lines from the middle; the end of a name says more than its middle.
pub(super) fn elide(mut lines: Vec<Vec<Glyph>>, max: usize) -> Vec<Vec<Glyph>> {
    if lines.len() > max {
        let head = max / 2;
        let tail = lines.len() - (max - head - 1);
        lines.splice(head..tail, [vec![('…', true)]]);
    }
    lines
}

pub(super) fn spans(line: &[Glyph]) -> Vec<Span> {
    let mut spans: Vec<Span> = line
        .chunk_by(|a, b| a.1 == b.1)
        .map(|run| Span {
            text: run.iter().map(|(c, _)| c).collect(),
            dim: run[0].1,
        })
        .collect();
    if let Some(last) = spans.last_mut() {
        last.text.truncate(last.text.trim_end().len());
    }
    spans
}
