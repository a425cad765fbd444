//! Stacks of all dumps in columns: frames once, stacks as nodes of a trie, values by dump. Part of
//! the report's data; [`super::KindBuilder`] fills it.

use std::collections::HashMap;

use serde::{Serialize, Serializer};

use super::text;
use crate::figures::Estimate;
use crate::stacks::glue;
use crate::stacks::naming::{Frame, FrameKind};

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
    /// Threads that allocated: [`Cell::threads`] points here.
    pub threads: Vec<String>,
    /// Stacks that share one in the place of the smallest.
    pub folded: usize,
}

impl Kind {
    /// Bytes live at a dump, with their 95 % band.
    pub fn live(&self, dump: usize) -> Estimate {
        let cells = || self.stacks.iter().filter_map(|s| s.cells.get(dump));
        let value = cells().map(|c| c.bytes).sum();
        Estimate::of(value, cells().map(|c| c.variance).sum())
    }
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
    /// `native`, `managed`, `class` (of an object) or `unresolved`.
    pub kind: &'static str,
    /// Written for this program.
    pub is_own: bool,
}

/// A node of the trie of stacks, root first. A page has up to a million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct TrieNode {
    /// The caller's node; none at the root.
    pub parent: Parent,
    /// Index into [`Kind::frames`].
    pub frame: u32,
}

/// Index of a node, or none, in the room of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parent(u32);

impl Parent {
    /// The index.
    pub fn get(self) -> Option<u32> {
        (self != Parent::default()).then_some(self.0)
    }
}

impl Default for Parent {
    fn default() -> Parent {
        Parent(u32::MAX)
    }
}

impl From<Option<u32>> for Parent {
    fn from(index: Option<u32>) -> Parent {
        index.map_or_else(Parent::default, Parent)
    }
}

impl Serialize for Parent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(serializer)
    }
}

/// A stack with its values.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stack {
    /// Node of its leaf.
    pub node: u32,
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
    /// Live bytes by thread; while a kind is filled by the thread's number in the process.
    pub threads: Box<[(u64, f64)]>,
}

/// Live bytes by class of age; empty when the dump does not say.
pub type Ages = Box<[f64]>;

impl ReportFrame {
    /// Where the frame lives: its module, or managed code, or nowhere known.
    pub fn home(&self) -> &str {
        match &self.module {
            Some(module) => module,
            None if matches!(self.kind, "managed" | "class") => "managed code",
            None => "",
        }
    }

    pub(super) fn new(frame: &Frame) -> ReportFrame {
        ReportFrame {
            name: text::shorten(&frame.name),
            full: (frame.full != frame.name && !frame.full.is_empty())
                .then(|| text::shorten(&frame.full)),
            module: frame.module.as_deref().map(text::shorten),
            file: frame.file.as_deref().map(text::shorten),
            line: frame.line,
            kind: match frame.kind {
                FrameKind::Native => "native",
                FrameKind::Managed if frame.is_class => "class",
                FrameKind::Managed => "managed",
                FrameKind::Unresolved => "unresolved",
            },
            is_own: glue::is_of_program(frame),
        }
    }
}

impl Cell {
    pub(super) fn add(&mut self, more: &Cell) {
        self.bytes += more.bytes;
        self.objects += more.objects;
        self.allocated += more.allocated;
        self.samples = self.samples.saturating_add(more.samples);
        self.variance += more.variance;
        if self.ages.len() < more.ages.len() {
            let mut longer = vec![0.0; more.ages.len()];
            longer[..self.ages.len()].copy_from_slice(&self.ages);
            self.ages = longer.into();
        }
        for (sum, bytes) in self.ages.iter_mut().zip(&more.ages) {
            *sum += bytes;
        }
        if self.threads.is_empty() {
            self.threads.clone_from(&more.threads);
            return;
        }
        let mut threads = std::mem::take(&mut self.threads).into_vec();
        let known = threads.iter().map(|thread| thread.0);
        let mut places: HashMap<u64, usize> = known.zip(0..).collect();
        for &(thread, bytes) in &more.threads {
            let next = threads.len();
            match *places.entry(thread).or_insert(next) {
                at if at < next => threads[at].1 += bytes,
                _ => threads.push((thread, bytes)),
            }
        }
        self.threads = threads.into();
    }
}
