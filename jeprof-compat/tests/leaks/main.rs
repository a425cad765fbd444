//! What the statistics of leaks find and what they do not take for one, on simulated processes with
//! fixed seeds. `benches/leak_power.rs` has the full table.

mod rate;
mod simulate;
mod sources;

use jeprof_compat::analysis::series::{Process, Series};
use jeprof_compat::analysis::suspects::{self, Verdict};
use jeprof_compat::profile::model::{JAVA_HEAP, JS_HEAP, Language, OtherKind};
use jeprof_compat::report::{Findings, Suspect};
use jeprof_compat::view::sentences;
use jeprof_compat::view::sentences::survey::Survey;
use rate::Rate;
use simulate::{RUNS, Run, process};
use sources::{HOUR, MB, MINUTE, Source};

/// The sparsest that is not asked for by number.
const RATE: Rate = Rate::Steady(19);

/// What is told of a simulated process.
fn findings(process: &Process, kind: Option<&str>) -> Findings {
    sentences::findings(&suspects::find(process, kind, 0.0))
}

fn suspect(sources: &[Source], run: &Run, seed: u64) -> Suspect {
    let process = process(&[sources], run, RATE, seed);
    let found = findings(&process, None);
    found.suspects.into_iter().next().unwrap_or_default()
}

/// Whichever way finds more growth, the place that alone grows has all of it.
#[test]
fn what_alone_leaks_is_all_growth() {
    for seed in 0..20 {
        let leak = suspect(&[Source::Leak(100.0)], &RUNS[2], seed);
        let share = leak.share.expect("it grows");
        assert!((share - 1.0).abs() < 1e-9, "{share} with seed {seed}");
    }
}

/// How many of so many runs end in this verdict.
fn count(sources: &[Source], run: &Run, runs: u64, verdict: Verdict) -> u64 {
    count_at(RATE, sources, run, runs, verdict)
}

fn count_at(rate: Rate, sources: &[Source], run: &Run, runs: u64, verdict: Verdict) -> u64 {
    let is_so = |seed: &u64| {
        let process = process(&[sources], run, rate, *seed);
        let found = findings(&process, None).suspects;
        found.first().map_or(Verdict::TooFew, |s| s.verdict) == verdict
    };
    (0..runs).filter(is_so).count() as u64
}

#[test]
fn a_leak_under_ten_times_its_churn_is_found_after_two_hours() {
    let sources = [Source::Leak(10.0), Source::Churn(100.0, MINUTE)];
    assert!(count(&sources, &RUNS[2], 40, Verdict::Leak) >= 38);
}

const JUMPS: [Rate; 4] = [
    Rate::Doubling(15, 19),
    Rate::Thinning(15, 19),
    Rate::Swinging(15, 19),
    Rate::Auto,
];

/// A script's leak in two hours, V8's last collection so many minutes before the end; none: there was none.
fn under_v8(last: Option<f64>) -> Verdict {
    let mut process = process(&[&[Source::Leak(50.0)]], &RUNS[2], RATE, 3);
    for dump in &mut process.dumps {
        let lines = dump
            .profile
            .locations
            .iter_mut()
            .flat_map(|l| l.lines.iter_mut());
        lines.for_each(|line| line.language = Some(Language::JavaScript));
        let count = u32::from(last.is_some()).to_string();
        let mut facts = vec![("collections".to_owned(), count)];
        let since = last.map(|minutes| format!("{:.0}", minutes * 60_000.0));
        facts.extend(since.map(|ms| ("since_collection_ms".to_owned(), ms)));
        let heap = OtherKind {
            facts,
            ..OtherKind::default()
        };
        dump.profile.other_kinds.insert(JS_HEAP.to_owned(), heap);
    }
    let found = findings(&process, None);
    found.suspects[0].verdict
}

/// Objects of the JVM in two hours: those that stay, and garbage that was born since the last collection, so many
/// minutes before the end; `forced` of them were asked for.
fn under_a_jvm(sources: &[Source], last: Option<f64>, forced: u32) -> Findings {
    let mut process = process(&[sources], &RUNS[2], RATE, 3);
    for dump in &mut process.dumps {
        let since = last.map(|minutes| (dump.at - (RUNS[2].length - minutes * MINUTE)).max(0.0));
        let count = last.map_or(0, |_| (dump.at * 10.0) as u64).to_string();
        let mut facts = vec![
            ("collections".to_owned(), count.clone()),
            ("collections_swept".to_owned(), count),
            ("collections_forced".to_owned(), forced.to_string()),
        ];
        facts.extend(since.map(|s| {
            (
                "since_collection_ms".to_owned(),
                format!("{:.0}", s * 1000.0),
            )
        }));
        let heap = OtherKind {
            facts,
            samples: std::mem::take(&mut dump.profile.samples),
        };
        dump.profile.other_kinds.insert(JAVA_HEAP.to_owned(), heap);
    }
    findings(&process, Some(JAVA_HEAP))
}

