//! The y of the rows and the curves of the links. Pure.
//!
//! A link crosses a row straight down at the x of its item, where `settle` kept it clear of the
//! boxes, and changes x only in the gap between two rows, where there is none: so no curve
//! touches a box that it does not belong to.

use super::bands::{Bands, Content, Seat};
use super::settle::keep_apart;
use super::{LABEL_GAP, LOOP_WIDTH, Link, Placement, Point, Request, Route, Size, ends};

/// Gap between two rows: grows with the farthest way that a link goes sideways in it.
const MIN_GAP: f64 = 20.0;
const MAX_GAP: f64 = 80.0;
const SLOPE: f64 = 0.1;
/// The last stretch before a box, straight so that an arrow's head points the way it came.
const STUB: f64 = 8.0;
/// Links leave a box at least this far from its corners, as a share of its width.
const CORNER: f64 = 0.12;
/// Distance of two links where they meet a box.
const PORT: f64 = 7.0;

/// Turns settled rows into the final answer.
pub(super) fn draw(request: &Request, turned: &[bool], bands: &mut Bands) -> Placement {
    stack(bands);
    let ports = Ports::new(request, turned, bands);
    let boxes: Vec<Point> = (0..request.boxes.len())
        .map(|index| {
            let (row, place) = bands.boxes[index];
            Point {
                x: bands.item((row, place)).x,
                y: bands.bands[row].top + request.boxes[index].height / 2.0,
            }
        })
        .collect();
    let routes = request
        .links
        .iter()
        .enumerate()
        .map(|(index, link)| {
            if link.from == link.to {
                circle(link, boxes[link.from], request.boxes[link.from])
            } else {
                curve(request, bands, &ports, index, turned[index])
            }
        })
        .collect();
    normalized(request, boxes, routes)
}

/// Gives the rows their heights and gaps, from the top.
fn stack(bands: &mut Bands) {
    let mut sideways = vec![0.0_f64; bands.bands.len()];
    for chain in &bands.chains {
        for pair in chain.windows(2) {
            let distance = (bands.item(pair[0]).x - bands.item(pair[1]).x).abs();
            sideways[pair[0].0] = sideways[pair[0].0].max(distance);
        }
    }
    let mut y = 0.0;
    for (band, sideways) in bands.bands.iter_mut().zip(sideways) {
        let height = band.items.iter().map(|item| item.height);
        band.top = y;
        band.bottom = y + height.fold(0.0, f64::max);
        y = band.bottom + (sideways * SLOPE).clamp(MIN_GAP, MAX_GAP);
    }
}

/// Where each link meets its upper and its lower box.
struct Ports {
    upper: Vec<f64>,
    lower: Vec<f64>,
}

impl Ports {
    fn new(request: &Request, turned: &[bool], bands: &Bands) -> Self {
        let count = request.links.len();
        let mut ports = Ports {
            upper: vec![0.0; count],
            lower: vec![0.0; count],
        };
        for index in 0..request.boxes.len() {
            let of = |upper: bool| -> Vec<usize> {
                let links = request.links.iter().enumerate();
                links
                    .filter(|(link, l)| {
                        let (top, bottom) = ends(l, turned[*link]);
                        l.from != l.to && index == if upper { top } else { bottom }
                    })
                    .map(|(link, _)| link)
                    .collect()
            };
            let next = |chain: &[Seat]| bands.item(chain[1]).x;
            let last = |chain: &[Seat]| bands.item(chain[chain.len() - 2]).x;
            spread(request, bands, index, &of(true), next, &mut ports.upper);
            spread(request, bands, index, &of(false), last, &mut ports.lower);
        }
        ports
    }
}

/// Spreads links along one side of a box, in the order of where they come from.
fn spread(
    request: &Request,
    bands: &Bands,
    index: usize,
    links: &[usize],
    goal: impl Fn(&[Seat]) -> f64,
    ports: &mut [f64],
) {
    let middle = bands.item(bands.boxes[index]).x;
    let reach = request.boxes[index].width * (0.5 - CORNER);
    let mut goals: Vec<(f64, usize)> = links
        .iter()
        .map(|&link| (goal(&bands.chains[link]), link))
        .collect();
    goals.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wanted: Vec<(f64, f64)> = goals
        .iter()
        .map(|(x, _)| (x.clamp(middle - reach, middle + reach), 1.0))
        .collect();
    let gap = PORT.min(2.0 * reach / links.len().max(1) as f64);
    let gaps = vec![gap; links.len().saturating_sub(1)];
    for ((_, link), x) in goals.iter().zip(keep_apart(&wanted, &gaps)) {
        // Pushing apart can pass the corner; the room above holds them all, so clamping is rare.
        ports[*link] = x.clamp(middle - reach, middle + reach);
    }
}

