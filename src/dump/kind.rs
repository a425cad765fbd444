//! The lines of another kind of samples than malloc's: `#@ KIND ...`, which no reader adds to
//! malloc's.
//!
//! Each kind has its own snapshot, one kind at a time, as malloc's samples have in `dump`.

use profile_format::heap_v2::StackFacts;

use super::body::{Frames, estimate};
use super::snapshot::{self, Samples, Snapshot, Sums};
use super::writer::{Profile, Result};
use crate::table::fork_gate;
use crate::table::stack_table::{StackId, StackTable};

/// Samples of another kind.
pub struct Kind<'a> {
    /// One word: `mmap`, `java_heap`.
    pub name: &'static str,
    /// What a reader of its figures must know.
    pub note: &'static str,
    /// Mean bytes between its samples.
    pub period: u64,
    /// Further figures; `None` where one is not known.
    pub numbers: &'a [(&'static str, Option<u64>)],
    /// Its stacks.
    pub stacks: &'a StackTable,
    /// Its live samples.
    pub live: &'a dyn Samples,
}

impl Kind<'_> {
    /// Was no sample of this kind ever taken?
    pub fn is_empty(&self) -> bool {
        self.stacks.is_empty()
    }

    /// Writes the facts, and a line for each stack that owns samples.
    pub(super) fn write(
        &self,
        uptime_ms: u64,
        noted: &mut Frames<'_>,
        out: &mut Profile<'_, '_>,
    ) -> Result {
        out.kind_number(self.name, "period", self.period)?;
        out.kind_fact(self.name, "note", self.note.as_bytes())?;
        for (key, number) in self.numbers {
            if let Some(number) = number {
                out.kind_number(self.name, key, *number)?;
            }
        }
        let Some(pass) = fork_gate::TABLES.enter() else {
            return out.kind_fact(self.name, "missing", b"a fork took too long");
        };
        let snapshot = Snapshot::take(self.live);
        drop(pass);
        let Some(mut snapshot) = snapshot else {
            return out.kind_fact(self.name, "missing", b"out of memory");
        };
        if snapshot.missed() != 0 {
            out.kind_number(self.name, "missed_samples", snapshot.missed())?;
        }
        snapshot.sort_by_stack();
        let mut rest = snapshot.samples();
        for id in (0..self.stacks.len()).map(StackId) {
            let own = snapshot::take_stack(&mut rest, id);
            let live = Sums::of(own);
            if live.samples == 0 {
                continue;
            }
            let totals = self.stacks.totals(id);
            let frames = noted.note(self.stacks.frames(id));
            let facts = StackFacts {
                id: u64::from(id.0),
                live: estimate(live.samples, live.objects_fx, live.bytes),
                variance: live.variance as u128,
                accumulated: estimate(totals.samples, totals.objects_fx, totals.bytes),
                sizes: Some((live.least, live.most)),
                births: &snapshot::births(own, uptime_ms),
            };
            out.kind_stack(self.name, &facts, self.stacks.freed(id), frames)?;
        }
        Ok(())
    }
}