#[test]
fn objects_are_known_as_of_the_last_collection() {
    let leak = [Source::Leak(100.0)];
    let known = under_a_jvm(&leak, Some(5.0), 9);
    assert_eq!(known.suspects[0].verdict, Verdict::Leak);
    let rate = known.suspects[0].rate.expect("it grows").value / MB;
    assert!((80.0..120.0).contains(&rate), "{rate}");
    // The ordinary collections pass over what is old.
    let doubted = under_a_jvm(&leak, Some(5.0), 0);
    assert_eq!(doubted.suspects[0].verdict, Verdict::Growing);
    // Half of it is there when the collector has looked, and all that is born later.
    let garbage = [Source::Churn(100.0, 5.0 * MINUTE)];
    let seen = under_a_jvm(&garbage, Some(50.0), 0);
    assert!(
        !seen.conclusion.verdict.is_growth(),
        "{:?}",
        seen.conclusion
    );
    let never = under_a_jvm(&leak, None, 0);
    assert_eq!(never.suspects[0].verdict, Verdict::Growing);
    let reason = &never.suspects[0].reason;
    assert!(reason.starts_with("it may be garbage"), "{reason}");
}

#[test]
fn what_waits_for_a_collection_is_no_leak_yet() {
    assert_eq!(under_v8(Some(1.0)), Verdict::Leak);
    assert_eq!(under_v8(Some(100.0)), Verdict::Growing);
    assert_eq!(under_v8(None), Verdict::Growing);
}

/// At the sparsest of the periods, held all the time, 38 of 40 are found.
#[test]
fn a_leak_is_found_while_the_period_jumps() {
    for rate in JUMPS {
        for beside in [Source::Churn(100.0, MINUTE), Source::Startup(200.0)] {
            let sources = [Source::Leak(10.0), beside];
            let found = count_at(rate, &sources, &RUNS[2], 40, Verdict::Leak);
            assert!(found >= 38, "{rate:?} {beside:?}: {found} of 40");
        }
    }
}

#[test]
fn a_period_that_jumps_makes_no_leak() {
    let stream = Source::Stream(50.0, 0.1);
    let innocent: [&[Source]; 5] = [
        &[stream, Source::Churn(100.0, 10.0 * MINUTE)],
        &[Source::Churn(100.0, HOUR)],
        &[Source::Cache(100.0, 30.0 * MINUTE)],
        &[Source::Lru(100.0, 20.0 * MINUTE)],
        &[Source::Startup(200.0), Source::Churn(100.0, MINUTE)],
    ];
    for rate in JUMPS {
        for sources in innocent {
            let leaks = count_at(rate, sources, &RUNS[2], 20, Verdict::Leak);
            assert!(leaks <= 1, "{rate:?} {sources:?}: {leaks} of 20");
        }
    }
}

/// What dies within ten minutes is gone after an hour, and the leak is not.
#[test]
fn a_plateau_behind_slow_churn_is_found() {
    let sources = [Source::Leak(10.0), Source::Churn(100.0, 10.0 * MINUTE)];
    let found = count_at(Rate::Steady(15), &sources, &RUNS[2], 40, Verdict::Leak);
    assert!(found >= 36, "{found} of 40");
}

#[test]
fn half_an_hour_is_enough_where_samples_are_dense() {
    let sources = [Source::Leak(10.0), Source::Churn(100.0, MINUTE)];
    let found = count_at(Rate::Steady(15), &sources, &RUNS[1], 40, Verdict::Leak);
    assert!(found >= 38, "{found} of 40");
}

#[test]
fn a_leak_behind_a_start_up_is_found() {
    let sources = [Source::Leak(10.0), Source::Startup(200.0)];
    assert!(count(&sources, &RUNS[2], 40, Verdict::Leak) >= 38);
}

#[test]
fn the_interval_of_the_rate_holds_the_truth() {
    let sources = [Source::Leak(10.0), Source::Churn(100.0, MINUTE)];
    let holds = |&seed: &u64| {
        let rate = suspect(&sources, &RUNS[2], seed).rate.unwrap();
        rate.low <= 10.0 * MB && 10.0 * MB <= rate.high
    };
    assert!((0..60).filter(holds).count() >= 54);
}

