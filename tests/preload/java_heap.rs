//! The live Java heap, in every JDK from 11 on that is here: by class and by line, as much as the
//! program says, and without a trace in the JVM.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Preload, compile, source};
use crate::java_heap_seen::{Heap, classes, heap_agent, homes, java, version};

const HEAP: &str = "prof:true,prof_java_heap:true,prof_final:true";

/// Of its mean over [`RUNS`] runs, so much may an estimate be off: what the issue of this feature
/// asks for. At 128 KiB a run with 100 MB has an error of 3.6 %, the mean of four 1.8 %.
const TOLERANCE: f64 = 0.10;
const RUNS: u32 = 4;

#[track_caller]
fn assert_near(estimate: u64, truth: u64, what: &str) {
    let ratio = estimate as f64 / truth as f64;
    println!("{what}: {ratio:.3} of {truth}");
    assert!(
        (ratio - 1.0).abs() < TOLERANCE,
        "{what}: {ratio:.3} of {truth}"
    );
}

#[test]
fn a_static_collection_that_grows_is_named_by_class_and_line() {
    for home in homes() {
        let (mut estimate, mut truth) = (0, 0);
        for _ in 0..RUNS {
            let run = java(&home, &[], &["AuditLog"])
                .conf(&format!("{HEAP},lg_prof_sample:17"))
                .run()
                .succeeded();
            assert_eq!(run.stderr, "");
            let heap = Heap::last(&run);
            estimate += heap.bytes("byte[]", "AuditLog.note AuditLog.java:30");
            truth += run.truth("leaked_payload_bytes");
            assert!(heap.bytes("AuditLog$Entry", "AuditLog.note AuditLog.java:30") > 0);
            // The program collected at its end, so of the garbage nothing is left.
            assert_eq!(heap.bytes("char[]", "AuditLog.handle"), 0);
            assert_eq!(heap.facts["note"], "live as of the last collection");
            assert_eq!(heap.number("collections"), heap.number("collections_swept"));
        }
        assert_near(estimate, truth, &home.to_string_lossy());
    }
}

/// How a JVM is found whose creation nobody sees: no hook of `dlsym`, or no look-up of the function.
#[test]
fn a_jvm_that_nobody_told_of_is_found() {
    for home in homes() {
        let (mut estimate, mut truth) = (0, 0);
        let mut check = |preload: Preload, conf: &str| {
            let conf = format!("{HEAP},lg_prof_sample:16,{conf}");
            let run = preload.conf(&conf).run().succeeded();
            assert_eq!(run.stderr, "");
            let heap = Heap::last(&run);
            estimate += heap.bytes("long[]", "Later.keep Later.java:16");
            truth += run.truth("kept_bytes");
            assert_eq!(heap.bytes("char[]", "Later.keep"), 0);
            run.stdout
        };
        for _ in 0..2 {
            check(java(&home, &["-Xcheck:jni"], &["Later"]), "prof_java:poll");
        }
        for linked in [true, false] {
            let Some(program) = embedder(&home, linked) else {
                println!("skipped: {} has no headers", home.display());
                continue;
            };
            let embed = Preload::command([&program])
                .arg(home.join("lib/server/libjvm.so"))
                .arg(classes())
                .arg("Later");
            let how = if linked { "auto" } else { "poll" };
            let said = check(embed, &format!("prof_java:{how}"));
            fs::remove_file(program).expect("the copy");
            // The JVM says no to a second one in the same process, and what we know of the first stays.
            assert!(said.ends_with("destroyed=0\nagain=0\n"), "{said}");
        }
        assert_near(estimate, truth, &home.to_string_lossy());
    }
}

#[test]
fn with_no_java_wanted_there_is_no_java_heap() {
    for home in homes() {
        let conf = format!("{HEAP},lg_prof_sample:16,prof_java:off");
        let run = java(&home, &[], &["Later"]).conf(&conf).run().succeeded();
        assert!(Heap::last(&run).stacks.is_empty());
    }
}

/// A JVM before 21 says that it is there before it is; one of many starts would meet that.
#[test]
fn many_starts_are_all_survived() {
    for home in homes() {
        for start in 0..15 {
            // Different moments of the JVM's start meet our looks.
            let flags: &[&str] = [&["-Xint"][..], &[], &["-Xshare:off"]][start % 3];
            let run = java(&home, flags, &["HeapWork", "garbage", "40", "0"])
                .conf(&format!("{HEAP},lg_prof_sample:14,prof_java:poll"))
                .run()
                .succeeded();
            assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("done\n", ""));
        }
    }
}

