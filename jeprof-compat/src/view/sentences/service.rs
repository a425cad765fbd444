//! What is said of the workers of one program together. Pure.

use std::collections::BTreeMap;

use super::place::{file, who};
use super::{Findings, findings};
use crate::analysis::fleet;
use crate::analysis::suspects::{Case, Judged, Verdict};
use crate::figures::words;

/// Share of what a worker would have if all had as much, from which on it takes part.
const PART: f64 = 0.1;

/// The findings of a pool of so many workers.
pub fn service(case: &Case<'_>, workers: usize) -> Findings {
    let mut findings = findings(case);
    let run = case.paths.clock.run();
    let conclusion = &mut findings.conclusion;
    let leaks = case.with(Verdict::Leak);
    conclusion.headline = match leaks.first() {
        Some(first) => format!(
            "{} of {workers} workers leak, {} together, at {}",
            taking_part(case, first, workers),
            words::rate(case.leak_rate().value, run),
            at(case, first)
        ),
        None => format!("{} ({workers} workers together)", conclusion.headline),
    };
    findings
}

/// `mcache.c:16`.
fn at(case: &Case<'_>, judged: &Judged) -> String {
    let frame = &case.paths.frames[judged.group.culprit];
    let short = |file: String| file.rsplit('/').next().unwrap_or_default().to_owned();
    file(frame).map_or_else(|| who(case, judged), short)
}

/// How many workers hold a part of what the group does that is worth the name.
fn taking_part(case: &Case<'_>, judged: &Judged, workers: usize) -> usize {
    let mut held: BTreeMap<usize, f64> = BTreeMap::new();
    for &member in &judged.group.members {
        let worker = case.paths.number(member).map_or(0, fleet::worker);
        *held.entry(worker).or_default() += case.paths.evidence(&[member]).bytes;
    }
    let even = held.values().sum::<f64>() / workers.max(1) as f64;
    held.values().filter(|bytes| **bytes >= PART * even).count()
}
