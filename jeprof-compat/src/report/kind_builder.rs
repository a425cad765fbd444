//! Fills a [`Kind`], one stack of one dump at a time. Pure.
//!
//! Whatever a program holds, a page has to open: of more than [`MOST_STACKS`] the smallest become
//! one, and of more than [`MOST_THREADS`] threads the smallest become one.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::kind::{Cell, Kind, ReportFrame, Stack, TrieNode};
use super::text;
use crate::profile::threads;
use crate::stacks::naming::Frame;

/// Stacks that a page has of a kind.
pub const MOST_STACKS: usize = 40_000;

/// Threads that a reader can choose from.
const MOST_THREADS: usize = 60;

/// Stands for the stacks beyond [`MOST_STACKS`].
const SMALLER: &str = "[smaller call paths]";

/// Collects the stacks of a kind.
#[derive(Debug, Default)]
pub struct KindBuilder {
    kind: Kind,
    dumps: usize,
    /// By name: as in every view, one name is one frame.
    frames: HashMap<String, u32>,
    /// Indexes of the nodes of the kind: they are keys and values in one.
    nodes: HashTable<u32>,
    state: RandomState,
    stacks: HashMap<u32, usize>,
    threads: HashMap<u64, String>,
}

impl KindBuilder {
    /// A kind of samples over a number of dumps. Ages fall into classes with the upper bounds
    /// `age_bounds`, in seconds.
    pub fn new(name: &str, title: &str, dumps: usize, age_bounds: &[f64]) -> KindBuilder {
        KindBuilder {
            kind: Kind {
                name: name.to_owned(),
                title: title.to_owned(),
                age_bounds: age_bounds.to_vec(),
                ..Kind::default()
            },
            dumps,
            ..KindBuilder::default()
        }
    }

    /// What a thread is called beside its number.
    pub fn name_thread(&mut self, number: u64, name: &str) {
        self.threads.insert(number, text::shorten(name));
    }

    /// Adds what `frames`, leaf first, held at a dump; what the stack had there is added to.
    pub fn add<'a>(
        &mut self,
        dump: usize,
        frames: impl DoubleEndedIterator<Item = &'a Frame>,
        cell: &Cell,
    ) {
        let mut node = None;
        for frame in frames.rev() {
            let home = frame.file.as_deref().filter(|_| !frame.home().is_empty());
            let frame = self.frame(&frame.name, || ReportFrame::new(frame));
            self.settle(frame, home);
            node = Some(self.node(node, frame));
        }
        let Some(node) = node else { return };
        self.stack(node).cells[dump].add(cell);
    }

    fn stack(&mut self, node: u32) -> &mut Stack {
        let at = *self.stacks.entry(node).or_insert_with(|| {
            self.kind.stacks.push(Stack {
                node,
                cells: vec![Cell::default(); self.dumps],
            });
            self.kind.stacks.len() - 1
        });
        &mut self.kind.stacks[at]
    }

    fn frame(&mut self, name: &str, make: impl FnOnce() -> ReportFrame) -> u32 {
        if let Some(&at) = self.frames.get(name) {
            return at;
        }
        let at = self.kind.frames.len() as u32;
        self.kind.frames.push(make());
        self.frames.insert(name.to_owned(), at);
        at
    }

    /// Managed functions of one name are one frame here: if they lie in several files, it is said of none.
    fn settle(&mut self, frame: u32, home: Option<&str>) {
        let frame = &mut self.kind.frames[frame as usize];
        let is_other = |home: &str, file: &str| file != home && file != text::shorten(home);
        if home
            .zip(frame.file.as_deref())
            .is_some_and(|(home, file)| is_other(home, file))
        {
            (frame.file, frame.line) = (None, None);
        }
    }

    fn node(&mut self, parent: Option<u32>, frame: u32) -> u32 {
        let wanted = TrieNode {
            parent: parent.into(),
            frame,
        };
        let (nodes, state) = (&mut self.kind.nodes, &self.state);
        let hash = |node: &TrieNode| state.hash_one(node);
        let is_wanted = |at: &u32| nodes[*at as usize] == wanted;
        if let Some(at) = self.nodes.find(hash(&wanted), is_wanted) {
            return *at;
        }
        let next = nodes.len() as u32;
        let rehash = |at: &u32| hash(&nodes[*at as usize]);
        self.nodes.insert_unique(hash(&wanted), next, rehash);
        nodes.push(wanted);
        next
    }

    /// The finished kind, with no more stacks than a page bears.
    pub fn finish(self) -> Kind {
        self.finish_with(MOST_STACKS)
    }

    fn finish_with(self, most: usize) -> Kind {
        let mut kind = self.kind;
        if kind.stacks.len() > most {
            kind = fold(kind, self.dumps, most);
        }
        number_threads(&mut kind, &self.threads);
        kind
    }
}

/// The heaviest stacks as they are, the rest as one.
fn fold(mut whole: Kind, dumps: usize, most: usize) -> Kind {
    let peak = |s: &Stack| s.cells.iter().map(|c| c.bytes).fold(0.0, f64::max);
    let mut order: Vec<(f64, usize)> = whole.stacks.iter().map(peak).zip(0..).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut is_kept = vec![false; order.len()];
    for &(_, at) in order.iter().take(most.saturating_sub(1)) {
        is_kept[at] = true;
    }
    let mut out = KindBuilder::new(&whole.name, &whole.title, dumps, &whole.age_bounds);
    for (stack, kept) in std::mem::take(&mut whole.stacks).into_iter().zip(is_kept) {
        let node = if kept {
            out.path(&whole, stack.node)
        } else {
            out.kind.folded += 1;
            let frame = out.frame(SMALLER, || ReportFrame {
                name: SMALLER.to_owned(),
                kind: "native",
                ..ReportFrame::default()
            });
            out.node(None, frame)
        };
        for (sum, cell) in out.stack(node).cells.iter_mut().zip(&stack.cells) {
            sum.add(cell);
        }
    }
    out.kind
}

