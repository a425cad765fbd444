//! The calls between kept boxes: found in the stacks, and cut down without losing a box. Pure.

use std::collections::{HashMap, HashSet};

use super::{Edge, Node};
use crate::stacks::{NamedProfile, NamedStack};

/// All calls between kept boxes, and the boxes that stacks begin with.
pub(super) struct Calls {
    pub(super) edges: Vec<Edge>,
    roots: HashSet<usize>,
}

impl Calls {
    pub(super) fn find(profile: &NamedProfile, place: &[Option<usize>]) -> Calls {
        let mut sums: HashMap<(usize, usize), Edge> = HashMap::new();
        let mut roots = HashSet::new();
        for stack in &profile.stacks {
            let (root, calls) = calls_of(stack, place);
            roots.extend(root);
            for ((from, to), residual) in calls {
                let edge = sums.entry((from, to)).or_insert(Edge {
                    from,
                    to,
                    value: 0.0,
                    residual: true,
                });
                edge.value += stack.value;
                edge.residual &= residual;
            }
        }
        let edges = sums.into_values().collect();
        Calls { edges, roots }
    }

    /// Heavy edges first; see [`Trim`] for the rules.
    pub(super) fn keep(mut self, nodes: &[Node], limit: f64, max_degree: usize) -> Vec<Edge> {
        self.edges.sort_by(|a, b| {
            let by_value = b.value.abs().total_cmp(&a.value.abs());
            by_value.then_with(|| (a.from, a.to).cmp(&(b.from, b.to)))
        });
        let mut into = vec![0; nodes.len()];
        let mut out_of = vec![0; nodes.len()];
        let (mut kept, mut rest) = (Vec::new(), Vec::new());
        for edge in self.edges {
            let room = out_of[edge.from] < max_degree && into[edge.to] < max_degree;
            let heavy = edge.value.abs() > limit && room;
            // A call of itself leads nowhere and is no reason to drop the call that does.
            let own = edge.from == edge.to;
            if heavy || (!own && into[edge.to] == 0) {
                out_of[edge.from] += usize::from(!own);
                into[edge.to] += usize::from(!own);
                kept.push(edge);
            } else {
                rest.push(edge);
            }
        }
        reconnect(nodes.len(), &self.roots, &mut kept, rest);
        kept
    }
}

/// The kept box nearest to the root, and every call once: with `true` when only a way through
/// dropped boxes joins the two.
fn calls_of(
    stack: &NamedStack,
    place: &[Option<usize>],
) -> (Option<usize>, HashMap<(usize, usize), bool>) {
    let mut calls = HashMap::new();
    let mut root = None;
    let mut caller: Option<usize> = None;
    let mut gap = false;
    for frame in stack.frames.iter().rev() {
        let Some(at) = place[frame.0 as usize] else {
            gap = true;
            continue;
        };
        root = root.or(Some(at));
        if let Some(caller) = caller
            && !(gap && caller == at)
        {
            let residual = calls.entry((caller, at)).or_insert(true);
            *residual &= gap;
        }
        caller = Some(at);
        gap = false;
    }
    (root, calls)
}

/// Moves edges from `rest` back to `kept` until every box can be reached from a root. Cycles are
/// the reason: each of their boxes has an edge into it, and still nothing leads there.
fn reconnect(nodes: usize, roots: &HashSet<usize>, kept: &mut Vec<Edge>, mut rest: Vec<Edge>) {
    let mut reached = vec![false; nodes];
    let mut open: Vec<usize> = roots.iter().copied().collect();
    loop {
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut reached[at], true) {
                open.extend(kept.iter().filter(|e| e.from == at).map(|e| e.to));
            }
        }
        let Some(index) = rest.iter().position(|e| reached[e.from] && !reached[e.to]) else {
            break;
        };
        let edge = rest.remove(index);
        open.push(edge.to);
        kept.push(edge);
    }
    kept.sort_by(|a, b| {
        let by_value = b.value.abs().total_cmp(&a.value.abs());
        by_value.then_with(|| (a.from, a.to).cmp(&(b.from, b.to)))
    });
}
