//! Suspects as the report shows them, in the words of `view::sentences`.

use serde::Serialize;

use crate::analysis::suspects::{Horizon, Verdict};
use crate::figures::Estimate;
use crate::stacks::origin::Origin;

/// What is said of one kind of samples of a process.
#[derive(Clone, Debug)]
pub struct Findings {
    /// In three sentences.
    pub conclusion: Conclusion,
    /// Those that grow first, by the lower bound of their rate; then the largest others.
    pub suspects: Vec<Suspect>,
    /// Bytes an hour that all leaks lose together, at least.
    pub leak_lower: f64,
    /// Bytes an hour above which a leak of one path would have been seen.
    pub floor: Option<f64>,
    /// Bytes an hour that grow at most, where that is not certainly a leak: it may be one.
    pub growing: f64,
    /// How far it sees.
    pub horizon: Horizon,
}

/// The answer in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Conclusion {
    /// The verdict over all suspects.
    pub verdict: Verdict,
    /// A few words: `Yes, it leaks 41 MB/h`.
    pub headline: String,
    /// At most three plain sentences: how fast and how certain, who, what comes next.
    pub sentences: Vec<String>,
    /// They tell of something that is not well beside the verdict: how it ended, memory that nobody holds,
    /// evidence that is not whole.
    pub caution: bool,
}

/// A suspect card.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Suspect {
    /// What is said of it.
    pub verdict: Verdict,
    /// Name of the frame a person can act on; selects it in all views.
    pub culprit: String,
    /// `file:line`, and module with version: `deflate.c:302 in libz.so.1.2.13`.
    pub place: String,
    /// One sentence: what it does and how much.
    pub sentence: String,
    /// Why the verdict is what it is, in words with figures.
    pub reason: String,
    /// Whether an extension, the script or the runtime asked for the memory, where there is a runtime.
    pub origin: Option<Origin>,
    /// Which kind of samples it was found in: [`super::Kind::name`].
    pub kind: String,
    /// Bytes an hour that do not come back.
    pub rate: Option<Estimate>,
    /// Its part of all growth, 0 to 1.
    pub share: Option<f64>,
    /// Bytes live at the last dump.
    pub live: Estimate,
    /// Blocks live at the last dump.
    pub objects: f64,
    /// Real samples behind it.
    pub samples: u64,
    /// Part of the mature blocks that survived from dump to dump, 0 to 1.
    pub survival: Option<f64>,
    /// Live bytes by birth, oldest first: equal cohorts of time.
    pub ages: Vec<f64>,
    /// Live bytes at each dump.
    pub history: Vec<f64>,
    /// Bytes that were freed, by how long they had lived: octaves of time, the shortest first.
    pub lifetimes: Vec<Lifetime>,
    /// The threads that allocated it with their shares, the largest first; those whose names differ in a number
    /// are one.
    pub threads: Vec<(String, f64)>,
    /// The heaviest stack, leaf first.
    pub stack: Vec<StackFrame>,
    /// Words to look for in a bug tracker.
    pub keywords: Vec<String>,
    /// What to do about it.
    pub advice: Vec<String>,
}

impl Suspect {
    /// Every text of it that may have come from a name.
    pub(super) fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let own = [
            &mut self.culprit,
            &mut self.place,
            &mut self.sentence,
            &mut self.reason,
        ];
        let threads = self.threads.iter_mut().map(|(name, _)| name);
        let lists = self.keywords.iter_mut().chain(&mut self.advice);
        let lists = lists.chain(threads);
        let frames = self.stack.iter_mut();
        let frames = frames.flat_map(|f| [&mut f.name, &mut f.place, &mut f.module]);
        let origin = self.origin.iter_mut().flat_map(Origin::texts);
        own.into_iter().chain(origin).chain(lists).chain(frames)
    }
}

/// What lived about as long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Lifetime {
    /// Milliseconds at least; less than twice as many at most, and below 1 ms for 0.
    pub from_ms: f64,
    /// Bytes freed, by estimate.
    pub bytes: f64,
}

/// A frame of a suspect's stack.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StackFrame {
    /// The whole function name.
    pub name: String,
    /// `file:line`, or the file alone, or nothing.
    pub place: String,
    /// File name of the module.
    pub module: String,
    /// Build id of the module, when it is known.
    pub build_id: String,
    /// Allocator, runtime, or library glue: folded away.
    pub glue: bool,
    /// Glue that keeps what it is given: shown nevertheless.
    pub keeps: bool,
}
