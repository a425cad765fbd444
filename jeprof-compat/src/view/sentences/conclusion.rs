//! The conclusion on one kind of samples of a process: a headline and at most three sentences. Pure.

use super::place::{called, who};
use super::reason::{horizon, reason, upper};
use crate::analysis::series::Exit;
use crate::analysis::suspects::{
    Case, Climb, Judged, Paths, Reason, Resident, Verdict, most_grown, time_to_limit,
};
use crate::figures::words;
use crate::profile::account::{Account, Part};
use crate::profile::runtimes::Runtime;
use crate::report::Conclusion;
use crate::stacks::naming::FrameKind;

/// Sentences behind the headline.
const MOST: usize = 4;

/// How the sentence on the floor begins.
const STEADY: &str = "A steady leak";

/// Resident bytes without an explanation that are worth a doubt.
const UNEXPLAINED: f64 = 32.0 * 1_048_576.0;

/// The answer.
pub fn conclusion(case: &Case<'_>) -> Conclusion {
    let leaks = case.with(Verdict::Leak);
    let growing = case.with(Verdict::Growing);
    let ages = case.judged.iter().any(|j| j.evidence.samples > 0);
    let resident = case.resident;
    let (verdict, headline, mut sentences) = if !ages && !case.judged.is_empty() {
        (
            Verdict::TooFew,
            "The dumps do not say how old blocks are".to_owned(),
            vec!["Only malloscope's own dumps tell a leak from a cache that fills.".to_owned()],
        )
    } else if case.paths.process.last().cut_off {
        cut_off(&leaks, &growing)
    } else if !leaks.is_empty() {
        leak(case, &leaks)
    } else if !growing.is_empty() {
        grows(case, &growing)
    } else if let Some(climb) = &case.climb {
        grows_in_all(case, climb)
    } else {
        calm(case)
    };
    let is_told = ages || case.judged.is_empty();
    let is_calm = matches!(verdict, Verdict::NoLeak | Verdict::TooFew) && is_told;
    let besides = is_calm
        .then(|| grows_besides(case, resident.as_ref()))
        .flatten();
    let (verdict, headline) = match besides {
        Some(besides) => {
            // What would have been seen of a steady leak is beside the point.
            sentences.retain(|sentence| !sentence.starts_with(STEADY));
            sentences.insert(0, format!("{headline} in malloc."));
            (Verdict::Growing, besides)
        }
        None => (verdict, headline),
    };
    let caution = is_doubtful(case, resident.as_ref());
    sentences.extend(resident.and_then(|resident| rss(case, resident, !leaks.is_empty())));
    sentences.extend(exit(case));
    sentences.truncate(MOST);
    Conclusion {
        verdict,
        headline,
        sentences,
        caution,
    }
}

/// Whether something is not well that is no growth of a place: resident memory that no live block, no runtime
/// and no file explains, or evidence that destructors had freed.
fn is_doubtful(case: &Case<'_>, resident: Option<&Resident>) -> bool {
    let unexplained = match resident {
        Some(Resident::Grows {
            goes_on,
            is_garbage,
            ..
        }) => {
            let is_told = *goes_on && !is_garbage;
            is_told && resident.is_some_and(Resident::grows_elsewhere)
        }
        Some(Resident::Exceeds { live, .. }) => {
            let account = Account::of(case.paths.process.last());
            account.is_some_and(|account| account.get(Part::Rest) > live.max(UNEXPLAINED))
        }
        None => false,
    };
    unexplained || matches!(case.paths.process.exit, Exit::Alone) && case.paths.kind.is_none()
}

/// What stands in a file of which the end is missing is not all that was live.
fn cut_off(leaks: &[&Judged], growing: &[&Judged]) -> (Verdict, String, Vec<String>) {
    let seems = match leaks.len() + growing.len() {
        0 => "What is left of it shows no growth, and proves nothing.",
        _ => "What is left of it shows growth, and is no proof.",
    };
    (
        Verdict::TooFew,
        "The only dump is not whole: no verdict".to_owned(),
        vec![seems.to_owned()],
    )
}

/// The headline where RSS climbs and the live heap does not.
fn grows_besides(case: &Case<'_>, resident: Option<&Resident>) -> Option<String> {
    let run = case.paths.clock.run();
    match resident? {
        Resident::Grows {
            rss,
            goes_on: true,
            is_garbage: false,
            ..
        } if resident?.grows_elsewhere() => {
            let rate = words::rate(*rss, run);
            Some(format!(
                "RSS grows {rate}, but not by live blocks of malloc"
            ))
        }
        _ => None,
    }
}

