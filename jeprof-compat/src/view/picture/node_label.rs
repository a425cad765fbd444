//! What is written into a box of the call graph, line by line, and how big the box gets by it. Pure.

use crate::analysis::graph::{Graph, Node};
use crate::figures::amount::{amount, percent};
use crate::figures::units::Unit;
use crate::stacks::naming::{Frame, FrameKind};
use crate::view::picture::layout::Size;
use crate::view::picture::names::{self, Span};
use crate::view::picture::text_width;

/// Lines of text with their box.
#[derive(Clone, Debug, Default)]
pub(super) struct Label {
    pub(super) lines: Vec<Line>,
    pub(super) size: Size,
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) spans: Vec<Span>,
    pub(super) font_size: f64,
    /// From the top of the box to the foot of the letters.
    pub(super) baseline: f64,
}

const SMALLEST: f64 = 8.0;
/// Names wrap at this many characters up to [`WIDE_FONT`], earlier above.
const COLUMNS: f64 = 40.0;
const WIDE_FONT: f64 = 18.0;
const LINE_HEIGHT: f64 = 1.18;
const DESCENT: f64 = 0.3;

/// jeprof's famous look: the area of the letters follows the flat value.
pub(super) fn font_size(flat: f64, shown: f64) -> f64 {
    let share = if shown == 0.0 {
        0.0
    } else {
        (flat / shown).abs().min(1.0)
    };
    SMALLEST + 50.0 * share.sqrt()
}

/// Name, source of a managed frame, flat value, cumulative value.
pub(super) fn label(graph: &Graph, node: &Node, unit: Unit) -> Label {
    let main = font_size(node.flat, graph.shown);
    let side = (main * 0.6).max(SMALLEST);
    let columns = (COLUMNS * WIDE_FONT / main).clamp(16.0, COLUMNS) as usize;
    let name = names::wrap(
        &node.frame.name,
        node.frame.is_class,
        columns,
        (COLUMNS * WIDE_FONT / side).clamp(16.0, COLUMNS) as usize,
    );
    let mut builder = Builder::default();
    for text in name.place {
        builder.push(vec![Span { text, dim: true }], side);
    }
    for spans in name.own {
        builder.push(spans, main);
    }
    if let Some(text) = source(&node.frame) {
        builder.push(vec![Span { text, dim: true }], side);
    }
    let figure = (main * 0.75).max(SMALLEST);
    let value = |v: f64| format!("{} ({})", amount(v, unit), percent(v, graph.shown));
    for text in figures(node, value) {
        builder.push(vec![Span { text, dim: false }], figure);
    }
    builder.finish(main)
}

/// `ExceptionLogger.java:42`: what managed code is looked up by. Native names say it only where it
/// was asked for, as jeprof's do.
fn source(frame: &Frame) -> Option<String> {
    const MOST: usize = 60;
    let file = frame.file.as_deref()?;
    if frame.kind != FrameKind::Managed || frame.name != frame.full {
        return None;
    }
    let name = file.rsplit('/').next().unwrap_or(file);
    let name: String = name.chars().take(MOST).collect();
    Some(
        frame
            .line
            .map_or(name.clone(), |line| format!("{name}:{line}")),
    )
}

/// jeprof's two lines, or one where nothing is flat.
fn figures(node: &Node, value: impl Fn(f64) -> String) -> Vec<String> {
    let cumulative = value(node.cumulative);
    if node.flat == node.cumulative {
        vec![cumulative]
    } else if node.flat == 0.0 {
        vec![format!("0 of {cumulative}")]
    } else {
        vec![value(node.flat), format!("of {cumulative}")]
    }
}

#[derive(Default)]
struct Builder {
    lines: Vec<Line>,
    width: f64,
    height: f64,
}

impl Builder {
    fn push(&mut self, spans: Vec<Span>, font_size: f64) {
        let width: f64 = spans
            .iter()
            .map(|s| text_width::width(&s.text, font_size))
            .sum();
        self.width = self.width.max(width);
        self.height += font_size * LINE_HEIGHT;
        self.lines.push(Line {
            spans,
            font_size,
            baseline: self.height - font_size * DESCENT,
        });
    }

    /// Adds a margin that grows with the letters.
    fn finish(mut self, font_size: f64) -> Label {
        let (side, top) = (4.0 + font_size * 0.35, 2.0 + font_size * 0.12);
        for line in &mut self.lines {
            line.baseline += top;
        }
        Label {
            lines: self.lines,
            size: Size {
                width: self.width + 2.0 * side,
                height: self.height + 2.0 * top,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::font_size;

    #[test]
    fn the_font_follows_the_flat_value_as_in_jeprof() {
        assert_eq!(font_size(0.0, 100.0), 8.0);
        assert_eq!(font_size(25.0, 100.0), 33.0);
        assert_eq!(font_size(100.0, 100.0), 58.0);
        assert_eq!(font_size(-100.0, 100.0), 58.0);
        assert_eq!(font_size(1.0, 0.0), 8.0);
    }
}