#[test]
fn what_does_not_leak_is_not_called_a_leak() {
    let innocent: [&[Source]; 9] = [
        &[Source::Churn(100.0, MINUTE)],
        &[Source::Churn(100.0, 10.0 * MINUTE)],
        &[Source::Churn(100.0, HOUR)],
        &[Source::Cache(100.0, 30.0 * MINUTE)],
        &[Source::Lru(100.0, 20.0 * MINUTE)],
        &[Source::Startup(200.0)],
        &[Source::Startup(200.0), Source::Churn(100.0, 10.0 * MINUTE)],
        &[Source::Sawtooth(100.0, 50.0 * MINUTE)],
        &[Source::TwoSteps(50.0)],
    ];
    for sources in innocent {
        let leaks = count(sources, &RUNS[2], 20, Verdict::Leak);
        assert!(leaks <= 1, "{sources:?}: {leaks} of 20");
    }
}

/// Two hours, and what ends or comes back within 40 minutes.
#[test]
fn what_ends_within_a_third_of_the_run_is_no_leak() {
    let third = RUNS[2].length / 3.0;
    let innocent: [&[Source]; 7] = [
        &[Source::Doubling(1, 60.0, third)],
        &[Source::Doubling(200, 100.0, third)],
        &[Source::Doubling(50, 20.0, third), Source::Fill(80.0, third)],
        &[Source::Realloc(200, 100.0, third)],
        &[Source::Bursts(20.0, third / 3.0, third / 2.0)],
        &[Source::Daily(100.0, third, third / 10.0)],
        &[Source::Sawtooth(100.0, third)],
    ];
    for sources in innocent {
        let leaks = count(sources, &RUNS[2], 20, Verdict::Leak);
        assert!(leaks <= 1, "{sources:?}: {leaks} of 20");
    }
}

#[test]
fn containers_that_grow_to_the_end_leak() {
    let end = RUNS[2].length;
    let leaky: [&[Source]; 5] = [
        &[Source::Fill(100.0, end)],
        &[Source::Doubling(200, 100.0, end)],
        &[Source::Doubling(50, 20.0, end), Source::Fill(80.0, end)],
        &[Source::Realloc(200, 100.0, end)],
        &[Source::Realloc(1, 100.0, end)],
    ];
    for sources in leaky {
        let found = count(sources, &RUNS[2], 20, Verdict::Leak);
        assert!(found >= 18, "{sources:?}: {found} of 20");
    }
}

#[test]
fn bursts_that_stay_grow_with_the_traffic() {
    let leaky: [&[Source]; 2] = [
        &[Source::Steps(10.0, RUNS[2].length / 10.0)],
        &[Source::DailyLeak(50.0, RUNS[2].length / 5.0)],
    ];
    for sources in leaky {
        let found = count(sources, &RUNS[2], 20, Verdict::Leak);
        assert!(found >= 18, "{sources:?}: {found} of 20");
    }
    let two = suspect(&[Source::TwoSteps(50.0)], &RUNS[2], 1);
    assert_eq!(two.verdict, Verdict::Growing);
    assert!(
        two.reason.contains("nothing of it was ever freed"),
        "{}",
        two.reason
    );
}

/// A heap that a collector cleans late comes and goes: what it holds is named where RSS grows.
#[test]
fn where_rss_grows_and_no_kind_does_the_largest_place_is_named() {
    let mut process = process(&[&[Source::Churn(400.0, 20.0 * MINUTE)]], &RUNS[2], RATE, 3);
    for (at, dump) in process.dumps.iter_mut().enumerate() {
        let heap = OtherKind {
            samples: std::mem::take(&mut dump.profile.samples),
            ..OtherKind::default()
        };
        dump.profile.other_kinds.insert(JS_HEAP.to_owned(), heap);
        let rss = ("rss_bytes".to_owned(), ((at + 1) * 10_000_000).to_string());
        dump.profile.process.entries.push(rss);
    }
    let series = Series {
        processes: vec![process],
        notes: Vec::new(),
    };
    let survey = Survey::of(&series, 0.0);
    let conclusion = &survey.found(0)[0].1.conclusion;
    assert!(
        conclusion.headline.starts_with("RSS grows "),
        "{conclusion:?}"
    );
    let first = &conclusion.sentences[0];
    assert!(first.starts_with("Of js_heap most is held by "), "{first}");
}

/// A worker of two that leaks so many MB an hour.
fn worker(pid: u64, rate: f64, seed: u64) -> Process {
    let mut process = process(&[&[Source::Leak(rate)]], &RUNS[2], RATE, seed);
    process.name = format!("pid {pid}");
    for dump in &mut process.dumps {
        let facts = [
            ("host", "web-1"),
            ("command", "/usr/bin/mcache --port 1"),
            ("start_unix_ms", "1700000000000"),
        ];
        let facts = facts.map(|(key, value)| (key.to_owned(), value.to_owned()));
        dump.profile.process.entries.extend(facts);
    }
    process
}

