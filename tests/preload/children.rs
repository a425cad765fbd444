//! Children of every kind: what they leave, what they inherit, and what they must not disturb.

use std::collections::HashSet;

use crate::harness::{Preload, Run};

#[test]
fn a_signal_handler_may_fork() {
    for lg_period in [0, 12] {
        let conf = format!("prof:true,prof_final:true,lg_prof_sample:{lg_period}");
        let run = Preload::new("fork_signal.c").conf(&conf).run().succeeded();
        assert_eq!(run.truth("forks"), 400);
        assert!(run.final_dump().live_bytes() >= 3_000_000);
    }
}

#[test]
fn a_fork_may_meet_a_thread_that_holds_the_lock_of_stdio() {
    for conf in ["lg_prof_sample:0", "lg_prof_sample:10,lg_prof_interval:22"] {
        let conf = format!("prof:true,{conf}");
        let run = Preload::new("fork_stdio.c").conf(&conf).run().succeeded();
        assert_eq!(run.stdout, "end\n");
        run.dumps();
    }
}

/// Half an expected value more or less is seven standard deviations with 200 samples.
#[track_caller]
fn assert_near(found: u64, expected: u64) {
    assert!(
        found > expected / 2 && found < expected * 3 / 2,
        "{found}, not {expected}"
    );
}

fn siblings(kind: &str) -> Run {
    let conf = "prof:true,prof_final:true,prof_final_all:true,lg_prof_sample:16";
    let preload = Preload::new("siblings.c").arg(kind).arg("100").arg("131");
    preload.conf(conf).run().succeeded()
}

#[test]
fn children_of_one_parent_sample_each_by_their_own_chance() {
    let run = siblings("fork");
    let dumps = run.dumps();
    let live: Vec<_> = dumps.iter().map(|dump| dump.live_bytes()).collect();
    let different: HashSet<_> = live.iter().collect();
    assert!(different.len() > 3, "in lock step: {live:?}");
    assert_near(live.iter().sum(), run.truth("bytes"));
}

#[test]
fn threads_that_allocate_little_are_seen_as_often_as_others() {
    let run = siblings("thread");
    assert_near(run.final_dump().live_bytes(), run.truth("bytes"));
}

#[test]
fn children_in_the_parents_memory_leave_its_profile_alone() {
    let conf = "prof:true,prof_final:true,prof_final_all:true,prof_dump_live:true,lg_prof_sample:12,lg_prof_interval:22";
    let run = Preload::new("shared_memory.c").conf(conf).run().succeeded();
    assert!(!run.stdout.contains("WRONG"), "{}", run.stdout);
    let (pid, child) = (run.truth("pid"), run.truth("child"));
    let dumps = run.dumps();
    assert!(dumps.iter().any(|dump| dump.number("pid") == child));
    for dump in dumps {
        let of = dump.number("pid");
        assert!(of == pid || of == child, "{:?}", dump.path);
        let has_its_own = dump.live.iter().any(|&(_, size, _)| size == 5_000_000);
        assert_eq!(has_its_own, of == child, "{:?}", dump.path);
        assert_eq!(
            dump.number("counter_fork_abandoned"),
            u64::from(of == child)
        );
    }
}

#[test]
fn who_samples_first_may_be_a_child_that_no_handler_saw() {
    for (kind, size) in [("own", 20_000_000), ("borrowed", 30_000_000)] {
        let conf = "prof:true,prof_final:true,prof_dump_live:true";
        let run = Preload::new("early_fork.c").arg(kind).conf(conf).run();
        let run = run.succeeded();
        let whose = run.truth(if kind == "own" { "child" } else { "pid" });
        let dump = run.final_dump();
        assert_eq!(dump.number("pid"), whose, "{kind}");
        let is_there = dump.live.iter().any(|&(_, found, _)| found == size);
        assert!(is_there, "{kind}");
    }
}

#[test]
fn a_hundred_short_children_leave_no_hundred_files() {
    let script = "i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done; echo $LD_PRELOAD";
    let conf = "prof:true,prof_final:true,lg_prof_sample:40";
    let run = Preload::command(["sh", "-c", script]).conf(conf).run();
    let run = run.succeeded();
    assert!(run.dump_files().is_empty());
    assert!(run.stdout.contains("libmalloscope"), "it is as it was set");
}
