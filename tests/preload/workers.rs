//! Processes that another one under the profiler started: which of them dump at their end, and how many
//! of their dumps stay.

use std::collections::BTreeSet;
use std::fs;

use crate::harness::{Preload, Run, compile, name};

/// The pids that the names of the dumps have.
fn writers(run: &Run) -> BTreeSet<u64> {
    let files = run.dump_files();
    let pid = |name: String| name.split('.').nth(1).and_then(|pid| pid.parse().ok());
    files.iter().filter_map(|path| pid(name(path))).collect()
}

fn workers(words: &[&str], conf: &str) -> Run {
    let preload = Preload::new("workers.c");
    let preload = words
        .iter()
        .fold(preload, |preload, word| preload.arg(word));
    let conf = format!("prof:true,prof_final:true,lg_prof_sample:12{conf}");
    let run = preload.conf(&conf).run().succeeded();
    assert_eq!(run.stderr, "");
    run
}

#[test]
fn who_did_little_leaves_nothing_and_who_started_it_does() {
    for how in ["fork", "exec"] {
        let run = workers(&[how, "20", "100", "0"], ",prof_accum:true");
        assert_eq!(writers(&run), [run.truth("pid")].into(), "{how}");
        let all = workers(&[how, "5", "100", "0"], ",prof_final_all:true");
        assert_eq!(writers(&all).len(), 6, "{how}");
    }
}

#[test]
fn who_keeps_much_or_works_for_a_while_dumps() {
    for how in ["fork", "exec"] {
        let at_once = workers(&[how, "2", "16384", "0"], "");
        assert_eq!(writers(&at_once).len(), 3, "{how}");
        let later = workers(&[how, "1", "1024", "2000"], "");
        assert_eq!(writers(&later).len(), 2, "{how}");
    }
}

#[test]
fn the_process_that_was_named_dumps_however_little_it_does() {
    let run = workers(&["keep", "64", "0"], "");
    assert_eq!(writers(&run).len(), 1);
    // A shell that is replaced is the same process.
    let program = compile("workers.c", &[]);
    let script = format!("exec {} keep 64 0", program.display());
    let conf = "prof:true,prof_final:true,lg_prof_sample:12";
    let run = Preload::command(["sh", "-c"]).arg(script).conf(conf).run();
    assert_eq!(run.dump_files().len(), 1);
}

#[test]
fn who_outlives_its_parent_dumps_in_its_place() {
    let run = workers(&["heir", "10", "0"], "");
    // The run ends with the parent.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while run.dump_files().is_empty() && std::time::Instant::now() < end {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let dump = run.final_dump();
    assert_ne!(dump.number("pid"), run.truth("pid"));
    assert!(dump.live_bytes() > 2_000_000, "what it inherited");
}

#[test]
fn of_those_that_are_gone_as_many_dumps_stay_as_of_one() {
    let all = ",prof_final_all:true,lg_prof_interval:20";
    let run = workers(&["fork", "20", "100", "0"], &format!("{all},prof_keep:3"));
    let files = run.dump_files();
    let of_parent = format!(".{}.", run.truth("pid"));
    let own = files.iter().filter(|path| name(path).contains(&of_parent));
    let own: Vec<_> = own.map(|path| name(path)).collect();
    assert_eq!((own.len(), files.len()), (3, 6), "{files:?}");
    assert!(own[2].ends_with(".f.heap"), "the last one: {own:?}");
}

#[test]
fn bytes_are_counted_for_all_together() {
    let most = 60_000;
    let conf = format!(",prof_final_all:true,prof_keep_bytes:{most}");
    let run = workers(&["fork", "30", "100", "0"], &conf);
    let files = run.dump_files();
    let size = |path| fs::metadata(path).expect("a dump").len();
    let sizes: Vec<u64> = files.iter().map(size).collect();
    let sum: u64 = sizes.iter().sum();
    assert!(sum <= most, "{sizes:?}");
    let one = sizes.iter().max().expect("a dump");
    assert!(sum + 2 * one > most, "no more went than had to: {sizes:?}");
    assert!(writers(&run).contains(&run.truth("pid")));
}

#[test]
fn the_dumps_of_a_process_that_is_there_are_its_own_to_remove() {
    let conf = ",prof_final_all:true,lg_prof_interval:20,prof_keep:1";
    let run = workers(&["held", "10", "3000"], conf);
    assert!(
        writers(&run).contains(&run.truth("held")),
        "{:?}",
        run.dump_files()
    );
}

#[test]
fn no_dump_waits_for_the_disk() {
    let run = Preload::new("without_fsync.c")
        .arg(compile("churn.c", &[]))
        .conf("prof:true,prof_final:true,lg_prof_sample:14,lg_prof_interval:22")
        .run();
    assert!(run.dump_files().len() > 2, "{}", run.stderr);
    assert_eq!(run.stderr, "");
}