/// Each leaks less than what would have been seen of it alone.
#[test]
fn workers_that_leak_below_the_floor_of_each_are_found_together() {
    let (mut alone, mut together) = (0, 0);
    for seed in 0..20 {
        let series = Series {
            processes: vec![worker(7, 4.0, seed), worker(8, 4.0, seed + 100)],
            notes: Vec::new(),
        };
        let survey = Survey::of(&series, 0.0);
        let own = &survey.found(0)[0].1.conclusion;
        alone += usize::from(own.verdict == Verdict::Leak);
        let services = survey.services();
        let headline = &services[0].findings.conclusion.headline;
        together += usize::from(headline.starts_with("2 of 2 workers leak, "));
        if seed == 0 {
            let page = survey.report(&series, 0, &[23].into(), &[None, None]);
            assert_eq!(&page.conclusion.headline, headline);
            assert_eq!(page.neighbours.len(), 1);
        }
    }
    assert!(
        together >= 18 && alone <= 16,
        "{together} together, {alone} alone"
    );
}

#[test]
fn each_shape_has_its_word() {
    let word = |sources: &[Source]| suspect(sources, &RUNS[2], 1).verdict;
    assert_eq!(
        word(&[Source::Steps(20.0, 30.0 * MINUTE)]),
        Verdict::Growing
    );
    assert_eq!(word(&[Source::Startup(200.0)]), Verdict::Bounded);
    assert_eq!(word(&[Source::Churn(100.0, MINUTE)]), Verdict::Churn);
    assert_eq!(word(&[Source::Lru(100.0, 20.0 * MINUTE)]), Verdict::Churn);
    assert_eq!(
        word(&[Source::Sawtooth(100.0, 50.0 * MINUTE)]),
        Verdict::Churn
    );
    // A sixth of what it holds is still to come; of a tau of 40 minutes it were a twentieth.
    assert_eq!(word(&[Source::Cache(400.0, HOUR)]), Verdict::Growing);
    assert_eq!(
        word(&[Source::Cache(100.0, 15.0 * MINUTE)]),
        Verdict::Bounded
    );
    assert_eq!(word(&[Source::Leak(1.0)]), Verdict::TooFew);
}

#[test]
fn among_many_paths_the_leak_is_named_and_no_other() {
    let churn = [Source::Churn(40.0, 5.0 * MINUTE)];
    let leak = [Source::Leak(12.0)];
    let mut paths: Vec<&[Source]> = vec![&churn; 60];
    paths[41] = &leak;
    let found = findings(&process(&paths, &RUNS[2], RATE, 3), None);
    let leaks: Vec<&str> = found
        .suspects
        .iter()
        .filter(|s| s.verdict == Verdict::Leak)
        .map(|s| s.culprit.as_str())
        .collect();
    assert_eq!(leaks, ["path41"]);
    assert!(
        found.conclusion.sentences[0].contains("path41"),
        "{:?}",
        found.conclusion
    );
}

#[test]
fn many_thin_paths_meet_in_their_caller() {
    let leak = [Source::Leak(2.0)];
    let paths: Vec<&[Source]> = vec![&leak; 10];
    let found = findings(&process(&paths, &RUNS[2], RATE, 5), None);
    assert_eq!(
        found.conclusion.verdict,
        Verdict::Leak,
        "{:?}",
        found.conclusion
    );
    assert_eq!(found.suspects[0].culprit, "main");
}

#[test]
fn a_kind_without_samples_says_so() {
    let found = findings(
        &process(&[&[Source::Leak(10.0)]], &RUNS[2], RATE, 1),
        Some("mmap"),
    );
    assert_eq!(found.conclusion.verdict, Verdict::TooFew);
    let headline = found.conclusion.headline;
    assert!(headline.starts_with("No samples"), "{headline}");
    assert!(found.suspects.is_empty());
}

/// A leak at the floor that the run itself tells, alone, is to be seen 19 times of 20.
#[test]
fn the_floor_is_what_it_says() {
    let told = findings(&process(&[&[Source::Leak(10.0)]], &RUNS[2], RATE, 1), None);
    let floor = told.floor.unwrap() / MB;
    let seen = count(&[Source::Leak(floor)], &RUNS[2], 400, Verdict::Leak);
    let churn = Source::Churn(100.0, MINUTE);
    let under = count(&[Source::Leak(floor), churn], &RUNS[2], 400, Verdict::Leak);
    println!("floor {floor:.2} MB/h: {seen} of 400 alone, {under} under churn");
    assert!(seen >= 368, "{seen} of 400 at {floor} MB/h");
}
