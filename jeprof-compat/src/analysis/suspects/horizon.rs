//! How far a verdict sees. Pure.
//!
//! A leak and a cache that lives longer than the run have the same likelihood: nobody can tell them apart
//! yet. So a LEAK must have outlived [`CYCLES`] of the slowest cycle that was seen at any place (`cycle`), and
//! whatever else was asked for; what has not is GROWING, and the reason says how long it was watched.

use super::climb::Climb;
use super::cohort::{Cohort, Window};
use super::evidence::{Clock, Evidence, LEAST};

/// So many of the slowest cycles must a leak have outlived.
pub const CYCLES: f64 = 3.0;

/// How far the verdicts of a process see. Seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Horizon {
    /// How long was watched.
    pub watched: f64,
    /// The slowest cycle that was seen, 0 without any.
    pub cycle: f64,
    /// What was asked for, 0 without.
    pub asked: f64,
}

impl Horizon {
    /// The age that a leak must have reached.
    pub fn needed(&self) -> f64 {
        (CYCLES * self.cycle).max(self.asked)
    }

    /// Whether the mature blocks of a place have reached it, in number enough.
    pub fn is_outlived(
        &self,
        evidence: &Evidence,
        cohort: &Cohort,
        window: &Window,
        clock: &Clock,
    ) -> bool {
        if self.needed() <= window.age {
            return true;
        }
        let end = ((clock.now - self.needed()) / clock.width).floor().max(0.0) as usize;
        let old = evidence.born(window.epochs.start..end.max(window.epochs.start));
        let dispersion = cohort.worth / cohort.effective.max(f64::MIN_POSITIVE);
        old.worth() / dispersion.max(1.0) >= LEAST
    }

    /// Whether a place has climbed for so long.
    pub fn is_outclimbed(&self, climb: &Climb) -> bool {
        climb.last >= self.needed() && self.watched >= self.needed()
    }
}
