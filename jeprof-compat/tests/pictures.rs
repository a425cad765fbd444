//! The call graph as SVG and as dot text: golden files (`BLESS=1` rewrites them), and properties
//! that hold for every graph: boxes and labels stay apart, lines miss the boxes of others,
//! everything is inside the picture, and no name leaves its place in the XML.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use jeprof_compat::analysis::graph::{Graph, Trim};
use jeprof_compat::figures::units::Unit;
use jeprof_compat::stacks::naming::Frame;
use jeprof_compat::stacks::{FrameId, NamedProfile, NamedStack};
use jeprof_compat::view;
use jeprof_compat::view::picture::layout::{
    Engine, Layered, Link, Placement, Point, Request, Size,
};
use jeprof_compat::view::picture::svg::Caption;
use jeprof_compat::view::picture::{dot, svg};
use jeprof_compat::view::terminal::text;
use proptest::prelude::*;

const PICTURES: [&str; 4] = ["recursion", "hostile", "jvm", "node"];

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Root first, a value at the end of each line.
fn folded(text: &str) -> NamedProfile {
    let mut profile = NamedProfile::default();
    let mut ids: HashMap<String, FrameId> = HashMap::new();
    for line in text.lines() {
        let (names, value) = line.rsplit_once(' ').expect("a value after a blank");
        let value: f64 = value.parse().expect("a number");
        let mut frames: Vec<FrameId> = Vec::new();
        for name in names.split(';') {
            let next = FrameId(profile.frames.len() as u32);
            let id = *ids.entry(name.to_owned()).or_insert(next);
            if id == next {
                profile.frames.push(Frame {
                    name: name.to_owned(),
                    full: name.to_owned(),
                    ..Frame::default()
                });
            }
            frames.push(id);
        }
        frames.reverse();
        profile.total += value;
        profile.stacks.push(NamedStack {
            frames,
            value,
            samples: None,
        });
    }
    profile
}

fn graph(name: &str) -> Graph {
    let path = tests().join(format!("data/folded/{name}.folded"));
    let text = std::fs::read_to_string(path).expect("the fixture");
    Graph::build(&folded(&text), &Trim::default())
}

fn caption(name: &str) -> Caption<'_> {
    Caption {
        program: name,
        unit: Unit::Megabytes,
        kind: None,
        ..Caption::default()
    }
}

fn compare(file: &str, made: &str) {
    let path = tests().join("golden/pictures").join(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, made).expect("a golden file");
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let difference = golden
        .lines()
        .zip(made.lines())
        .enumerate()
        .find(|(_, (golden, made))| golden != made);
    assert!(
        golden == made,
        "{file} differs, first in {difference:?}; BLESS=1 takes the new one"
    );
}

#[test]
fn pictures_are_the_golden_ones() {
    for name in PICTURES {
        let graph = graph(name);
        let picture = svg::render(&graph, &caption(name), &Layered);
        compare(&format!("{name}.svg"), &picture);
        compare(&format!("{name}.dot"), &dot::render(&graph, &caption(name)));
        let again = svg::render(&graph, &caption(name), &Layered);
        assert_eq!(picture, again, "same input, same bytes");
    }
}

#[test]
fn every_picture_is_xml_and_names_stay_text() {
    for name in PICTURES {
        let graph = graph(name);
        let picture = svg::render(&graph, &caption("<a & \"b\">"), &Layered);
        let document = roxmltree::Document::parse(&picture).expect("well-formed XML");
        let count = |tag: &str| {
            let all = document.descendants();
            all.filter(|n| n.has_tag_name(tag)).count()
        };
        // Only our own script, no handler attributes, one group for each box.
        assert_eq!(count("script"), 1, "{name}");
        let attributes = document.descendants().flat_map(|n| n.attributes());
        assert!(!attributes.map(|a| a.name()).any(|a| a.starts_with("on")));
        let boxes = classed(&document, "node").count();
        assert_eq!(boxes, graph.nodes.len(), "{name}");
        assert_eq!(classed(&document, "edge").count(), graph.edges.len());
    }
}

