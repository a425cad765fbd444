//! Stacks of all dumps in columns: frames once, stacks as nodes of a trie, values by dump. Part of
//! the report's data; filled through [`KindBuilder`], which the reader of a series feeds one stack
//! of one dump at a time.

use std::collections::HashMap;

use serde::Serialize;

use crate::naming::{Frame, FrameKind};

/// One kind of samples over all dumps.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Kind {
    /// `malloc`, `java_heap`, `mmap`: as in the dumps.
    pub name: String,
    /// `Native heap (malloc)`.
    pub title: String,
    /// Frames, each once.
    pub frames: Vec<ReportFrame>,
    /// A parent stands before its children.
    pub nodes: Vec<TrieNode>,
    /// Leaf nodes that have values.
    pub stacks: Vec<Stack>,
    /// Upper bounds of the age classes in seconds, youngest first; the last class has none.
    pub age_bounds: Vec<f64>,
}

/// A frame as the page shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReportFrame {
    /// What is shown and what tells frames apart.
    pub name: String,
    /// The whole name, when it says more.
    pub full: Option<String>,
    /// File name of the module.
    pub module: Option<String>,
    /// Source file.
    pub file: Option<String>,
    /// Its line.
    pub line: Option<u32>,
    /// `native`, `managed` or `unresolved`.
    pub kind: &'static str,
}

/// A node of the trie of stacks, root first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrieNode {
    /// Index of the caller's node; none at the root.
    pub parent: Option<u32>,
    /// Index into [`Kind::frames`].
    pub frame: u32,
}

/// A stack with its values.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stack {
    /// Node of its leaf.
    pub node: u32,
    /// Name of its thread, when stacks are split by thread.
    pub thread: Option<String>,
    /// One for each dump.
    pub cells: Vec<Cell>,
}

/// What one stack held at one dump.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cell {
    /// Live bytes.
    pub bytes: f64,
    /// Live blocks.
    pub objects: f64,
    /// Bytes ever allocated, where they were counted.
    pub allocated: f64,
    /// Real live samples.
    pub samples: u64,
    /// Variance of `bytes`.
    pub variance: f64,
    /// Live bytes and samples by age class.
    pub ages: Ages,
}

/// Live bytes by class of age; empty when the dump does not say.
pub type Ages = Vec<f64>;

/// Collects the stacks of a kind.
#[derive(Debug, Default)]
pub struct KindBuilder {
    kind: Kind,
    dumps: usize,
    /// By name: as in every view, one name is one frame.
    frames: HashMap<String, u32>,
    nodes: HashMap<(Option<u32>, u32), u32>,
    stacks: HashMap<(u32, Option<String>), usize>,
}

impl KindBuilder {
    /// A kind of samples over so many dumps. Ages fall into classes with the upper bounds
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

    /// Adds what `frames`, leaf first, held at a dump; what the stack had there is added to.
    pub fn add<'a>(
        &mut self,
        dump: usize,
        frames: impl DoubleEndedIterator<Item = &'a Frame>,
        thread: Option<&str>,
        cell: &Cell,
    ) {
        let mut node = None;
        for frame in frames.rev() {
            let frame = self.frame(frame);
            node = Some(self.node(node, frame));
        }
        let Some(node) = node else { return };
        let key = (node, thread.map(str::to_owned));
        let at = *self.stacks.entry(key).or_insert_with_key(|(node, thread)| {
            self.kind.stacks.push(Stack {
                node: *node,
                thread: thread.clone(),
                cells: vec![Cell::default(); self.dumps],
            });
            self.kind.stacks.len() - 1
        });
        self.kind.stacks[at].cells[dump].add(cell);
    }

    fn frame(&mut self, frame: &Frame) -> u32 {
        if let Some(&at) = self.frames.get(&frame.name) {
            return at;
        }
        let at = self.kind.frames.len() as u32;
        self.kind.frames.push(ReportFrame::new(frame));
        self.frames.insert(frame.name.clone(), at);
        at
    }

    fn node(&mut self, parent: Option<u32>, frame: u32) -> u32 {
        let nodes = &mut self.kind.nodes;
        *self.nodes.entry((parent, frame)).or_insert_with(|| {
            nodes.push(TrieNode { parent, frame });
            nodes.len() as u32 - 1
        })
    }

    /// The finished kind.
    pub fn finish(self) -> Kind {
        self.kind
    }
}

impl ReportFrame {
    /// Where the frame lives: its module, or managed code, or nowhere known.
    pub fn home(&self) -> &str {
        match &self.module {
            Some(module) => module,
            None if self.kind == "managed" => "managed code",
            None => "",
        }
    }

    fn new(frame: &Frame) -> ReportFrame {
        ReportFrame {
            name: frame.name.clone(),
            full: (frame.full != frame.name && !frame.full.is_empty()).then(|| frame.full.clone()),
            module: frame.module.clone(),
            file: frame.file.clone(),
            line: frame.line,
            kind: match frame.kind {
                FrameKind::Native => "native",
                FrameKind::Managed => "managed",
                FrameKind::Unresolved => "unresolved",
            },
        }
    }
}

impl Cell {
    fn add(&mut self, more: &Cell) {
        self.bytes += more.bytes;
        self.objects += more.objects;
        self.allocated += more.allocated;
        self.samples += more.samples;
        self.variance += more.variance;
        if self.ages.len() < more.ages.len() {
            self.ages.resize(more.ages.len(), 0.0);
        }
        for (sum, bytes) in self.ages.iter_mut().zip(&more.ages) {
            *sum += bytes;
        }
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
            ages: ages.to_vec(),
            ..Cell::default()
        }
    }

    #[test]
    fn stacks_share_frames_and_beginnings() {
        let mut builder = KindBuilder::new("malloc", "Heap", 2, &[60.0]);
        let [main, f, g] = ["main", "f", "g"].map(frame);
        builder.add(0, [&f, &main].into_iter(), None, &bytes(8.0, &[8.0]));
        builder.add(1, [&g, &main].into_iter(), None, &bytes(1.0, &[]));
        builder.add(1, [&f, &main].into_iter(), None, &bytes(2.0, &[1.0, 1.0]));
        builder.add(0, [&f, &main].into_iter(), None, &bytes(4.0, &[1.0, 3.0]));
        let kind = builder.finish();
        assert_eq!((kind.frames.len(), kind.nodes.len()), (3, 3));
        assert_eq!(kind.nodes[2].parent, Some(0));
        let values = |at: usize| kind.stacks[at].cells.iter().map(|c| c.bytes);
        assert!(values(0).eq([12.0, 2.0]) && values(1).eq([0.0, 1.0]));
        assert_eq!(kind.stacks[0].cells[0].ages, [9.0, 3.0]);
    }

    #[test]
    fn threads_keep_stacks_apart() {
        let mut builder = KindBuilder::new("malloc", "Heap", 1, &[]);
        let main = frame("main");
        for thread in [Some("a"), Some("b"), Some("a")] {
            builder.add(0, [&main].into_iter(), thread, &bytes(1.0, &[]));
        }
        let kind = builder.finish();
        assert_eq!((kind.nodes.len(), kind.stacks.len()), (1, 2));
    }
}
