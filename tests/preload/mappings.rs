//! `prof_mmap`: what mmap, mremap and brk gave, by stack, as a kind of its own; and that these calls
//! are what they were.

use crate::harness::{Preload, Run, system_library};

/// `(stack's live samples, live bytes)` of the kind `mmap` in the text of a dump.
fn mapped(dump: &str) -> Vec<(u64, u64)> {
    let stacks = dump
        .lines()
        .filter(|line| line.starts_with("#@ mmap stack "));
    stacks
        .map(|line| {
            let live = line.split(" live=").nth(1).expect("live").split(' ').next();
            let mut parts = live.expect("a value").split(':');
            let mut number = || parts.next().expect("a part");
            let samples = number().parse().expect("samples");
            number();
            (samples, number().parse().expect("bytes"))
        })
        .collect()
}

fn only_dump(run: &Run) -> String {
    let files = run.dump_files();
    assert_eq!(files.len(), 1, "{files:?}\n{}", run.stderr);
    std::fs::read_to_string(&files[0]).expect("a dump")
}

fn total(dump: &str) -> u64 {
    mapped(dump).iter().map(|(_, bytes)| bytes).sum()
}

#[test]
fn what_is_left_of_each_mapping_is_known_by_who_asked_for_it() {
    let run = Preload::new("mappings.c")
        .conf("prof:true,prof_final:true,prof_mmap:true,lg_prof_sample:0")
        .run()
        .succeeded();
    let dump = only_dump(&run);
    let mut bytes: Vec<_> = mapped(&dump).into_iter().collect();
    bytes.sort_unstable();
    let expected = [
        (1, run.truth("grown")),
        (1, run.truth("moved")),
        (2, run.truth("kept")),
    ];
    assert_eq!(bytes, expected, "{dump}");
    assert!(dump.contains("#@ mmap fact period 1\n"));
}

#[test]
fn large_mappings_are_certain_at_every_period() {
    let run = Preload::new("mappings.c")
        .conf("prof:true,prof_final:true,prof_mmap:true,lg_prof_sample:16")
        .run()
        .succeeded();
    // The smallest is sixteen periods.
    let truth = run.truth("kept") + run.truth("moved") + run.truth("grown");
    let off = total(&only_dump(&run)).abs_diff(truth);
    assert!(off < truth / 1000, "{off} of {truth}");
}

#[test]
fn without_the_option_they_are_what_they_were_and_nothing_is_recorded() {
    for conf in ["prof:true,prof_final:true", "prof:false"] {
        let run = Preload::new("mappings.c").conf(conf).run().succeeded();
        assert!(run.truth("kept") != 0);
        for file in run.dump_files() {
            let dump = std::fs::read_to_string(file).expect("a dump");
            assert!(!dump.contains("#@ mmap"), "{dump}");
        }
    }
}

#[test]
fn threads_and_children_of_a_fork_keep_their_own_account() {
    let run = Preload::new("mapping_threads.c")
        .conf("prof:true,prof_final:true,prof_mmap:true,lg_prof_sample:0")
        .run()
        .succeeded();
    assert_eq!(run.truth("status"), 0);
    let files = run.dump_files();
    assert_eq!(files.len(), 2, "{}", run.stderr);
    let parent = format!("\n# pid {}\n", run.truth("pid"));
    for file in files {
        let dump = std::fs::read_to_string(file).expect("a dump");
        let who = if dump.contains(&parent) {
            "parent"
        } else {
            "child"
        };
        assert_eq!(total(&dump), run.truth(who), "{who}");
    }
}

/// These map through our hooks, from their first call on and with locks of their own held.
#[test]
fn allocators_behind_us_may_map_through_the_hooks() {
    for library in ["libjemalloc.so.2", "libtcmalloc.so.4", "libmimalloc.so.2.0"] {
        let run = Preload::new("mapping_threads.c")
            .behind_us(system_library(library))
            .conf("prof:true,prof_final:true,prof_mmap:true,lg_prof_sample:16")
            .run()
            .succeeded();
        assert_eq!(run.truth("status"), 0, "{library}");
        for file in run.dump_files() {
            let dump = std::fs::read_to_string(&file).expect("a dump");
            assert!(total(&dump) != 0, "{library}: {}", file.display());
        }
    }
}
