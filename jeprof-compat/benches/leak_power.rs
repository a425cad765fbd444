//! The tables of `docs/leak-statistics.md`: how often each verdict is given on simulated processes.
//! `cargo bench -p jeprof-compat --bench leak_power -- RUNS [TABLE [PART]]` prints them as Markdown, or the one
//! whose name begins so; the default are 400 runs a cell, which take some minutes a table. A table has three
//! parts (and a fourth, `floor`, of how floors hold): `fixed` are shapes of fixed length, `third` those whose cycles end within a third of the run, and
//! leaks of their kinds, `longer` those whose cycles outlive it.

#[path = "../tests/leaks/rate.rs"]
mod rate;
#[path = "../tests/leaks/simulate.rs"]
mod simulate;

use jeprof_compat::analysis::suspects::{self, Verdict};
use rate::Rate;
use rayon::prelude::*;
use simulate::{HOUR, MB, MINUTE, RUNS, Run, Source, process, torn_down};

const RUNS_A_CELL: u64 = 400;

/// The first seed: others than those that the tests hold and that the bounds were chosen on.
const SEED: u64 = 1_000_000;

/// By what the command line calls them.
const RATES: [(&str, Rate); 9] = [
    ("2^19", Rate::Steady(19)),
    ("2^17", Rate::Steady(17)),
    ("2^15", Rate::Steady(15)),
    ("2^13", Rate::Steady(13)),
    ("2^16", Rate::Steady(16)),
    ("doubling, 2^15 to 2^19", Rate::Doubling(15, 19)),
    ("thinning, 2^15 to 2^19", Rate::Thinning(15, 19)),
    ("swinging, 2^15 and 2^19", Rate::Swinging(15, 19)),
    ("auto", Rate::Auto),
];

fn main() {
    // cargo itself adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).collect();
    let asked = args.iter().find_map(|arg| arg.parse().ok());
    let runs = asked.unwrap_or(RUNS_A_CELL);
    let words: Vec<&String> = args
        .iter()
        .filter(|arg| !arg.starts_with("--") && arg.parse::<u64>().is_err())
        .collect();
    let is_asked =
        |at: usize, name: &str| words.get(at).is_none_or(|w| name.starts_with(w.as_str()));
    for (name, rate) in RATES.into_iter().filter(|rate| is_asked(0, rate.0)) {
        if is_asked(1, "floor") {
            floors(rate, name, runs);
        }
        for (part, rows) in PARTS.into_iter().filter(|part| is_asked(1, part.0)) {
            print!("\n| {name}, {part}, {runs} runs a cell |");
            RUNS.iter().for_each(|run| print!(" {} |", run.name));
            println!("\n|---{}|", "|---".repeat(RUNS.len()));
            print(rows, rate, runs);
        }
    }
}

