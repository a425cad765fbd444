//! What a JVM can do to the stacks of those who allocate (`tests/java/Attacks.java`, `Natives.java`,
//! `Pinned.java`): each is run with the library and without, says the same and ends the same way,
//! and leaves whole dumps and no crash report.
//!
//! `tests/java.sh attacks=SECONDS` does the same for longer, and under more flags.

use std::fs;
use std::path::PathBuf;

use crate::harness::{Preload, Run, compile, name};
use crate::jdk::{Jdk, able, classes, jdks};

const ATTACKS: &str = "tests/java/Attacks.java";
const NATIVES: &str = "tests/java/Natives.java";
const PINNED: &str = "tests/java/Pinned.java";

/// Each of some thousand allocations is sampled, and a dump is under way now and then.
const CONF: &str =
    "prof:true,prof_final:true,prof_accum:true,lg_prof_sample:12,lg_prof_interval:25";

const HEAP: &str = "prof_java_heap:true,prof_java_heap_gc:true";

/// How long each goes on.
const MILLISECONDS: &str = "250";

/// The native methods, compiled with the headers of any JDK that has some.
pub fn natives() -> Option<PathBuf> {
    let found = jdks().iter().find_map(Jdk::include);
    let Some([include, linux]) = found else {
        println!("passed over: no JDK with headers");
        return None;
    };
    let flags = ["-shared", "-fPIC", &include, &linux];
    Some(compile("java_native.c", &flags))
}

/// A Java program of ours, about to run with `conf` or, without, alone.
pub fn java(
    jdk: &Jdk,
    flags: &[&str],
    program: &str,
    words: &[&str],
    conf: Option<&str>,
) -> Preload {
    let directory = classes(program);
    let class = name(&directory);
    let mut preload = Preload::command([jdk.java()]);
    for flag in flags {
        preload = preload.arg(flag);
    }
    preload = preload.arg("-cp").arg(&directory).arg(class);
    for word in words {
        preload = preload.arg(word);
    }
    match conf {
        Some(conf) => preload.conf(conf),
        None => preload.libraries(&[]),
    }
}

/// The crash report of a JVM, if there is one.
pub fn crash_report(run: &Run) -> Option<PathBuf> {
    let files = fs::read_dir(run.directory()).expect("the directory of a run");
    let mut paths = files.map(|file| file.expect("a file").path());
    paths.find(|path| name(path).starts_with("hs_err"))
}

/// Whether this JVM knows the flags.
fn knows(jdk: &Jdk, flags: &[&str]) -> bool {
    let words = [jdk.java()].into_iter();
    let words = words.chain(flags.iter().map(|flag| (*flag).to_owned()));
    let run = Preload::command(words.chain(["-version".to_owned()]))
        .libraries(&[])
        .run();
    if !run.status.success() {
        println!("passed over: {flags:?} on {}", jdk.home.display());
    }
    run.status.success()
}

/// Runs it both ways; the dumps are read, and so found to be whole.
fn attack(jdk: &Jdk, flags: &[&str], program: &str, words: &[&str], conf: &str) {
    let plain = java(jdk, flags, program, words, None).run().succeeded();
    let run = java(jdk, flags, program, words, Some(conf)).run();
    let run = run.succeeded();
    assert_eq!(run.stdout, plain.stdout, "{jdk:?} {flags:?} {words:?}");
    assert_eq!(run.stderr, plain.stderr, "{jdk:?} {flags:?} {words:?}");
    assert_eq!(crash_report(&run), None);
    let class = name(&classes(program));
    // Children have dumps of their own, and none of them is a JVM.
    let ours = run.dumps().into_iter().filter(|dump| {
        let mut methods = dump.managed.values();
        methods.any(|method| method.starts_with(&class))
    });
    assert!(ours.count() > 0, "{jdk:?} {flags:?} {words:?}: no Java");
}

