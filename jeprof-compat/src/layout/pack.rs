//! Pushes parts of the picture that no link joins close together. Called by `layered` after
//! `settle`, which leaves them wherever dagre had them; pure.

use super::bands::{Bands, Item, Seat};

/// Room between two parts, beyond what their items keep anyway.
const GAP: f64 = 24.0;

/// Moves every part as a whole towards the largest one, until something is in its way.
pub(super) fn pack(bands: &mut Bands) {
    let parts = parts(bands);
    let Some(largest) = parts.iter().max_by_key(|part| part.len()) else {
        return;
    };
    let goal = middle(bands, largest);
    let mut rest: Vec<&Vec<Seat>> = parts.iter().filter(|p| *p != largest).collect();
    // The nearest first: it makes room for the ones behind it.
    rest.sort_by(|a, b| {
        let distance = |part: &[Seat]| (middle(bands, part) - goal).abs();
        distance(a).total_cmp(&distance(b))
    });
    for part in rest {
        let way = goal - middle(bands, part);
        let step = room(bands, part, way);
        for &(row, place) in part {
            bands.bands[row].items[place].x += step;
        }
    }
}

/// How far the part can move into the direction of `way`.
fn room(bands: &Bands, part: &[Seat], way: f64) -> f64 {
    let mut room = way.abs();
    for &(row, place) in part {
        let items = &bands.bands[row].items;
        let next = if way < 0.0 {
            place.checked_sub(1)
        } else {
            Some(place + 1)
        };
        let Some(next) = next.filter(|n| *n < items.len() && !part.contains(&(row, *n))) else {
            continue;
        };
        let (left, right) = (&items[place.min(next)], &items[place.max(next)]);
        let free = right.x - left.x - Bands::separation(left, right) - GAP;
        room = room.min(free.max(0.0));
    }
    room.copysign(way)
}

fn middle(bands: &Bands, part: &[Seat]) -> f64 {
    let items: Vec<&Item> = part.iter().map(|&seat| bands.item(seat)).collect();
    let left = items.iter().map(|i| i.x - i.left).fold(f64::MAX, f64::min);
    let right = items.iter().map(|i| i.x + i.right).fold(f64::MIN, f64::max);
    (left + right) / 2.0
}

/// Seats that links join, part by part.
fn parts(bands: &Bands) -> Vec<Vec<Seat>> {
    let mut seen: Vec<Vec<bool>> = bands
        .bands
        .iter()
        .map(|band| vec![false; band.items.len()])
        .collect();
    let mut parts = Vec::new();
    for row in 0..seen.len() {
        for place in 0..seen[row].len() {
            let mut part = Vec::new();
            let mut open = vec![(row, place)];
            while let Some(seat) = open.pop() {
                if !std::mem::replace(&mut seen[seat.0][seat.1], true) {
                    part.push(seat);
                    open.extend(bands.item(seat).neighbours.iter().map(|n| (n.0, n.1)));
                }
            }
            if !part.is_empty() {
                parts.push(part);
            }
        }
    }
    parts
}
