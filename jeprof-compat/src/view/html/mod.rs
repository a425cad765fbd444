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

mod account;
mod cards;
mod data;
mod drawings;
pub mod listing;
mod neighbours;
mod summary;
mod timeline;

use crate::view::picture::flame::{self, Path};
use crate::view::picture::hue;
use crate::view::picture::xml;

use crate::figures::units::Unit;
use crate::report::{Kind, Report};

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
            "evidence" => out += &evidence(report),
            "flame" => out += &static_flame(report),
            "notes" => out += &summary::notes(report),
            "data" => out += &data::pack(report, &drawings::all(report)),
            "script" => out += &SCRIPTS.concat(),
            _ => {}
        }
        rest = after;
    }
    out + rest
}

/// Where something grows, who does it; where nothing does, first where the memory is.
fn evidence(report: &Report) -> String {
    let (cards, account) = (cards::section(report), account::section(report));
    match report.conclusion.verdict.is_growth() {
        true => cards + &account,
        false => account + &cards,
    }
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
        at = node.parent.get();
        Some(node.frame)
    })
}