fn attacks(names: &[&str]) {
    for jdk in able(ATTACKS) {
        for name in names {
            attack(&jdk, &[], ATTACKS, &[name, MILLISECONDS], CONF);
        }
    }
}

#[test]
fn stacks_that_overflow_and_frames_of_every_making() {
    attacks(&["overflow", "recursion", "exceptions"]);
}

#[test]
fn code_and_classes_that_are_thrown_away() {
    attacks(&["deoptimize", "classes"]);
}

#[test]
fn names_that_a_reader_would_stumble_over() {
    attacks(&["names"]);
    for jdk in able(ATTACKS) {
        let words = ["names", MILLISECONDS];
        let run = java(&jdk, &[], ATTACKS, &words, Some(CONF)).run();
        let dump = run.succeeded().final_dump();
        let evil = dump.managed.values().filter(|name| name.contains("%0a"));
        assert!(evil.count() > 0, "{jdk:?}: a line break is escaped");
        let long = dump.managed.values().map(String::len).max();
        assert!(long > Some(100), "{jdk:?}: {long:?}");
    }
}

#[test]
fn threads_that_wait_for_one_another_and_for_signals() {
    attacks(&["monitors", "interrupts", "threads", "signals"]);
}

#[test]
fn collections_finalizers_and_what_they_give_back() {
    attacks(&["buffers", "collections", "finalizers"]);
}

#[test]
fn children_by_every_mechanism() {
    for jdk in able(ATTACKS) {
        for mechanism in ["FORK", "VFORK", "POSIX_SPAWN"] {
            let flag = format!("-Djdk.lang.Process.launchMechanism={mechanism}");
            attack(&jdk, &[&flag], ATTACKS, &["children", "100"], CONF);
        }
    }
}

#[test]
fn native_methods_that_allocate_where_it_hurts() {
    let Some(library) = natives() else {
        return;
    };
    let flag = format!("-Dnative={}", library.display());
    let names = [
        "recursion",
        "overflow",
        "visits",
        "references",
        "criticals",
        "redefinition",
    ];
    for jdk in able(NATIVES) {
        for name in names {
            let conf = format!("{CONF},{HEAP}");
            attack(&jdk, &[&flag], NATIVES, &[name, MILLISECONDS], &conf);
        }
    }
}

#[test]
fn virtual_threads_that_cannot_leave_their_carriers() {
    for jdk in able(PINNED) {
        attack(&jdk, &[], PINNED, &[MILLISECONDS], CONF);
    }
}

#[test]
fn all_at_once_under_flags_that_change_what_stacks_look_like() {
    let flags: [&[&str]; 10] = [
        &["-Xint"],
        &["-XX:TieredStopAtLevel=1"],
        &["-XX:-TieredCompilation", "-XX:-UseCompressedOops"],
        &["-XX:+UseCompactObjectHeaders"],
        &["-XX:+PreserveFramePointer"],
        &["-Xss256k", "-Xshare:off"],
        &["-XX:+UseZGC"],
        &["-XX:+UseSerialGC", "-XX:ReservedCodeCacheSize=4m"],
        &[
            "-Xmx150m",
            "-XX:+AlwaysPreTouch",
            "-XX:+UseTransparentHugePages",
        ],
        &["-Xcheck:jni", "-XX:NativeMemoryTracking=detail"],
    ];
    for jdk in able(ATTACKS) {
        for flags in flags {
            if !knows(&jdk, flags) {
                continue;
            }
            let words = ["mix", MILLISECONDS];
            let conf = format!("{CONF},{HEAP},lg_prof_interval:27");
            let run = java(&jdk, flags, ATTACKS, &words, Some(&conf)).run();
            let run = run.succeeded();
            assert!(run.stdout.ends_with("mix is over\n"), "{}", run.stdout);
            assert_eq!(crash_report(&run), None);
            assert!(!run.dumps().is_empty(), "{jdk:?} {flags:?}");
        }
    }
}
