//! The conclusion on one kind of samples of a process: a headline and at most three sentences. Pure.

use super::place::who;
use super::reason::reason;
use crate::analysis::suspects::{
    Case, Judged, Paths, Resident, Verdict, most_grown, time_to_limit,
};
use crate::figures::words;
use crate::profile::account::Part;
use crate::report::Conclusion;
use crate::stacks::naming::FrameKind;

/// The answer.
pub fn conclusion(case: &Case<'_>) -> Conclusion {
    let leaks = case.with(Verdict::Leak);
    let growing = case.with(Verdict::Growing);
    let ages = case.judged.iter().any(|j| j.evidence.samples > 0);
    let (verdict, headline, mut sentences) = if !ages && !case.judged.is_empty() {
        (
            Verdict::TooFew,
            "The dumps do not say how old blocks are".to_owned(),
            vec!["Only malloscope's own dumps tell a leak from a cache that fills.".to_owned()],
        )
    } else if !leaks.is_empty() {
        leak(case, &leaks)
    } else if !growing.is_empty() {
        grows(case, &growing)
    } else {
        calm(case)
    };
    sentences.extend(rss(case, !leaks.is_empty()));
    sentences.truncate(3);
    Conclusion {
        verdict,
        headline,
        sentences,
    }
}

fn leak(case: &Case<'_>, leaks: &[&Judged]) -> (Verdict, String, Vec<String>) {
    let run = case.paths.clock.run();
    let sum = case.leak_rate();
    let headline = format!(
        "Yes, it leaks {} ({} to {})",
        words::rate(sum.value, run),
        words::rate(sum.low, run),
        words::rate(sum.high, run)
    );
    let places = match leaks.len() {
        1 => "one place".to_owned(),
        n => format!("{n} places"),
    };
    let share = case.share(sum.value).unwrap_or(1.0) * 100.0;
    let mut sentences = vec![format!(
        "{share:.0} % of all growth comes from {places}, first of all {}{}.",
        who(case, leaks[0]),
        script(case, leaks).unwrap_or_default()
    )];
    sentences.extend(limit(&case.paths, sum.value));
    (Verdict::Leak, headline, sentences)
}

/// The line of a script that leaks too, where the first place is in the runtime's own code: what that
/// does in threads of its own, it does for a script.
fn script(case: &Case<'_>, leaks: &[&Judged]) -> Option<String> {
    let is_managed =
        |judged: &&Judged| case.paths.frames[judged.group.culprit].kind == FrameKind::Managed;
    let (first, others) = leaks.split_first()?;
    let line = others.iter().copied().find(is_managed)?;
    (!is_managed(first)).then(|| format!(", and in a script {}", who(case, line)))
}

fn grows(case: &Case<'_>, growing: &[&Judged]) -> (Verdict, String, Vec<String>) {
    let run = case.paths.clock.run();
    let sum: f64 = growing.iter().map(|j| j.judgement.cohort.rate.value).sum();
    let headline = format!(
        "It grows {}, but that is not certainly a leak",
        words::rate(sum, run)
    );
    let first = growing[0];
    let who = who(case, first);
    let mut sentences = vec![format!(
        "Most of it comes from {who}: {}.",
        reason(&first.judgement)
    )];
    sentences.push(match case.floor {
        Some(floor) => format!(
            "A steady leak of one place above {} would have been seen.",
            words::rate(floor, run)
        ),
        None => "A longer run will tell.".to_owned(),
    });
    (Verdict::Growing, headline, sentences)
}

fn calm(case: &Case<'_>) -> (Verdict, String, Vec<String>) {
    let run = case.paths.clock.run();
    match case.floor {
        Some(floor) if !case.judged.is_empty() => {
            let headline = format!("No leak visible above {}", words::rate(floor, run));
            let mut sentences = vec![format!(
                "A steady leak above that rate at one place would have been seen in these {} with \
                 95 % probability.",
                words::duration(run)
            )];
            sentences.extend(holder(case).or_else(|| closer(case)));
            (Verdict::NoLeak, headline, sentences)
        }
        _ if case.judged.is_empty() => (
            Verdict::TooFew,
            "No samples: nothing of this kind was live when one was taken".to_owned(),
            vec![
                "A program that holds little needs more samples: a lower lg_prof_sample."
                    .to_owned(),
            ],
        ),
        _ => (
            Verdict::TooFew,
            "Too few samples for a verdict".to_owned(),
            vec!["Run longer, or take more samples with a lower lg_prof_sample.".to_owned()],
        ),
    }
}

