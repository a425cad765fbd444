//! The leak report as one HTML file that needs nothing beside it: no network, no server. A pure writer,
//! and the same report gives the same bytes.
//!
//! ```text
//! report -> summary, timeline, flame   what is read without a script
//!        -> data                       the same and all stacks, for assets/*.js
//! ```
//! The first screen is the verdict in words. Names are hostile input: here they pass
//! `xml::escape`, in the script they only ever become text nodes, and the page's policy forbids
//! every connection.

mod data;
mod neighbours;
mod summary;
mod timeline;

use crate::view::picture::flame::{self, Path};
use crate::view::picture::hue;
use crate::view::picture::svg;
use crate::view::picture::svg::Caption;
use crate::view::picture::xml;

use crate::analysis::graph::{Graph, Trim};
use crate::figures::units::Unit;
use crate::report::{Kind, Report, ReportFrame, Stack};
use crate::stacks::naming::{Frame, FrameKind};
use crate::stacks::{FrameId, NamedProfile, NamedStack};
use crate::view::picture::layout::Layered;
use data::Drawing;

const CSS: [&str; 2] = [
    include_str!("../assets/page.css"),
    include_str!("../assets/views.css"),
];

/// In the order in which they use each other.
const SCRIPTS: [&str; 11] = [
    include_str!("../assets/data.js"),
    include_str!("../assets/state.js"),
    include_str!("../assets/stacks.js"),
    include_str!("../assets/draw.js"),
    include_str!("../assets/flame.js"),
    include_str!("../assets/sandwich.js"),
    include_str!("../assets/table.js"),
    include_str!("../assets/callgraph.js"),
    include_str!("../assets/brush.js"),
    include_str!("../assets/export.js"),
    include_str!("../assets/main.js"),
];

/// The template; a word in `{{}}` is a place to be filled.
const TEMPLATE: &str = include_str!("../assets/page.html");

/// Width of the flame graph that is there without a script.
const STATIC_WIDTH: f64 = 1200.0;

/// The whole file.
pub fn render(report: &Report) -> String {
    let title = format!("{}: {}", report.header.program, report.conclusion.headline);
    let mut out = String::with_capacity(1 << 20);
    // Filled in one pass: what is put in is never looked at for places.
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        let (place, after) = after.split_once("}}").unwrap_or((after, ""));
        out.push_str(before);
        match place {
            "title" => out += &xml::escape(&title),
            "css" => out += &format!("{}{}", hue::css(), CSS.concat()),
            "verdict" => out += &summary::verdict(report),
            "processes" => out += &neighbours::section(report),
            "facts" => out += &summary::facts(report),
            "timeline" => out += &timeline::section(report),
            "account" => out += &summary::account(report),
            "suspects" => out += &summary::suspects(report),
            "flame" => out += &static_flame(report),
            "notes" => out += &summary::notes(report),
            "data" => out += &data::pack(report, &drawings(report)),
            "script" => out += &SCRIPTS.concat(),
            _ => {}
        }
        rest = after;
    }
    out + rest
}

/// What the first kind held at the last dump.
fn static_flame(report: &Report) -> String {
    let Some(kind) = report.kinds.first() else {
        return "<p class=\"empty\">No stacks were sampled.</p>\n".to_owned();
    };
    let hues = data::hues(kind);
    let paths: Vec<Path<'_>> = kind
        .stacks
        .iter()
        .filter_map(|stack| {
            let mut frames: Vec<(&str, usize)> = frames_up(kind, stack.node)
                .map(|frame| {
                    let frame = &kind.frames[frame as usize];
                    let hue = hues.get(frame.home()).copied();
                    (frame.name.as_str(), hue.unwrap_or(hue::rest()))
                })
                .collect();
            frames.reverse();
            let value = stack.cells.last()?.bytes;
            Some(Path { frames, value })
        })
        .collect();
    flame::svg(&paths, &kind.title, STATIC_WIDTH, Unit::Megabytes)
}

/// Leaf first.
fn frames_up(kind: &Kind, leaf: u32) -> impl Iterator<Item = u32> {
    let mut at = Some(leaf);
    std::iter::from_fn(move || {
        let node = kind.nodes[at? as usize];
        at = node.parent;
        Some(node.frame)
    })
}

/// Suspects whose call graphs are drawn beforehand.
const DRAWN_SUSPECTS: usize = 3;

/// The call graphs of the selections that most readers start from: all of a kind, and the paths of
/// the first suspects.
fn drawings(report: &Report) -> Vec<Drawing> {
    let mut out = Vec::new();
    for kind in &report.kinds {
        let suspects = report.suspects.iter().take(DRAWN_SUSPECTS);
        let culprits = suspects.filter(|s| s.kind == kind.name);
        let focuses = std::iter::once(None).chain(culprits.map(|s| Some(s.culprit.as_str())));
        for focus in focuses {
            draw(report, kind, focus, &mut out);
        }
    }
    out
}

fn draw(report: &Report, kind: &Kind, focus: Option<&str>, out: &mut Vec<Drawing>) {
    let has = |stack: &Stack, name: &str| {
        frames_up(kind, stack.node).any(|f| kind.frames[f as usize].name == name)
    };
    let is_in = |stack: &Stack| focus.is_none_or(|name| has(stack, name));
    let last = |stack: &Stack| stack.cells.last().map_or(0.0, |c| c.bytes);
    let first = |stack: &Stack| stack.cells.first().map_or(0.0, |c| c.bytes);
    let mut wanted = vec![("live", profile(kind, is_in, last))];
    if report.timeline.dumps.len() > 1 {
        let growth = profile(kind, is_in, |stack| last(stack) - first(stack));
        wanted.push(("growth", growth));
    }
    for (name, profile) in wanted.into_iter().filter(|w| !w.1.stacks.is_empty()) {
        let graph = Graph::build(&profile, &Trim::default());
        let caption = Caption {
            program: &report.header.program,
            unit: Unit::Megabytes,
            kind: None,
        };
        let focus = focus.map_or_else(String::new, |focus| format!("/{focus}"));
        out.push(Drawing {
            key: format!("{}/{name}{focus}", kind.name),
            svg: svg::drawing(&graph, &caption, &Layered),
        });
    }
}

/// A kind as the call graph wants it.
fn profile(
    kind: &Kind,
    is_in: impl Fn(&Stack) -> bool,
    value: impl Fn(&Stack) -> f64,
) -> NamedProfile {
    let frame = |frame: &ReportFrame| Frame {
        name: frame.name.clone(),
        full: frame.full.clone().unwrap_or_else(|| frame.name.clone()),
        system: false,
        module: frame.module.clone(),
        file: frame.file.clone(),
        line: frame.line,
        is_class: frame.kind == "class",
        kind: match frame.kind {
            "unresolved" => FrameKind::Unresolved,
            "managed" | "class" => FrameKind::Managed,
            _ => FrameKind::Native,
        },
        ..Frame::default()
    };
    let stack = |stack: &Stack| NamedStack {
        frames: frames_up(kind, stack.node).map(FrameId).collect(),
        value: value(stack),
        samples: stack.cells.last().map(|c| c.samples.min(u32::MAX.into())),
    };
    let stacks = kind.stacks.iter().filter(|s| is_in(s));
    let stacks: Vec<NamedStack> = stacks.map(stack).collect();
    NamedProfile {
        frames: kind.frames.iter().map(frame).collect(),
        total: stacks.iter().map(|s| s.value).sum(),
        stacks: stacks.into_iter().filter(|s| s.value != 0.0).collect(),
        value: crate::profile::model::ValueKind::InuseSpace,
        ..NamedProfile::default()
    }
}
