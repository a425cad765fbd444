//! The call graph as one SVG file that needs nothing beside it. A pure writer: it places the boxes
//! through [`Engine`], and the same graph gives the same bytes.
//!
//! The look is jeprof's: the letters of a box follow its flat value, the width of an arrow the
//! value of the call. Beyond it: colour by cumulative value, whole names as tooltips, light and
//! dark, search and zoom by a script inside. Names are hostile input and pass `xml::escape`.

use std::ffi::OsStr;
use std::fmt::{self, Write};
use std::path::Path;

use crate::view::picture::arrow;
use crate::view::picture::colour;
use crate::view::picture::legend::Legend;
pub use crate::view::picture::node_label::Letters;
use crate::view::picture::node_label::{self, Label};
use crate::view::picture::text_width::{self, FONT_FAMILY};
use crate::view::picture::xml;

use crate::analysis::graph::{Edge, Graph, Node, Role};
use crate::figures::amount::{amount, percent};
use crate::figures::units::Unit;
use crate::figures::words;
use crate::stacks::KindTitle;
use crate::view::picture::layout::{Engine, Link, Placement, Point, Request, Route, Size};

const CSS: &str = include_str!("../assets/graph.css");
const SCRIPT: &str = include_str!("../assets/graph.js");

const MARGIN: f64 = 16.0;
const AMOUNT_SIZE: f64 = 9.0;
const LONGEST_NOTE: usize = 160;

/// What the picture says beside the graph.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caption<'a> {
    /// Whose profile it is.
    pub program: &'a str,
    /// How values are written.
    pub unit: Unit,
    /// What is counted, where it is not malloc.
    pub kind: Option<&'a KindTitle>,
    /// How large names are.
    pub letters: Letters,
    /// Boxes with a value of their own are to be seen at once.
    pub marks_own: bool,
}

/// The whole file.
pub fn render(graph: &Graph, caption: &Caption<'_>, engine: &dyn Engine) -> String {
    let script = format!("<script><![CDATA[\n{SCRIPT}]]></script>\n");
    written(graph, caption, engine, &css(), &script)
}

/// The same for a page that has the style sheet and a script of its own.
pub fn drawing(graph: &Graph, caption: &Caption<'_>, engine: &dyn Engine) -> String {
    written(graph, caption, engine, "", "")
}

/// The style sheet of a drawing: colours first.
pub fn css() -> String {
    format!("{}{CSS}", colour::css())
}

fn written(
    graph: &Graph,
    caption: &Caption<'_>,
    engine: &dyn Engine,
    css: &str,
    script: &str,
) -> String {
    let labels: Vec<Label> = graph
        .nodes
        .iter()
        .map(|node| node_label::label(graph, node, caption.unit, &caption.letters))
        .collect();
    let picture = Picture {
        graph,
        caption,
        placement: engine.place(&request(graph, &labels, caption.unit)),
        labels,
        css,
        script,
    };
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = picture.write(&mut out);
    out
}

fn request(graph: &Graph, labels: &[Label], unit: Unit) -> Request {
    let links = graph.edges.iter().map(|edge| Link {
        from: edge.from,
        to: edge.to,
        weight: edge.value.abs(),
        label: Size {
            width: text_width::width(&amount(edge.value, unit), AMOUNT_SIZE),
            height: AMOUNT_SIZE * 1.2,
        },
    });
    Request {
        boxes: labels.iter().map(|label| label.size).collect(),
        links: links.collect(),
    }
}

/// A note of no end would make a picture of no end.
fn shorten(note: &str) -> String {
    match note.char_indices().nth(LONGEST_NOTE) {
        Some((end, _)) => format!("{}…", &note[..end]),
        None => note.to_owned(),
    }
}

/// The directory of a program stands in the title of the file.
fn file_name(program: &str) -> &str {
    let name = Path::new(program).file_name().and_then(OsStr::to_str);
    name.unwrap_or(program)
}

struct Picture<'a> {
    graph: &'a Graph,
    caption: &'a Caption<'a>,
    labels: Vec<Label>,
    placement: Placement,
    css: &'a str,
    script: &'a str,
}

