//! Allocations from inside the loader: before we are relocated, in constructors, in its callbacks,
//! past us, and under an auditor.

use std::path::{Path, PathBuf};

use crate::harness::{Preload, Run, compile};

const CONFS: [&str; 4] = [
    "prof:false",
    "prof:true,prof_final:true,lg_prof_sample:0",
    "prof:true,prof_final:true,lg_prof_sample:10",
    "prof:true,prof_final:true,lg_prof_sample:14",
];

/// Runs it with every configuration; the output is what it is without us.
fn as_without_us(command: &[PathBuf], prepare: &dyn Fn(Preload) -> Preload) -> Vec<Run> {
    let start = || prepare(Preload::command(command));
    let plain = start().libraries(&[]).run().succeeded();
    assert!(!plain.stdout.contains("WRONG"), "{}", plain.stdout);
    let run = |conf| {
        let run = start().conf(conf).run().succeeded();
        assert_eq!(
            (&run.stdout, &run.stderr),
            (&plain.stdout, &plain.stderr),
            "{conf}"
        );
        run
    };
    CONFS.into_iter().map(run).collect()
}

fn shared(file: &str, flag: &str) -> PathBuf {
    compile(file, &["-shared", "-fPIC", flag])
}

fn linked(file: &str, libraries: &[&Path]) -> PathBuf {
    let mut flags = vec!["-Xlinker", "--no-as-needed"];
    flags.extend(
        libraries
            .iter()
            .map(|path| path.to_str().expect("a path of text")),
    );
    compile(file, &flags)
}

#[test]
fn an_ifunc_resolver_may_allocate_before_we_are_relocated() {
    for binding in ["lazy", "now"] {
        // libstdc++ stands behind the library, and so is relocated before it.
        let flags = [
            "-shared",
            "-fPIC",
            "-fno-plt",
            "-z",
            binding,
            "-Xlinker",
            "--no-as-needed",
            "-lstdc++",
        ];
        let callee = compile("ifunc_callee.c", &flags);
        let program = linked("ifunc.c", &[&callee, Path::new("-lstdc++")]);
        let runs = as_without_us(&[program], &|preload| preload);
        for line in ["chosen=1", "kept=1", "usable=1", "emptied=1", "end"] {
            assert!(runs[0].stdout.contains(line), "{}", runs[0].stdout);
        }
    }
}

#[test]
fn constructors_may_allocate_through_the_loader() {
    let first = shared("constructor_callee.c", "-DNAME=first");
    let second = shared("constructor_callee.c", "-DNAME=second");
    let program = linked("constructors.c", &[&first, &second]);
    let runs = as_without_us(&[program], &|preload| preload);
    assert_eq!(runs[0].stdout, "constructed=1\n");
}

#[test]
fn callbacks_under_the_loaders_lock_may_allocate() {
    let plugin = shared("deepbind_callee.c", "-O1");
    for conf in CONFS {
        let run = Preload::new("iterate.c")
            .arg(&plugin)
            .conf(conf)
            .run()
            .succeeded();
        assert!(run.truth("callbacks") > 10_000, "{}", run.stdout);
        assert_eq!(run.stderr, "");
    }
}

#[test]
fn blocks_may_cross_to_a_library_that_is_bound_past_us() {
    let callee = shared("deepbind_callee.c", "-O1");
    let runs = as_without_us(&[compile("deepbind.c", &[]), callee], &|preload| preload);
    assert_eq!(runs[0].stdout, "end\n");
}

#[test]
fn an_auditor_of_the_loader_does_not_disturb() {
    let auditor = shared("audit.c", "-O1");
    let runs = as_without_us(&[compile("api.c", &[])], &|preload| {
        preload.env("LD_AUDIT", &auditor)
    });
    assert_eq!(runs[0].stderr, "audited\n");
    assert!(
        runs[1]
            .final_dump()
            .stacks
            .iter()
            .any(|stack| stack.samples_ever > 0)
    );
}
