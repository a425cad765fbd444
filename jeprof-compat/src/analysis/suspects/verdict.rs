//! What a path does, in one word and with the reason, in figures. Pure.
//!
//! # The rules
//! A LEAK needs all of: at least [`LEAST`] effective samples in the mature cohort, which is a
//! relative sampling error below a third; births that do not fall; blocks that do not die (fewer
//! deaths than if blocks lived no longer than the run, at 5 %, and an expected [`DIES`] deaths of
//! a sample within the run at most). Where blocks of the place are freed too, the windows of the
//! ladder are looked through for the age beyond which they are not: the one whose upper limit of the
//! hazard is lowest. `suspects` then corrects for the number of paths.
//!
//! To choose the best of many windows is to try often, and lives that are a little longer than the run
//! would look like a leak by chance: of those of twice the run one in fourteen at 2^19. A leak beside
//! churn is told from slow churn by the survival curve: it falls and then is flat. So a place that
//! frees as much as [`FREES`] must show that beyond the age the hazard is [`PLATEAU`] times lower than
//! over all ages, at 95 %, or below [`SLOW`] in any case. Slow churn has the same hazard at all ages.
//!
//! What grows without all that is GROWING, what stopped is BOUNDED, what dies is CHURN.
//!
//! The live bytes of the place over the dumps (`climb`) are evidence of their own. Where they climb, a place is
//! GROWING at least, unless its births say that the growth ends. It is a LEAK when the growth goes on and
//! either is inside of blocks or nothing of the place was ever freed: what comes in bursts is as few events
//! to a cohort, and as large as it is to the heap.

use super::climb::{Climb, ENDED, INSIDE};
use super::cohort::{Cohort, Window};
use super::evidence::{Clock, Evidence, LEAST};
use super::finding::{Born, Reason, Verdict};
use super::shape::{Shape, Spread};
use super::survival::Survival;

/// Level of the test for survival.
pub const LEVEL: f64 = 0.05;

/// Deaths expected of one sample within the run, above which blocks are taken to die.
const DIES: f64 = 0.25;

/// Deaths expected of one sample within the run, at all ages, above which a place frees what it
/// allocates.
const FREES: f64 = 0.2;

/// How much lower the hazard of such a place must be beyond the age that its leak shows at.
const PLATEAU: f64 = 10.0;

/// What is low enough in any case: lives of four times the run.
const SLOW: f64 = 0.25;

/// Share of the live bytes that births must explain for their shape to decide.
const STAYS: f64 = 0.7;

/// Share of what is live that may have been freed where nothing is said to be.
const KEPT: f64 = 0.01;

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
    /// How its live bytes climb over the dumps, if they do.
    pub climb: Option<Climb>,
}

impl Judgement {
    /// Whether nothing was freed of what had outlived a moment, but a hundredth.
    pub fn is_kept(&self, evidence: &Evidence, clock: &Clock) -> bool {
        let brief = Window::of_all_ages(clock);
        let born: f64 = evidence.births.iter().map(|born| born.bytes).sum();
        evidence.freed_from(brief.bucket).bytes <= KEPT * born
    }
}

/// Judges a path by itself. `collapses` says how often it gave back most of what it had.
pub fn judge(evidence: &Evidence, clock: &Clock, collapses: usize) -> Judgement {
    let all_ages = Survival::of(evidence, &Window::of_all_ages(clock), clock).hazard;
    let limit = match all_ages > FREES {
        true => (all_ages / PLATEAU).clamp(SLOW, 1.0),
        false => 1.0,
    };
    let ladder = Window::ladder(clock, evidence);
    let judged = ladder.into_iter().map(|window| {
        let mut judgement = measure(evidence, clock, window);
        if collapses > 0 {
            judgement.spread.shape = Shape::Sawtooth;
        }
        let stays = collapses == 0 && judgement.survival.hazard_limit <= limit;
        decide(&mut judgement, evidence, clock, collapses, stays);
        judgement
    });
    let mut judged: Vec<Judgement> = judged.collect();
    let limit = |j: &Judgement| j.survival.hazard_limit;
    let enough = judged.iter().enumerate();
    let enough = enough.filter(|(_, j)| j.cohort.effective >= LEAST);
    let best = enough.min_by(|a, b| limit(a.1).total_cmp(&limit(b.1)));
    let (best, _) = best.unwrap_or((0, &judged[0]));
    // An older age helps against what dies late; that growth ends is seen best in the widest window.
    let helps = judged[best].verdict == Verdict::Leak && dies_late(&judged[0]);
    judged.swap_remove(if helps { best } else { 0 })
}

/// What the live bytes of a place over the dumps say.
#[derive(Clone, Copy, Debug)]
pub struct Trail {
    /// How they climb, if they do.
    pub climb: Option<Climb>,
    /// They stay as they are, as far as can be told.
    pub is_flat: bool,
    /// Bytes that were freed by other stacks of the place than those that have containers: what a container
    /// frees goes into the next one.
    pub freed: f64,
}

