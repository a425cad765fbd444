//! Which links to turn around so that the rest runs downwards only. Pure.
//!
//! Depth first search, which dagre would use, turns whichever link it meets last; here the heavy
//! links choose first, so the hot path through a recursion still runs downwards.

use super::Link;

/// For each link, whether it must be laid out the other way round. Links from a box to itself
/// are never turned.
pub(super) fn turned(boxes: usize, links: &[Link]) -> Vec<bool> {
    let mut heaviest_first: Vec<usize> = (0..links.len()).collect();
    heaviest_first.sort_by(|&a, &b| links[b].weight.total_cmp(&links[a].weight));
    let mut below = vec![Vec::new(); boxes];
    let mut turned = vec![false; links.len()];
    for index in heaviest_first {
        let Link { from, to, .. } = links[index];
        if from == to {
            continue;
        }
        turned[index] = reaches(&below, to, from);
        let (upper, lower) = if turned[index] {
            (to, from)
        } else {
            (from, to)
        };
        below[upper].push(lower);
    }
    turned
}

fn reaches(below: &[Vec<usize>], start: usize, goal: usize) -> bool {
    let mut seen = vec![false; below.len()];
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        if at == goal {
            return true;
        }
        if !std::mem::replace(&mut seen[at], true) {
            open.extend(&below[at]);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(from: usize, to: usize, weight: f64) -> Link {
        Link {
            from,
            to,
            weight,
            ..Link::default()
        }
    }

    #[test]
    fn the_light_link_of_a_cycle_is_turned() {
        let links = [
            link(2, 0, 1.0),
            link(0, 1, 9.0),
            link(1, 2, 5.0),
            link(1, 1, 99.0),
        ];
        assert_eq!(turned(3, &links), [true, false, false, false]);
    }

    #[test]
    fn the_lighter_of_two_opposite_links_is_turned() {
        assert_eq!(
            turned(2, &[link(0, 1, 1.0), link(1, 0, 2.0)]),
            [true, false]
        );
    }
}
