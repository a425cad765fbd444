//! The findings as a person reads them: conclusion and suspects of the report. Called by `suspects`.

use super::history;
use super::paths::Paths;
use super::slope::slope;
use super::verdict::Verdict;
use super::{Case, Findings, Judged, OTHERS, is_growth, power};
use crate::account::{Account, Part};
use crate::culprit;
use crate::figures::{Estimate, words};
use crate::model::JAVA_HEAP;
use crate::naming::Frame;
use crate::report::{Conclusion, StackFrame, Suspect, Verdict as Word};

const HOUR: f64 = 3600.0;

/// Share of the live bytes from which on a path that does not grow is named.
const BIG: f64 = 0.01;

/// RSS that grows less than this from the warm-up on is not talked of.
const RSS_GROWTH: f64 = 8.0 * 1_048_576.0;

/// All that is said of a case.
pub fn findings(case: &Case<'_>) -> Findings {
    let growing = case
        .judged
        .iter()
        .filter(|j| is_growth(j.judgement.verdict));
    let live: f64 = case.judged.iter().map(|j| j.evidence.bytes).sum();
    let is_big = |j: &&Judged| j.evidence.bytes >= BIG * live;
    let others = case
        .judged
        .iter()
        .filter(|j| !is_growth(j.judgement.verdict))
        .filter(is_big);
    let named = growing.chain(others.take(OTHERS));
    let leaks = case
        .judged
        .iter()
        .filter(|j| j.judgement.verdict == Verdict::Leak);
    Findings {
        conclusion: conclusion(case),
        suspects: named.map(|j| suspect(case, j)).collect(),
        // A sum of nothing is -0, and would be written so.
        leak_lower: 0.0
            + leaks
                .map(|j| j.judgement.cohort.rate.lower * HOUR)
                .sum::<f64>(),
        floor: case.floor.map(|floor| floor * HOUR),
    }
}

fn word(verdict: Verdict) -> Word {
    match verdict {
        Verdict::Leak => Word::Leak,
        Verdict::Growing => Word::Growing,
        Verdict::Bounded => Word::Bounded,
        Verdict::Churn => Word::Churn,
        Verdict::TooFew => Word::TooFew,
    }
}

fn of(judged: &[Judged], verdict: Verdict) -> Vec<&Judged> {
    let same = |j: &&Judged| j.judgement.verdict == verdict;
    judged.iter().filter(same).collect()
}

fn conclusion(case: &Case<'_>) -> Conclusion {
    let leaks = of(&case.judged, Verdict::Leak);
    let growing = of(&case.judged, Verdict::Growing);
    let ages = case.judged.iter().any(|j| j.evidence.samples > 0);
    let (verdict, headline, mut sentences) = if !ages && !case.judged.is_empty() {
        (
            Word::TooFew,
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

fn leak(case: &Case<'_>, leaks: &[&Judged]) -> (Word, String, Vec<String>) {
    let run = case.paths.clock.run();
    let rates = leaks.iter().map(|j| j.judgement.cohort.rate);
    let (mut sum, mut low, mut high) = (0.0, 0.0, 0.0);
    for rate in rates {
        sum += rate.value;
        low += (rate.value - rate.lower).powi(2);
        high += (rate.upper - rate.value).powi(2);
    }
    let (low, high) = (sum - f64::sqrt(low), sum + f64::sqrt(high));
    let headline = format!(
        "Yes, it leaks {} ({} to {})",
        words::rate(sum, run),
        words::rate(low.max(0.0), run),
        words::rate(high, run)
    );
    let places = match leaks.len() {
        1 => "one place".to_owned(),
        n => format!("{n} places"),
    };
    let share = share(sum, case.total.value).unwrap_or(1.0) * 100.0;
    let mut sentences = vec![format!(
        "{share:.0} % of all growth comes from {places}, first of all {}.",
        who(case, leaks[0])
    )];
    sentences.extend(time_to_limit(&case.paths, sum));
    (Word::Leak, headline, sentences)
}

fn grows(case: &Case<'_>, growing: &[&Judged]) -> (Word, String, Vec<String>) {
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
        first.judgement.reason
    )];
    sentences.push(match case.floor {
        Some(floor) => format!(
            "A steady leak of one place above {} would have been seen.",
            words::rate(floor, run)
        ),
        None => "A longer run will tell.".to_owned(),
    });
    (Word::Growing, headline, sentences)
}

fn calm(case: &Case<'_>) -> (Word, String, Vec<String>) {
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
            (Word::NoLeak, headline, sentences)
        }
        _ if case.judged.is_empty() => (
            Word::TooFew,
            "No samples: nothing of this kind was live when one was taken".to_owned(),
            vec![
                "A program that holds little needs more samples: a lower lg_prof_sample."
                    .to_owned(),
            ],
        ),
        _ => (
            Word::TooFew,
            "Too few samples for a verdict".to_owned(),
            vec!["Run longer, or take more samples with a lower lg_prof_sample.".to_owned()],
        ),
    }
}

