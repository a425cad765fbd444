//! The call graphs that stand in the page, drawn beforehand: placing boxes takes a browser too long. They are
//! read as a whole, so few boxes are kept, runs of them are folded, and letters differ little. Pure.

use super::data::Drawing;
use super::frames_up;
use crate::analysis::graph::{Graph, Role, Trim};
use crate::figures::units::Unit;
use crate::report::{Kind, Report, ReportFrame, Stack, Suspect};
use crate::stacks::naming::{Frame, FrameKind};
use crate::stacks::{FrameId, NamedProfile, NamedStack};
use crate::view::picture::layout::Compact;
use crate::view::picture::svg::{self, Caption, Letters};

/// Suspects whose call graphs are drawn beforehand.
const DRAWN_SUSPECTS: usize = 3;

/// Few enough boxes that the whole can be read on one screen.
const TRIM: Trim = Trim {
    node_count: 32,
    node_fraction: 0.015,
    edge_fraction: 0.005,
    max_degree: 8,
};

/// The call graphs of the selections that most readers start from: all of a kind, and the paths of
/// the first suspects.
pub(super) fn all(report: &Report) -> Vec<Drawing> {
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
        let mut graph = Graph::build(&profile, &TRIM);
        for node in &mut graph.nodes {
            node.role = role(report, kind, &node.frame.name);
        }
        graph.fold();
        let caption = Caption {
            program: &report.header.program,
            unit: Unit::Megabytes,
            letters: Letters::LEVEL,
            ..Caption::default()
        };
        let focus = focus.map_or_else(String::new, |focus| format!("/{focus}"));
        out.push(Drawing {
            key: format!("{}/{name}{focus}", kind.name),
            svg: svg::drawing(&graph, &caption, &Compact),
        });
    }
}

/// What a frame is to a reader.
fn role(report: &Report, kind: &Kind, name: &str) -> Role {
    let mut suspects = report.suspects.iter().filter(|s| s.kind == kind.name);
    let is_suspect = |s: &Suspect| s.verdict.is_growth() && s.culprit == name;
    if suspects.any(is_suspect) {
        return Role::Suspect;
    }
    let mut frames = kind.frames.iter();
    match frames.find(|frame| frame.name == name) {
        Some(frame) if frame.is_own => Role::Own,
        _ => Role::Other,
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
