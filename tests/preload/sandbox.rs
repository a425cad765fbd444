//! Programs that put themselves into a seccomp sandbox, and programs that are started in one.
//!
//! Under `sandbox.c`'s filters a call that no allocator makes is the end of the process: whatever we
//! would do there shows in the status.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use crate::dump::Dump;
use crate::harness::{Preload, Run, compile, name};

const EXACT: &str = "prof:true,prof_final:true,lg_prof_sample:15";

/// Options that make each of our threads, handlers and dumps.
const OPTIONS: [&str; 8] = [
    "prof_final:true",
    "prof_timer:600",
    "prof_control:true",
    "prof_memory_limit:90",
    "prof_gdump:true,prof_keep:2",
    "lg_prof_interval:20,prof_keep:2",
    "prof_final:true,prof_mmap:true,prof_final_signal:true,prof_signal:10",
    "prof_final:true,lg_prof_sample:0",
];

/// Ways into the sandbox, and what goes on there.
const WAYS: [&[&str]; 8] = [
    &["prctl"],
    &["seccomp"],
    &["syscall"],
    &["everyone"],
    &["strict"],
    &["prctl", "threads"],
    &["everyone", "threads"],
    &["prctl", "fork"],
];

fn sandbox(words: &[&str], options: &str) -> Run {
    let preload = Preload::new("sandbox.c");
    let preload = words.iter().fold(preload, |it, word| it.arg(word));
    preload
        .conf(&format!("prof:true,lg_prof_sample:15,{options}"))
        .run()
}

/// Ended by itself, everything went well, and not a line of ours.
#[track_caller]
fn unharmed(run: Run) -> Run {
    let run = run.succeeded();
    assert!(!run.stdout.contains("WRONG"), "{}", run.stdout);
    assert_eq!(run.stderr, "");
    run
}

/// The one dump with this letter.
#[track_caller]
fn only(run: &Run, letter: &str) -> Dump {
    let files = run.dump_files();
    let is_such = |path: &&PathBuf| {
        let name = name(path);
        let trigger = name.rsplit('.').nth(1).unwrap_or_default();
        trigger.trim_end_matches(|c: char| c.is_ascii_digit()) == letter
    };
    let found: Vec<_> = files.iter().filter(is_such).collect();
    assert_eq!(found.len(), 1, "{letter}: {files:?}");
    Dump::read(found[0])
}

/// What the leak before the sandbox holds in a dump, by the program's own account.
#[track_caller]
fn assert_names_the_leak(run: &Run, dump: &Dump) {
    let range = run.truth("leak")..run.truth("behind");
    let stacks = dump.stacks.iter().filter(|stack| stack.passes(&range));
    let (bytes, leaked) = (
        stacks.map(|stack| stack.live.2).sum::<u64>(),
        run.truth("leaked"),
    );
    assert!(
        (leaked / 2..leaked * 2).contains(&bytes),
        "{bytes} of {leaked}"
    );
}

#[test]
fn whatever_a_sandbox_admits_nothing_of_ours_meets_it() {
    for words in WAYS {
        for options in OPTIONS {
            println!("{words:?} {options}");
            let run = unharmed(sandbox(words, options));
            assert!(run.stdout.ends_with("end\n"), "{}", run.stdout);
        }
    }
}

#[test]
fn a_leak_from_before_the_sandbox_is_named() {
    for words in WAYS {
        let run = unharmed(sandbox(words, "prof_final:true"));
        let dump = only(&run, "b");
        assert_eq!(dump.facts["trigger"], "sandbox");
        assert_names_the_leak(&run, &dump);
        assert_eq!(run.dumps().len(), 1, "{:?}", run.dump_files());
    }
}

#[test]
fn who_asks_for_each_dump_gets_none_by_itself() {
    for options in ["prof_control:true", "prof_signal:10"] {
        let run = unharmed(sandbox(&["prctl"], options));
        assert!(run.dump_files().is_empty(), "{:?}", run.dump_files());
    }
}

#[test]
fn a_filter_that_admits_us_changes_nothing() {
    for words in [&["mild"][..], &["mild", "threads"]] {
        let run = unharmed(sandbox(words, "prof_final:true,prof_timer:600"));
        assert_names_the_leak(&run, &run.final_dump());
        assert_eq!(run.dumps().len(), 1, "{:?}", run.dump_files());
    }
}

#[test]
fn filters_that_the_kernel_refuses_change_nothing() {
    let run = unharmed(sandbox(&["none", "ask"], "prof_final:true,prof_timer:600"));
    run.final_dump();
}

#[test]
fn a_child_in_a_sandbox_leaves_its_parent_alone() {
    for how in ["child", "vfork"] {
        for options in ["prof_final:true", "prof_final:true,prof_timer:600"] {
            let run = unharmed(sandbox(&[how], options));
            assert_eq!(run.truth("status"), 0);
            run.final_dump();
        }
    }
}

#[test]
fn a_dump_that_cannot_be_written_any_more_is_no_line() {
    let preload = Preload::new("sandbox.c").arg("prctl");
    let options =
        "prof:true,lg_prof_sample:15,prof_final:true,prof_prefix:/nonexistent/directory/d";
    let run = unharmed(preload.bare_conf(options).run());
    assert!(run.stdout.ends_with("end\n"));
}

#[test]
fn a_filter_installed_past_libc_is_seen_by_the_thread_that_watches() {
    for options in [
        "prof_timer:600,prof_final:true",
        "prof_control:true,prof_final:true",
    ] {
        let run = unharmed(sandbox(&["directly"], options));
        assert!(run.stdout.ends_with("end\n"), "{}", run.stdout);
    }
}

#[test]
fn a_service_works_under_the_filter_that_systemd_makes_for_services() {
    let wishes = "prof_timer:600,prof_control:true,prof_memory_limit:90,prof_final_signal:true";
    for options in [
        "lg_prof_interval:22",
        wishes,
        "prof_mmap:true,prof_gdump:true",
    ] {
        let (service, program) = (compile("service.c", &[]), compile("sandbox.c", &[]));
        let preload = Preload::command([service, program]).arg("none");
        let run = unharmed(preload.conf(&format!("{EXACT},{options}")).run());
        assert_names_the_leak(&run, &run.final_dump());
    }
}

/// The kernel's own word for it, so that a filter which never was does not pass for one that held.
#[test]
fn the_filters_of_these_tests_do_kill() {
    let status = "/proc/self/status";
    let run = Preload::command([
        compile("service.c", &[]).as_os_str(),
        "cat".as_ref(),
        status.as_ref(),
    ])
    .libraries(&[])
    .run()
    .succeeded();
    assert!(run.stdout.contains("Seccomp:\t2\n"), "{}", run.stdout);
    let unfiltered = fs::read_to_string(status).expect("a status");
    if unfiltered.contains("Seccomp:\t0\n") {
        let run = Preload::command([
            compile("service.c", &[]).as_os_str(),
            "chroot".as_ref(),
            "/".as_ref(),
        ])
        .libraries(&[])
        .run();
        assert_eq!(run.status.signal(), Some(31), "{}", run.stderr);
    }
}
