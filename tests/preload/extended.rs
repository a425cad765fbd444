//! The functions that jemalloc, tcmalloc and mimalloc have beside malloc: sampled when their
//! allocator stands behind us, absent when it does not.

use std::path::PathBuf;

use crate::ground_truth::tracked_range;
use crate::harness::{Preload, Run, compile, library, system_library};

/// The allocators, and what their programs find: whether there is mallocx, tc_malloc, mi_malloc.
const ALLOCATORS: [(&str, &str); 4] = [
    ("libjemalloc.so.2", "weak=100"),
    ("libtcmalloc.so.4", "weak=010"),
    ("libtcmalloc_minimal.so.4", "weak=010"),
    ("libmimalloc.so.2.0", "weak=001"),
];

const EXACT: &str =
    "prof:true,prof_final:true,prof_accum:true,lg_prof_sample:0,prof_dump_live:true";

/// How programs and libraries are bound: at each first call, at the start, with addresses of
/// functions in the program itself.
const BINDINGS: [&[&str]; 3] = [&["-z", "lazy"], &["-z", "now"], &["-no-pie"]];

/// The program by itself, bound in every way, and in a library: linked, and opened later. `flags`
/// are what else the program is linked with.
fn programs(flags: &[&str]) -> Vec<Vec<PathBuf>> {
    let program = |more: &[&str]| compile("extended.c", &[more, flags].concat());
    let mut all: Vec<_> = BINDINGS
        .iter()
        .map(|binding| vec![program(binding)])
        .collect();
    for binding in ["lazy", "now"] {
        let shared = ["-shared", "-fPIC", "-DLIBRARY", "-z", binding];
        let library = compile("extended.c", &shared);
        let path = library.to_str().expect("a path of text");
        all.push(vec![
            program(&["-Xlinker", "--no-as-needed", path]),
            "linked".into(),
        ]);
        all.push(vec![program(&[]), "opened".into(), library]);
    }
    all
}

/// Every block was recorded once, with its size, and is gone from the dump when it is freed.
#[track_caller]
fn assert_accounted(run: &Run, what: &str) {
    assert!(!run.stdout.contains("WRONG"), "{what}: {}", run.stdout);
    let dump = run.final_dump();
    let line = run.stdout.lines().find(|line| line.starts_with("tracked="));
    let tracked = tracked_range(line.expect("the range of the code"));
    let blocks = run.stdout.lines().filter_map(|line| {
        let (address, size) = line.strip_prefix("live 0x")?.split_once(' ')?;
        let address = u64::from_str_radix(address, 16).expect("an address");
        Some((address, size.parse().expect("a size")))
    });
    let mut expected: Vec<(u64, u64)> = blocks.collect();
    expected.sort_unstable();
    assert!(!expected.is_empty(), "{what}: {}", run.stdout);
    assert_eq!(dump.live_below(&tracked), expected, "{what}");
    let stacks = dump.stacks.iter().filter(|stack| stack.passes(&tracked));
    let calls: u64 = stacks.map(|stack| stack.samples_ever).sum();
    assert_eq!(calls, run.truth("calls"), "{what}");
}

#[test]
fn behind_us_they_are_counted_once() {
    for command in programs(&[]) {
        for (name, found) in ALLOCATORS {
            let what = format!("{name} {command:?}");
            let preload = Preload::command(&command).behind_us(system_library(name));
            let run = preload.conf(EXACT).run().succeeded();
            assert_eq!(run.stderr, "", "{what}");
            assert!(run.stdout.contains(found), "{what}: {}", run.stdout);
            assert!(run.stdout.contains("same=1"), "{what}: {}", run.stdout);
            assert_accounted(&run, &what);
        }
    }
}

#[test]
fn linked_to_the_program_they_are_counted_once() {
    for (name, found) in ALLOCATORS {
        let allocator = system_library(name);
        let path = allocator.to_str().expect("a path of text");
        for command in programs(&["-Xlinker", "--no-as-needed", path]) {
            let what = format!("{name} {command:?}");
            let run = Preload::command(&command).conf(EXACT).run().succeeded();
            assert_eq!(run.stderr, "", "{what}");
            assert!(run.stdout.contains(found), "{what}: {}", run.stdout);
            assert_accounted(&run, &what);
        }
    }
}

/// Programs that ask whether an allocator is there get the answer that they get without us, and
/// the loader has nothing to say.
#[test]
fn without_their_allocator_they_are_absent() {
    for command in programs(&[]) {
        for conf in [EXACT, "prof:true", "prof:false"] {
            let run = Preload::command(&command).conf(conf).run().succeeded();
            assert!(
                run.stdout.starts_with("weak=000\nsame=1\n"),
                "{}",
                run.stdout
            );
            assert!(run.stdout.contains("calls=0"), "{}", run.stdout);
            assert_eq!(run.stderr, "", "{command:?}, {conf}");
        }
    }
}

#[test]
fn before_us_or_without_configuration_they_are_the_allocators() {
    let command = |rounds| {
        let program = compile("extended.c", BINDINGS[0]);
        Preload::command([program, PathBuf::from(rounds)])
    };
    for (name, found) in ALLOCATORS {
        let allocator = system_library(name);
        let orders = [
            [library(), allocator.clone()],
            [allocator.clone(), library()],
        ];
        for libraries in orders {
            let run = command("churn").libraries(&libraries).run().succeeded();
            assert!(run.stdout.starts_with(found), "{name}: {}", run.stdout);
            assert!(!run.stdout.contains("WRONG"), "{name}: {}", run.stdout);
            assert_eq!(run.stderr, "", "{name}");
        }
        let before = command("").libraries(&[allocator, library()]);
        let run = before.conf(EXACT).run().succeeded();
        assert!(run.stdout.starts_with(found), "{name}: {}", run.stdout);
        assert_eq!(
            (run.stderr.as_str(), run.dump_files().len()),
            ("", 0),
            "{name}"
        );
    }
}

/// Blocks with marks and without: contents, zeroes, alignments, arenas that are destroyed, and
/// jemalloc's own account of what is left; the estimate meets what was asked for.
#[test]
fn sampled_blocks_behave_as_any_other() {
    for (name, _) in ALLOCATORS {
        for lg_period in [12, 14, 16] {
            let what = format!("{name}, 2^{lg_period}");
            let run = Preload::command([compile("extended.c", BINDINGS[1]), "churn".into()])
                .behind_us(system_library(name))
                .conf(&format!(
                    "prof:true,prof_final:true,prof_accum:true,lg_prof_sample:{lg_period}"
                ))
                .run()
                .succeeded();
            assert!(!run.stdout.contains("WRONG"), "{what}: {}", run.stdout);
            assert!(run.truth("left") < 1 << 20, "{what}: {}", run.stdout);
            let dump = run.final_dump();
            let estimate: u64 = dump.stacks.iter().map(|stack| stack.bytes_ever).sum();
            let asked = run.truth("bytes");
            // At 2^16, 153 MB are 2,340 periods: a deviation of about 2 %.
            assert!(
                estimate.abs_diff(asked) < asked / 8,
                "{what}: {estimate} of {asked}"
            );
        }
    }
}