fn classed<'a>(
    document: &'a roxmltree::Document<'a>,
    class: &'a str,
) -> impl Iterator<Item = roxmltree::Node<'a, 'a>> {
    document.descendants().filter(move |node| {
        let classes = node.attribute("class").unwrap_or_default();
        classes.split(' ').any(|c| c == class)
    })
}

#[test]
fn tooltips_hold_whole_names() {
    let graph = graph("node");
    let picture = svg::render(&graph, &caption("node"), &Layered);
    let document = roxmltree::Document::parse(&picture).expect("well-formed XML");
    let titles: Vec<&str> = document
        .descendants()
        .filter(|n| n.has_tag_name("title"))
        .filter_map(|n| n.text())
        .collect();
    for node in &graph.nodes {
        assert!(titles.iter().any(|t| t.starts_with(&node.frame.full)));
    }
}

#[test]
fn the_culprit_is_the_biggest_box_and_the_way_to_it_is_hot() {
    let graph = graph("jvm");
    let picture = svg::render(&graph, &caption("java"), &Layered);
    let document = roxmltree::Document::parse(&picture).expect("well-formed XML");
    let area = |node: &roxmltree::Node<'_, '_>| {
        let rect = node.children().find(|c| c.has_tag_name("rect"));
        let number = |key| rect.and_then(|r| r.attribute(key)?.parse::<f64>().ok());
        number("width").unwrap_or(0.0) * number("height").unwrap_or(0.0)
    };
    let biggest = classed(&document, "node")
        .max_by(|a, b| area(a).total_cmp(&area(b)))
        .expect("a box");
    let title = |node: roxmltree::Node<'_, '_>| {
        let title = node.children().find(|c| c.has_tag_name("title"));
        title.and_then(|t| t.text()).unwrap_or_default().to_owned()
    };
    assert!(title(biggest).starts_with("deflateInit2_\n"));
    let hottest: Vec<String> = classed(&document, "h8").map(title).collect();
    assert!(
        hottest
            .iter()
            .any(|t| t.starts_with("Java_java_util_zip_Deflater_init → deflateInit2_\n")),
        "{hottest:?}"
    );
}

#[test]
fn eighty_boxes_of_everything_are_placed() {
    let mut request = Request::default();
    for index in 0..80_usize {
        let side = 20.0 + (index * 37 % 90) as f64;
        request.boxes.push(Size {
            width: 2.0 * side,
            height: side,
        });
        for step in [1, 7, 31] {
            request
                .links
                .push(link(index, (index * 5 + step) % 80, side));
        }
    }
    check(&request, &Layered.place(&request));
}

fn link(from: usize, to: usize, weight: f64) -> Link {
    Link {
        from,
        to,
        weight,
        label: Size {
            width: 30.0,
            height: 10.0,
        },
    }
}

