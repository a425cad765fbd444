//! The icicle as one SVG file that needs nothing beside it. A pure writer, the same stacks give the
//! same bytes. The picture is `flame`'s; title, colours and both themes are ours.

use std::collections::HashMap;

use crate::view::picture::flame::{self, Path};
use crate::view::picture::hue;
use crate::view::picture::text_width;
use crate::view::picture::xml;

use crate::figures::amount::amount;
use crate::figures::units::Unit;
use crate::figures::words;
use crate::profile::model::ValueKind;
use crate::stacks::NamedProfile;
use crate::stacks::naming::{Frame, FrameKind};

/// Width of the picture, as wide as a page of a browser.
const WIDTH: f64 = 1280.0;
const MARGIN: f64 = 10.0;
const TITLE: f64 = 30.0;

const CSS: &str = include_str!("../assets/flame_file.css");

/// `java: 384.3 MB live (malloc)`; of a difference `java: 384.3 MB more live than in the base (malloc)`, what
/// the base has more of left out, as it has no width.
pub fn title(named: &NamedProfile, program: &str, kind: &str, unit: Unit) -> String {
    let what = match unit {
        Unit::Objects => " blocks",
        _ => "",
    };
    let state = match (named.freed_within_ms, named.value) {
        (Some(ms), _) => format!("freed within {}", words::duration(ms / 1000.0)),
        (None, ValueKind::AllocSpace | ValueKind::AllocObjects) => "allocated".to_owned(),
        (None, _) => "live".to_owned(),
    };
    let program = if program.is_empty() { "heap" } else { program };
    let shown: f64 = named.stacks.iter().map(|s| s.value.max(0.0)).sum();
    let (more, than) = match named.is_difference {
        true => (" more", " than in the base"),
        false => ("", ""),
    };
    let shown = amount(shown, unit);
    format!("{program}: {shown}{what}{more} {state}{than} ({kind})")
}

/// The file; `None` when no stack has a value above zero.
pub fn render(profile: &NamedProfile, title: &str, unit: Unit) -> Option<String> {
    let hues = hues(profile);
    let path = |stack: &crate::stacks::NamedStack| Path {
        frames: stack
            .frames
            .iter()
            .rev()
            .map(|&id| {
                let frame = profile.frame(id);
                let hue = hues.get(home(frame)).copied();
                (frame.name.as_str(), hue.unwrap_or(hue::rest()))
            })
            .collect(),
        value: stack.value,
    };
    let paths: Vec<Path<'_>> = profile.stacks.iter().map(path).collect();
    let picture = flame::svg(&paths, title, WIDTH - 2.0 * MARGIN, unit);
    let height = height(&picture)?;
    let whole = height + TITLE + MARGIN;
    let placed = picture.replacen(
        "<svg ",
        &format!(
            "<svg x=\"{MARGIN}\" y=\"{TITLE}\" width=\"{}\" height=\"{height}\" ",
            WIDTH - 2.0 * MARGIN
        ),
        1,
    );
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {whole}\" width=\"{WIDTH}\" \
         height=\"{whole}\" font-family=\"{}\">\n<style>\n{}{CSS}</style>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"20\">{}</text>\n{placed}</svg>\n",
        text_width::FONT_FAMILY,
        hue::css(),
        xml::escape(title)
    ))
}

/// Of the picture, as its view box says; nothing of an empty one.
fn height(picture: &str) -> Option<f64> {
    let (_, rest) = picture.split_once("viewBox=\"")?;
    let (numbers, _) = rest.split_once('"')?;
    numbers.rsplit(' ').next()?.parse().ok()
}

fn hues(profile: &NamedProfile) -> HashMap<&str, usize> {
    hue::modules(profile.frames.iter().map(home))
}

fn home(frame: &Frame) -> &str {
    match (&frame.module, frame.kind) {
        (Some(module), _) => module,
        (None, FrameKind::Managed) => "managed code",
        (None, _) => "",
    }
}