/// Who has most of the heap, and why that is no leak.
fn holder(case: &Case<'_>) -> Option<String> {
    let live: f64 = case.judged.iter().map(|j| j.evidence.bytes).sum();
    let by_size = |a: &&Judged, b: &&Judged| a.evidence.bytes.total_cmp(&b.evidence.bytes);
    let most = case.judged.iter().max_by(by_size)?;
    let is_calm = matches!(most.judgement.verdict, Verdict::Bounded | Verdict::Churn);
    is_calm.then(|| {
        format!(
            "Most, {} of {}, is held by {}: {}.",
            words::bytes(most.evidence.bytes),
            words::bytes(live),
            who(case, most),
            most.judgement.reason
        )
    })
}

/// The path that is nearest to a verdict, and what would bring it there.
fn closer(case: &Case<'_>) -> Option<String> {
    let few = of(&case.judged, Verdict::TooFew).into_iter();
    let nearest = few.max_by_key(|j| j.judgement.cohort.samples)?;
    let rate = nearest.judgement.cohort.rate.value;
    let who = who(case, nearest);
    Some(format!(
        "Nearest to a verdict is {who}: {}.",
        advice(case, rate)?
    ))
}

/// `lower lg_prof_sample to 16, or run for 15 h, for a verdict on 1.0 MB/h`.
fn advice(case: &Case<'_>, rate: f64) -> Option<String> {
    let clock = &case.paths.clock;
    let time = power::time_needed(rate, case.paths.period, clock)?;
    let run = words::duration(time.max(clock.run()));
    let rate_words = words::rate(rate, clock.run());
    let lower = power::period_needed(rate, case.paths.period, clock)
        .filter(|lg| 2f64.powi(*lg as i32) < case.paths.period);
    Some(match lower {
        Some(lg) => format!(
            "lower lg_prof_sample to {lg} for a verdict on {rate_words} in {}, or run for {run}",
            words::duration(clock.run())
        ),
        None => format!("run for {run} for a verdict on {rate_words}"),
    })
}

fn fact(paths: &Paths<'_>, dump: usize, key: &str) -> Option<f64> {
    paths.process.dumps[dump]
        .profile
        .process
        .get(key)?
        .parse()
        .ok()
}

fn time_to_limit(paths: &Paths<'_>, rate: f64) -> Option<String> {
    let last = paths.process.dumps.len() - 1;
    let limit = fact(paths, last, "cgroup_limit_bytes")?;
    let rss = fact(paths, last, "rss_bytes")?;
    (limit > rss && rate > 0.0).then(|| {
        format!(
            "At this rate the limit of {} is reached in about {}.",
            words::bytes(limit),
            words::duration((limit - rss) / rate)
        )
    })
}

/// Whether RSS goes with the live heap; malloc's only.
fn rss(case: &Case<'_>, leaks: bool) -> Option<String> {
    let paths = &case.paths;
    if paths.kind.is_some() {
        return None;
    }
    let all: Vec<usize> = (0..paths.paths.len()).collect();
    let live = history::live(paths, &all);
    let dumps = paths.process.dumps.iter().enumerate();
    let rss: Vec<(f64, f64)> = dumps
        .filter_map(|(at, d)| Some((d.at, fact(paths, at, "rss_bytes")?)))
        .collect();
    let times = paths.process.dumps.iter().map(|d| d.at);
    let heap: Vec<(f64, f64)> = times.zip(live.iter().copied()).collect();
    let (rss_slope, heap_slope) = (slope(&rss), slope(&heap));
    let run = paths.clock.run();
    if let (Some(rss), Some(heap)) = (rss_slope, heap_slope)
        && rss * run > RSS_GROWTH
    {
        let (rss_words, heap_words) = (words::rate(rss, run), words::rate(heap, run));
        let other = rss > 2.0 * heap.max(0.0);
        return Some(match (other, leaks) {
            (true, false) => format!(
                "RSS grows {rss_words} while the live heap grows {heap_words}: {}",
                elsewhere(paths)
            ),
            (true, true) => format!(
                "RSS grows {rss_words}, more than the live heap's {heap_words}: {}",
                elsewhere(paths)
            ),
            (false, _) => format!("RSS grows {rss_words}, and the live heap {heap_words}."),
        });
    }
    let anonymous = fact(paths, paths.process.dumps.len() - 1, "rss_anonymous_bytes")?;
    let now = *live.last()?;
    let gap = anonymous - now;
    (!leaks && gap > 4.0 * RSS_GROWTH && gap > now).then(|| {
        format!(
            "{} of anonymous memory are resident, but only {} are live in the heap: the rest is \
             fragmentation, or does not pass malloc.",
            words::bytes(anonymous),
            words::bytes(now)
        )
    })
}

