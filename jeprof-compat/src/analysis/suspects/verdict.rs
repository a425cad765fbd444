//! What a path does, in one word and with the reason, in figures. Pure.
//!
//! # The rules
//! A LEAK needs all of: at least [`LEAST`] effective samples in the mature cohort, which is a
//! relative sampling error below a third; births that do not fall; blocks that do not die (fewer
//! deaths than if blocks lived no longer than the run, at 5 %, and an expected [`DIES`] deaths of
//! a sample within the run at most). The windows of the ladder are tried in turn, each at 5 %: they
//! are nested and nearly the same test, and to divide the level by their number cost three leaks of
//! a hundred under churn, while simulated runs without a leak stay far below it either way.
//! `suspects` then corrects for the number of paths.
//!
//! What grows without all that is GROWING, what stopped is BOUNDED, what dies is CHURN.

use super::cohort::{Cohort, Window};
use super::evidence::{Clock, Evidence};
use super::finding::{Born, Reason, Verdict};
use super::shape::{Shape, Spread};
use super::survival::Survival;

/// Mature samples without which nothing is said: 1/sqrt(9) is a third.
pub const LEAST: f64 = 9.0;

/// Level of the test for survival.
pub const LEVEL: f64 = 0.05;

/// Deaths expected of one sample within the run, above which blocks are taken to die.
const DIES: f64 = 0.25;

/// A falling rate that would add less than this share of what is live has ended.
const ENDED: f64 = 0.1;

/// The verdict on a path with what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// In a word.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The number of paths that were tested, where the verdict may be chance among them.
    pub chance_among: Option<usize>,
    /// The bounds of the cohort.
    pub window: Window,
    /// The cohort.
    pub cohort: Cohort,
    /// What became of mature samples.
    pub survival: Survival,
    /// How births are spread.
    pub spread: Spread,
    /// Probability of the survival seen if blocks lived no longer than the run.
    pub p: f64,
    /// Live bytes at which a falling rate would end.
    pub plateau: Option<f64>,
}

/// Judges a path by itself. `collapses` says how often it gave back most of what it had.
pub fn judge(evidence: &Evidence, clock: &Clock, collapses: usize) -> Judgement {
    let ladder = Window::ladder(clock, evidence);
    let mut judged = ladder.into_iter().map(|window| {
        let mut judgement = measure(evidence, clock, window);
        if collapses > 0 {
            judgement.spread.shape = Shape::Sawtooth;
        }
        decide(&mut judgement, evidence, clock, collapses);
        judgement
    });
    let Some(first) = judged.next() else {
        unreachable!("a ladder has at least one window");
    };
    // An older age helps against what dies late; that growth ends is seen best in the widest
    // window.
    if first.verdict == Verdict::Leak || !dies_late(&first) {
        return first;
    }
    judged.find(|j| j.verdict == Verdict::Leak).unwrap_or(first)
}

fn dies_late(j: &Judgement) -> bool {
    j.survival.deaths > 0 && !matches!(j.spread.shape, Shape::Falling | Shape::Steps)
}

fn measure(evidence: &Evidence, clock: &Clock, window: Window) -> Judgement {
    let spread = Spread::of(evidence, &window);
    let cohort = Cohort::of(evidence, &window, spread.dispersion);
    let survival = Survival::of(evidence, &window, clock);
    let rest = spread.still_to_come(cohort.rate.value, &window, clock);
    Judgement {
        verdict: Verdict::TooFew,
        reason: Reason::FewLive {
            all: evidence.samples,
        },
        chance_among: None,
        p: survival.p,
        plateau: rest.map(|rest| evidence.bytes + rest),
        window,
        cohort,
        survival,
        spread,
    }
}

fn decide(j: &mut Judgement, evidence: &Evidence, clock: &Clock, collapses: usize) {
    let settles = j
        .plateau
        .is_some_and(|p| p - evidence.bytes < ENDED * evidence.bytes);
    (j.verdict, j.reason) = if j.spread.shape == Shape::Steps && j.cohort.samples as f64 >= LEAST {
        (Verdict::Growing, bursts(j))
    } else if j.cohort.effective < LEAST {
        thin(j, evidence, clock)
    } else if j.survival.hazard >= 1.0 {
        (Verdict::Churn, dying(j, clock, collapses))
    } else if j.spread.shape == Shape::Falling && settles {
        (Verdict::Bounded, falling(j, evidence, true))
    } else if j.spread.shape == Shape::Falling {
        (Verdict::Growing, falling(j, evidence, false))
    } else if j.p <= LEVEL && j.survival.hazard <= DIES && collapses == 0 {
        (Verdict::Leak, staying(j, clock))
    } else {
        (Verdict::Growing, open(j, clock))
    };
}

/// Too few mature samples: old ones, young ones, or too few at all.
fn thin(j: &Judgement, evidence: &Evidence, clock: &Clock) -> (Verdict, Reason) {
    let old = evidence.born(0..j.window.epochs.start).samples;
    let (mature, all) = (j.cohort.samples, evidence.samples);
    let young = all.saturating_sub(old + mature);
    let age = j.window.age;
    if (all as f64) < LEAST {
        return (Verdict::TooFew, Reason::FewLive { all });
    }
    if old > young && old > 2 * mature {
        let warm_up = j.window.epochs.start as f64 * clock.width;
        return (Verdict::Bounded, Reason::Old { old, all, warm_up });
    }
    let deaths = evidence.deaths();
    if young > mature && deaths > young {
        let reason = Reason::Young {
            young,
            all,
            deaths,
            age,
        };
        return (Verdict::Churn, reason);
    }
    (Verdict::TooFew, Reason::FewMature { mature, age })
}

fn bursts(j: &Judgement) -> Reason {
    Reason::Bursts {
        mature: j.cohort.samples,
        events: j.cohort.effective.max(1.0),
    }
}

fn dying(j: &Judgement, clock: &Clock, collapses: usize) -> Reason {
    Reason::Dying {
        age: j.window.age,
        life: clock.run() / j.survival.hazard.max(1e-9),
        deaths: j.survival.deaths,
        collapses,
    }
}

fn falling(j: &Judgement, evidence: &Evidence, has_ended: bool) -> Reason {
    Reason::Falling {
        plateau: j.plateau.unwrap_or(evidence.bytes),
        has_ended,
    }
}

fn born(j: &Judgement, clock: &Clock) -> Born {
    Born {
        samples: j.cohort.samples,
        from: j.window.epochs.start as f64 * clock.width,
        to: j.window.epochs.end as f64 * clock.width,
    }
}

fn staying(j: &Judgement, clock: &Clock) -> Reason {
    Reason::Staying {
        born: born(j, clock),
        is_rising: j.spread.shape == Shape::Rising,
        age: j.window.age,
        deaths: j.survival.deaths,
    }
}

fn open(j: &Judgement, clock: &Clock) -> Reason {
    Reason::Open {
        born: born(j, clock),
        deaths: (j.survival.hazard > DIES).then_some(j.survival.deaths),
    }
}