/// A program with a JVM in it, which it is linked to or opens.
fn embedder(home: &Path, linked: bool) -> Option<PathBuf> {
    let include = home.join("include");
    if !include.join("jni.h").is_file() {
        return None;
    }
    let include = include.to_string_lossy();
    let server = home.join("lib/server");
    let server = server.to_string_lossy();
    let mut flags = vec![format!("-I{include}"), format!("-I{include}/linux")];
    if linked {
        flags.extend(["-DLINKED", "-Xlinker", "--no-as-needed", "-L"].map(str::to_owned));
        flags.extend([server.to_string(), "-ljvm".to_owned()]);
        flags.extend(["-Xlinker", "-rpath", "-Xlinker"].map(str::to_owned));
        flags.push(server.to_string());
    }
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    let program = compile("embedder.c", &flags);
    // Under a short name: that of the run is made from it.
    let how = if linked { "linked" } else { "opens" };
    let name = format!("embedder-{}-{}-{how}", std::process::id(), version(home));
    let short = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::copy(program, &short).expect("a copy");
    Some(short)
}

#[test]
fn a_memoize_fed_a_new_key_by_every_call_is_found() {
    let jars = Path::new("/usr/share/java");
    if !jars.join("clojure-1.11.1.jar").is_file() {
        return println!("skipped: Clojure is not installed; .ci/run installs it");
    }
    for home in homes() {
        let (mut estimate, mut truth) = (0, 0);
        for _ in 0..RUNS {
            let run = Preload::command([home.join("bin/java")])
                .arg("-cp")
                .arg(
                    [
                        "clojure-1.11.1.jar",
                        "spec.alpha.jar",
                        "core.specs.alpha.jar",
                    ]
                    .map(|jar| jars.join(jar).to_string_lossy().into_owned())
                    .join(":"),
                )
                .arg("clojure.main")
                .arg(source("examples/memoize-cache/leak.clj"))
                .conf(&format!("{HEAP},lg_prof_sample:17"))
                .run()
                .succeeded();
            let heap = Heap::last(&run);
            let found = heap.bytes("byte[]", "user$load_session.invokeStatic leak.clj:8");
            assert!(heap.bytes("byte[]", "clojure.core$memoize$fn") >= found);
            estimate += found;
            truth += run.truth("leaked_array_bytes");
        }
        assert_near(estimate, truth, &home.to_string_lossy());
    }
}

#[test]
fn at_the_ceiling_samples_give_way_without_a_bias() {
    // JDK 11 itself takes up to 15 % too many samples when the period is near the objects' size: it
    // begins the next gap within the object just sampled.
    let homes = homes();
    let Some(home) = homes.iter().find(|home| version(home) > 11) else {
        return println!("skipped: no JDK later than 11 is here");
    };
    let (mut estimate, mut truth) = (0, 0);
    for lg in [0, 10, 10, 10] {
        let run = java(home, &[], &["AuditLog"])
            .conf(&format!("{HEAP},lg_prof_sample:{lg}"))
            .run()
            .succeeded();
        let heap = Heap::last(&run);
        assert!(heap.number("thinned") > 10_000, "{:?}", heap.facts);
        assert!(heap.number("references") <= 20_000, "{:?}", heap.facts);
        assert!(heap.number("period") >= 4096, "{:?}", heap.facts);
        estimate += heap.bytes("byte[]", "AuditLog.note");
        truth += run.truth("leaked_payload_bytes");
    }
    assert_near(estimate, truth, "thinned");
}

#[test]
fn a_collection_is_forced_only_when_asked_for() {
    for home in homes() {
        let dumps = |conf: &str| {
            let run = java(&home, &[], &["HeapWork", "garbage", "500", "3000"])
                .conf(&format!(
                    "prof:true,prof_java_heap:true,prof_timer:1,{conf}"
                ))
                .run()
                .succeeded();
            let dumps: Vec<_> = run
                .dump_files()
                .iter()
                .map(|file| Heap::read(file))
                .collect();
            assert!(!dumps.is_empty());
            dumps
        };
        for heap in dumps("prof_java_heap_gc:false") {
            assert_eq!(heap.number("collections_forced"), 0);
        }
        let forced = dumps("prof_java_heap_gc:true");
        for heap in &forced {
            assert!(heap.number("collections_forced") > 0);
        }
        // By then the program has been asleep for a second.
        let last = forced.last().expect("a dump");
        assert_eq!(last.bytes("long[]", "HeapWork.garbage"), 0);
    }
}

