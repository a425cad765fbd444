//! The call graph of a profile: boxes with flat and cumulative values, and the calls between
//! them, cut down to what a person can look at. Made from [`NamedProfile`]. Pure; knows nothing of
//! positions.
//!
//! What is kept follows `jeprof`, with two differences. Where the way between two kept boxes led
//! through dropped ones, a *residual* edge joins them, so that the picture never falls apart;
//! and an edge counts once a stack however often the stack recurses through it, as boxes do, so
//! that no arrow carries more than the total.
//!
//! `calls` finds and keeps edges; `fold` makes one box of a run of boxes that says no more than its ends.

mod calls;
mod fold;

use std::collections::HashSet;

use crate::stacks::NamedProfile;
use crate::stacks::naming::Frame;
use calls::Calls;

/// How much to drop; the defaults are `jeprof`'s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trim {
    /// Keep at most this number of boxes.
    pub node_count: usize,
    /// Drop boxes whose cumulative value is at most this share of what is shown.
    pub node_fraction: f64,
    /// Drop edges of at most this share, unless they alone lead to a box.
    pub edge_fraction: f64,
    /// Keep at most this number of edges into and out of a box, unless they alone lead to a box.
    pub max_degree: usize,
}

impl Trim {
    /// Nothing is dropped.
    pub fn everything() -> Trim {
        Trim {
            node_count: usize::MAX,
            node_fraction: 0.0,
            edge_fraction: 0.0,
            max_degree: usize::MAX,
        }
    }
}

impl Default for Trim {
    fn default() -> Self {
        Trim {
            node_count: 80,
            node_fraction: 0.005,
            edge_fraction: 0.001,
            max_degree: 8,
        }
    }
}

/// A box.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name.
    pub frame: Frame,
    /// Value of the stacks that end here.
    pub flat: f64,
    /// Value of the stacks that pass here.
    pub cumulative: f64,
    /// Real samples behind `cumulative`, when every dump that took part said so.
    pub samples: Option<u64>,
    /// What it is to a reader.
    pub role: Role,
    /// Frames that it stands for beside its own, from the caller to the callee.
    pub folded: Vec<Frame>,
}

/// What a box is to a reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// One of many.
    #[default]
    Other,
    /// The program's own code: to be read before all else.
    Own,
    /// A place under suspicion.
    Suspect,
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// Index of the caller.
    pub from: usize,
    /// Index of the callee.
    pub to: usize,
    /// Value of the stacks that contain the call.
    pub value: f64,
    /// No stack has the call itself: dropped boxes stand between the two.
    pub residual: bool,
}

/// A trimmed call graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The largest cumulative value first.
    pub nodes: Vec<Node>,
    /// The largest value first.
    pub edges: Vec<Edge>,
    /// Total of the whole profile.
    pub total: f64,
    /// Total of the stacks that were looked at: a hundred percent.
    pub shown: f64,
    /// All values are differences from a base.
    pub is_difference: bool,
    /// All values are of blocks that were freed within so many milliseconds.
    pub freed_within_ms: Option<f64>,
    /// Boxes up to this value were dropped.
    pub node_limit: f64,
    /// Edges up to this value were dropped.
    pub edge_limit: f64,
    /// How many boxes were dropped.
    pub dropped_nodes: usize,
    /// How many edges between kept boxes were dropped.
    pub dropped_edges: usize,
}

impl Graph {
    /// Sums up and trims. Without stacks the graph is empty.
    pub fn build(profile: &NamedProfile, trim: &Trim) -> Graph {
        let shown = profile.shown();
        // jeprof cuts the limits to whole bytes.
        let node_limit = (trim.node_fraction * shown.abs()).trunc();
        let edge_limit = (trim.edge_fraction * shown.abs()).trunc();
        let (nodes, place) = keep_nodes(profile, trim.node_count, node_limit);
        let found = Calls::find(profile, &place);
        let all = found.edges.len();
        let edges = found.keep(&nodes, edge_limit, trim.max_degree);
        Graph {
            dropped_nodes: profile.frames.len() - nodes.len(),
            dropped_edges: all - edges.len(),
            nodes,
            edges,
            total: profile.total,
            shown,
            is_difference: profile.is_difference,
            freed_within_ms: profile.freed_within_ms,
            node_limit,
            edge_limit,
        }
    }
}

/// The kept boxes, and for each frame its place among them.
fn keep_nodes(profile: &NamedProfile, count: usize, limit: f64) -> (Vec<Node>, Vec<Option<usize>>) {
    let samples = samples(profile);
    let mut all: Vec<(usize, Node)> = profile
        .sums()
        .into_iter()
        .enumerate()
        .map(|(id, (flat, cumulative))| {
            let node = Node {
                frame: profile.frames[id].clone(),
                flat,
                cumulative,
                samples: samples[id],
                role: Role::Other,
                folded: Vec::new(),
            };
            (id, node)
        })
        .collect();
    all.sort_by(|(_, a), (_, b)| {
        let by_value = b.cumulative.abs().total_cmp(&a.cumulative.abs());
        by_value.then_with(|| a.frame.name.cmp(&b.frame.name))
    });
    all.truncate(count);
    all.retain(|(_, node)| node.cumulative.abs() > limit);
    let mut place = vec![None; profile.frames.len()];
    for (index, (id, _)) in all.iter().enumerate() {
        place[*id] = Some(index);
    }
    (all.into_iter().map(|(_, node)| node).collect(), place)
}

