//! Splits a request into the parts that no link joins, and sets their pictures side by side. Pure. Laid
//! out together, a tall box of one part would tear rows of the others apart.

use super::{Link, Placement, Point, Request, Route, Size};

/// Between two parts.
const GAP: f64 = 36.0;
/// Width to height of a screen.
const ASPECT: f64 = 1.6;

/// A part with the numbers that its boxes and links have in the whole.
pub(super) struct Part {
    pub(super) request: Request,
    boxes: Vec<usize>,
    links: Vec<usize>,
}

/// The parts, in the order of their first boxes.
pub(super) fn split(request: &Request) -> Vec<Part> {
    let part_of = number(request);
    let count = part_of.iter().max().map_or(0, |last| last + 1);
    let mut parts: Vec<Part> = Vec::new();
    parts.resize_with(count, || Part {
        request: Request::default(),
        boxes: Vec::new(),
        links: Vec::new(),
    });
    let mut place = vec![0; request.boxes.len()];
    for (index, size) in request.boxes.iter().enumerate() {
        let part = &mut parts[part_of[index]];
        place[index] = part.boxes.len();
        part.boxes.push(index);
        part.request.boxes.push(*size);
    }
    for (index, link) in request.links.iter().enumerate() {
        let part = &mut parts[part_of[link.from]];
        part.links.push(index);
        part.request.links.push(Link {
            from: place[link.from],
            to: place[link.to],
            ..*link
        });
    }
    parts
}

/// The number of each box's part.
fn number(request: &Request) -> Vec<usize> {
    let mut joined = vec![Vec::new(); request.boxes.len()];
    for link in &request.links {
        joined[link.from].push(link.to);
        joined[link.to].push(link.from);
    }
    let mut number = vec![usize::MAX; request.boxes.len()];
    let mut next = 0;
    for first in 0..number.len() {
        if number[first] != usize::MAX {
            continue;
        }
        let mut open = vec![first];
        while let Some(at) = open.pop() {
            if number[at] == usize::MAX {
                number[at] = next;
                open.extend(&joined[at]);
            }
        }
        next += 1;
    }
    number
}

/// Rows from left to right, tops aligned, as long as shows everything largest on a screen.
pub(super) fn arrange(request: &Request, parts: Vec<(Part, Placement)>) -> Placement {
    let sizes: Vec<Size> = parts.iter().map(|(_, placement)| placement.size).collect();
    let (corners, size) = best_rows(&sizes);
    let mut whole = Placement {
        size,
        boxes: vec![Point::default(); request.boxes.len()],
        routes: vec![Route::default(); request.links.len()],
    };
    for ((part, placement), corner) in parts.into_iter().zip(corners) {
        put(&mut whole, &part, placement, corner);
    }
    whole
}

/// Corners of the parts, and the size of all, for the best length of the rows: the length of the first
/// part, of the first two, and so on.
fn best_rows(sizes: &[Size]) -> (Vec<Point>, Size) {
    let mut length = 0.0;
    let lengths = sizes.iter().map(|size| {
        length += size.width + GAP;
        length
    });
    let magnification = |size: &Size| (ASPECT / size.width).min(1.0 / size.height);
    lengths
        .map(|length| rows(sizes, length))
        .max_by(|(_, a), (_, b)| magnification(a).total_cmp(&magnification(b)))
        .unwrap_or_default()
}

fn rows(sizes: &[Size], length: f64) -> (Vec<Point>, Size) {
    let mut whole = Size::default();
    let mut at = Point::default();
    let mut corners = Vec::with_capacity(sizes.len());
    for size in sizes {
        if at.x > 0.0 && at.x + size.width > length {
            at = Point {
                x: 0.0,
                y: whole.height + GAP,
            };
        }
        corners.push(at);
        whole.width = whole.width.max(at.x + size.width);
        whole.height = whole.height.max(at.y + size.height);
        at.x += size.width + GAP;
    }
    (corners, whole)
}

fn put(whole: &mut Placement, part: &Part, mut placement: Placement, at: Point) {
    let places = placement
        .routes
        .iter_mut()
        .flat_map(|r| r.points.iter_mut().chain([&mut r.label]));
    for place in placement.boxes.iter_mut().chain(places) {
        place.x += at.x;
        place.y += at.y;
    }
    for (index, place) in part.boxes.iter().zip(placement.boxes) {
        whole.boxes[*index] = place;
    }
    for (index, route) in part.links.iter().zip(placement.routes) {
        whole.routes[*index] = route;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::picture::layout::{Engine, Layered};

    fn boxes(count: usize) -> Request {
        Request {
            boxes: vec![
                Size {
                    width: 30.0,
                    height: 10.0
                };
                count
            ],
            links: Vec::new(),
        }
    }

    #[test]
    fn parts_keep_their_links() {
        let link = |from, to| Link {
            from,
            to,
            ..Link::default()
        };
        let request = Request {
            links: vec![link(3, 1), link(0, 2), link(1, 1)],
            ..boxes(5)
        };
        let parts = split(&request);
        let members: Vec<_> = parts.iter().map(|p| p.boxes.clone()).collect();
        assert_eq!(members, [vec![0, 2], vec![1, 3], vec![4]]);
        assert_eq!(parts[1].links, [0, 2]);
        let ends: Vec<_> = parts[1]
            .request
            .links
            .iter()
            .map(|l| (l.from, l.to))
            .collect();
        assert_eq!(ends, [(1, 0), (0, 0)]);
    }

    #[test]
    fn many_lonely_boxes_fill_rows() {
        let placement = Layered.place(&boxes(50));
        assert!(placement.size.width < 4.0 * placement.size.height);
        assert!(placement.size.height < 4.0 * placement.size.width);
    }
}