/// The place that has most of the heap, and why that is no leak.
fn holder(case: &Case<'_>) -> Option<String> {
    let by_size = |a: &&Judged, b: &&Judged| a.evidence.bytes.total_cmp(&b.evidence.bytes);
    let most = case.judged.iter().max_by(by_size)?;
    let is_calm = matches!(most.judgement.verdict, Verdict::Bounded | Verdict::Churn);
    is_calm.then(|| {
        format!(
            "Most, {} of {}, is held by {}: {}.",
            words::bytes(most.evidence.bytes),
            words::bytes(case.live()),
            who(case, most),
            reason(&most.judgement)
        )
    })
}

/// The path that is nearest to a verdict, and what would bring it there.
fn closer(case: &Case<'_>) -> Option<String> {
    let few = case.with(Verdict::TooFew).into_iter();
    let nearest = few.max_by_key(|j| j.judgement.cohort.samples)?;
    let rate = nearest.judgement.cohort.rate.value;
    let who = who(case, nearest);
    Some(format!(
        "Nearest to a verdict is {who}: {}.",
        advice(case, rate)?
    ))
}

/// `lower lg_prof_sample to 16, or run for 15 h, for a verdict on 1.0 MB/h`.
pub fn advice(case: &Case<'_>, rate: f64) -> Option<String> {
    let needed = case.needed(rate)?;
    let watched = case.paths.clock.run();
    let (run, rate) = (words::duration(needed.seconds), words::rate(rate, watched));
    Some(match needed.lg_period {
        Some(lg) => format!(
            "lower lg_prof_sample to {lg} for a verdict on {rate} in {}, or run for {run}",
            words::duration(watched)
        ),
        None => format!("run for {run} for a verdict on {rate}"),
    })
}

fn limit(paths: &Paths<'_>, rate: f64) -> Option<String> {
    let (limit, seconds) = time_to_limit(paths, rate)?;
    Some(format!(
        "At this rate the limit of {} is reached in about {}.",
        words::bytes(limit),
        words::duration(seconds)
    ))
}

/// Whether RSS goes with the live heap; malloc's only.
fn rss(case: &Case<'_>, leaks: bool) -> Option<String> {
    let paths = &case.paths;
    let run = paths.clock.run();
    match Resident::of(paths)? {
        Resident::Grows { rss, heap } => {
            let (rss_words, heap_words) = (words::rate(rss, run), words::rate(heap, run));
            let other = rss > 2.0 * heap.max(0.0);
            Some(match (other, leaks) {
                (true, false) => format!(
                    "RSS grows {rss_words} while the live heap grows {heap_words}: {}",
                    elsewhere(paths)
                ),
                (true, true) => format!(
                    "RSS grows {rss_words}, more than the live heap's {heap_words}: {}",
                    elsewhere(paths)
                ),
                (false, _) => format!("RSS grows {rss_words}, and the live heap {heap_words}."),
            })
        }
        Resident::Exceeds { anonymous, live } => (!leaks).then(|| {
            format!(
                "{} of anonymous memory are resident, but only {} are live in the heap: the rest \
                 is fragmentation, or does not pass malloc.",
                words::bytes(anonymous),
                words::bytes(live)
            )
        }),
    }
}

/// Where RSS grew most beside the live heap.
fn elsewhere(paths: &Paths<'_>) -> String {
    match most_grown(paths) {
        Some((Part::JavaHeap, bytes)) => format!(
            "the growth is in the Java heap ({} more); prof_java_heap:true says which classes and lines.",
            words::bytes(bytes)
        ),
        Some((part @ (Part::Stacks | Part::Code | Part::Files | Part::Shared), bytes)) => {
            format!(
                "the growth is in {} ({} more).",
                part.name(),
                words::bytes(bytes)
            )
        }
        _ => "fragmentation, or memory that does not pass malloc.".to_owned(),
    }
}
