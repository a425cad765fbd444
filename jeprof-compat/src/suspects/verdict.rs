//! What a path does, in one word and with the reason. Called by `suspects`; pure.
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
use super::shape::{Shape, Spread};
use super::survival::Survival;
use crate::figures::words;

/// Mature samples without which nothing is said: 1/sqrt(9) is a third.
pub const LEAST: f64 = 9.0;

/// Level of the test for survival.
pub const LEVEL: f64 = 0.05;

/// Deaths expected of one sample within the run, above which blocks are taken to die.
const DIES: f64 = 0.25;

/// A falling rate that would add less than this share of what is live has ended.
const ENDED: f64 = 0.1;

/// The five words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Grows at a constant rate and gives nothing back.
    Leak,
    /// Grows; whether it will go on cannot be said.
    Growing,
    /// Grew and stopped.
    Bounded,
    /// Comes and goes.
    Churn,
    /// Nothing can be said.
    TooFew,
}

/// The verdict on a path with what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// In a word.
    pub verdict: Verdict,
    /// Why, in words and figures.
    pub reason: String,
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
        reason: String::new(),
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
        (Verdict::Growing, steps(j))
    } else if j.cohort.effective < LEAST {
        thin(j, evidence, clock)
    } else if j.survival.hazard >= 1.0 {
        (Verdict::Churn, dying(j, clock, collapses))
    } else if j.spread.shape == Shape::Falling && settles {
        (
            Verdict::Bounded,
            falling(j, evidence, "has all but stopped"),
        )
    } else if j.spread.shape == Shape::Falling {
        (Verdict::Growing, falling(j, evidence, "is slowing down"))
    } else if j.p <= LEVEL && j.survival.hazard <= DIES && collapses == 0 {
        (Verdict::Leak, leaking(j, clock))
    } else {
        (Verdict::Growing, open(j, clock))
    };
}

/// Too few mature samples: old ones, young ones, or too few at all.
fn thin(j: &Judgement, evidence: &Evidence, clock: &Clock) -> (Verdict, String) {
    let old = evidence.born(0..j.window.epochs.start);
    let (mature, all) = (j.cohort.samples, evidence.samples);
    let young = all.saturating_sub(old.samples + mature);
    let age = words::duration(j.window.age);
    if (all as f64) < LEAST {
        let reason = format!("only {} live", words::count(all, "sample"));
        return (Verdict::TooFew, reason);
    }
    let warm = words::duration(j.window.epochs.start as f64 * clock.width);
    if old.samples > young && old.samples > 2 * mature {
        let reason = format!(
            "{} of {} come from the first {warm}, and few were added later",
            old.samples,
            words::count(all, "live sample")
        );
        return (Verdict::Bounded, reason);
    }
    let deaths = evidence.deaths();
    if young > mature && deaths > young {
        let reason = format!(
            "{} were freed, and {young} of {} are younger than {age}",
            words::count(deaths, "sample"),
            words::count(all, "live one")
        );
        return (Verdict::Churn, reason);
    }
    let reason = format!(
        "only {} from after the warm-up older than {age}",
        words::count(mature, "sample")
    );
    (Verdict::TooFew, reason)
}

fn steps(j: &Judgement) -> String {
    format!(
        "its {} came in bursts, worth {:.0} independent events: too few to say that it goes on",
        words::count(j.cohort.samples, "mature sample"),
        j.cohort.effective.max(1.0),
    )
}

fn dying(j: &Judgement, clock: &Clock, collapses: usize) -> String {
    let how = match collapses {
        0 => String::new(),
        1 => ", once most of it at one time".to_owned(),
        n => format!(", {n} times most of it at one time"),
    };
    let life = clock.run() / j.survival.hazard.max(1e-9);
    format!(
        "what is older than {} is freed too, after another {} on average ({}){how}",
        words::duration(j.window.age),
        words::duration(life),
        words::count(j.survival.deaths, "death"),
    )
}

fn falling(j: &Judgement, evidence: &Evidence, how: &str) -> String {
    let plateau = words::bytes(j.plateau.unwrap_or(evidence.bytes));
    format!(
        "growth {how}: fewer and fewer of the live blocks are recent; would level off at about {plateau}"
    )
}

fn born(j: &Judgement, clock: &Clock) -> String {
    let at = |epoch: usize| words::duration(epoch as f64 * clock.width);
    format!(
        "{} born between {} and {}",
        words::count(j.cohort.samples, "sample"),
        at(j.window.epochs.start),
        at(j.window.epochs.end)
    )
}

fn deaths(j: &Judgement) -> String {
    let age = words::duration(j.window.age);
    match j.survival.deaths {
        0 => format!("none that grew older than {age} was ever freed"),
        1 => format!("only one that grew older than {age} was freed"),
        n => format!("only {n} that grew older than {age} were freed"),
    }
}

fn leaking(j: &Judgement, clock: &Clock) -> String {
    let spread = match j.spread.shape {
        Shape::Rising => "they come faster and faster",
        _ => "they came evenly",
    };
    format!("{} are live, {spread}, and {}", born(j, clock), deaths(j))
}

fn open(j: &Judgement, clock: &Clock) -> String {
    if j.survival.hazard > DIES {
        format!(
            "{} are live, but {} older ones were freed: it may level off",
            born(j, clock),
            j.survival.deaths
        )
    } else {
        format!(
            "{} are live, too few yet to know that they stay",
            born(j, clock)
        )
    }
}
