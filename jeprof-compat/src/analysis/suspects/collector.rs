//! What a garbage collector had the chance to free. Pure.
//!
//! A block that an object of JavaScript holds (the body of a `Buffer`) is freed after a collection of the
//! whole heap found the object dead, and V8 collects seldom: between two collections garbage looks like a
//! leak. Blocks that were born before the last collection, and are live, were held then.

use super::Judged;
use super::evidence::Clock;
use super::paths::Paths;
use crate::analysis::series::Process;
use crate::profile::model::{JS_HEAP, Language};

/// The collector of V8, in a process whose dumps tell of its collections.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Collector {
    /// Seconds from the last collection to the last dump; `None`: there was no collection.
    since: Option<f64>,
}

impl Collector {
    /// `None`: no dump tells of one.
    pub fn of(process: &Process) -> Option<Collector> {
        let heap = process.last().other_kinds.get(JS_HEAP)?;
        heap.get("collections")?;
        let since = heap
            .get("since_collection_ms")
            .and_then(|ms| ms.parse::<f64>().ok());
        Some(Collector {
            since: since.map(|ms| ms / 1000.0),
        })
    }

    /// The seconds without a collection, where most of the mature blocks of a group that scripts hold were born
    /// since the last one.
    pub fn waits(&self, paths: &Paths<'_>, judged: &Judged) -> Option<f64> {
        let members = &judged.group.members;
        members
            .iter()
            .any(|m| is_of_script(paths, *m))
            .then_some(())?;
        let clock = &paths.clock;
        let since = self.since.unwrap_or(f64::INFINITY);
        let [old, all] = [since, 0.0].map(|age| born_before(judged, clock, age));
        (old < all / 2.0).then(|| since.min(clock.run()))
    }
}

fn is_of_script(paths: &Paths<'_>, path: usize) -> bool {
    let frames = paths.paths[path].frames.iter();
    let mut languages = frames.filter_map(|at| paths.frames[*at].language);
    languages.any(|language| language == Language::JavaScript)
}

/// Bytes of the window's blocks that are older than `age`.
fn born_before(judged: &Judged, clock: &Clock, age: f64) -> f64 {
    let epochs = judged.judgement.window.epochs.clone();
    let old = epochs.filter(|epoch| clock.now - clock.middle(*epoch) > age);
    let births = old.filter_map(|epoch| judged.evidence.births.get(epoch));
    births.map(|born| born.bytes).sum()
}