type Rows = fn(f64) -> Vec<(&'static str, Vec<Source>)>;

const PARTS: [(&str, Rows); 3] = [("fixed", fixed), ("third", third), ("longer", longer)];

fn print(rows: Rows, rate: Rate, runs: u64) {
    for (row, (name, _)) in rows(HOUR).into_iter().enumerate() {
        print!("| {name} |");
        for run in &RUNS {
            let mut sources = rows(run.length).swap_remove(row).1;
            if rate == Rate::Auto {
                sources.push(Source::Stream(50.0, 0.1));
            }
            print!(
                " {} |",
                cell(&sources, run, rate, runs, name.contains("torn down"))
            );
        }
        println!();
    }
}

/// What a run without a leak says would have been seen, and how often that is seen beside the same.
fn floors(rate: Rate, name: &str, runs: u64) {
    use Source::{Churn, Lru, Startup};
    type Beside = fn(f64) -> Source;
    let rows: [(&str, Beside); 6] = [
        ("nothing but a start-up of 10 MB", |_| Startup(10.0)),
        ("churn 100 MB, 1 min", |_| Churn(100.0, MINUTE)),
        ("churn 100 MB, mean life a fiftieth", |run| {
            Churn(100.0, run / 50.0)
        }),
        ("churn 100 MB, mean life a twentieth", |run| {
            Churn(100.0, run / 20.0)
        }),
        ("churn 20 MB, mean life a ninth", |run| {
            Churn(20.0, run / 9.0)
        }),
        ("LRU cache 100 MB, age a fifth", |run| Lru(100.0, run / 5.0)),
    ];
    print!("\n| {name}, a leak at the floor of the run beside, {runs} runs a cell |");
    RUNS.iter().for_each(|run| print!(" {} |", run.name));
    println!("\n|---{}|", "|---".repeat(RUNS.len()));
    for (row, beside) in rows {
        print!("| {row} |");
        for run in &RUNS {
            print!(" {} |", at_floor(beside(run.length), run, rate, runs));
        }
        println!();
    }
}

/// `5.3 MB/h: 97 %`: the floor on average, and how often it is told, as a leak or as growth.
fn at_floor(beside: Source, run: &Run, rate: Rate, runs: u64) -> String {
    let one = |seed: u64| {
        let calm = process(&[&[beside]], run, rate, seed);
        let floor = suspects::find(&calm, None, 0.0).floor? * HOUR / MB;
        let leak = process(&[&[beside, Source::Leak(floor)]], run, rate, seed + SEED);
        let found = suspects::find(&leak, None, 0.0);
        let is_told = found.judged.iter().any(|j| j.judgement.verdict.is_growth());
        Some((floor, is_told))
    };
    let all: Vec<(f64, bool)> = (SEED..SEED + runs)
        .into_par_iter()
        .filter_map(one)
        .collect();
    if all.is_empty() {
        return "none".to_owned();
    }
    let count = all.len() as f64;
    let floor = all.iter().map(|(floor, _)| floor).sum::<f64>() / count;
    let told = all.iter().filter(|(_, told)| *told).count() as f64 * 100.0 / count;
    format!("{floor:.1} MB/h: {told:.1} %")
}

/// What ends, or comes back, within a third of the run, and leaks of the same kinds.
fn third(run: f64) -> Vec<(&'static str, Vec<Source>)> {
    use Source::{
        Bursts, Cache, Churn, Daily, DailyLeak, Doubling, Fill, Lru, Realloc, Sawtooth, Steps,
    };
    let third = run / 3.0;
    vec![
        (
            "cache fills to 100 MB within a third",
            vec![Cache(100.0, run / 9.0)],
        ),
        (
            "map fills to 100 MB within a third, torn down at exit",
            vec![Fill(100.0, third)],
        ),
        (
            "vector doubles to 64 MB within a third",
            vec![Doubling(1, 60.0, third)],
        ),
        (
            "200 vectors double to 100 MB within a third",
            vec![Doubling(200, 100.0, third)],
        ),
        (
            "50 hash tables fill to 100 MB within a third",
            vec![Doubling(50, 20.0, third), Fill(80.0, third)],
        ),
        (
            "200 buffers, by realloc to 100 MB within a third",
            vec![Realloc(200, 100.0, third)],
        ),
        (
            "one buffer, by realloc to 100 MB within a third",
            vec![Realloc(1, 100.0, third)],
        ),
        (
            "bursts of 20 MB each tenth, for a sixth",
            vec![Bursts(20.0, run / 10.0, run / 6.0)],
        ),
        (
            "bursts of 50 MB each fifth, for a tenth",
            vec![Bursts(50.0, run / 5.0, run / 10.0)],
        ),
        (
            "daily traffic, 100 MB, a day is a third",
            vec![Daily(100.0, third, run / 30.0)],
        ),
        (
            "daily traffic, 100 MB, a day is a fifth",
            vec![Daily(100.0, run / 5.0, run / 30.0)],
        ),
        ("sawtooth to 100 MB, a third", vec![Sawtooth(100.0, third)]),
        (
            "sawtooth to 100 MB, a tenth",
            vec![Sawtooth(100.0, run / 10.0)],
        ),
        ("LRU cache 100 MB, age a third", vec![Lru(100.0, third)]),
        (
            "churn 100 MB, mean life a ninth",
            vec![Churn(100.0, run / 9.0)],
        ),
        (
            "**map grows to 100 MB**, torn down at exit",
            vec![Fill(100.0, run)],
        ),
        (
            "**vector doubles to 100 MB**",
            vec![Doubling(1, 100.0, run)],
        ),
        (
            "**200 vectors double to 100 MB**",
            vec![Doubling(200, 100.0, run)],
        ),
        (
            "**50 hash tables grow to 100 MB**",
            vec![Doubling(50, 20.0, run), Fill(80.0, run)],
        ),
        (
            "**200 buffers, by realloc to 100 MB**",
            vec![Realloc(200, 100.0, run)],
        ),
        (
            "**one buffer, by realloc to 100 MB**",
            vec![Realloc(1, 100.0, run)],
        ),
        (
            "**bursts of 10 MB each tenth**, never freed",
            vec![Steps(10.0, run / 10.0)],
        ),
        (
            "**leak of 100 MB by daily traffic**, a day is a fifth",
            vec![DailyLeak(100.0 * HOUR / run, run / 5.0)],
        ),
        (
            "**leak of 100 MB**, 100 MB churn, mean life a ninth",
            vec![Fill(100.0, run), Churn(100.0, run / 9.0)],
        ),
    ]
}

/// What does not end within the run, or hardly, and leaks no more than the rest.
fn longer(run: f64) -> Vec<(&'static str, Vec<Source>)> {
    use Source::{Cache, Churn, Doubling, Fill, Lru, Realloc, Sawtooth, TwoSteps};
    vec![
        (
            "cache fills to 100 MB, tau a third",
            vec![Cache(100.0, run / 3.0)],
        ),
        (
            "cache fills to 100 MB, tau the run",
            vec![Cache(100.0, run)],
        ),
        (
            "map fills to 100 MB in two thirds",
            vec![Fill(100.0, run / 1.5)],
        ),
        (
            "200 vectors double to 100 MB in two thirds",
            vec![Doubling(200, 100.0, run / 1.5)],
        ),
        (
            "200 buffers, by realloc to 100 MB in two thirds",
            vec![Realloc(200, 100.0, run / 1.5)],
        ),
        (
            "LRU cache 100 MB, age two thirds",
            vec![Lru(100.0, run / 1.5)],
        ),
        (
            "LRU cache 100 MB, age twice the run",
            vec![Lru(100.0, run * 2.0)],
        ),
        ("churn 100 MB, mean life the run", vec![Churn(100.0, run)]),
        (
            "sawtooth to 100 MB, twice the run",
            vec![Sawtooth(100.0, run * 2.0)],
        ),
        ("two steps of 50 MB", vec![TwoSteps(50.0)]),
    ]
}

/// Of fixed length.
fn fixed(_: f64) -> Vec<(&'static str, Vec<Source>)> {
    use Source::{Cache, Churn, Leak, Lru, Sawtooth, Startup, Steps, TwoSteps};
    vec![
        ("**leak 10 MB/h**", vec![Leak(10.0)]),
        (
            "**leak 10 MB/h**, 100 MB churn, 1 min",
            vec![Leak(10.0), Churn(100.0, MINUTE)],
        ),
        (
            "**leak 10 MB/h**, 100 MB churn, 10 min",
            vec![Leak(10.0), Churn(100.0, 10.0 * MINUTE)],
        ),
        (
            "**leak 10 MB/h**, 200 MB start-up",
            vec![Leak(10.0), Startup(200.0)],
        ),
        (
            "**leak 100 MB/h**, 1 GB churn, 1 min",
            vec![Leak(100.0), Churn(1024.0, MINUTE)],
        ),
        ("**leak 1 MB/h**", vec![Leak(1.0)]),
        (
            "**leak 1 MB/h**, 100 MB churn, 1 min",
            vec![Leak(1.0), Churn(100.0, MINUTE)],
        ),
        (
            "**leak in steps**, 5 MB each 10 min",
            vec![Steps(5.0, 10.0 * MINUTE)],
        ),
        ("churn 100 MB, 1 min", vec![Churn(100.0, MINUTE)]),
        ("churn 1 GB, 1 min", vec![Churn(1024.0, MINUTE)]),
        ("churn 100 MB, 10 min", vec![Churn(100.0, 10.0 * MINUTE)]),
        ("churn 100 MB, 1 h", vec![Churn(100.0, HOUR)]),
        (
            "cache fills to 100 MB, tau 30 min",
            vec![Cache(100.0, 30.0 * MINUTE)],
        ),
        (
            "cache fills to 1 GB, tau 30 min",
            vec![Cache(1024.0, 30.0 * MINUTE)],
        ),
        (
            "LRU cache 100 MB, age 20 min",
            vec![Lru(100.0, 20.0 * MINUTE)],
        ),
        ("start-up 200 MB", vec![Startup(200.0)]),
        (
            "start-up 200 MB, 100 MB churn, 10 min",
            vec![Startup(200.0), Churn(100.0, 10.0 * MINUTE)],
        ),
        (
            "sawtooth to 100 MB, 50 min",
            vec![Sawtooth(100.0, 50.0 * MINUTE)],
        ),
        ("two steps of 50 MB", vec![TwoSteps(50.0)]),
    ]
}

/// `100 %`, or `99.5 %; growing 0.5` when there were other verdicts; leaks first.
fn cell(sources: &[Source], run: &Run, rate: Rate, runs: u64, ends: bool) -> String {
    let one = |seed: u64| {
        let mut process = process(&[sources], run, rate, seed);
        if ends {
            process = torn_down(process);
        }
        let found = suspects::find(&process, None, 0.0);
        found
            .suspects()
            .first()
            .map_or(Verdict::TooFew, |j| j.judgement.verdict)
    };
    let verdicts: Vec<Verdict> = (SEED..SEED + runs).into_par_iter().map(one).collect();
    let percent = |verdict: Verdict| {
        let count = verdicts.iter().filter(|v| **v == verdict).count();
        count as f64 * 100.0 / runs as f64
    };
    let mut text = format!("{:.1} %", percent(Verdict::Leak));
    for verdict in [
        Verdict::Growing,
        Verdict::Bounded,
        Verdict::Churn,
        Verdict::TooFew,
    ] {
        let share = percent(verdict);
        if share > 0.0 {
            text += &format!("; {} {share:.0}", verdict.class());
        }
    }
    text
}
