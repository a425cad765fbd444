//! How far a verdict sees. Pure.
//!
//! A leak and a cache that lives longer than the run have the same likelihood: nobody can tell them apart
//! yet. So a LEAK must have outlived [`CYCLES`] of the slowest cycle that was seen at any place (`cycle`), and
//! whatever else was asked for; what has not is GROWING, and the reason says how long it was watched.

use super::climb::Climb;
use super::cohort::{Cohort, WARM_UP, Window};
use super::evidence::{Clock, Evidence, LEAST};
use super::finding::Reason;
use super::paths::Paths;
use super::{Judged, cycle, history};

/// So many of the slowest cycles must a leak have outlived.
pub const CYCLES: f64 = 3.0;

/// How far the verdicts of a process see. Seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Horizon {
    /// How long was watched.
    pub watched: f64,
    /// The slowest cycle that was seen, 0 without any.
    pub cycle: f64,
    /// Where.
    pub place: Option<cycle::Place>,
    /// What was asked for, 0 without.
    pub asked: f64,
}

impl Horizon {
    /// By the slowest cycle of all stacks but those of containers; a leak must have reached an age of `asked`, too.
    pub fn of(paths: &Paths<'_>, judged: &[Judged], containers: &[u64], asked: f64) -> Horizon {
        let fall = |j: &Judged| {
            let times = history::collapses(paths, &j.group.members);
            (j.group.culprit, times)
        };
        let falls: Vec<(usize, Vec<f64>)> = judged.iter().map(fall).collect();
        let slowest = cycle::slowest(paths, containers, &falls);
        Horizon {
            watched: paths.clock.run(),
            cycle: slowest.map_or(0.0, |cycle| cycle.seconds),
            place: slowest.map(|cycle| cycle.place),
            asked,
        }
    }

    /// Why a leak is none yet, where it has not outlived this.
    pub fn is_near(&self, judged: &Judged, clock: &Clock) -> Option<Reason> {
        let j = &judged.judgement;
        let reaches = match (&j.reason, &j.climb) {
            (Reason::Climbs { .. }, Some(climb)) => self.is_outclimbed(climb),
            _ => self.is_outlived(&judged.evidence, &j.cohort, &j.window, clock),
        };
        (!reaches).then(|| Reason::Near {
            age: j.window.age,
            deaths: j.survival.deaths,
            watched: self.watched,
            cycle: self.cycle,
            needed: self.needed(),
        })
    }

    /// Seconds in all after which a place that grows at this rate, by samples of this weight, may have outlived it:
    /// as many samples as a verdict needs are then older than that, and were born behind the warm-up.
    pub fn run_needed(&self, rate: f64, weight: f64) -> Option<f64> {
        let births = LEAST * weight / rate;
        (rate > 0.0).then(|| (self.needed() + births) / (1.0 - WARM_UP))
    }

    /// The age that a leak must have reached.
    pub fn needed(&self) -> f64 {
        (CYCLES * self.cycle).max(self.asked)
    }

    /// Whether the mature blocks of a place have reached it, in number enough.
    fn is_outlived(
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
    fn is_outclimbed(&self, climb: &Climb) -> bool {
        climb.last >= self.needed() && self.watched >= self.needed()
    }
}