impl KindBuilder {
    /// The path of another kind's node, here.
    fn path(&mut self, other: &Kind, leaf: u32) -> u32 {
        let mut frames = Vec::new();
        let mut at = Some(leaf);
        while let Some(node) = at.map(|at| other.nodes[at as usize]) {
            frames.push(node.frame);
            at = node.parent.get();
        }
        let mut node = None;
        for frame in frames.into_iter().rev() {
            let frame = &other.frames[frame as usize];
            let frame = self.frame(&frame.name, || frame.clone());
            node = Some(self.node(node, frame));
        }
        node.unwrap_or_default()
    }
}

/// Puts indexes for the numbers of threads: the heaviest first, and one for all beyond the most.
fn number_threads(kind: &mut Kind, names: &HashMap<u64, String>) {
    let mut sums: HashMap<u64, f64> = HashMap::new();
    let cells = kind.stacks.iter().flat_map(|s| &s.cells);
    for (thread, bytes) in cells.flat_map(|c| &c.threads) {
        *sums.entry(*thread).or_default() += bytes;
    }
    let mut order: Vec<(u64, f64)> = sums.into_iter().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let index: HashMap<u64, usize> = order.iter().map(|o| o.0).zip(0..).collect();
    let title = |&(number, _): &(u64, f64)| {
        threads::title(number, names.get(&number).map_or("", String::as_str))
    };
    kind.threads = order.iter().take(MOST_THREADS).map(title).collect();
    if order.len() > MOST_THREADS {
        let rest = order.len() - MOST_THREADS;
        kind.threads.push(format!("{rest} other threads"));
    }
    for cell in kind.stacks.iter_mut().flat_map(|s| &mut s.cells) {
        let mut parts: Vec<(u64, f64)> = Vec::new();
        for (thread, bytes) in std::mem::take(&mut cell.threads) {
            let at = index[&thread].min(MOST_THREADS) as u64;
            match parts.iter_mut().find(|p| p.0 == at) {
                Some(part) => part.1 += bytes,
                None => parts.push((at, bytes)),
            }
        }
        cell.threads = parts.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &str) -> Frame {
        Frame {
            name: name.into(),
            full: name.into(),
            ..Frame::default()
        }
    }

    fn bytes(bytes: f64, ages: &[f64]) -> Cell {
        Cell {
            bytes,
            ages: ages.into(),
            ..Cell::default()
        }
    }

    #[test]
    fn stacks_share_frames_and_beginnings() {
        let mut builder = KindBuilder::new("malloc", "Heap", 2, &[60.0]);
        let [main, f, g] = ["main", "f", "g"].map(frame);
        builder.add(0, [&f, &main].into_iter(), &bytes(8.0, &[8.0]));
        builder.add(1, [&g, &main].into_iter(), &bytes(1.0, &[]));
        builder.add(1, [&f, &main].into_iter(), &bytes(2.0, &[1.0, 1.0]));
        builder.add(0, [&f, &main].into_iter(), &bytes(4.0, &[1.0, 3.0]));
        let kind = builder.finish();
        assert_eq!((kind.frames.len(), kind.nodes.len()), (3, 3));
        assert_eq!(kind.nodes[2].parent, Some(0).into());
        let values = |at: usize| kind.stacks[at].cells.iter().map(|c| c.bytes);
        assert!(values(0).eq([12.0, 2.0]) && values(1).eq([0.0, 1.0]));
        assert_eq!(*kind.stacks[0].cells[0].ages, [9.0, 3.0]);
    }

    #[test]
    fn threads_have_their_parts_of_a_stack() {
        let mut builder = KindBuilder::new("malloc", "Heap", 1, &[]);
        builder.name_thread(7, "worker");
        let main = frame("main");
        for (thread, amount) in [(3, 1.0), (7, 4.0), (3, 2.0)] {
            let mut cell = bytes(amount, &[]);
            cell.threads = [(thread, amount)].into();
            builder.add(0, [&main].into_iter(), &cell);
        }
        let kind = builder.finish();
        assert_eq!((kind.nodes.len(), kind.stacks.len()), (1, 1));
        assert_eq!(kind.threads, ["t7 worker", "t3"]);
        assert_eq!(*kind.stacks[0].cells[0].threads, [(1, 3.0), (0, 4.0)]);
    }

    #[test]
    fn the_smallest_of_too_many_stacks_are_one() {
        let mut builder = KindBuilder::new("malloc", "Heap", 2, &[]);
        let main = frame("main");
        for n in 0..10 {
            let leaf = frame(&format!("f{n}"));
            builder.add(n % 2, [&leaf, &main].into_iter(), &bytes(n as f64, &[]));
        }
        let kind = builder.finish_with(4);
        assert_eq!((kind.stacks.len(), kind.folded), (4, 7));
        let names: Vec<&str> = kind.frames.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, [SMALLER, "main", "f7", "f8", "f9"]);
        let sum = |dump: usize| kind.stacks.iter().map(|s| s.cells[dump].bytes).sum::<f64>();
        assert_eq!((sum(0), sum(1)), (20.0, 25.0));
    }
}