/// Straight through each row, an S in each gap.
fn curve(request: &Request, bands: &Bands, ports: &Ports, index: usize, turned: bool) -> Route {
    let link = &request.links[index];
    let chain = &bands.chains[index];
    let (upper, lower) = ends(link, turned);
    let first = &bands.bands[chain[0].0];
    let start = Point {
        x: ports.upper[index],
        y: first.top + request.boxes[upper].height,
    };
    let mut points = vec![start];
    // The head is at the start of a link that was turned.
    line_to(&mut points, first.bottom + if turned { STUB } else { 0.0 });
    let mut label = start;
    for &(row, place) in &chain[1..chain.len() - 1] {
        let band = &bands.bands[row];
        let item = &band.items[place];
        s_to(
            &mut points,
            Point {
                x: item.x,
                y: band.top,
            },
        );
        line_to(&mut points, band.bottom);
        if item.content == Content::Label {
            label = Point {
                x: item.x + LABEL_GAP + link.label.width / 2.0,
                y: (band.top + band.bottom) / 2.0,
            };
        }
    }
    let end = Point {
        x: ports.lower[index],
        y: bands.bands[bands.boxes[lower].0].top,
    };
    let stub = if turned { 0.0 } else { STUB };
    s_to(
        &mut points,
        Point {
            y: end.y - stub,
            ..end
        },
    );
    line_to(&mut points, end.y);
    if turned {
        points.reverse();
    }
    Route { points, label }
}

fn line_to(points: &mut Vec<Point>, y: f64) {
    if let Some(&from) = points.last()
        && y > from.y
    {
        let at = |share: f64| Point {
            x: from.x,
            y: from.y + (y - from.y) * share,
        };
        points.extend([at(1.0 / 3.0), at(2.0 / 3.0), at(1.0)]);
    }
}

fn s_to(points: &mut Vec<Point>, to: Point) {
    if let Some(&from) = points.last() {
        let middle = (from.y + to.y) / 2.0;
        points.extend([
            Point {
                x: from.x,
                y: middle,
            },
            Point { x: to.x, y: middle },
            to,
        ]);
    }
}

/// A link from a box to itself: out of its right side and back.
fn circle(link: &Link, middle: Point, size: Size) -> Route {
    let x = middle.x + size.width / 2.0;
    let half = (size.height / 4.0).min(10.0);
    let at = |dx: f64, dy: f64| Point {
        x: x + dx,
        y: middle.y + dy,
    };
    // A cubic reaches three quarters of the way to its controls.
    let far = LOOP_WIDTH * 4.0 / 3.0;
    Route {
        points: vec![at(0.0, -half), at(far, -half), at(far, half), at(0.0, half)],
        label: at(LOOP_WIDTH + LABEL_GAP + link.label.width / 2.0, 0.0),
    }
}

/// Moves everything so that the top left corner is 0, 0.
fn normalized(request: &Request, mut boxes: Vec<Point>, mut routes: Vec<Route>) -> Placement {
    let mut min = Point {
        x: f64::MAX,
        y: f64::MAX,
    };
    let mut max = Point {
        x: f64::MIN,
        y: f64::MIN,
    };
    let mut cover = |middle: Point, size: Size| {
        min.x = min.x.min(middle.x - size.width / 2.0);
        min.y = min.y.min(middle.y - size.height / 2.0);
        max.x = max.x.max(middle.x + size.width / 2.0);
        max.y = max.y.max(middle.y + size.height / 2.0);
    };
    for (&middle, &size) in boxes.iter().zip(&request.boxes) {
        cover(middle, size);
    }
    for (route, link) in routes.iter().zip(&request.links) {
        cover(route.label, link.label);
        for &point in &route.points {
            cover(point, Size::default());
        }
    }
    let places = routes
        .iter_mut()
        .flat_map(|r| r.points.iter_mut().chain([&mut r.label]));
    for place in boxes.iter_mut().chain(places) {
        place.x -= min.x;
        place.y -= min.y;
    }
    Placement {
        size: Size {
            width: max.x - min.x,
            height: max.y - min.y,
        },
        boxes,
        routes,
    }
}
