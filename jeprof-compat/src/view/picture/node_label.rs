//! What is written into a box of the call graph, line by line, and how big the box gets by it. Pure.

use crate::analysis::graph::{Graph, Node, Role};
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

/// How letters follow the flat value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Letters {
    /// Of a box in which nothing is asked for.
    smallest: f64,
    /// What is added for the whole.
    grows: f64,
    /// The least of the program's own boxes, and of those under suspicion.
    own: f64,
    suspect: f64,
}

impl Default for Letters {
    /// jeprof's famous look: the area of the letters follows the flat value.
    fn default() -> Self {
        Letters {
            smallest: 8.0,
            grows: 50.0,
            own: 8.0,
            suspect: 8.0,
        }
    }
}

impl Letters {
    /// Of a picture that is read as a whole: no letters are three times as large as others, and the program's
    /// own names are read when the rest is not.
    pub const LEVEL: Letters = Letters {
        smallest: 12.0,
        grows: 22.0,
        own: 18.0,
        suspect: 21.0,
    };

    /// Of the name of a box.
    pub(super) fn size(&self, node: &Node, shown: f64) -> f64 {
        let share = if shown == 0.0 {
            0.0
        } else {
            (node.flat / shown).abs().min(1.0)
        };
        let least = match node.role {
            Role::Other => self.smallest,
            Role::Own => self.own,
            Role::Suspect => self.suspect,
        };
        (self.smallest + self.grows * share.sqrt()).max(least)
    }
}

/// Names wrap at this many characters up to [`WIDE_FONT`], earlier above.
const COLUMNS: f64 = 40.0;
const WIDE_FONT: f64 = 18.0;
const LINE_HEIGHT: f64 = 1.18;
const DESCENT: f64 = 0.3;

/// Name, source of a managed frame, flat value, cumulative value.
pub(super) fn label(graph: &Graph, node: &Node, unit: Unit, letters: &Letters) -> Label {
    let main = letters.size(node, graph.shown);
    let side = (main * 0.6).max(letters.smallest);
    let columns = (COLUMNS * WIDE_FONT / main).clamp(16.0, COLUMNS) as usize;
    let name = names::wrap(
        &node.frame.name,
        node.frame.is_class,
        columns,
        (COLUMNS * WIDE_FONT / side).clamp(16.0, COLUMNS) as usize,
    );
    let mut builder = Builder {
        // The style sheet has them in bold.
        wider: if node.role == Role::Suspect {
            1.13
        } else {
            1.0
        },
        ..Builder::default()
    };
    for text in name.place {
        builder.push(vec![Span { text, dim: true }], side);
    }
    for spans in name.own {
        builder.push(spans, main);
    }
    if let Some(text) = source(&node.frame) {
        builder.push(vec![Span { text, dim: true }], side);
    }
    if let Some(last) = node.folded.last() {
        let text = format!("⋮ and {} more, the last", node.folded.len());
        builder.push(vec![Span { text, dim: true }], side);
        for spans in names::wrap(&last.name, last.is_class, columns, columns).own {
            builder.push(spans, main);
        }
    }
    let figure = (main * 0.75).max(letters.smallest);
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
    // The name of a line has its place in it, and that of a file is it.
    let has_place = frame.name == file
        || frame.name.len() > frame.full.len() && frame.name.starts_with(&frame.full);
    if frame.kind != FrameKind::Managed || has_place {
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
    /// Than letters of plain weight.
    wider: f64,
}

impl Builder {
    fn push(&mut self, spans: Vec<Span>, font_size: f64) {
        let width: f64 = spans
            .iter()
            .map(|s| text_width::width(&s.text, font_size))
            .sum();
        self.width = self.width.max(width * self.wider);
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
    use super::*;

    fn node(flat: f64, role: Role) -> Node {
        Node {
            frame: Frame::default(),
            flat,
            cumulative: 100.0,
            samples: None,
            role,
            folded: Vec::new(),
        }
    }

    #[test]
    fn the_font_follows_the_flat_value_as_in_jeprof() {
        let size =
            |flat: f64, shown: f64| Letters::default().size(&node(flat, Role::Suspect), shown);
        assert_eq!(size(0.0, 100.0), 8.0);
        assert_eq!(size(25.0, 100.0), 33.0);
        assert_eq!(size(100.0, 100.0), 58.0);
        assert_eq!(size(-100.0, 100.0), 58.0);
        assert_eq!(size(1.0, 0.0), 8.0);
    }

    #[test]
    fn level_letters_are_within_a_factor_of_three() {
        let size = |flat: f64, role| Letters::LEVEL.size(&node(flat, role), 100.0);
        assert!(size(100.0, Role::Other) < 3.0 * size(0.0, Role::Other));
        assert!(size(0.0, Role::Own) > 1.4 * size(0.0, Role::Other));
        assert!(size(0.0, Role::Suspect) > size(0.0, Role::Own));
    }

    #[test]
    fn a_box_that_stands_for_others_says_so() {
        let mut node = node(0.0, Role::Other);
        node.frame.name = "start".to_owned();
        let named = |name: &str| Frame {
            name: name.to_owned(),
            ..Frame::default()
        };
        node.folded = vec![named("init"), named("main")];
        let graph = Graph {
            shown: 100.0,
            ..Graph::default()
        };
        let label = label(&graph, &node, Unit::Megabytes, &Letters::LEVEL);
        let text = |line: &Line| {
            line.spans
                .iter()
                .map(|s| s.text.as_str())
                .collect::<String>()
        };
        let lines: Vec<String> = label.lines.iter().map(text).collect();
        assert_eq!(lines[..3], ["start", "⋮ and 2 more, the last", "main"]);
    }
}