/// Weighs what the live bytes over the dumps say.
pub fn weigh(j: &mut Judgement, evidence: &Evidence, trail: &Trail) {
    j.climb = trail.climb;
    let born: f64 = evidence.births.iter().map(|born| born.bytes).sum();
    let is_explained = born >= STAYS * evidence.bytes;
    let falls = j.spread.shape == Shape::Falling && j.cohort.effective >= LEAST;
    let ends = falls && is_explained;
    let Some(climb) = trail.climb else {
        let is_over = ends || j.spread.shape == Shape::Steps && is_explained;
        if is_over && trail.is_flat && j.verdict == Verdict::Growing {
            j.verdict = Verdict::Bounded;
            j.reason = Reason::Falling {
                plateau: evidence.bytes,
                has_ended: true,
            };
        }
        return;
    };
    let is_inside = climb.in_blocks >= INSIDE;
    if let Some(plateau) = climb.plateau
        && j.verdict != Verdict::Leak
    {
        j.verdict = Verdict::Bounded;
        j.reason = Reason::Falling {
            plateau,
            has_ended: true,
        };
        return;
    }
    if ends || (j.verdict == Verdict::Leak && !(is_inside && climb.goes_on)) {
        return;
    }
    let is_kept = trail.freed <= KEPT * born;
    let leaks = climb.goes_on && is_kept || j.verdict == Verdict::Leak;
    if j.verdict == Verdict::Growing && !is_kept {
        return;
    }
    if j.cohort.rate.value < climb.rate.value || j.cohort.effective < LEAST {
        j.cohort.rate = climb.rate;
    }
    j.verdict = if leaks {
        Verdict::Leak
    } else {
        Verdict::Growing
    };
    j.reason = Reason::Climbs {
        from: climb.from,
        to: climb.to,
        rises: climb.rises,
        last: climb.last,
        is_inside,
        is_kept: is_kept && !is_inside,
    };
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
        reason: Reason::FewLive { all: 0, worth: 0.0 },
        chance_among: None,
        p: survival.p,
        plateau: rest.map(|rest| evidence.bytes + rest),
        climb: None,
        window,
        cohort,
        survival,
        spread,
    }
}

fn decide(j: &mut Judgement, evidence: &Evidence, clock: &Clock, collapses: usize, stays: bool) {
    let settles = j
        .plateau
        .is_some_and(|p| p - evidence.bytes < ENDED * evidence.bytes);
    (j.verdict, j.reason) = if j.spread.shape == Shape::Steps
        && evidence.born(j.window.epochs.clone()).worth() >= LEAST
    {
        (Verdict::Growing, bursts(j, j.is_kept(evidence, clock)))
    } else if j.cohort.effective < LEAST {
        thin(j, evidence, clock)
    } else if j.survival.hazard >= 1.0 {
        (Verdict::Churn, dying(j, clock, collapses))
    } else if j.spread.shape == Shape::Falling && settles {
        (Verdict::Bounded, falling(j, evidence, true))
    } else if j.spread.shape == Shape::Falling {
        (Verdict::Growing, falling(j, evidence, false))
    } else if j.p <= LEVEL && j.survival.hazard <= DIES && stays {
        (Verdict::Leak, staying(j, clock))
    } else {
        (Verdict::Growing, open(j, clock))
    };
}

/// Too few mature samples: old ones, young ones, or too few at all. Compared by bytes.
fn thin(j: &Judgement, evidence: &Evidence, clock: &Clock) -> (Verdict, Reason) {
    let start = j.window.epochs.start;
    let (old, all) = (evidence.born(0..start), evidence.born(0..usize::MAX));
    let mature = evidence.born(j.window.epochs.clone());
    let young = evidence.born(j.window.epochs.end..usize::MAX);
    let age = j.window.age;
    let worth = all.worth();
    if worth < LEAST {
        let all = all.samples;
        return (Verdict::TooFew, Reason::FewLive { all, worth });
    }
    if old.bytes > young.bytes && old.bytes > 2.0 * mature.bytes {
        let warm_up = start as f64 * clock.width;
        let (old, all) = (old.samples, all.samples);
        return (Verdict::Bounded, Reason::Old { old, all, warm_up });
    }
    let deaths = evidence.freed_from(0);
    if young.bytes > mature.bytes && deaths.bytes > young.bytes {
        let reason = Reason::Young {
            young: young.samples,
            all: all.samples,
            deaths: deaths.samples,
            age,
        };
        return (Verdict::Churn, reason);
    }
    let (mature, worth) = (mature.samples, j.cohort.effective);
    (Verdict::TooFew, Reason::FewMature { mature, worth, age })
}

fn bursts(j: &Judgement, is_kept: bool) -> Reason {
    Reason::Bursts {
        mature: j.cohort.samples,
        events: j.cohort.effective.max(1.0),
        is_kept,
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
