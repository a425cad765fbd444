//! The call graph as text for Graphviz, as `jeprof --dot` writes it. A pure writer. Residual edges are
//! dotted; dashes mean an inlined callee, as in jeprof.

use std::fmt::{self, Write};

use crate::analysis::graph::{Edge, Graph, Node};
use crate::figures::units::percent;
use crate::stacks::naming::{Frame, FrameKind};
use crate::view::picture::names;
use crate::view::picture::node_label::Letters;
use crate::view::picture::svg::Caption;

/// The whole file.
pub fn render(graph: &Graph, caption: &Caption<'_>) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = Dot { graph, caption }.write(&mut out);
    out
}

struct Dot<'a> {
    graph: &'a Graph,
    caption: &'a Caption<'a>,
}

impl Dot<'_> {
    fn write(&self, out: &mut String) -> fmt::Result {
        self.head(out)?;
        for (index, node) in self.graph.nodes.iter().enumerate() {
            self.node(out, index, node)?;
        }
        for edge in &self.graph.edges {
            self.edge(out, edge)?;
        }
        writeln!(out, "}}")
    }

    fn head(&self, out: &mut String) -> fmt::Result {
        let Graph { total, shown, .. } = *self.graph;
        let (program, unit) = (escape(self.caption.program), self.caption.unit.name());
        let total = self.value(total);
        let kind = self
            .caption
            .kind
            .map(|kind| escape(&kind.to_string()) + "\\l");
        writeln!(out, "digraph \"{program}; {total} {unit}\" {{")?;
        writeln!(out, "node [width=0.375,height=0.25];")?;
        writeln!(
            out,
            "Legend [shape=box,fontsize=24,shape=plaintext,label=\"{program}\\l{}\
             Total {unit}: {total}\\lFocusing on: {}\\l\
             Dropped nodes with <= {} abs({unit})\\lDropped edges with <= {} {unit}\\l\"];",
            kind.unwrap_or_default(),
            self.value(shown),
            self.value(self.graph.node_limit),
            self.value(self.graph.edge_limit),
        )
    }

    fn node(&self, out: &mut String, index: usize, node: &Node) -> fmt::Result {
        let share = |value| percent(value, self.graph.shown);
        let mut cumulative = String::new();
        if node.flat != node.cumulative {
            let (value, share) = (self.value(node.cumulative), share(node.cumulative));
            cumulative = format!("\\rof {value} ({share})");
        }
        let mark = match node.flat {
            flat if self.caption.marks_own && flat > 0.0 => ",style=filled,fillcolor=gray",
            flat if self.caption.marks_own && flat < 0.0 => ",peripheries=3",
            _ => "",
        };
        writeln!(
            out,
            "N{} [label=\"{}\\n{} ({}){cumulative}\\r\",shape=box,fontsize={:.1}{mark}];",
            index + 1,
            name(&node.frame),
            self.value(node.flat),
            share(node.flat),
            Letters::default().size(node, self.graph.shown),
        )
    }

    fn edge(&self, out: &mut String, edge: &Edge) -> fmt::Result {
        let shown = self.graph.shown;
        let share = if shown == 0.0 {
            0.0
        } else {
            (3.0 * edge.value / shown).abs()
        };
        let width = (2.0 * share.min(1.0)).max(1.0);
        // Squashed and capped as in jeprof: dot fails on large weights.
        let weight = edge.value.abs().powf(0.7).min(100_000.0) as u32;
        let style = match (edge.residual, self.graph.nodes[edge.to].frame.inlined) {
            (true, _) => ",dotted",
            (false, true) => ",dashed",
            (false, false) => "",
        };
        writeln!(
            out,
            "N{} -> N{} [label={}, weight={weight}, style=\"setlinewidth({width:.6}){style}\"];",
            edge.from + 1,
            edge.to + 1,
            self.value(edge.value),
        )
    }

    fn value(&self, value: f64) -> String {
        self.caption.unit.format(value)
    }
}

/// A line for each part of the name; of managed code one for the package and one for the rest.
fn name(frame: &Frame) -> String {
    let name = &frame.name;
    if frame.kind == FrameKind::Managed && !name.contains("::") {
        let (place, own) = names::parts(name, frame.is_class);
        let line_break = if place.is_empty() { "" } else { "\\n" };
        return format!("{}{line_break}{}", escape(place), escape(own));
    }
    let spaced = name.replace("::", "\n");
    let parts: Vec<String> = spaced.split_whitespace().map(escape).collect();
    parts.join("\\n")
}

/// For a string in double quotes; Graphviz reads `\n`, `\N` and the like as commands.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::graph::{Trim, tests::profile};
    use crate::figures::units::Unit;

    #[test]
    fn names_cannot_leave_their_string() {
        let name = |text: &str, kind, is_class| {
            name(&Frame {
                name: text.to_owned(),
                kind,
                is_class,
                ..Frame::default()
            })
        };
        let native = name("a::b \"c\"\\N\u{1}", FrameKind::Native, false);
        assert_eq!(native, "a\\nb\\n\\\"c\\\"\\\\N ");
        let class = name("java.lang.\"\\N[]", FrameKind::Managed, true);
        assert_eq!(class, "java.lang.\\n\\\"\\\\N[]");
        let method = name("java.util.List.add", FrameKind::Managed, false);
        assert_eq!(method, "java.util.\\nList.add");
    }

    #[test]
    fn the_file_is_what_jeprof_would_write() {
        let mb = 1_048_576.0;
        let lines = [
            format!("main;Pool::grow {}", 3.0 * mb),
            format!("main {}", mb),
        ];
        let profile = profile(&lines.each_ref().map(String::as_str));
        let graph = Graph::build(&profile, &Trim::default());
        let caption = Caption {
            program: "prog",
            unit: Unit::Megabytes,
            kind: None,
            ..Caption::default()
        };
        assert_eq!(
            render(&graph, &caption),
            "digraph \"prog; 4.0 MB\" {\n\
             node [width=0.375,height=0.25];\n\
             Legend [shape=box,fontsize=24,shape=plaintext,label=\"prog\\lTotal MB: 4.0\\l\
             Focusing on: 4.0\\lDropped nodes with <= 0.0 abs(MB)\\lDropped edges with <= 0.0 MB\\l\"];\n\
             N1 [label=\"main\\n1.0 (25.0%)\\rof 4.0 (100.0%)\\r\",shape=box,fontsize=33.0];\n\
             N2 [label=\"Pool\\ngrow\\n3.0 (75.0%)\\r\",shape=box,fontsize=51.3];\n\
             N1 -> N2 [label=3.0, weight=35351, style=\"setlinewidth(2.000000)\"];\n}\n"
        );
    }
}