#[test]
fn nothing_is_attached_to_the_jvm() {
    for home in homes() {
        let threads = |conf: Option<&str>| {
            let preload = java(&home, &[], &["HeapWork", "threads"]);
            let preload = match conf {
                Some(conf) => preload.conf(conf),
                None => preload.libraries(&[]),
            };
            let run = preload.run().succeeded();
            (run.stdout, run.stderr)
        };
        // A dump each 2^26 bytes, each with a sweep.
        let conf = format!("{HEAP},lg_prof_interval:20");
        assert_eq!(threads(Some(&conf)), threads(None), "{}", home.display());
    }
}

#[test]
fn every_collector_goes_on_under_a_storm() {
    for home in homes() {
        for collector in ["G1", "Z", "Parallel", "Serial", "Shenandoah"] {
            let flags = [
                // The JVM checks each reference that it is handed, and ends at a wrong one.
                "-Xcheck:jni",
                "-XX:+UnlockExperimentalVMOptions",
                &format!("-XX:+Use{collector}GC"),
            ];
            let conf = format!("{HEAP},lg_prof_sample:12,prof_timer:1,prof_java_heap_gc:true");
            let run = java(&home, &flags, &["HeapWork", "storm", "1500"])
                .conf(&conf)
                .run();
            let is_there = !run.stderr.contains("Unrecognized VM option")
                && !run.stderr.contains("not supported");
            if !is_there {
                println!("skipped: {} has no {collector}", home.display());
                continue;
            }
            let run = run.succeeded();
            let heap = Heap::last(&run);
            assert!(heap.stacks.iter().all(|stack| stack.samples > 0));
            assert!(heap.number("collections") > 0, "{collector}");
            assert_eq!(heap.number("dropped"), 0, "{collector}");
        }
    }
}

#[test]
fn a_virtual_thread_shows_its_whole_stack() {
    let homes: Vec<_> = homes()
        .into_iter()
        .filter(|home| version(home) >= 21)
        .collect();
    if homes.is_empty() {
        return println!("skipped: no JDK 21 or later is here");
    }
    for home in homes {
        let run = java(&home, &[], &["HeapWork", "virtual"])
            .conf(&format!("{HEAP},lg_prof_sample:17"))
            .run()
            .succeeded();
        let heap = Heap::last(&run);
        let stack = heap
            .stacks
            .iter()
            .max_by_key(|stack| stack.bytes)
            .expect("a stack");
        assert_eq!(stack.frames[0], "short[]");
        let deep = stack
            .frames
            .iter()
            .filter(|frame| frame.starts_with("HeapWork.deep"));
        assert_eq!(deep.count(), 6, "{stack:?}");
        let has_root = |frame: &String| frame.starts_with("java.lang.VirtualThread.run");
        assert!(stack.frames.iter().any(has_root), "{stack:?}");
    }
}

#[test]
fn an_agent_that_was_there_first_keeps_its_samples() {
    let homes = homes();
    let agent = homes.iter().find_map(|home| heap_agent(home));
    let agent = agent.expect("a JDK with headers; .ci/run installs one");
    for home in &homes {
        let flag = format!("-agentpath:{}", agent.display());
        let run = java(home, &[&flag], &["AuditLog"])
            .conf(&format!("{HEAP},lg_prof_sample:17"))
            .run()
            .succeeded();
        assert!(run.truth("agent_samples") > 100);
        assert_eq!(run.stderr, "");
        let remark = &run.final_dump().facts["remark"];
        assert!(remark.starts_with("prof_java_heap: "), "{remark}");
        let dump = run.dump_files().pop().expect("a dump of malloc");
        assert!(Heap::read(&dump).stacks.is_empty());
    }
}

#[test]
fn the_flight_recorder_goes_on_beside_it() {
    for home in homes() {
        let preload = java(
            &home,
            &["-XX:StartFlightRecording:filename=own.jfr,settings=profile"],
            &["AuditLog"],
        );
        let run = preload.conf(&format!("{HEAP},lg_prof_sample:17")).run();
        if run.stderr.contains("jdk.jfr") || run.stderr.contains("JFR") {
            println!("skipped: {} has no flight recorder", home.display());
            continue;
        }
        let run = run.succeeded();
        let recording = run.directory().join("own.jfr");
        assert!(fs::metadata(recording).expect("a recording").len() > 10_000);
        assert_near(
            Heap::last(&run).bytes("byte[]", "AuditLog.note"),
            run.truth("leaked_payload_bytes"),
            "beside JFR",
        );
    }
}

#[test]
fn a_program_without_a_jvm_is_as_ever() {
    let run = Preload::new("statistics.c").conf(HEAP).run().succeeded();
    assert_eq!(run.stderr, "");
    let text = fs::read_to_string(run.final_dump().path).expect("a dump");
    assert!(!text.contains("#@"));
}
