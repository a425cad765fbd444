//! The x of every item, keeping the order in each row: short links, the heavy ones straight. Pure.
//!
//! Minimises the sum of weight times |x of one end - x of the other| under the distances that
//! items of a row must keep. The absolute value is reached by reweighted least squares; each
//! least squares problem row by row, where it is an isotonic regression with an exact answer.
//! dagre's own coordinates (Brandes and Köpf) ignore the weights and come out wide.

use super::bands::{Bands, Item};

/// Sideways distances up to which a link counts as straight, one round each: from a blur in which
/// whole chains move freely down to the final picture.
const STRAIGHT: [f64; 13] = [
    1000.0, 500.0, 250.0, 125.0, 60.0, 30.0, 15.0, 8.0, 4.0, 2.0, 8.0, 4.0, 2.0,
];
/// In the last rounds one long step is cheaper than many short ones, or chains become stairs.
const STAIRLESS: usize = 10;
const SWEEPS: usize = 40;

/// Gives every item its place. On entry `x` holds dagre's, which decides nothing but the start.
pub(super) fn settle(bands: &mut Bands) {
    for row in 0..bands.bands.len() {
        let wanted: Vec<(f64, f64)> = bands.bands[row].items.iter().map(|i| (i.x, 1.0)).collect();
        place_row(bands, row, &wanted);
    }
    for (round, &straight) in STRAIGHT.iter().enumerate() {
        let power = if round < STAIRLESS { 1.0 } else { 1.6 };
        let pulls = pulls(bands, straight, power);
        for _ in 0..SWEEPS {
            for row in (0..bands.bands.len()).chain((0..bands.bands.len()).rev()) {
                let wanted = wanted(bands, row, &pulls[row]);
                place_row(bands, row, &wanted);
            }
        }
    }
}

/// For each item the weights of its neighbours, with the present distance divided out.
fn pulls(bands: &Bands, straight: f64, power: f64) -> Vec<Vec<Vec<f64>>> {
    let pull = |item: &Item, &(row, place, weight): &(usize, usize, f64)| {
        let distance = (item.x - bands.item((row, place)).x).abs();
        weight / distance.max(straight).powf(power)
    };
    bands
        .bands
        .iter()
        .map(|band| {
            band.items
                .iter()
                .map(|item| item.neighbours.iter().map(|n| pull(item, n)).collect())
                .collect()
        })
        .collect()
}

/// Where each item of a row would like to be, and how much.
fn wanted(bands: &Bands, row: usize, pulls: &[Vec<f64>]) -> Vec<(f64, f64)> {
    bands.bands[row]
        .items
        .iter()
        .zip(pulls)
        .map(|(item, pulls)| {
            // A faint pull to where it is keeps items without neighbours from drifting.
            let mut sum = 1e-6 * item.x;
            let mut weight = 1e-6;
            for (&(row, place, _), pull) in item.neighbours.iter().zip(pulls) {
                sum += bands.item((row, place)).x * pull;
                weight += pull;
            }
            (sum / weight, weight)
        })
        .collect()
}

fn place_row(bands: &mut Bands, row: usize, wanted: &[(f64, f64)]) {
    let items = &bands.bands[row].items;
    let gaps: Vec<f64> = items
        .windows(2)
        .map(|pair| Bands::separation(&pair[0], &pair[1]))
        .collect();
    for (item, x) in bands.bands[row]
        .items
        .iter_mut()
        .zip(keep_apart(wanted, &gaps))
    {
        item.x = x;
    }
}

/// The places nearest to `wanted` (place, weight; least squares) that keep the order and `gaps`.
pub(super) fn keep_apart(wanted: &[(f64, f64)], gaps: &[f64]) -> Vec<f64> {
    // With the gaps taken out, the task is: nearest non-decreasing sequence (pool adjacent
    // violators): blocks of items that touch move as one.
    let mut offset = 0.0;
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for (index, &(x, weight)) in wanted.iter().enumerate() {
        if index > 0 {
            offset += gaps[index - 1];
        }
        blocks.push((x - offset, weight, 1));
        while let [.., (a, wa, na), (b, wb, nb)] = blocks[..]
            && a > b
        {
            blocks.truncate(blocks.len() - 2);
            blocks.push(((a * wa + b * wb) / (wa + wb), wa + wb, na + nb));
        }
    }
    let mut places = Vec::with_capacity(wanted.len());
    let mut offset = 0.0;
    for (x, _, count) in blocks {
        for _ in 0..count {
            if !places.is_empty() {
                offset += gaps[places.len() - 1];
            }
            places.push(x + offset);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::keep_apart;

    #[test]
    fn free_items_stand_where_they_want() {
        assert_eq!(keep_apart(&[(0.0, 1.0), (10.0, 1.0)], &[4.0]), [0.0, 10.0]);
    }

    #[test]
    fn crowded_items_share_the_displacement_by_weight() {
        assert_eq!(keep_apart(&[(0.0, 1.0), (0.0, 3.0)], &[4.0]), [-3.0, 1.0]);
    }

    #[test]
    fn a_row_that_wants_the_reverse_order_keeps_its_own() {
        let places = keep_apart(&[(9.0, 1.0), (5.0, 1.0), (1.0, 1.0)], &[2.0, 2.0]);
        assert_eq!(places, [3.0, 5.0, 7.0]);
    }
}
