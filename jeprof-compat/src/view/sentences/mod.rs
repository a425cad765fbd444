//! What was found, in sentences: the only place where figures of an analysis become words. Pure.
//!
//! `conclusion` answers whether a process leaks, `card` tells of one suspect, `place` where it is,
//! `reason` why its verdict is what it is, `diff` what changed between two dumps
//! and `pair` what these are, `service` what the workers of one program do together, `survey` what is
//! said of all processes, and `beside` what others change on the page of one.

mod beside;
mod card;
mod conclusion;
pub mod diff;
pub mod pair;
mod place;
mod reason;
mod service;
pub mod survey;

use crate::analysis::suspects::{Case, Resident, Verdict};
use crate::report::Findings;

/// All that is said of one kind of samples of a process.
pub fn findings(case: &Case<'_>) -> Findings {
    let suspects = case.suspects().into_iter();
    let conclusion = conclusion::conclusion(case);
    let is_told = conclusion.verdict != Verdict::TooFew;
    Findings {
        growing: growing(case, conclusion.verdict) * 3600.0,
        conclusion,
        suspects: suspects.map(|judged| card::suspect(case, judged)).collect(),
        // Half a dump proves nothing.
        leak_lower: if is_told { case.leak_lower() } else { 0.0 },
        floor: case.floor.map(|floor| floor * 3600.0),
        horizon: case.horizon,
    }
}

/// Bytes a second that grow at most and may leak: of places, of the heap as a whole, or of RSS beside it.
fn growing(case: &Case<'_>, verdict: Verdict) -> f64 {
    let places = case.with(Verdict::Growing).into_iter();
    let places: f64 = places.map(|place| place.judgement.cohort.rate.upper).sum();
    if verdict != Verdict::Growing {
        return places;
    }
    let whole = case.climb.as_ref().map_or(0.0, |climb| climb.rate.upper);
    let besides = match case.resident {
        Some(Resident::Grows { rss, .. }) => rss,
        _ => 0.0,
    };
    places.max(whole).max(besides)
}
