//! Under valgrind, which replaces the allocator behind us: no error that is ours, and the program
//! does what it does.
//!
//! Passed over where valgrind is not installed; CI installs it.

use crate::harness::{Preload, Run, compile, installed};

const CONFS: [&str; 3] = [
    "prof:true,prof_final:true,lg_prof_sample:0",
    "prof:true,prof_final:true,lg_prof_sample:12",
    "prof:true,prof_final:true,lg_prof_sample:14",
];

fn under(tool: &[&str], conf: &str) -> Run {
    let command = ["valgrind", "-q", "--error-exitcode=9"];
    let program = compile("late.c", &[]);
    tool.iter()
        .fold(Preload::command(command), |preload, flag| preload.arg(flag))
        .arg(program)
        .conf(conf)
        .run()
}

#[test]
fn memcheck_finds_nothing() {
    if installed("valgrind").is_none() {
        return eprintln!("passed over: valgrind is not installed");
    }
    for conf in CONFS {
        let run = under(&["--tool=memcheck"], conf);
        assert_eq!(run.status.code(), Some(3), "{conf}: {}", run.stderr);
        assert!(!run.stderr.contains("=="), "{conf}: {}", run.stderr);
        // Memcheck takes every malloc for its own, ours too: nothing is sampled.
        assert!(run.dump_files().is_empty());
    }
}

#[test]
fn callgrind_counts_as_it_does() {
    if installed("valgrind").is_none() {
        return eprintln!("passed over: valgrind is not installed");
    }
    let tool = ["--tool=callgrind", "--callgrind-out-file=callgrind.out"];
    for conf in CONFS {
        let run = under(&tool, conf);
        assert_eq!(run.status.code(), Some(3), "{conf}: {}", run.stderr);
        assert!(run.directory().join("callgrind.out").is_file());
        assert!(!run.stderr.contains("=="), "{conf}: {}", run.stderr);
        let plain = Preload::new("late.c").libraries(&[]).run();
        assert_eq!(run.stderr, plain.stderr, "valgrind complains of nothing");
        let deepest = run.final_dump().stacks.iter().map(|s| s.frames.len()).max();
        assert!(deepest > Some(3), "stacks are walked: {deepest:?}");
    }
}
