//! Threads in the place of functions: what makes a row of a table is then who allocated. Pure.

use std::collections::HashMap;

use super::naming::{Frame, Granularity};
use crate::profile::model::{Profile, Sample, ValueKind};
use crate::profile::threads;

/// What a sample belongs to of which the dump names no thread.
const NOBODY: &str = "(no thread is known)";

/// The threads of a profile, each with the name of its row.
pub(super) struct ByThread {
    rows: HashMap<u64, String>,
}

impl ByThread {
    /// Nothing where rows are of places.
    pub(super) fn new(profile: &Profile, granularity: Granularity) -> Option<ByThread> {
        let pools = match granularity {
            Granularity::Threads => HashMap::new(),
            Granularity::Pools => {
                threads::pools(profile.threads.iter().map(|(_, name)| name.as_str()))
            }
            _ => return None,
        };
        let row = |number: u64, name: &str| match (granularity, pools.get(name)) {
            (_, Some(pool)) => pool.clone(),
            (Granularity::Pools, None) if !name.is_empty() => name.to_owned(),
            _ => threads::title(number, name),
        };
        let all = profile.threads.iter();
        Some(ByThread {
            rows: all.map(|(n, name)| (*n, row(*n, name))).collect(),
        })
    }

    /// A frame for each thread of a sample, with its share of the value.
    pub(super) fn frames(&self, sample: &Sample, value: ValueKind) -> Vec<(Frame, f64)> {
        let whole: f64 = sample.threads.iter().map(|(_, v)| v.get(value)).sum();
        if whole <= 0.0 {
            return vec![(frame(NOBODY), 1.0)];
        }
        let threads = sample.threads.iter();
        threads
            .map(|(number, values)| {
                let row = self.rows.get(number);
                let name = row.cloned().unwrap_or_else(|| threads::title(*number, ""));
                (frame(&name), values.get(value) / whole)
            })
            .collect()
    }
}

fn frame(name: &str) -> Frame {
    Frame {
        name: name.to_owned(),
        full: name.to_owned(),
        ..Frame::default()
    }
}
