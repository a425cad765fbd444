//! Other allocators and their profilers in every place: before us, behind us, linked in, and the
//! program's own.

use std::path::PathBuf;

use crate::config::STATUS;
use crate::harness::{Preload, Run, compile, library, system_library};

const CONF: &str = "prof:true,prof_final:true,prof_accum:true,prof_remarks:true,lg_prof_sample:14";
const JEMALLOC: &str = "libjemalloc.so.2";
const OTHERS: [&str; 4] = [
    JEMALLOC,
    "libtcmalloc.so.4",
    "libtcmalloc_minimal.so.4",
    "libmimalloc.so.2.0",
];

/// The churning program came through, and nobody said a word.
#[track_caller]
fn assert_quiet(run: &Run, what: &str) {
    assert_eq!(
        (run.status.code(), run.stdout.as_str(), run.stderr.as_str()),
        (STATUS, "done\n", ""),
        "{what}"
    );
}

/// Every MiB that the program asked for was seen once: 40 in the ring and 8 in the peak.
#[track_caller]
fn assert_counted_once(run: &Run, what: &str) {
    let bytes: u64 = run
        .final_dump()
        .stacks
        .iter()
        .map(|stack| stack.bytes_ever)
        .sum();
    // Of 3,072 blocks of one period each, 63 % are sampled: a deviation of about 2 %.
    let expected = 48 << 20;
    assert!(
        bytes.abs_diff(expected) < expected / 8,
        "{what}: {bytes} of {expected}"
    );
}

#[test]
fn behind_us_they_are_counted_once() {
    for name in OTHERS {
        let preload = Preload::new("churn.c").behind_us(system_library(name));
        let run = preload.conf(CONF).run();
        assert_quiet(&run, name);
        assert_counted_once(&run, name);
    }
}

#[test]
fn before_us_they_leave_us_one_remark() {
    for name in OTHERS {
        let libraries = [system_library(name), library()];
        let run = Preload::new("churn.c")
            .libraries(&libraries)
            .conf(CONF)
            .run();
        assert_eq!(
            (run.status.code(), run.dump_files().len()),
            (STATUS, 0),
            "{name}"
        );
        assert_eq!(run.stderr, "");
        assert_eq!(
            run.remarks(),
            ["malloc is defined before this library: nothing can be sampled"]
        );
        let unconfigured = Preload::new("churn.c").libraries(&libraries).run();
        assert_quiet(&unconfigured, name);
    }
}

#[test]
fn linked_to_the_program_they_are_counted_once() {
    for name in OTHERS {
        let allocator = system_library(name);
        let flags = [
            "-Xlinker",
            "--no-as-needed",
            allocator.to_str().expect("text"),
        ];
        let program = compile("churn.c", &flags);
        let run = Preload::command([program]).conf(CONF).run();
        assert_quiet(&run, name);
        assert_counted_once(&run, name);
    }
}

/// jemalloc unwinds with libgcc, which takes the loader's lock. Not so with tcmalloc: where a program
/// forks or allocates under that lock it hangs by itself, for it unwinds whenever its heap grows.
#[test]
fn two_profilers_at_once_do_not_wait_for_each_other() {
    let plugin = compile("plugin.cpp", &["-shared", "-fPIC"]);
    for lg_period in [0, 12] {
        let conf = format!("prof:true,prof_final:true,lg_prof_sample:{lg_period}");
        let run = Preload::new("dlstorm.cpp")
            .arg(&plugin)
            .arg("700")
            .behind_us(system_library(JEMALLOC))
            .env("MALLOC_CONF", "prof:true,lg_prof_sample:12")
            .conf(&conf)
            .run()
            .succeeded();
        assert!(!run.stdout.contains("WRONG"), "{}", run.stdout);
        assert!(run.truth("loads") > 10, "{}", run.stdout);
        run.final_dump();
    }
}

#[test]
fn a_program_with_its_own_malloc_has_one_remark() {
    let program = || Preload::command([compile("own_malloc.c", &["-rdynamic"])]);
    let plain = program().libraries(&[]).run().succeeded();
    assert_eq!(plain.stdout, "own=1\n");
    let unconfigured = program().run().succeeded();
    assert_eq!(
        (unconfigured.stdout.as_str(), unconfigured.stderr.as_str()),
        ("own=1\n", "")
    );
    let run = program().conf(CONF).run().succeeded();
    assert_eq!(
        (run.stdout.as_str(), run.dump_files().len()),
        ("own=1\n", 0)
    );
    assert_eq!(run.stderr, "");
    assert_eq!(
        run.remarks(),
        ["malloc is defined before this library: nothing can be sampled"]
    );
}

#[test]
fn errno_is_what_the_allocator_leaves_it() {
    let allocators = OTHERS.map(|name| Some(system_library(name)));
    for allocator in std::iter::once(None).chain(allocators) {
        let behind: Vec<PathBuf> = allocator.into_iter().collect();
        let plain = Preload::new("errno.cpp").libraries(&behind).run();
        let plain = plain.succeeded().stdout;
        assert!(plain.ends_with("end\n"), "{plain}");
        for lg_period in [0, 12, 14, 16] {
            let preload = Preload::new("errno.cpp").conf(&format!(
                "prof:true,prof_final:true,lg_prof_sample:{lg_period}"
            ));
            let preload = behind.iter().cloned().fold(preload, Preload::behind_us);
            let run = preload.run().succeeded();
            assert_eq!(run.stdout, plain, "{behind:?}, 2^{lg_period}");
        }
    }
}
