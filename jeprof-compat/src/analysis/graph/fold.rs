//! Runs of boxes in which each calls only the next become one box: a single path of thirty calls is read as
//! its beginning, its end, and what the program itself wrote. Pure.

use super::{Graph, Node, Role};

/// So many boxes of one run make one; a shorter run stays.
const RUN: usize = 2;

/// Of the program's own code a longer run is folded in its middle.
const OWN_RUN: usize = 6;

/// What ends of such a run stay.
const OWN_ENDS: (usize, usize) = (2, 3);

/// Share of a value that two ends of a call may differ by and still be the same.
const SAME: f64 = 0.02;

impl Graph {
    /// Folds runs of boxes that are not the program's own, then the middle of long runs of its own. Suspects,
    /// and boxes where calls part or meet or memory is asked for, stay.
    pub fn fold(&mut self) {
        self.fold_runs(|role| role == Role::Other, RUN, (0, 0));
        let (first, last) = OWN_ENDS;
        self.fold_runs(|role| role != Role::Suspect, OWN_RUN, (first, last));
    }

    fn fold_runs(&mut self, may: impl Fn(Role) -> bool, least: usize, ends: (usize, usize)) {
        let next: Vec<Option<usize>> = (0..self.nodes.len()).map(|at| self.next(at)).collect();
        let passes: Vec<bool> = (0..self.nodes.len())
            .map(|at| may(self.nodes[at].role) && self.passes(at))
            .collect();
        let mut is_inner = vec![false; self.nodes.len()];
        for (at, next) in next.iter().enumerate() {
            if let Some(next) = next.filter(|_| passes[at]) {
                is_inner[next] = true;
            }
        }
        let mut gone = vec![false; self.nodes.len()];
        for first in 0..self.nodes.len() {
            if is_inner[first] || !passes[first] {
                continue;
            }
            let mut run = vec![first];
            while let Some(at) = next[run[run.len() - 1]].filter(|at| passes[*at]) {
                run.push(at);
            }
            if run.len() < least {
                continue;
            }
            let inner = &run[ends.0..run.len() - ends.1];
            if let [head, rest @ ..] = inner {
                self.absorb(*head, rest);
                rest.iter().for_each(|at| gone[*at] = true);
            }
        }
        self.remove(&gone);
    }

    /// The box that a box calls alone, with all it has, where nobody else calls that.
    fn next(&self, at: usize) -> Option<usize> {
        let mut out = self.edges.iter().filter(|e| e.from == at && e.to != at);
        let edge = out.next().filter(|_| out.next().is_none())?;
        let mut into = self
            .edges
            .iter()
            .filter(|e| e.to == edge.to && e.from != e.to);
        let is_only = into.next().is_some() && into.next().is_none();
        let is_same = |value: f64| (value - edge.value).abs() <= SAME * edge.value.abs();
        let [from, to] = [at, edge.to].map(|n| self.nodes[n].cumulative);
        (is_only && is_same(from) && is_same(to)).then_some(edge.to)
    }

    /// Nothing is asked for in it.
    fn passes(&self, at: usize) -> bool {
        let Node {
            flat, cumulative, ..
        } = self.nodes[at];
        flat.abs() <= SAME * cumulative.abs()
    }

    /// `head` stands for `rest`, and makes the calls of the last of them.
    fn absorb(&mut self, head: usize, rest: &[usize]) {
        let frames = rest.iter().flat_map(|at| {
            let node = &self.nodes[*at];
            std::iter::once(node.frame.clone()).chain(node.folded.iter().cloned())
        });
        let frames: Vec<_> = frames.collect();
        self.nodes[head].folded.extend(frames);
        let Some(last) = rest.last() else { return };
        let inner = |at: usize| at == head || rest.contains(&at);
        self.edges
            .retain(|e| !(inner(e.from) && inner(e.to)) || e.from == *last);
        for edge in &mut self.edges {
            if edge.from == *last {
                edge.from = head;
            }
        }
    }

    fn remove(&mut self, gone: &[bool]) {
        let mut place = vec![0; gone.len()];
        let mut kept = 0;
        for (at, gone) in gone.iter().enumerate() {
            place[at] = kept;
            kept += usize::from(!gone);
        }
        let mut at = 0;
        self.nodes.retain(|_| {
            at += 1;
            !gone[at - 1]
        });
        self.edges.retain(|e| !gone[e.from] && !gone[e.to]);
        for edge in &mut self.edges {
            (edge.from, edge.to) = (place[edge.from], place[edge.to]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Trim;
    use super::super::tests::profile;
    use super::*;

    /// Boxes by name, those that stand for others with how many; a capital letter is the program's own.
    fn folded(stacks: &[&str]) -> (Vec<String>, Vec<String>) {
        let trim = Trim {
            node_fraction: 0.0,
            edge_fraction: 0.0,
            ..Trim::default()
        };
        let mut graph = Graph::build(&profile(stacks), &trim);
        for node in &mut graph.nodes {
            node.role = match node.frame.name.as_str() {
                "LEAK" => Role::Suspect,
                name if name.starts_with(char::is_uppercase) => Role::Own,
                _ => Role::Other,
            };
        }
        graph.fold();
        let name = |node: &Node| match node.folded.len() {
            0 => node.frame.name.clone(),
            more => format!("{}+{more}", node.frame.name),
        };
        let mut names: Vec<String> = graph.nodes.iter().map(name).collect();
        let mut edges: Vec<String> = graph
            .edges
            .iter()
            .map(|e| {
                format!(
                    "{}>{}",
                    name(&graph.nodes[e.from]),
                    name(&graph.nodes[e.to])
                )
            })
            .collect();
        names.sort();
        edges.sort();
        (names, edges)
    }

    #[test]
    fn what_only_passes_on_is_one_box() {
        let (names, edges) = folded(&["start;init;main;App;loop;step;LEAK;alloc 10"]);
        assert_eq!(names, ["App", "LEAK", "alloc", "loop+1", "start+2"]);
        assert_eq!(
            edges,
            ["App>loop+1", "LEAK>alloc", "loop+1>LEAK", "start+2>App"]
        );
    }

    #[test]
    fn where_calls_part_or_meet_a_box_stays() {
        let (names, _) = folded(&["a;b;c;d;X 10", "a;b;c;e;Y 9"]);
        assert_eq!(names, ["X", "Y", "a+2", "d", "e"]);
        let (names, _) = folded(&["a;c;d;e 10", "b;c;d;e 9", "c 3"]);
        assert_eq!(
            names,
            ["a", "b", "c", "d", "e"],
            "c asks for memory, e does"
        );
        let (names, edges) = folded(&["a;b;a;b;c 10"]);
        assert_eq!(names, ["a+1", "c"]);
        assert_eq!(edges, ["a+1>a+1", "a+1>c"], "a circle becomes one box");
    }

    #[test]
    fn a_long_run_of_the_programs_own_keeps_its_ends() {
        let (names, edges) = folded(&["A;B;C;D;E;F;G;H;LEAK 10"]);
        assert_eq!(names, ["A", "B", "C+2", "F", "G", "H", "LEAK"]);
        assert_eq!(edges.len(), 6);
        let (names, _) = folded(&["A;B;C;D;LEAK 10"]);
        assert_eq!(names.len(), 5, "a short one stays");
    }
}