/// Real samples of the stacks that pass each frame.
fn samples(profile: &NamedProfile) -> Vec<Option<u64>> {
    let mut sums = vec![Some(0); profile.frames.len()];
    for stack in &profile.stacks {
        let frames: HashSet<_> = stack.frames.iter().collect();
        for frame in frames {
            let sum = &mut sums[frame.0 as usize];
            *sum = sum.zip(stack.samples).map(|(a, b)| a + b);
        }
    }
    sums
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::stacks::{FrameId, NamedStack};

    /// A profile of stacks written root first: `"main;f;g 12"`.
    pub(crate) fn profile(lines: &[&str]) -> NamedProfile {
        let mut profile = NamedProfile::default();
        for line in lines {
            let (names, value) = line.rsplit_once(' ').expect("a value after a blank");
            let value: f64 = value.parse().expect("a number");
            let mut frames: Vec<FrameId> = names
                .split(';')
                .map(|name| frame(&mut profile, name))
                .collect();
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

    fn frame(profile: &mut NamedProfile, name: &str) -> FrameId {
        let found = profile.frames.iter().position(|f| f.name == name);
        let id = found.unwrap_or_else(|| {
            profile.frames.push(Frame {
                name: name.to_owned(),
                full: name.to_owned(),
                ..Frame::default()
            });
            profile.frames.len() - 1
        });
        FrameId(id as u32)
    }

    fn everything() -> Trim {
        Trim {
            node_fraction: 0.0,
            edge_fraction: 0.0,
            ..Trim::default()
        }
    }

    /// `caller>callee value`, with `~` for a residual edge.
    fn edges(graph: &Graph) -> Vec<String> {
        let name = |index: usize| &graph.nodes[index].frame.name;
        let arrow = |e: &Edge| if e.residual { "~" } else { ">" };
        graph
            .edges
            .iter()
            .map(|e| format!("{}{}{} {}", name(e.from), arrow(e), name(e.to), e.value))
            .collect()
    }

    fn names(graph: &Graph) -> Vec<&str> {
        graph.nodes.iter().map(|n| n.frame.name.as_str()).collect()
    }

    #[test]
    fn recursion_counts_once_a_stack() {
        let graph = Graph::build(&profile(&["main;f;f;g;f;f 10", "main;f 5"]), &everything());
        let f = graph.nodes.iter().find(|n| n.frame.name == "f").unwrap();
        assert_eq!((f.flat, f.cumulative), (15.0, 15.0));
        assert_eq!(edges(&graph), ["main>f 15", "f>f 10", "f>g 10", "g>f 10"]);
    }

    #[test]
    fn a_dropped_box_leaves_a_residual_edge() {
        let trim = Trim {
            node_count: 2,
            ..everything()
        };
        let graph = Graph::build(&profile(&["main;a;leak 10", "main;b;leak 9"]), &trim);
        assert_eq!(names(&graph), ["leak", "main"]);
        assert_eq!(edges(&graph), ["main~leak 19"]);
        assert_eq!(graph.dropped_nodes, 2);
    }

    #[test]
    fn an_edge_with_a_real_call_is_not_residual() {
        let trim = Trim {
            node_count: 2,
            ..everything()
        };
        let graph = Graph::build(&profile(&["main;a;leak 10", "main;leak 9"]), &trim);
        assert_eq!(edges(&graph), ["main>leak 19"]);
    }

    #[test]
    fn recursion_through_dropped_boxes_draws_no_loop() {
        let trim = Trim {
            node_count: 1,
            ..everything()
        };
        let graph = Graph::build(&profile(&["f;a;f 10", "f;b;f 9"]), &trim);
        assert_eq!(edges(&graph), Vec::<String>::new());
    }

    #[test]
    fn light_boxes_are_dropped_at_the_limit_itself() {
        let trim = Trim {
            node_fraction: 0.1,
            ..everything()
        };
        let graph = Graph::build(&profile(&["a 89", "b 10", "c 1"]), &trim);
        assert_eq!(names(&graph), ["a"]);
        assert_eq!(graph.node_limit, 10.0);
    }

    #[test]
    fn the_only_edge_into_a_box_is_kept_whatever_its_weight() {
        let trim = Trim {
            edge_fraction: 0.5,
            max_degree: 1,
            ..everything()
        };
        let graph = Graph::build(&profile(&["m;a;x 50", "m;b;x 30", "m;c 20"]), &trim);
        assert_eq!(edges(&graph), ["m>a 50", "a>x 50", "m>b 30", "m>c 20"]);
        assert_eq!(graph.dropped_edges, 1);
    }

    #[test]
    fn a_cycle_heavier_than_the_way_into_it_stays_reachable() {
        let trim = Trim {
            max_degree: 0,
            ..everything()
        };
        let graph = Graph::build(&profile(&["m;a;b;a;b 40", "n;b;a;b;a 40", "m;x 20"]), &trim);
        // One of the two ways into the cycle is enough.
        assert_eq!(edges(&graph), ["a>b 80", "b>a 80", "m>a 40", "m>x 20"]);
    }

    #[test]
    fn values_below_zero_count_by_their_size() {
        let graph = Graph::build(&profile(&["m;a -10", "m;b 4"]), &everything());
        assert_eq!(names(&graph), ["a", "m", "b"]);
        assert_eq!(edges(&graph), ["m>a -10", "m>b 4"]);
    }
}