/// What the end of the process left of the evidence.
fn exit(case: &Case<'_>) -> Option<String> {
    match case.paths.process.exit {
        Exit::TornDown { held } if case.paths.kind.is_none() => Some(format!(
            "{} were live until the exit began; what was freed only then is no sign of health.",
            words::bytes(held)
        )),
        Exit::Alone if case.paths.kind.is_none() => Some(
            "The only dump is that of the exit: what destructors had freed by then is not in it."
                .to_owned(),
        ),
        _ => None,
    }
}

fn leak(case: &Case<'_>, leaks: &[&Judged]) -> (Verdict, String, Vec<String>) {
    let run = case.paths.clock.run();
    let sum = case.leak_rate();
    let headline = format!(
        "Yes, it leaks {} ({})",
        words::rate(sum.value, run),
        words::band(sum.low, sum.high, run)
    );
    let share = |groups: &[&Judged]| case.share(groups).unwrap_or(1.0) * 100.0;
    let all = share(leaks);
    // Each kind of samples is judged by itself.
    let whose = match case.paths.kind {
        None => "all growth".to_owned(),
        Some(kind) => format!("the growth of {kind}"),
    };
    let from = match leaks.len() {
        1 => format!("{all:.0} % of {whose} comes from one place:"),
        n => format!(
            "{all:.0} % of {whose} comes from {n} places, {:.0} % from",
            share(&leaks[..1])
        ),
    };
    let mut sentences = vec![format!(
        "{from} {}{}.",
        who(case, leaks[0]),
        script(case, leaks).unwrap_or_default()
    )];
    sentences.extend(passage(case, leaks));
    sentences.push(format!("{}.", upper(&horizon(case, leaks[0]))));
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
    let first = growing[0];
    let rate = words::rate(sum, run);
    let is_kept = first.judgement.is_kept(&first.evidence, &case.paths.clock);
    let headline = match is_kept && case.unseen.is_none() {
        true => format!("It grows {rate}, and nothing of it was ever freed"),
        false => format!("It grows {rate}, but that is not certainly a leak"),
    };
    let who = who(case, first);
    let mut sentences = vec![format!(
        "Most of it comes from {who}: {}.",
        reason(&first.judgement)
    )];
    sentences.extend(passage(case, growing));
    if !case.is_collected {
        sentences.push(
            "An object counts as live until a collection finds it dead: prof_java_heap_gc:true collects \
             before each dump, and tells a leak from garbage."
                .to_owned(),
        );
    }
    match first.judgement.reason {
        Reason::Near { .. } => sentences.extend(slowest(case, first)),
        _ if !case.is_collected => {}
        Reason::Climbs { .. } => {}
        _ => sentences.push(format!(
            "{}; a longer run will tell.",
            upper(&horizon(case, first))
        )),
    }
    (Verdict::Growing, headline, sentences)
}

/// Whose cycle is the slowest, and how long a run outlives it.
fn slowest(case: &Case<'_>, growing: &Judged) -> Option<String> {
    let place = case.slowest().map(|frame| called(&frame));
    let run = case.run_needed(growing)?.max(case.horizon.watched);
    let place = place.map_or_else(String::new, |place| {
        format!("The slowest cycle is that of {place}; ")
    });
    let sentence = format!("{place}run for {} at least.", words::duration(run));
    Some(upper(&sentence))
}

/// Where the paths of many places meet.
fn passage(case: &Case<'_>, growing: &[&Judged]) -> Option<String> {
    let (frame, share) = case.passage()?;
    let first = &case.paths.frames[growing.first()?.group.culprit];
    if first.name == frame.name {
        return None;
    }
    let (place, share) = (called(frame), share * 100.0);
    Some(format!(
        "{share:.0} % of what grows was allocated below {place}."
    ))
}

/// The heap climbs, and no place by itself.
fn grows_in_all(case: &Case<'_>, climb: &Climb) -> (Verdict, String, Vec<String>) {
    let run = case.paths.clock.run();
    let headline = format!(
        "It grows {} in all, but no place by itself for certain",
        words::rate(climb.rate.value, run)
    );
    let mut sentences = vec![format!(
        "The live heap rose from {} to {} in the last two thirds of the run.",
        words::bytes(climb.from),
        words::bytes(climb.to)
    )];
    sentences.extend(closer(case));
    (Verdict::Growing, headline, sentences)
}

