//! The options that change what is recorded or said, each with a program that shows the difference.

use crate::config::STATUS;
use crate::harness::{Preload, Run, name};

/// What `churn.c` keeps to its end: a ring of 64 blocks of 16 KiB.
const KEPT: u64 = 64 * 16384;

const FINAL: &str = "prof:true,prof_final:true";

#[track_caller]
fn churn(options: &str) -> Run {
    let run = Preload::new("churn.c")
        .conf(&format!("{FINAL},{options}"))
        .run();
    assert_eq!(run.status.code(), STATUS, "{}", run.stderr);
    run
}

#[test]
fn prof_leak_sums_up_at_exit() {
    let run = churn("prof_leak:true,lg_prof_sample:0");
    let summary = run
        .stderr
        .lines()
        .find(|line| line.contains("Leak approximation summary"));
    let summary = summary.unwrap_or_else(|| panic!("no summary: {}", run.stderr));
    let bytes = summary
        .split('~')
        .nth(1)
        .and_then(|rest| rest.split(' ').next()?.parse().ok());
    let bytes: u64 = bytes.unwrap_or_else(|| panic!("no bytes in {summary}"));
    assert!((KEPT..KEPT + 65536).contains(&bytes), "{summary}");
}

#[test]
fn prof_leak_error_ends_with_status_one() {
    let conf = format!("{FINAL},prof_leak:true,prof_leak_error:true,lg_prof_sample:12");
    let run = Preload::new("churn.c").conf(&conf).run();
    assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("Exiting with error code because memory leaks"),
        "{}",
        run.stderr
    );
    assert_eq!(run.dumps().len(), 1);
}

#[test]
fn prof_accum_adds_what_was_freed() {
    let traffic = (40 * 64 + 512) * 16384;
    let accumulated = |run: &Run| {
        let dump = run.final_dump();
        let stacks = dump.stacks.iter();
        stacks.map(|stack| stack.bytes_ever).sum::<u64>()
    };
    let with = accumulated(&churn("prof_accum:true,lg_prof_sample:0"));
    assert!(
        (traffic..traffic + 65536).contains(&with),
        "{with} instead of {traffic}"
    );
    let head = churn("prof_accum:true,lg_prof_sample:0")
        .final_dump()
        .threads;
    assert!(!head.is_empty());
}

#[test]
fn prof_sys_thread_name_names_the_threads() {
    let names = |option: &str| churn(option).final_dump().threads.concat();
    // The kernel cuts a name at 15 bytes; ours is that of the file.
    assert!(names("prof_sys_thread_name:true,lg_prof_sample:12").ends_with(" churn"));
    assert!(!names("lg_prof_sample:12").contains("churn"));
}

#[test]
fn prof_cmdline_may_be_kept_secret() {
    let shown = Preload::new("churn.c")
        .arg("9")
        .conf(FINAL)
        .run()
        .final_dump();
    assert!(
        shown.facts["command"].ends_with("churn 9"),
        "{:?}",
        shown.facts
    );
    let hidden = churn("prof_cmdline:false").final_dump();
    assert_eq!(hidden.facts.get("command"), None);
}

#[test]
fn prof_pid_namespace_stands_before_the_pid() {
    let run = churn("prof_pid_namespace:true");
    let link = std::fs::read_link("/proc/self/ns/pid").expect("a pid namespace");
    let number: String = link
        .to_string_lossy()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let files = run.dump_files();
    assert!(
        name(&files[0]).starts_with(&format!("dump.{number}.")),
        "{files:?}"
    );
}

#[test]
fn prof_active_false_records_nothing() {
    let run = churn("prof_active:false,lg_prof_sample:0");
    assert_eq!((run.dump_files().len(), run.stderr.as_str()), (0, ""));
}

#[test]
fn prof_unbias_false_writes_the_bare_samples() {
    let dump = churn("prof_unbias:false,lg_prof_sample:15").final_dump();
    let ring = dump.stacks.iter().map(|stack| stack.counts);
    let (samples, bytes) = ring.max_by_key(|(_, bytes)| *bytes).expect("stacks");
    assert!(samples > 0);
    assert_eq!(bytes, samples * 16384, "whole blocks of the ring");
}

#[test]
fn the_memory_ceiling_stops_sampling_and_the_dump_says_so() {
    let conf = format!("{FINAL},lg_prof_sample:0,prof_mem_max:4194304");
    let run = Preload::new("statistics.c").conf(&conf).run().succeeded();
    let dump = run.final_dump();
    assert!(
        dump.facts["sampling"].contains("prof_mem_max"),
        "{:?}",
        dump.facts
    );
    assert!(dump.number("profiler_bytes") <= 4 << 20);
    assert!(dump.number("counter_arena_exhausted") >= 1);
    assert!(dump.live_bytes() > 0, "what was recorded until then stays");
}