fn requests() -> impl Strategy<Value = Request> {
    (1_usize..16).prop_flat_map(|count| {
        let boxes = prop::collection::vec((10.0..200.0_f64, 10.0..120.0_f64), count);
        let links = prop::collection::vec((0..count, 0..count, 0.0..1e9_f64), 0..30);
        (boxes, links).prop_map(|(boxes, links)| {
            let mut seen = std::collections::HashSet::new();
            Request {
                boxes: boxes
                    .into_iter()
                    .map(|(width, height)| Size { width, height })
                    .collect(),
                links: links
                    .into_iter()
                    .filter(|(from, to, _)| seen.insert((*from, *to)))
                    .map(|(from, to, weight)| link(from, to, weight))
                    .collect(),
            }
        })
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{1,12}(::[a-z<>,]{1,9}){0,6}",
        "\\PC{0,40}",
        any::<String>().prop_map(|s| s.replace(['\n', ';'], " ")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn nothing_overlaps_in_any_layout(request in requests()) {
        check(&request, &Layered.place(&request));
    }

    #[test]
    fn any_names_make_well_formed_pictures(
        names in prop::collection::vec(name(), 1..8),
        values in prop::collection::vec(-1_000_000..9_000_000_i64, 1..8),
    ) {
        let mut lines = String::new();
        for (at, value) in values.iter().enumerate() {
            let (stack, _) = names.split_at(1 + at % names.len());
            lines += &format!("{} {value}\n", stack.join(";"));
        }
        let graph = Graph::build(&folded(&lines), &Trim::default());
        let picture = svg::render(&graph, &caption(&names[0]), &Layered);
        let parsed = roxmltree::Document::parse(&picture);
        prop_assert!(parsed.is_ok(), "{:?}", parsed.err());
        dot::render(&graph, &caption(&names[0]));
    }
}

#[test]
fn a_name_cannot_break_a_line_of_text() {
    let mut profile = folded("main;leak 10\n");
    for frame in &mut profile.frames {
        frame.name = "a\nb\u{1b}[31m".into();
        frame.full = "a\nb\u{1b};c".into();
    }
    let (mut table, mut lines) = (Vec::new(), Vec::new());
    text::write(&profile, text::Options::default(), &mut table).unwrap();
    view::format::folded::write(&profile, &mut lines).unwrap();
    let table = String::from_utf8(table).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    assert_eq!(table.lines().count(), 1 + profile.frames.len());
    assert!(table.contains("a\u{fffd}b\u{fffd}[31m"));
    assert_eq!(lines, "a\u{fffd}b\u{fffd}:c;a\u{fffd}b\u{fffd}:c 10\n");
}

/// Left, top, right, bottom.
type Area = [f64; 4];

fn area(middle: Point, size: Size) -> Area {
    [
        middle.x - size.width / 2.0,
        middle.y - size.height / 2.0,
        middle.x + size.width / 2.0,
        middle.y + size.height / 2.0,
    ]
}

fn overlap(a: Area, b: Area) -> bool {
    const TOUCH: f64 = 1e-6;
    a[0] + TOUCH < b[2] && b[0] + TOUCH < a[2] && a[1] + TOUCH < b[3] && b[1] + TOUCH < a[3]
}

fn check(request: &Request, placement: &Placement) {
    let boxes: Vec<Area> = placement
        .boxes
        .iter()
        .zip(&request.boxes)
        .map(|(middle, size)| area(*middle, *size))
        .collect();
    let labels: Vec<Area> = placement
        .routes
        .iter()
        .zip(&request.links)
        .map(|(route, link)| area(route.label, link.label))
        .collect();
    let all: Vec<Area> = boxes.iter().chain(&labels).copied().collect();
    for (index, a) in all.iter().enumerate() {
        for b in &all[index + 1..] {
            assert!(!overlap(*a, *b), "{a:?} and {b:?} overlap");
        }
        inside([a[0], a[1]], placement);
        inside([a[2], a[3]], placement);
    }
    for (route, link) in placement.routes.iter().zip(&request.links) {
        for point in curve(&route.points) {
            inside([point.x, point.y], placement);
            let spot = [point.x, point.y, point.x, point.y];
            for (index, area) in boxes.iter().enumerate() {
                let own = index == link.from || index == link.to;
                assert!(
                    own || !overlap(*area, spot),
                    "{link:?} runs over box {index}"
                );
            }
        }
    }
}

fn inside([x, y]: [f64; 2], placement: &Placement) {
    let Size { width, height } = placement.size;
    let fits = |v: f64, most: f64| (-1e-6..=most + 1e-6).contains(&v);
    assert!(fits(x, width) && fits(y, height), "{x}, {y} is outside");
}

/// Points along a chain of cubic curves.
fn curve(points: &[Point]) -> Vec<Point> {
    let mut out = Vec::new();
    for at in (0..points.len().saturating_sub(3)).step_by(3) {
        let [a, b, c, d] = [points[at], points[at + 1], points[at + 2], points[at + 3]];
        for step in 0..=16 {
            let t = f64::from(step) / 16.0;
            let u = 1.0 - t;
            let mix = |p: f64, q: f64, r: f64, s: f64| {
                u * u * u * p + 3.0 * u * u * t * q + 3.0 * u * t * t * r + t * t * t * s
            };
            out.push(Point {
                x: mix(a.x, b.x, c.x, d.x),
                y: mix(a.y, b.y, c.y, d.y),
            });
        }
    }
    out
}
