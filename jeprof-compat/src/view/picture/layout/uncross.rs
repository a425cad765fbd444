//! Fewer and lighter crossings: improves the order in the rows that dagre found. Pure.
//!
//! dagre minimises the number of crossings and stops early; here a crossing costs the product of
//! the two weights, so that light calls give way to the hot path. Sweeps of weighted medians
//! (Gansner and others, 1993), each followed by swaps of neighbours; the best order seen wins.

use super::bands::{Bands, Seat};

const SWEEPS: usize = 16;

/// Reorders the items of every row.
pub(super) fn uncross(bands: &mut Bands) {
    let mut order = Order::new(bands);
    let mut best = order.clone();
    let mut least = order.cost();
    for sweep in 0..SWEEPS {
        order.medians(sweep % 2 == 0);
        order.swaps();
        let cost = order.cost();
        if cost < least {
            least = cost;
            best = order.clone();
        }
    }
    best.apply(bands);
}

/// Rows of item numbers; items are numbered through all rows.
#[derive(Clone)]
struct Order {
    rows: Vec<Vec<usize>>,
    /// Place of each item in its row.
    place: Vec<f64>,
    /// Neighbours above and below: item, weight.
    above: Vec<Vec<(usize, f64)>>,
    below: Vec<Vec<(usize, f64)>>,
    /// Where each item was at the beginning.
    seats: Vec<Seat>,
}

impl Order {
    fn new(bands: &Bands) -> Order {
        let mut first = Vec::new();
        let mut seats = Vec::new();
        for (row, band) in bands.bands.iter().enumerate() {
            first.push(seats.len());
            seats.extend((0..band.items.len()).map(|place| (row, place)));
        }
        let side = |above: bool| -> Vec<Vec<(usize, f64)>> {
            seats
                .iter()
                .map(|&seat| {
                    let neighbours = &bands.item(seat).neighbours;
                    neighbours
                        .iter()
                        .filter(|(row, ..)| (*row < seat.0) == above)
                        .map(|&(row, place, weight)| (first[row] + place, weight))
                        .collect()
                })
                .collect()
        };
        Order {
            rows: bands
                .bands
                .iter()
                .zip(&first)
                .map(|(band, first)| (0..band.items.len()).map(|p| first + p).collect())
                .collect(),
            place: seats.iter().map(|seat| seat.1 as f64).collect(),
            above: side(true),
            below: side(false),
            seats,
        }
    }

    /// One sweep: each row by the medians of the row before it in that direction.
    fn medians(&mut self, down: bool) {
        let mut rows: Vec<usize> = (0..self.rows.len()).collect();
        if !down {
            rows.reverse();
        }
        for row in rows {
            let side = if down { &self.above } else { &self.below };
            let mut keyed: Vec<(f64, usize)> = self.rows[row]
                .iter()
                .map(|&item| {
                    let goal = median(&side[item], &self.place);
                    (goal.unwrap_or(self.place[item]), item)
                })
                .collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            self.rows[row] = keyed.into_iter().map(|(_, item)| item).collect();
            self.renumber(row);
        }
    }

    fn renumber(&mut self, row: usize) {
        for (place, &item) in self.rows[row].iter().enumerate() {
            self.place[item] = place as f64;
        }
    }

    /// Swaps neighbours in a row as long as that makes the crossings cheaper.
    fn swaps(&mut self) {
        let mut better = true;
        let mut rounds = 0;
        while better && rounds < 10 {
            better = false;
            rounds += 1;
            for row in 0..self.rows.len() {
                for at in 1..self.rows[row].len() {
                    let (left, right) = (self.rows[row][at - 1], self.rows[row][at]);
                    if self.pair_cost(right, left) + 1e-12 < self.pair_cost(left, right) {
                        self.rows[row].swap(at - 1, at);
                        self.place.swap(left, right);
                        better = true;
                    }
                }
            }
        }
    }

    /// Cost of the crossings between the links of two items when `left` stands left of `right`.
    fn pair_cost(&self, left: usize, right: usize) -> f64 {
        let side = |side: &[Vec<(usize, f64)>]| {
            let mut cost = 0.0;
            for &(a, a_weight) in &side[left] {
                for &(b, b_weight) in &side[right] {
                    if self.place[a] > self.place[b] {
                        cost += a_weight * b_weight;
                    }
                }
            }
            cost
        };
        side(&self.above) + side(&self.below)
    }

    fn cost(&self) -> f64 {
        let mut twice = 0.0;
        for row in &self.rows {
            for (at, &right) in row.iter().enumerate() {
                twice += row[..at]
                    .iter()
                    .map(|&left| self.pair_cost(left, right))
                    .sum::<f64>();
            }
        }
        twice / 2.0
    }

    /// Moves the items of `bands` and translates every seat.
    fn apply(&self, bands: &mut Bands) {
        let mut moved: Vec<Vec<Seat>> = bands
            .bands
            .iter()
            .map(|band| vec![(0, 0); band.items.len()])
            .collect();
        for (item, &(row, place)) in self.seats.iter().enumerate() {
            moved[row][place] = (row, self.place[item] as usize);
        }
        for (row, band) in bands.bands.iter_mut().enumerate() {
            let old = std::mem::take(&mut band.items);
            let mut xs: Vec<f64> = old.iter().map(|item| item.x).collect();
            xs.sort_by(f64::total_cmp);
            let mut pairs: Vec<_> = old.into_iter().zip(&moved[row]).collect();
            pairs.sort_by_key(|(_, seat)| seat.1);
            band.items = pairs.into_iter().map(|(item, _)| item).collect();
            for (item, x) in band.items.iter_mut().zip(xs) {
                item.x = x;
                for neighbour in &mut item.neighbours {
                    (neighbour.0, neighbour.1) = moved[neighbour.0][neighbour.1];
                }
            }
        }
        let chains = bands.chains.iter_mut().flatten();
        for seat in chains.chain(bands.boxes.iter_mut()) {
            *seat = moved[seat.0][seat.1];
        }
    }
}

/// Weighted median of the neighbours' places: the middle between the two when the halves match.
fn median(neighbours: &[(usize, f64)], place: &[f64]) -> Option<f64> {
    let mut places: Vec<(f64, f64)> = neighbours
        .iter()
        .map(|&(item, w)| (place[item], w))
        .collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = places.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut sum = 0.0;
    for (index, &(place, weight)) in places.iter().enumerate() {
        sum += weight;
        if sum > half {
            return Some(place);
        }
        if sum == half {
            return places.get(index + 1).map(|next| (place + next.0) / 2.0);
        }
    }
    None
}
