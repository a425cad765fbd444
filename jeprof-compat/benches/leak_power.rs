//! The tables of `docs/leak-statistics.md`: how often each verdict is given on simulated processes.
//! `cargo bench -p jeprof-compat --bench leak_power -- RUNS [TABLE]` prints them as Markdown, or the one
//! whose name begins so; the default are 400 runs a cell, which take some minutes a table.

#[path = "../tests/leaks/rate.rs"]
mod rate;
#[path = "../tests/leaks/simulate.rs"]
mod simulate;

use jeprof_compat::analysis::suspects::{self, Verdict};
use rate::Rate;
use rayon::prelude::*;
use simulate::{HOUR, MINUTE, RUNS, Run, Source, process};

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
    let table = args
        .iter()
        .find(|arg| !arg.starts_with("--") && arg.parse::<u64>().is_err());
    let is_asked = |name: &str| table.is_none_or(|table| name.starts_with(table.as_str()));
    for (name, rate) in RATES.into_iter().filter(|rate| is_asked(rate.0)) {
        print!("\n| {name}, {runs} runs a cell |");
        RUNS.iter().for_each(|run| print!(" {} |", run.name));
        println!("\n|---{}|", "|---".repeat(RUNS.len()));
        for (name, mut sources) in rows() {
            if rate == Rate::Auto {
                sources.push(Source::Stream(50.0, 0.1));
            }
            print!("| {name} |");
            for run in &RUNS {
                print!(" {} |", cell(&sources, run, rate, runs));
            }
            println!();
        }
    }
}

fn rows() -> Vec<(&'static str, Vec<Source>)> {
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
fn cell(sources: &[Source], run: &Run, rate: Rate, runs: u64) -> String {
    let one = |seed: u64| {
        let process = process(&[sources], run, rate, seed);
        let found = suspects::find(&process, None);
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
