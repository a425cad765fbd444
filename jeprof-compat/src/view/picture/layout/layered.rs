//! The built-in engine: ranks and their order by the `dagre` crate, coordinates and curves ours. Pure.
//!
//! dagre gives every link at least two ranks, so that its label has a row of its own.

use dagre::graph::{Graph, GraphOptions};
use dagre::{EdgeLabel, LayoutOptions, NodeLabel};

use super::bands::{Band, Bands, Content, Item, Seat};
use super::{
    Engine, LABEL_GAP, LOOP_WIDTH, Link, Placement, Request, acyclic, ends, parts, route, settle,
    uncross,
};

/// A link that passes a row takes this much on either side of its middle.
const LINE: f64 = 3.0;

/// Layers from top to bottom by Sugiyama's method.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layered;

type Dagre = Graph<NodeLabel, EdgeLabel>;

/// The same with little room between the layers, for pictures that are read as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compact;

impl Engine for Layered {
    fn place(&self, request: &Request) -> Placement {
        place(request, 40.0)
    }
}

impl Engine for Compact {
    fn place(&self, request: &Request) -> Placement {
        place(request, 10.0)
    }
}

fn place(request: &Request, between: f64) -> Placement {
    let parts = parts::split(request).into_iter();
    let placed = parts.map(|part| {
        let placement = layers(&part.request, between);
        (part, placement)
    });
    parts::arrange(request, placed.collect())
}

/// Lays out boxes that links join, with so much room between two layers.
fn layers(request: &Request, between: f64) -> Placement {
    let turned = acyclic::turned(request.boxes.len(), &request.links);
    let ordered = order(request, &turned, between);
    let mut bands = bands(request, &turned, &ordered);
    uncross::uncross(&mut bands);
    settle::settle(&mut bands);
    route::draw(request, &turned, &mut bands)
}

/// Runs dagre. Its boxes carry the room for links to themselves, and those links stay out.
fn order(request: &Request, turned: &[bool], between: f64) -> Dagre {
    let mut graph: Dagre = Graph::with_options(GraphOptions {
        directed: true,
        multigraph: true,
        compound: false,
    });
    for (index, (left, right)) in extents(request).into_iter().enumerate() {
        let label = NodeLabel {
            width: left + right,
            height: request.boxes[index].height,
            ..NodeLabel::default()
        };
        graph.set_node(index.to_string(), Some(label));
    }
    let heaviest = heaviest(request);
    for (index, link) in request.links.iter().enumerate() {
        if link.from == link.to {
            continue;
        }
        let (upper, lower) = ends(link, turned[index]);
        let label = EdgeLabel {
            // Enough steps to tell the hot path from the rest, few enough for dagre's i32 sums.
            weight: 1 + (99.0 * (link.weight / heaviest)) as i32,
            width: link.label.width.max(1.0) + LABEL_GAP,
            height: link.label.height.max(1.0),
            labelpos: dagre::layout::types::LabelPos::Center,
            ..EdgeLabel::default()
        };
        graph.set_edge(
            upper.to_string(),
            lower.to_string(),
            Some(label),
            Some(&index.to_string()),
        );
    }
    let options = LayoutOptions {
        nodesep: 16.0,
        edgesep: 8.0,
        ranksep: between,
        ..LayoutOptions::default()
    };
    dagre::layout(&mut graph, Some(options));
    graph
}

fn heaviest(request: &Request) -> f64 {
    let weights = request.links.iter().map(|link| link.weight);
    weights.fold(f64::MIN_POSITIVE, f64::max)
}

/// Room of each box to the left and to the right of its middle.
fn extents(request: &Request) -> Vec<(f64, f64)> {
    let mut extents: Vec<(f64, f64)> = request
        .boxes
        .iter()
        .map(|size| (size.width / 2.0, size.width / 2.0))
        .collect();
    for link in request.links.iter().filter(|link| link.from == link.to) {
        let half = request.boxes[link.from].width / 2.0;
        extents[link.from].1 = half + LOOP_WIDTH + LABEL_GAP + link.label.width;
    }
    extents
}

/// Reads rows and order back from dagre's coordinates: everything of a row has the same y.
fn bands(request: &Request, turned: &[bool], graph: &Dagre) -> Bands {
    let mut found: Vec<Found> = Vec::new();
    for (index, (left, right)) in extents(request).into_iter().enumerate() {
        let node = graph.node(&index.to_string());
        let (x, y) = node.map_or((0.0, 0.0), |n| (n.x.unwrap_or(0.0), n.y.unwrap_or(0.0)));
        let item = Item {
            content: Content::Box(index),
            x,
            left,
            right,
            height: request.boxes[index].height,
            neighbours: Vec::new(),
        };
        found.push(Found {
            y,
            item,
            link: None,
        });
    }
    for (index, link) in request.links.iter().enumerate() {
        if link.from != link.to {
            passes(link, turned[index], index, graph, &mut found);
        }
    }
    seat(request, found)
}

/// An item whose row is still a y; `link` is set for what is not a box.
struct Found {
    y: f64,
    item: Item,
    link: Option<usize>,
}

/// Appends the places where dagre leads a link through the rows between its boxes.
fn passes(link: &Link, turned: bool, index: usize, graph: &Dagre, found: &mut Vec<Found>) {
    let (upper, lower) = ends(link, turned);
    let Some(edge) = graph.edge(
        &upper.to_string(),
        &lower.to_string(),
        Some(&index.to_string()),
    ) else {
        return;
    };
    // The first and the last point lie on the borders of the boxes.
    let inner = 1..edge.points.len().saturating_sub(1);
    let mut labelled = false;
    for point in edge.points.get(inner).unwrap_or_default() {
        let label = !labelled && edge.y.is_some_and(|y| same_row(y, point.y));
        labelled |= label;
        let (content, right, height) = if label {
            let right = LABEL_GAP + link.label.width;
            (Content::Label, right, link.label.height)
        } else {
            (Content::Pass, LINE, 0.0)
        };
        let item = Item {
            content,
            x: point.x,
            left: LINE,
            right,
            height,
            neighbours: Vec::new(),
        };
        found.push(Found {
            y: point.y,
            item,
            link: Some(index),
        });
    }
}

