//! Whether a process that ends has enough of its own to write a dump.
//!
//! Shells start hundreds of programs, and servers start a process for each connection. A file for
//! each process would hide the one that matters, and would cost more than the child's own work. So
//! the process that the user named always dumps at its end. A process that another one under the
//! profiler started (`lineage`) dumps only when it did more than a little. The measures are what it
//! sampled itself and still keeps, and its age. `prof_final_all` makes all of them dump.
//!
//! [`has_something_to_tell`] runs at the end, [`sampled`] at each sample. Table locks are taken,
//! one at a time, at the end only.

use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use crate::config::Config;
use crate::platform::process::lineage;
use crate::recorder::{self, LIVE};
use crate::table::stack_table::StackTable;
use crate::{java_heap, js_heap, ruby_objects, table::fork_gate};

/// Does every process dump at its end? Written by [`start`].
static ALL: AtomicBool = AtomicBool::new(false);

/// Was anything sampled since the start, or since the fork? Written by any thread that samples, and
/// in a fork's child.
static SAMPLED: AtomicBool = AtomicBool::new(false);

/// A process younger than this has hardly begun: a program in a pipe, a query.
const YOUNG_MS: u64 = 1_000;

/// A young process that keeps this much is worth a dump. It is several samples at the default rate,
/// and more than the caches that database and interpreter processes fill while they start.
const MUCH: u64 = 8 << 20;

/// A process of this age is a worker.
const OLD_MS: u64 = 10_000;

/// A process that is neither young nor old and keeps this much is worth a dump. It is less than one
/// sample at the default rate stands for.
const SOME: u64 = 256 << 10;

/// Stores what the configuration says.
pub fn start(config: &Config) {
    ALL.store(config.prof_final_all, Relaxed);
}

/// Runs in a fork's child, and at the start: nothing was sampled yet.
pub fn forget() {
    // A write would copy the page in every child.
    if SAMPLED.load(Relaxed) {
        SAMPLED.store(false, Relaxed);
    }
}

/// Notes that something was sampled.
#[inline]
pub fn sampled() {
    if !SAMPLED.load(Relaxed) {
        SAMPLED.store(true, Relaxed);
    }
}

/// Must this process dump at its end?
pub fn has_something_to_tell() -> bool {
    let tables = [
        &recorder::STACKS,
        &recorder::MAP_STACKS,
        &java_heap::STACKS,
        &js_heap::STACKS,
        &recorder::OBJECT_STACKS,
        &ruby_objects::STACKS,
    ];
    if tables.into_iter().all(StackTable::is_empty) {
        return false;
    }
    if ALL.load(Relaxed) {
        return true;
    }
    let has_sampled = SAMPLED.load(Relaxed) || !lineage::is_forked();
    // The malloc samples have their own flag, `SAMPLED`. The other kinds are known by their tables.
    let [_, others @ ..] = tables;
    if !has_sampled && others.into_iter().all(StackTable::is_empty) {
        // The process keeps nothing of its own, which is little at any age. No clock and no table
        // is read.
        return !lineage::is_child();
    }
    let age_ms = lineage::age_ms(recorder::uptime_ms());
    let kept = || kept_since(recorder::own_since_ms());
    is_much(age_ms, has_sampled, &kept) || !lineage::is_child()
}

fn is_much(age_ms: u64, has_sampled: bool, kept: &dyn Fn() -> u64) -> bool {
    match age_ms {
        ..YOUNG_MS => kept() >= MUCH,
        YOUNG_MS..OLD_MS => kept() >= SOME,
        OLD_MS.. => has_sampled || kept() != 0,
    }
}

/// An estimate, from the samples, of the live bytes that were allocated at `first_ms` or later.
fn kept_since(first_ms: u64) -> u64 {
    let Some(_pass) = fork_gate::TABLES.enter() else {
        // A fork takes too long. It is safer to write a dump than to lose one.
        return u64::MAX;
    };
    let mut kept = java_heap::LIVE.total_weighted_bytes();
    kept = kept.saturating_add(js_heap::LIVE.total_weighted_bytes());
    kept = kept.saturating_add(ruby_objects::LIVE.total_weighted_bytes());
    let mut add = |sample: &crate::table::live_table::Sample| {
        if sample.birth_ms >= first_ms {
            kept = kept.saturating_add(sample.weighted_bytes);
        }
    };
    LIVE.for_each(&mut add);
    recorder::RANGES.for_each(&mut add);
    recorder::OBJECTS.for_each(&mut add);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_measured_by_the_age() {
        let much = |age_ms, kept| is_much(age_ms, true, &|| kept);
        assert!(!much(5, 4 << 20), "the caches of a query");
        assert!(much(5, 8 << 20));
        assert!(much(2_000, 1 << 20), "a worker that keeps something");
        assert!(!much(2_000, 100 << 10));
        assert!(much(60_000, 0), "it sampled what it freed again");
        assert!(!is_much(60_000, false, &|| 0), "an idle worker");
    }
}
