//! What of profiles is to become stacks of names: which kind of samples, which value, which stacks, and what
//! makes a frame. Pure.

use std::fmt;

use profile_format::lifetimes;

use super::filter::Filter;
use super::naming::Granularity;
use crate::profile::model::{Profile, Sample, ValueKind, Values, Weighed};

/// Of which kind samples are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KindTitle {
    /// The kind.
    pub name: String,
    /// What a reader of its figures should know.
    pub note: Option<String>,
}

impl fmt::Display for KindTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.note {
            Some(note) => write!(f, "{}: {note}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// What to make of profiles.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Which kind of samples, malloc's without one.
    pub kind: Option<String>,
    /// Which heap value.
    pub value: ValueKind,
    /// In its place the bytes of blocks that were freed within so many milliseconds.
    pub freed_within_ms: Option<f64>,
    /// What makes a frame.
    pub granularity: Granularity,
    /// Which stacks take part, and which of their frames.
    pub filter: Filter,
    /// Whose samples take part.
    pub threads: Threads,
    /// Stacks of which the base has more are left out, of the total, too.
    pub drops_negative: bool,
    /// Functions go by the name that jeprof gives them: those that share it are one.
    pub is_short: bool,
    /// What was inlined has ` (inline)` behind its name, and a frame of its own, as in `jeprof`.
    pub marks_inlined: bool,
}

/// All threads, or one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threads {
    /// All of them together.
    #[default]
    All,
    /// The one of this number.
    One(u64),
}

impl Selection {
    pub(super) fn value_of(&self, sample: &Sample) -> f64 {
        match self.freed_within_ms {
            None => self.values_of(sample).get(self.value),
            Some(limit) => brief(sample, limit).map(|freed| freed.bytes).sum(),
        }
    }

    fn values_of(&self, sample: &Sample) -> Values {
        let Threads::One(uid) = self.threads else {
            return sample.values;
        };
        let mut threads = sample.threads.iter();
        let own = threads.find(|(thread, _)| *thread == uid);
        own.map_or_else(Values::default, |(_, values)| *values)
    }

    /// Real samples behind the value, where the dump counts them.
    pub(super) fn samples_of(&self, sample: &Sample) -> Option<u64> {
        let facts = sample.facts.as_ref()?;
        if self.threads != Threads::All {
            return None;
        }
        Some(match self.freed_within_ms {
            None => facts.samples,
            Some(limit) => brief(sample, limit).map(|freed| freed.samples).sum(),
        })
    }
}

/// Samples of blocks that were freed within `limit` milliseconds, by bucket.
fn brief(sample: &Sample, limit: f64) -> impl Iterator<Item = Weighed> {
    let lives = sample.facts.iter().flat_map(|facts| &facts.lives);
    let is_brief = move |bucket: u32| lifetimes::start_ms(bucket as usize + 1) <= limit.max(1.0);
    lives
        .filter(move |life| is_brief(life.0))
        .map(|life| life.1)
}

/// A profile and how it counts: 1 when added, -1 as a base.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Symbolized.
    pub profile: &'a Profile,
    /// Factor of all its values.
    pub sign: f64,
}

/// What is to be said of the kind that was chosen.
pub(super) fn title(parts: &[Part<'_>], selection: &Selection) -> Option<KindTitle> {
    let name = selection.kind.clone()?;
    let kinds = parts
        .iter()
        .filter_map(|p| p.profile.other_kinds.get(&name));
    let note = kinds.filter_map(|kind| kind.get("note")).next();
    let note = note.map(str::to_owned);
    Some(KindTitle { name, note })
}
