//! A suspect as a person reads of it: where it is, what it does, and what to do about it. Pure.

use super::conclusion::advice;
use super::place::{Keeper, class, file, place};
use super::reason::reason;
use crate::analysis::suspects::{self, Case, Judged, Paths, Survivors, Verdict};
use crate::figures::{Estimate, words};
use crate::profile::model::MALLOC;
use crate::report::{Lifetime, StackFrame, Suspect};
use crate::stacks::naming::Frame;
use crate::stacks::{glue, retaining};

const HOUR: f64 = 3600.0;

/// How many threads or pools of a suspect are named.
const THREADS: usize = 4;

/// The card of a group.
pub fn suspect(case: &Case<'_>, judged: &Judged) -> Suspect {
    let paths = &case.paths;
    let (group, j) = (&judged.group, &judged.judgement);
    let culprit = &paths.frames[group.culprit];
    let hourly = Estimate {
        value: j.cohort.rate.value * HOUR,
        low: j.cohort.rate.lower * HOUR,
        high: j.cohort.rate.upper * HOUR,
    };
    let live = Estimate::of(judged.evidence.bytes, judged.evidence.variance);
    let heaviest = paths.heaviest(&group.members);
    let survivors = case.survivors(judged);
    Suspect {
        verdict: j.verdict,
        culprit: culprit.name.clone(),
        place: place(culprit),
        sentence: sentence(case, judged),
        reason: reason(j),
        origin: case.origin(judged),
        kind: paths.kind.unwrap_or(MALLOC).to_owned(),
        rate: (j.cohort.rate.value > 0.0).then_some(hourly),
        share: j
            .verdict
            .is_growth()
            .then(|| case.share(&[judged]))
            .flatten(),
        live,
        objects: paths.objects(&group.members),
        samples: judged.evidence.samples,
        survival: survivors.map(|s| s.now as f64 / s.then as f64),
        ages: judged.evidence.births.iter().map(|b| b.bytes).collect(),
        history: suspects::live(paths, &group.members),
        lifetimes: lifetimes(judged),
        threads: threads(case, judged),
        stack: stack(paths, heaviest),
        keywords: keywords(culprit),
        advice: tips(case, judged, survivors),
    }
}

/// `leaks 41 MB/h; 92 % of all growth, 33 MB live now`.
fn sentence(case: &Case<'_>, judged: &Judged) -> String {
    let run = case.paths.clock.run();
    let rate = words::rate(judged.judgement.cohort.rate.value, run);
    let live = words::bytes(judged.evidence.bytes);
    match judged.judgement.verdict {
        Verdict::Leak => format!("Loses {rate}; {live} are live now."),
        Verdict::Growing => format!("Grows {rate}; {live} are live now."),
        Verdict::Bounded => format!("Holds {live} and no longer grows."),
        Verdict::Churn => format!("Holds {live}, which come and go."),
        Verdict::TooFew | Verdict::NoLeak => format!("Holds {live}."),
    }
}

fn lifetimes(judged: &Judged) -> Vec<Lifetime> {
    let octaves = judged.evidence.lifetimes().into_iter();
    octaves
        .map(|(from_ms, bytes)| Lifetime { from_ms, bytes })
        .collect()
}

/// Threads that a reader knows by name; of a program with one thread nothing is to be said.
fn threads(case: &Case<'_>, judged: &Judged) -> Vec<(String, f64)> {
    let profile = case.paths.process.last();
    let has_names = profile.threads.iter().any(|(_, name)| !name.is_empty());
    if profile.threads.len() < 2 || !has_names {
        return Vec::new();
    }
    let mut shares = profile.thread_shares(&case.paths.samples(&judged.group.members));
    shares.truncate(THREADS);
    shares
}

fn tips(case: &Case<'_>, judged: &Judged, survivors: Option<Survivors>) -> Vec<String> {
    let mut tips = Vec::new();
    if let Some(origin) = case.origin(judged) {
        let mut text = origin.words();
        text[..1].make_ascii_uppercase();
        tips.push(text + ".");
    }
    if let Some(class) = class(case, judged) {
        tips.push(format!("Most of it is {class}."));
    }
    if let Some(keeper) = Keeper::of(case, judged) {
        tips.push(format!(
            "Made {}: that keeps what it is given.",
            keeper.words()
        ));
    }
    if let Some(s) = survivors {
        tips.push(format!(
            "Old at {}: {}; still live: {}.",
            words::duration(s.at),
            words::count(s.then, "sample"),
            s.now
        ));
    }
    if judged.group.is_sum {
        tips.push("The paths part below this frame, each with few samples.".to_owned());
    }
    let rate = judged.judgement.cohort.rate.value;
    if judged.judgement.verdict == Verdict::TooFew && rate > 0.0 {
        let mut text = advice(case, rate).unwrap_or_default();
        if let Some(first) = text.get_mut(..1) {
            first.make_ascii_uppercase();
            tips.push(text + ".");
        }
    }
    tips
}

fn stack(paths: &Paths<'_>, path: usize) -> Vec<StackFrame> {
    let Some(found) = paths.paths.get(path) else {
        return Vec::new();
    };
    let mappings = &paths.process.last().mappings;
    let frames = found.frames.iter().map(|&at| {
        let frame = &paths.frames[at];
        let module = frame.module.clone().unwrap_or_default();
        let mapping = mappings
            .iter()
            .find(|m| !module.is_empty() && m.file_name() == module);
        StackFrame {
            name: frame.name.clone(),
            place: file(frame).unwrap_or_default(),
            build_id: mapping.and_then(|m| m.build_id.clone()).unwrap_or_default(),
            module,
            glue: glue::is_glue(frame),
            keeps: retaining::keeps(frame),
        }
    });
    frames.collect()
}

fn keywords(frame: &Frame) -> Vec<String> {
    let module = frame.module.clone();
    std::iter::once(frame.name.clone()).chain(module).collect()
}