/// Rows are much farther apart than this, and sums of the same heights never differ by as much.
fn same_row(a: f64, b: f64) -> bool {
    (a - b).abs() < 0.5
}

/// Sorts the items into rows and joins those that a link joins.
fn seat(request: &Request, mut found: Vec<Found>) -> Bands {
    // A stable sort by row, then by x within it.
    found.sort_by(|a, b| a.y.total_cmp(&b.y));
    let mut rows: Vec<Vec<Found>> = Vec::new();
    for next in found {
        match rows.last_mut() {
            Some(row) if same_row(row[0].y, next.y) => row.push(next),
            _ => rows.push(vec![next]),
        }
    }
    let mut bands = Bands {
        chains: vec![Vec::new(); request.links.len()],
        boxes: vec![(0, 0); request.boxes.len()],
        ..Bands::default()
    };
    for (row, mut members) in rows.into_iter().enumerate() {
        members.sort_by(|a, b| a.item.x.total_cmp(&b.item.x));
        let mut band = Band::default();
        for (place, Found { item, link, .. }) in members.into_iter().enumerate() {
            match (item.content, link) {
                (Content::Box(index), _) => bands.boxes[index] = (row, place),
                (_, Some(link)) => bands.chains[link].push((row, place)),
                (_, None) => {}
            }
            band.items.push(item);
        }
        bands.bands.push(band);
    }
    join(request, &mut bands);
    bands
}

/// Completes the chains with their boxes and writes the neighbours of every item.
fn join(request: &Request, bands: &mut Bands) {
    let heaviest = heaviest(request);
    for (index, link) in request.links.iter().enumerate() {
        if link.from == link.to {
            continue;
        }
        let (mut upper, mut lower) = (bands.boxes[link.from], bands.boxes[link.to]);
        if upper.0 > lower.0 {
            std::mem::swap(&mut upper, &mut lower);
        }
        let mut chain = vec![upper];
        chain.append(&mut bands.chains[index]);
        chain.push(lower);
        // A light link still pulls, or its box would stand anywhere.
        let weight = 0.02 + link.weight / heaviest;
        for pair in chain.windows(2) {
            // Of equal steps the upper one is taken, so that a branch stands below its first box.
            let depth = 1.0 + 0.5 * pair[0].0 as f64 / bands.bands.len() as f64;
            let weight = weight * depth * stiffness(bands, pair[0], pair[1]);
            add_neighbour(bands, pair[0], pair[1], weight);
            add_neighbour(bands, pair[1], pair[0], weight);
        }
        bands.chains[index] = chain;
    }
}

/// Long links shall bend at their boxes and not on the way, as in Graphviz (1, 2 and 8 there).
fn stiffness(bands: &Bands, a: Seat, b: Seat) -> f64 {
    let on_the_way = [a, b]
        .iter()
        .filter(|seat| !matches!(bands.item(**seat).content, Content::Box(_)))
        .count();
    [1.0, 2.0, 8.0][on_the_way]
}

fn add_neighbour(bands: &mut Bands, at: Seat, other: Seat, weight: f64) {
    bands.bands[at.0].items[at.1]
        .neighbours
        .push((other.0, other.1, weight));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::picture::layout::Size;

    fn placed(boxes: usize, links: &[(usize, usize, f64)]) -> Placement {
        let link = |&(from, to, weight)| Link {
            from,
            to,
            weight,
            label: Size {
                width: 20.0,
                height: 10.0,
            },
        };
        let size = Size {
            width: 60.0,
            height: 20.0,
        };
        Layered.place(&Request {
            boxes: vec![size; boxes],
            links: links.iter().map(link).collect(),
        })
    }

    #[test]
    fn the_hot_path_is_straight() {
        let placement = placed(
            6,
            &[
                (0, 1, 99.0),
                (0, 2, 1.0),
                (0, 3, 1.0),
                (1, 4, 98.0),
                (2, 4, 1.0),
                (4, 5, 99.0),
            ],
        );
        let x = |index: usize| placement.boxes[index].x;
        for index in [1, 4, 5] {
            assert!((x(index) - x(0)).abs() < 2.0, "{:?}", placement.boxes);
        }
    }

    #[test]
    fn callers_stand_above_their_callees() {
        let placement = placed(4, &[(0, 1, 1.0), (1, 2, 1.0), (2, 1, 0.5), (0, 3, 1.0)]);
        let y = |index: usize| placement.boxes[index].y;
        assert!(y(0) < y(1) && y(1) < y(2) && y(0) < y(3));
        let back = &placement.routes[2].points;
        assert!(
            back[0].y > back[back.len() - 1].y,
            "the way back runs upwards"
        );
    }

    #[test]
    fn light_links_cross_rather_than_heavy_ones() {
        // Two columns that want to change sides: one crossing is needed.
        let placement = placed(4, &[(0, 2, 50.0), (1, 3, 50.0), (0, 3, 1.0), (1, 2, 1.0)]);
        let x = |index: usize| placement.boxes[index].x;
        assert_eq!(x(0) < x(1), x(2) < x(3), "the heavy links do not cross");
    }

    #[test]
    fn nothing_asked_is_nothing_placed() {
        assert_eq!(placed(0, &[]), Placement::default());
        assert_eq!(placed(1, &[(0, 0, 1.0)]).boxes.len(), 1);
    }
}
