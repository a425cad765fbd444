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

use crate::analysis::suspects::Case;
use crate::report::Findings;

/// All that is said of one kind of samples of a process.
pub fn findings(case: &Case<'_>) -> Findings {
    let suspects = case.suspects().into_iter();
    Findings {
        conclusion: conclusion::conclusion(case),
        suspects: suspects.map(|judged| card::suspect(case, judged)).collect(),
        leak_lower: case.leak_lower(),
        floor: case.floor.map(|floor| floor * 3600.0),
        horizon: case.horizon,
    }
}
