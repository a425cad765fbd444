//! Programs of jemalloc that steer their profiler by mallctl steer us; everything else is jemalloc's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::dump::Dump;
use crate::ground_truth::tracked_range;
use crate::harness::{Preload, Run, compile, name, system_library};

const CONF: &str = "prof:true,lg_prof_sample:12";

/// The program, linked to jemalloc.
fn program(more: &[&str]) -> PathBuf {
    let jemalloc = system_library("libjemalloc.so.2");
    let path = jemalloc.to_str().expect("a path of text");
    compile(
        "mallctl.c",
        &[more, &["-Xlinker", "--no-as-needed", path]].concat(),
    )
}

fn profiled(what: &str) -> Preload {
    Preload::command([program(&[]), what.into()])
}

/// What jemalloc's own profiler answers, without us.
fn by_jemalloc(what: &str) -> String {
    let run = profiled(what).libraries(&[]);
    let prefix = run.directory().join("dump");
    let conf = format!("{CONF},prof_prefix:{}", prefix.display());
    said(&run.env("MALLOC_CONF", conf).run().succeeded())
}

/// What the program printed, without the name of its directory, and without what it says of errno, which
/// jemalloc's own dump changes.
fn said(run: &Run) -> String {
    let text = run
        .stdout
        .replace(&run.directory().display().to_string(), "RUN");
    let lines = text.lines().filter(|line| !line.contains("errno"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_call_is_answered_as_jemalloc_answers_it() {
    let wanted = by_jemalloc("calls");
    assert!(wanted.lines().count() > 130, "{wanted}");
    for what in ["calls", "numbers"] {
        for binding in [&["-z", "lazy"][..], &["-z", "now"], &["-no-pie"]] {
            let run = Preload::command([program(binding), what.into()]).conf(CONF);
            let run = run.run().succeeded();
            assert_eq!(said(&run), wanted, "{what} {binding:?}");
            assert!(!run.stdout.contains("WRONG"), "{}", run.stdout);
            assert_eq!(run.stderr, "");
        }
    }
    assert_eq!(by_jemalloc("numbers"), wanted);
}

#[test]
fn what_is_not_the_profilers_is_jemallocs() {
    let plain = profiled("others").libraries(&[]).run().succeeded();
    let run = profiled("others").conf(CONF).run().succeeded();
    assert_eq!(plain.stdout, run.stdout);
    assert!(plain.stdout.contains("stats.allocated 0 1"));
}

#[test]
fn without_jemalloc_there_is_no_mallctl() {
    let absent = "weak=000 dlsym=0 same=1\n";
    let there = "weak=111 dlsym=1 same=1\n";
    for conf in [CONF, "prof:false"] {
        let run = |program| Preload::command([program]).conf(conf).run().succeeded();
        assert_eq!(run(compile("mallctl.c", &[])).stdout, absent, "{conf}");
        assert_eq!(run(program(&[])).stdout, there, "{conf}");
        for (allocator, found) in [
            ("libjemalloc.so.2", there),
            ("libtcmalloc_minimal.so.4", absent),
        ] {
            let preload = Preload::command([compile("mallctl.c", &[])]).conf(conf);
            let run = preload.behind_us(system_library(allocator)).run();
            assert_eq!(run.stdout, found, "{conf} {allocator}");
        }
    }
}

#[test]
fn a_profiler_of_jemallocs_own_keeps_its_names() {
    let preload = profiled("one").conf("prof:true,prof_final:true,lg_prof_sample:0");
    let run = preload
        .env("MALLOC_CONF", "prof:true,lg_prof_sample:0")
        .run()
        .succeeded();
    let read = |file: &str| fs::read_to_string(run.directory().join(file)).expect("a dump");
    assert!(!read("first.heap").contains("# malloscope"));
    assert!(run.final_dump().live_bytes() > 1000, "ours goes on");
}

/// The sizes that were asked for in the program's own functions, as the dump lists them.
fn sizes(dump: &Dump, run: &Run) -> Vec<u64> {
    let line = run.stdout.lines().find(|line| line.starts_with("tracked="));
    let tracked = tracked_range(line.expect("the range of the code"));
    let live = dump.live_below(&tracked);
    let mut sizes: Vec<u64> = live.iter().map(|(_, size)| *size).collect();
    sizes.sort_unstable();
    sizes
}

fn mode(path: &Path) -> u32 {
    let data = fs::metadata(path).expect("a file");
    data.permissions().mode() & 0o777
}

/// Alone, and beside another thread: then a thread of ours writes the dumps.
#[test]
fn it_switches_names_and_dumps_as_the_program_says() {
    for what in ["work", "threads"] {
        let conf = "prof:true,prof_active:false,lg_prof_sample:0,prof_dump_live:true,prof_keep:1,prof_mode:0640";
        let run = profiled(what).conf(conf).run().succeeded();
        assert!(!run.stdout.contains("WRONG"), "{}", run.stdout);
        assert_eq!(run.stderr, "");
        let told: Vec<&str> = run.stdout.lines().skip(1).take(15).collect();
        let wanted = "on 0|thread active 0|named 0|dump first.heap 0|dump NULL 0|prefix 0|dump NULL 0|prefix 0|\
            dump NULL 14|dump /nowhere/at/all 14|null 14 14|dump there.heap 0|by descriptor 7 heap_v2|\
            reset 0|dump empty.heap 0";
        assert_eq!(told.join("|"), wanted);
        let dump = |file: &str| Dump::read(&run.directory().join(file));
        let first = dump("first.heap");
        assert_eq!(sizes(&first, &run), [1002, 1004, 1006]);
        assert_eq!(first.facts["trigger"], "demand");
        assert!(
            first
                .threads
                .iter()
                .any(|name| name.ends_with(" a loud worker")),
            "{:?}",
            first.threads
        );
        assert_eq!(sizes(&dump("there.heap"), &run), [1002, 1004, 1006]);
        assert_eq!(dump("empty.heap").stacks.len(), 0);
        assert_eq!(sizes(&dump("last.heap"), &run), [1008]);
        // Under each prefix what belongs there; the one in force decides what `prof_keep` removes.
        let names: Vec<String> = run.dump_files().iter().map(|path| name(path)).collect();
        let has = |start: &str, end: &str| {
            let like = |name: &&String| name.starts_with(start) && name.ends_with(end);
            names.iter().filter(like).count()
        };
        assert_eq!(
            (has("dump.", ".0.m0.heap"), has("other.", ".1.m1.heap")),
            (1, 1),
            "{names:?}"
        );
        // A file that was there keeps its rights.
        assert_eq!(mode(&run.directory().join("first.heap")), 0o640);
    }
}
