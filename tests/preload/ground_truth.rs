//! The live set of a dump is the program's own account of what lives, to the byte.
//!
//! Compared are the samples below the code that allocates for the account; what the program and the
//! C library take besides (buffers of streams, stacks of threads) is not in it.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::harness::{Preload, Run};

/// What a process wrote down about itself.
struct Account {
    pid: u64,
    tracked: Range<u64>,
    live: Vec<(u64, u64)>,
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("an address")
}

/// `tracked=0x1-0x2`, as the programs print it.
pub fn tracked_range(line: &str) -> Range<u64> {
    let range = line
        .strip_prefix("tracked=")
        .and_then(|range| range.split_once('-'));
    let (start, end) = range.expect("a range of code");
    hex(start)..hex(end)
}

fn read(path: &Path) -> Account {
    let text = fs::read_to_string(path).expect("an account");
    let mut lines = text.lines();
    let tracked = tracked_range(lines.next().expect("a first line"));
    let block = |line: &str| {
        let (address, size) = line.split_once(' ').expect("address and size");
        (hex(address), size.parse().expect("size"))
    };
    let mut live: Vec<_> = lines.map(block).collect();
    live.sort_unstable();
    let pid = path.extension().and_then(|pid| pid.to_str()).expect("pid");
    Account {
        pid: pid.parse().expect("pid"),
        tracked,
        live,
    }
}

fn accounts(run: &Run) -> Vec<Account> {
    let entries = fs::read_dir(run.directory()).expect("directory of the run");
    let paths = entries.map(|entry| entry.expect("entry").path());
    paths
        .filter(|path| path.file_stem().is_some_and(|stem| stem == "account"))
        .map(|path| read(&path))
        .collect()
}

fn run(lg_period: u8, arguments: &[&str]) -> Run {
    let conf = format!(
        "prof:true,lg_prof_sample:{lg_period},prof_final_all:true,prof_final:true,prof_dump_live:true"
    );
    let program = Preload::new("ground_truth.cpp").conf(&conf);
    let program = arguments
        .iter()
        .fold(program, |program, word| program.arg(word));
    program.run().succeeded()
}

#[track_caller]
fn assert_exact(run: &Run) {
    let dumps = run.dumps();
    let accounts = accounts(run);
    assert_eq!(
        (accounts.len(), dumps.len()),
        (4, 4),
        "a parent and three children"
    );
    for account in accounts {
        let dump = dumps.iter().find(|dump| dump.number("pid") == account.pid);
        let dump = dump.expect("a dump of each process");
        assert!(account.live.len() > 100, "the account is worth comparing");
        let known = dump.live_below(&account.tracked);
        assert_eq!(known, account.live, "{:?}", dump.path);
        assert_eq!(dump.number("counter_sample_not_stored"), 0);
    }
}

#[test]
fn exact_mode_knows_every_live_block_of_parent_and_children() {
    for _ in 0..3 {
        assert_exact(&run(0, &[]));
    }
}

#[test]
#[ignore = "takes minutes: tests/long.sh runs it, for MALLOSCOPE_TEST_SECONDS"]
fn exact_mode_knows_blocks_of_every_size_for_minutes() {
    let seconds = std::env::var("MALLOSCOPE_TEST_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(60);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        assert_exact(&run(0, &["32", "67108865"]));
    }
}

#[test]
fn samples_are_a_part_of_the_truth() {
    for lg_period in [4, 10, 14, 16] {
        let run = run(lg_period, &[]);
        let dumps = run.dumps();
        for account in accounts(&run) {
            let dump = dumps.iter().find(|dump| dump.number("pid") == account.pid);
            let samples = dump
                .expect("a dump of each process")
                .live_below(&account.tracked);
            assert!(!samples.is_empty());
            for sample in samples {
                let known = account.live.binary_search(&sample).is_ok();
                assert!(
                    known,
                    "{sample:x?} does not live in {}, at 2^{lg_period}",
                    account.pid
                );
            }
        }
    }
}
