//! Arrows of the call graph as SVG path data. Pure.

use std::fmt::Write;

use crate::view::picture::layout::Point;

/// Takes `length` off the end of a curve to make room for the arrow's head; gives the rest and
/// the old end. The last stretch is taken as running towards its end, as all engines draw it.
pub(super) fn shorten(points: &[Point], length: f64) -> Option<(Vec<Point>, Point)> {
    let [.., control, tip] = *points else {
        return None;
    };
    let (dx, dy) = (tip.x - control.x, tip.y - control.y);
    let distance = dx.hypot(dy);
    let mut line = points.to_vec();
    if distance > 0.0
        && let [.., control, end] = line.as_mut_slice()
    {
        let share = length / distance;
        let back = Point {
            x: tip.x - dx * share,
            y: tip.y - dy * share,
        };
        *end = back;
        // A control beyond the new end would draw a spike.
        if share > 0.9 {
            *control = back;
        }
    }
    Some((line, tip))
}

pub(super) fn path(points: &[Point]) -> String {
    let mut out = String::new();
    for (index, point) in points.iter().enumerate() {
        out += match index {
            0 => "M",
            1 => "C",
            _ => " ",
        };
        let _ = write!(out, "{:.1},{:.1}", point.x, point.y);
    }
    out
}

/// A triangle from the end of the line to the tip.
pub(super) fn head(line: &[Point], tip: Point, size: f64) -> String {
    let end = line.last().copied().unwrap_or(tip);
    let (dx, dy) = (tip.x - end.x, tip.y - end.y);
    let distance = dx.hypot(dy).max(f64::MIN_POSITIVE);
    let (dx, dy) = (dx / distance * size, dy / distance * size);
    let (x, y) = (tip.x - dx, tip.y - dy);
    let half = 0.42;
    format!(
        "M{:.1},{:.1}L{:.1},{:.1}L{:.1},{:.1}Z",
        tip.x,
        tip.y,
        x - dy * half,
        y + dx * half,
        x + dy * half,
        y - dx * half
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(places: &[(f64, f64)]) -> Vec<Point> {
        places.iter().map(|&(x, y)| Point { x, y }).collect()
    }

    #[test]
    fn the_line_ends_where_the_head_begins() {
        let route = points(&[(0.0, 0.0), (0.0, 10.0), (0.0, 20.0), (0.0, 30.0)]);
        let (line, tip) = shorten(&route, 4.0).expect("a line");
        assert_eq!(path(&line), "M0.0,0.0C0.0,10.0 0.0,20.0 0.0,26.0");
        assert_eq!(head(&line, tip, 5.0), "M0.0,30.0L-2.1,25.0L2.1,25.0Z");
    }

    #[test]
    fn a_head_longer_than_the_last_stretch_draws_no_spike() {
        let route = points(&[(0.0, 0.0), (0.0, 10.0), (0.0, 28.0), (0.0, 30.0)]);
        let (line, _) = shorten(&route, 6.0).expect("a line");
        assert_eq!(path(&line), "M0.0,0.0C0.0,10.0 0.0,24.0 0.0,24.0");
    }

    #[test]
    fn no_route_is_no_line() {
        assert_eq!(shorten(&[], 4.0), None);
    }
}