impl Picture<'_> {
    fn write(&self, out: &mut String) -> fmt::Result {
        let content = self.placement.size;
        let legend = self.legend(content);
        let legend_size = legend.size();
        let below_legend = MARGIN + legend_size.height + MARGIN;
        let width = content.width.max(legend_size.width) + 2.0 * MARGIN;
        let height = below_legend + content.height + MARGIN;
        let left = MARGIN + (width - 2.0 * MARGIN - content.width) / 2.0;
        self.head(out, width, height)?;
        writeln!(out, "<g id=\"viewport\">")?;
        legend.write(out, MARGIN)?;
        writeln!(
            out,
            "<g transform=\"translate({left:.1} {below_legend:.1})\">"
        )?;
        // Light edges first, so that the heavy ones lie on top.
        for (edge, route) in self.graph.edges.iter().zip(&self.placement.routes).rev() {
            self.edge(out, edge, route)?;
        }
        for (edge, route) in self.graph.edges.iter().zip(&self.placement.routes).rev() {
            self.amount(out, edge, route)?;
        }
        for (index, node) in self.graph.nodes.iter().enumerate() {
            self.node(out, node, &self.labels[index], self.placement.boxes[index])?;
        }
        writeln!(out, "</g>\n</g>")?;
        writeln!(out, "{}</svg>", self.script)
    }

    fn head(&self, out: &mut String, width: f64, height: f64) -> fmt::Result {
        let title = format!(
            "{}; {}",
            self.caption.program,
            amount(self.graph.total, self.caption.unit)
        );
        writeln!(
            out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}pt\" height=\"{height:.0}pt\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"{FONT_FAMILY}\">\n\
             <title>{}</title>\n<style>\n{}</style>\n\
             <rect class=\"paper\" width=\"{width:.0}\" height=\"{height:.0}\"/>",
            xml::escape(&title),
            self.css
        )
    }

    fn legend(&self, content: Size) -> Legend {
        let Graph { total, shown, .. } = *self.graph;
        let unit = self.caption.unit;
        let kind = self.caption.kind.map(|kind| shorten(&kind.to_string()));
        let mut lines: Vec<String> = kind.into_iter().collect();
        if let Some(ms) = self.graph.freed_within_ms {
            lines.push(format!("Freed within {}", words::duration(ms / 1000.0)));
        }
        lines.push(match self.graph.is_difference {
            true => format!("More than in the base: {}", amount(total, unit)),
            false => format!("Total: {}", amount(total, unit)),
        });
        // The sums were made in another order.
        if (shown - total).abs() > 1e-9 * total.abs() {
            let share = percent(shown, total);
            lines.push(format!("Focusing on: {} ({share})", amount(shown, unit)));
        }
        lines.extend(self.dropped());
        if self
            .graph
            .nodes
            .iter()
            .any(|node| node.role == Role::Suspect)
        {
            lines.push("Thick border: under suspicion".to_owned());
        }
        if self.graph.edges.iter().any(|edge| edge.residual) {
            lines.push("Dashed: by way of dropped boxes".to_owned());
        }
        if self.graph.nodes.is_empty() {
            lines.push("Nothing to draw".to_owned());
        }
        Legend {
            program: shorten(file_name(self.caption.program)),
            lines,
            // A wide picture is looked at from afar; of a high one, a part at a time.
            scale: (content.width / 1000.0).clamp(1.0, 2.5),
        }
    }

    /// `Dropped: 12 boxes up to 2.0 MB, 5 calls up to 402.9 KB`.
    fn dropped(&self) -> Option<String> {
        let unit = self.caption.unit;
        let part = |count: usize, [one, many]: [&str; 2], limit: f64| {
            let name = if count == 1 { one } else { many };
            let limit = amount(limit, unit);
            (count > 0).then(|| format!("{count} {name} up to {limit}"))
        };
        let Graph {
            dropped_nodes,
            dropped_edges,
            ..
        } = *self.graph;
        let parts = [
            part(dropped_nodes, ["box", "boxes"], self.graph.node_limit),
            part(dropped_edges, ["call", "calls"], self.graph.edge_limit),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("Dropped: {}", parts.join(", ")))
    }

    fn node(&self, out: &mut String, node: &Node, label: &Label, middle: Point) -> fmt::Result {
        let Size { width, height } = label.size;
        let (left, top) = (middle.x - width / 2.0, middle.y - height / 2.0);
        let heat = colour::class(node.cumulative, self.graph.shown);
        let class = match node.role {
            Role::Suspect => format!("{heat} suspect"),
            Role::Own => format!("{heat} own"),
            Role::Other => heat,
        };
        let is_marked = self.caption.marks_own && node.flat > 0.0;
        let mark = if is_marked {
            " style=\"stroke-width:4\""
        } else {
            ""
        };
        writeln!(
            out,
            "<g class=\"node {class}\"><title>{}</title>\
             <rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"{mark}/>",
            xml::escape(&self.node_tooltip(node))
        )?;
        for line in &label.lines {
            write!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"{:.1}\" text-anchor=\"middle\" data-room=\"{:.1}\">",
                middle.x,
                top + line.baseline,
                line.font_size,
                width - 4.0
            )?;
            for span in &line.spans {
                let text = xml::escape(&span.text);
                if span.dim {
                    write!(out, "<tspan class=\"dim\">{text}</tspan>")?;
                } else {
                    out.push_str(&text);
                }
            }
            writeln!(out, "</text>")?;
        }
        writeln!(out, "</g>")
    }

    fn node_tooltip(&self, node: &Node) -> String {
        let value = |v: f64| self.value(v);
        let mut text = node.frame.full.clone();
        if let Some(module) = &node.frame.module {
            text += &format!("\nin {module}");
        }
        if let Some(file) = &node.frame.file {
            text += &format!("\nat {file}");
            if let Some(line) = node.frame.line {
                text += &format!(":{line}");
            }
        }
        text += &format!(
            "\nflat: {}\ncumulative: {}",
            value(node.flat),
            value(node.cumulative)
        );
        if let Some(samples) = node.samples {
            text += &format!("\nfrom {}", words::count(samples, "sample"));
        }
        for frame in &node.folded {
            text += &format!("\n→ {}", frame.full);
        }
        text
    }

    fn value(&self, value: f64) -> String {
        let share = percent(value, self.graph.shown);
        format!("{} ({share})", amount(value, self.caption.unit))
    }

    fn edge_tooltip(&self, edge: &Edge) -> String {
        let name = |index: usize| &self.graph.nodes[index].frame.full;
        let arrow = if edge.residual { "⇢" } else { "→" };
        let value = self.value(edge.value);
        format!("{} {arrow} {}\n{value}", name(edge.from), name(edge.to))
    }

    /// Points; jeprof's are at most 2 wide, which hides the hot path in a big picture.
    fn edge_width(&self, edge: &Edge) -> f64 {
        let share = if self.graph.shown == 0.0 {
            0.0
        } else {
            (edge.value / self.graph.shown).abs().min(1.0)
        };
        0.8 + 5.2 * share
    }

    fn edge(&self, out: &mut String, edge: &Edge, route: &Route) -> fmt::Result {
        let width = self.edge_width(edge);
        let head = 5.0 + width * 1.4;
        let Some((line, tip)) = arrow::shorten(&route.points, head * 0.8) else {
            return Ok(());
        };
        let class = colour::class(edge.value, self.graph.shown);
        let residual = if edge.residual { " residual" } else { "" };
        writeln!(
            out,
            "<g class=\"edge {class}{residual}\" data-ends=\"{} {}\"><title>{}</title>\
             <path d=\"{}\" stroke-width=\"{width:.1}\"/><path class=\"head\" d=\"{}\"/></g>",
            edge.from,
            edge.to,
            xml::escape(&self.edge_tooltip(edge)),
            arrow::path(&line),
            arrow::head(&line, tip, head)
        )
    }

    fn amount(&self, out: &mut String, edge: &Edge, route: &Route) -> fmt::Result {
        // A page has many drawings, and the tooltip is at the arrow too.
        let tooltip = if self.script.is_empty() {
            String::new()
        } else {
            format!("<title>{}</title>", xml::escape(&self.edge_tooltip(edge)))
        };
        writeln!(
            out,
            "<text class=\"amount\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}{tooltip}</text>",
            route.label.x,
            route.label.y + AMOUNT_SIZE * 0.35,
            xml::escape(&amount(edge.value, self.caption.unit)),
        )
    }
}