/// Where RSS grew most beside the live heap.
fn elsewhere(paths: &Paths<'_>) -> String {
    let account = |dump: &crate::series::Dump| Account::of(&dump.profile);
    let dumps = &paths.process.dumps;
    let first = dumps.first().and_then(account);
    let last = dumps.last().and_then(account);
    let grown = first
        .zip(last)
        .and_then(|(first, last)| last.most_grown(&first));
    let by = |bytes: f64| words::bytes(bytes);
    match grown {
        Some((Part::JavaHeap, bytes)) => format!(
            "the growth is in the Java heap ({} more); prof_java_heap:true says which classes and lines.",
            by(bytes)
        ),
        Some((part @ (Part::Stacks | Part::Code | Part::Files | Part::Shared), bytes)) => {
            format!("the growth is in {} ({} more).", part.name(), by(bytes))
        }
        _ => "fragmentation, or memory that does not pass malloc.".to_owned(),
    }
}

fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| (part / whole).min(1.0))
}

fn suspect(case: &Case<'_>, judged: &Judged) -> Suspect {
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
    let survivors = history::survivors(paths, &group.members, j.window.epochs.start, j.window.age);
    Suspect {
        verdict: word(j.verdict),
        culprit: culprit.name.clone(),
        place: place(culprit),
        sentence: sentence(case, judged),
        reason: j.reason.clone(),
        kind: paths.kind.unwrap_or(crate::model::MALLOC).to_owned(),
        rate: (j.cohort.samples > 0).then_some(hourly),
        share: is_growth(j.verdict)
            .then(|| share(j.cohort.rate.value, case.total.value))
            .flatten(),
        live,
        objects: paths.objects(&group.members),
        samples: judged.evidence.samples,
        survival: survivors.map(|s| s.now as f64 / s.then as f64),
        ages: judged.evidence.births.iter().map(|b| b.bytes).collect(),
        history: history::live(paths, &group.members),
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
        Verdict::TooFew => format!("Holds {live}."),
    }
}

fn tips(case: &Case<'_>, judged: &Judged, survivors: Option<history::Survivors>) -> Vec<String> {
    let mut tips = Vec::new();
    if let Some(class) = class(case, judged) {
        tips.push(format!("Most of it is {class}."));
    }
    if let Some(s) = survivors {
        tips.push(format!(
            "Of {} that were old at {}, {} are still live.",
            words::count(s.then, "sample"),
            words::duration(s.at),
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

/// The culprit, and of which class its objects are, if they are objects.
fn who(case: &Case<'_>, judged: &Judged) -> String {
    let called = called(&case.paths.frames[judged.group.culprit]);
    match class(case, judged) {
        Some(class) => format!("{called}, by {class}"),
        None => called,
    }
}

/// `objects of byte[]`: the class that has most of the group.
fn class(case: &Case<'_>, judged: &Judged) -> Option<String> {
    let paths = &case.paths;
    let heaviest = paths.heaviest(&judged.group.members);
    let leaf = *paths.paths.get(heaviest)?.frames.first()?;
    (paths.kind == Some(JAVA_HEAP)).then(|| format!("objects of {}", paths.frames[leaf].name))
}

fn called(frame: &Frame) -> String {
    match place(frame) {
        place if place.is_empty() => frame.name.clone(),
        place => format!("{} ({place})", frame.name),
    }
}

/// `deflate.c:302 in libz.so.1`.
fn place(frame: &Frame) -> String {
    let module = frame.module.as_deref();
    match (file(frame), module) {
        (Some(file), Some(module)) => format!("{file} in {module}"),
        (Some(file), None) => file,
        (None, module) => module.unwrap_or_default().to_owned(),
    }
}

fn file(frame: &Frame) -> Option<String> {
    let file = frame.file.as_deref()?;
    Some(match frame.line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    })
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
            glue: culprit::is_glue(frame),
        }
    });
    frames.collect()
}

fn keywords(frame: &Frame) -> Vec<String> {
    let module = frame.module.clone();
    std::iter::once(frame.name.clone()).chain(module).collect()
}