fn calm(case: &Case<'_>) -> (Verdict, String, Vec<String>) {
    let run = case.paths.clock.run();
    if let Some(seconds) = case.unseen {
        return (
            Verdict::TooFew,
            format!(
                "Nobody knows what lives: no collection in the last {}",
                words::duration(seconds)
            ),
            vec![
                "Run for longer, or let prof_java_heap_gc:true collect before each dump."
                    .to_owned(),
            ],
        );
    }
    match case.floor {
        Some(floor) if !case.judged.is_empty() => {
            let headline = format!("No leak visible above {}", words::rate(floor, run));
            let mut sentences = vec![format!(
                "{STEADY} above that rate at one place would have been seen in these {} with \
                 95 % probability; in {} one of a tenth of it would be.",
                words::duration(run),
                words::duration(10.0 * run)
            )];
            sentences.extend(holder(case).or_else(|| closer(case)));
            (Verdict::NoLeak, headline, sentences)
        }
        _ if case.judged.is_empty() => (
            Verdict::TooFew,
            match case.paths.kind {
                None => "No samples: nothing was live when one was taken".to_owned(),
                Some(kind) => format!("No samples: nothing of {kind} was live when one was taken"),
            },
            vec![
                "A program that holds little needs more samples: --rate 8k, or lg_prof_sample:13."
                    .to_owned(),
            ],
        ),
        _ => (
            Verdict::TooFew,
            "Too few samples for a verdict".to_owned(),
            vec!["Run longer, or take more samples: a lower --rate (lg_prof_sample).".to_owned()],
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

/// What a rate by a handful of samples may be of what it seems: advice that holds for this part holds for it.
const CAUTIOUS: f64 = 0.5;

/// `take a sample each 64 KB (--rate 64k) for a verdict on 1.0 MB/h in 2 h, or run for 15 h`.
pub fn advice(case: &Case<'_>, rate: f64) -> Option<String> {
    let needed = case.needed(CAUTIOUS * rate)?;
    let watched = case.paths.clock.run();
    let (run, rate) = (words::duration(needed.seconds), words::rate(rate, watched));
    Some(match needed.lg_period {
        Some(lg) => format!(
            "take a sample each {} (--rate {}) for a verdict on {rate} in {}, or run for {run}",
            words::period(1 << lg),
            words::option(1 << lg),
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
fn rss(case: &Case<'_>, resident: Resident, leaks: bool) -> Option<String> {
    let paths = &case.paths;
    let run = paths.clock.run();
    let other = resident.grows_elsewhere();
    match resident {
        Resident::Grows {
            rss,
            heap,
            is_garbage,
            ..
        } => {
            let (rss, heap) = (words::rate(rss, run), words::growth(heap, run));
            Some(match other {
                true if is_garbage => format!(
                    "RSS grows {rss} while the live heap {heap}: by garbage of the JVM that waits for its \
                     collection; what lives in the Java heap does not grow."
                ),
                true => format!(
                    "RSS grows {rss} while the live heap {heap}: {}",
                    elsewhere(paths)
                ),
                false => format!("RSS grows {rss}, and the live heap {heap}."),
            })
        }
        Resident::Exceeds { anonymous, live } => (!leaks).then(|| {
            let runtime = Runtime::of(paths.process.last());
            let rest = match runtime {
                Some(runtime) => format!("is in {}, or fragmentation.", runtime.heap),
                None => "is fragmentation, or does not pass malloc.".to_owned(),
            };
            format!(
                "{} of anonymous memory are resident, but only {} are live in the heap: the rest {rest}",
                words::bytes(anonymous),
                words::bytes(live)
            )
        }),
    }
}

/// Where RSS grew most beside the live heap, and what says more of it.
fn elsewhere(paths: &Paths<'_>) -> String {
    let profile = paths.process.last();
    let runtime = Runtime::of(profile);
    let more = |runtime: &Runtime| match runtime.is_sampled(profile) {
        true => "its objects are judged on their own here".to_owned(),
        false => runtime.instead.to_owned(),
    };
    match (most_grown(paths), runtime) {
        (Some((part @ (Part::JavaHeap | Part::V8Heap), bytes)), Some(runtime)) => format!(
            "the growth is in the {} ({} more); {}.",
            part.name(),
            words::bytes(bytes),
            more(runtime)
        ),
        (Some((Part::JavaHeap, bytes)), None) => format!(
            "the growth is in the Java heap ({} more); prof_java_heap:true says which classes and lines.",
            words::bytes(bytes)
        ),
        (Some((Part::Stacks, bytes)), _) => format!(
            "the growth is in thread stacks ({} more): threads start, and do not end.",
            words::bytes(bytes)
        ),
        (Some((part @ (Part::Code | Part::Files | Part::Shared), bytes)), _) => {
            format!(
                "the growth is in {} ({} more).",
                part.name(),
                words::bytes(bytes)
            )
        }
        (_, Some(runtime)) => format!("{}, or fragmentation; {}.", runtime.heap, more(runtime)),
        _ if paths.process.last().other_kinds.contains_key("mmap") => {
            "fragmentation, or what the kind mmap shows.".to_owned()
        }
        _ => "fragmentation, or memory that does not pass malloc, as the heap of a runtime; prof_mmap:true says \
              who maps."
            .to_owned(),
    }
}
