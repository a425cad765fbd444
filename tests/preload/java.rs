//! Java frames in the stacks, with nothing but the library preloaded, on every JDK of the machine
//! (`tests/java.sh` fetches others and does what takes long).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::dump::Dump;
use crate::harness::{Preload, Run, compile};
use crate::jdk::{Jdk, able, classes, libjvm};

/// What is counted in every sample: each that was ever taken.
const ALL: &str = "prof:true,prof_final:true,prof_accum:true";

/// Leaks a known amount of native memory.
pub const LOGGER: &str = "examples/exception-logger/ExceptionLogger.java";
/// Threads, classes and native memory that come and go.
pub const STORM: &str = "tests/java/Storm.java";
/// Redefines its class while that works.
const REDEFINED: &str = "tests/java/Redefined.java";
/// Says so and ends.
pub const HELLO: &str = "tests/java/Hello.java";

/// Samples with a Java method in them, with a marker alone, and all; of those ever taken.
fn shares(dump: &Dump) -> (u64, u64, u64) {
    let (mut java, mut marked, mut all) = (0, 0, 0);
    for stack in &dump.stacks {
        let names = dump.names(stack);
        all += stack.samples_ever;
        if names.iter().any(|name| !name.starts_with('[')) {
            java += stack.samples_ever;
        } else if !names.is_empty() {
            marked += stack.samples_ever;
        }
    }
    (java, marked, all)
}

/// Whether `wanted` stand in `names` in this order.
fn in_order(names: &[&str], wanted: &[&str]) -> bool {
    let mut names = names.iter();
    wanted
        .iter()
        .all(|wanted| names.any(|name| name.starts_with(wanted)))
}

#[test]
fn the_leak_names_its_java_line() {
    let chain = [
        "java.util.zip.Deflater.init ",
        "java.util.zip.Deflater.<init> ",
        "java.util.zip.GZIPOutputStream.<init> ",
        "ExceptionLogger$OpenRecord.<init> ExceptionLogger.java:",
        "ExceptionLogger$RecordingLogger.log ExceptionLogger.java:",
        "ExceptionLogger$Service.answer ExceptionLogger.java:",
        "java.lang.Thread.run",
    ];
    for jdk in able(LOGGER) {
        let mut ratios = Vec::new();
        for _ in 0..2 {
            let run = jdk
                .run(LOGGER, &[], &[], &format!("{ALL},lg_prof_sample:17"))
                .succeeded();
            assert_eq!(run.stderr, "", "{jdk:?}: nobody picked anything up");
            let dump = run.final_dump();
            let of_chain = dump
                .stacks
                .iter()
                .filter(|stack| in_order(&dump.names(stack), &chain));
            let bytes: u64 = of_chain.map(|stack| stack.live.2).sum();
            ratios.push(bytes as f64 / run.truth("leaked_bytes") as f64);
        }
        let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
        assert!((0.85..1.15).contains(&mean), "{jdk:?}: {ratios:?}");
    }
}

#[test]
fn nearly_every_sample_has_java_frames_and_the_jvm_agrees() {
    for jdk in able(LOGGER) {
        let conf = format!("{ALL},lg_prof_sample:14,prof_java_check:true");
        let dump = jdk.run(LOGGER, &[], &[], &conf).succeeded().final_dump();
        let (java, _, all) = shares(&dump);
        assert!(java * 100 >= all * 97, "{jdk:?}: {java} of {all}");
        let checked = dump.number("counter_java_checked");
        let differs = dump.number("counter_java_differs");
        assert!(
            checked * 10 > all * 9,
            "{jdk:?}: {checked} of {all} checked"
        );
        assert!(
            differs * 1000 <= checked,
            "{jdk:?}: {differs} of {checked} differ"
        );
    }
}

/// The jar of [`REDEFINED`], its own agent.
fn redefined_jar() -> PathBuf {
    let classes = classes(REDEFINED);
    let manifest = classes.join("manifest");
    let lines = "Premain-Class: Redefined\nCan-Redefine-Classes: true\n";
    fs::write(&manifest, lines).expect("a manifest");
    let jar = classes.join("redefined.jar");
    let status = Command::new("jar")
        .arg("cfm")
        .args([&jar, &manifest])
        .arg("-C")
        .args([&classes, Path::new(".")])
        .status()
        .expect("jar");
    assert!(status.success(), "no jar");
    jar
}

#[test]
fn old_versions_of_redefined_methods_are_those_methods() {
    for jdk in able(REDEFINED) {
        let jar = redefined_jar().to_string_lossy().into_owned();
        let agent = format!("-javaagent:{jar}");
        let words = [&jdk.java(), &agent, "-cp", &jar, "Redefined", "100"];
        let conf = format!("{ALL},lg_prof_sample:14,prof_java_check:true");
        let run = Preload::command(words).conf(&conf).run().succeeded();
        assert_eq!(run.truth("redefined"), 100, "{jdk:?}");
        assert_eq!(run.truth("last"), 100 % 26, "{jdk:?}");
        let dump = run.final_dump();
        let (java, _, all) = shares(&dump);
        assert!(java * 100 >= all * 90, "{jdk:?}: {java} of {all}");
        let checked = dump.number("counter_java_checked");
        let differs = dump.number("counter_java_differs");
        println!("{jdk:?}: {differs} of {checked} differ, of {all}");
        // At the moment itself an id and the frame may be of different times.
        assert!(
            checked * 10 > all * 8 && differs * 200 <= checked,
            "{jdk:?}: {differs} of {checked} differ, of {all}"
        );
        let deep = dump.stacks.iter().any(|stack| {
            in_order(
                &dump.names(stack),
                &["Redefined$Work.deep Redefined.java:35"],
            )
        });
        assert!(deep, "{jdk:?}: the line of the allocation");
    }
}

#[test]
fn barriers_of_collectors_have_their_java_frames() {
    const BARRIERS: &str = "tests/java/Barriers.java";
    let compilers = ["-XX:TieredStopAtLevel=1", "-XX:-TieredCompilation"];
    for jdk in able(BARRIERS) {
        for compiler in compilers {
            // Buffers so small that they are often asked for.
            let flags = &[
                "-XX:+UseG1GC",
                "-XX:G1UpdateBufferSize=2",
                "-Xcomp",
                "-XX:CompileCommand=quiet",
                "-XX:CompileCommand=dontinline,Barriers.store",
                compiler,
            ];
            let run = jdk.run(
                BARRIERS,
                flags,
                &["200"],
                &format!("{ALL},lg_prof_sample:0"),
            );
            let run = run.succeeded();
            assert_eq!(run.truth("stored"), 200, "{flags:?} {jdk:?}");
            let dump = run.final_dump();
            let chain = ["Barriers.store ", "Barriers.lambda$main$0 "];
            let storing = dump.stacks.iter();
            let storing = storing.filter(|stack| in_order(&dump.names(stack), &chain));
            let storing: u64 = storing.map(|stack| stack.samples_ever).sum();
            // A caller above saved registers is known by its direct call, which not every one makes.
            let lost = dump.number("counter_java_lost");
            assert!(
                storing > lost * 4 && storing > 100,
                "{storing} whole, {lost} lost: {flags:?} {jdk:?}"
            );
        }
    }
}

#[test]
fn every_collector_and_tier_under_class_unloading() {
    let flags: [&[&str]; 6] = [
        &["-XX:+UseSerialGC"],
        &["-XX:+UseParallelGC", "-Xint"],
        &["-XX:+UseG1GC", "-XX:TieredStopAtLevel=1"],
        // Of JDK 11 experiments.
        &["-XX:+UnlockExperimentalVMOptions", "-XX:+UseZGC"],
        &[
            "-XX:+UnlockExperimentalVMOptions",
            "-XX:+UseShenandoahGC",
            "-XX:-UseCompressedOops",
        ],
        &["-XX:-TieredCompilation", "-Xcheck:jni"],
    ];
    for jdk in able(STORM) {
        for flags in flags {
            let run = jdk.run(
                STORM,
                flags,
                &["3", "1"],
                &format!("{ALL},lg_prof_sample:13"),
            );
            // Not every build has every collector.
            if run.stderr.contains("Option -XX:+Use") {
                println!("passed over: {flags:?} on {jdk:?}");
                continue;
            }
            let dump = run.succeeded().final_dump();
            let (java, marked, all) = shares(&dump);
            // What the JVM does before it is there is without; a slow machine gets little farther.
            let without = all - java - marked;
            assert!(
                without <= all * 3 / 100 + 200 && java > without,
                "{flags:?} {jdk:?}: {java} of {all}"
            );
            // Each of the throwaway classes has the same names: they do not pile up.
            assert!(
                dump.managed.len() < 3000,
                "{flags:?} {jdk:?}: {}",
                dump.managed.len()
            );
            let hidden = dump.managed.values().find(|name| name.contains("0x0"));
            assert_eq!(hidden, None, "{flags:?} {jdk:?}");
        }
    }
}

#[test]
fn a_malloc_found_by_the_default_lookup_is_ours() {
    const FOREIGN: &str = "tests/java/Foreign.java";
    for jdk in able(FOREIGN) {
        let flags = ["--enable-native-access=ALL-UNNAMED"];
        let run = jdk.run(
            FOREIGN,
            &flags,
            &["2000"],
            &format!("{ALL},lg_prof_sample:15"),
        );
        let run = run.succeeded();
        let dump = run.final_dump();
        for method in ["Foreign.leakNormal ", "Foreign.leakCritical "] {
            let of_method = dump
                .stacks
                .iter()
                .filter(|stack| in_order(&dump.names(stack), &[method]));
            let bytes: u64 = of_method.map(|stack| stack.live.2).sum();
            let ratio = 2.0 * bytes as f64 / run.truth("leaked_bytes") as f64;
            assert!((0.9..1.1).contains(&ratio), "{jdk:?} {method}: {ratio}");
        }
        let freed = dump
            .stacks
            .iter()
            .filter(|stack| in_order(&dump.names(stack), &["Foreign.leakFreed "]));
        // Each block has 100,000 bytes. A sample of what the JVM itself keeps of the call stands for
        // some 32 KiB.
        let kept: u64 = freed.map(|stack| stack.live.2).sum();
        assert!(kept < 100_000, "{jdk:?}: free was found too, {kept} left");
    }
}

#[test]
fn a_virtual_threads_stack_is_whole_or_says_that_it_is_not() {
    const VIRTUAL: &str = "tests/java/Virtual.java";
    for jdk in able(VIRTUAL) {
        let dump = jdk
            .run(VIRTUAL, &[], &[], &format!("{ALL},lg_prof_sample:13"))
            .succeeded()
            .final_dump();
        let stacks_with = |wanted: &[&str]| {
            dump.stacks
                .iter()
                .filter(|stack| in_order(&dump.names(stack), wanted))
                .count()
        };
        // A thread that was never parked has all its frames on the stack.
        let whole = [
            "Virtual.keep ",
            "Virtual.keepBefore ",
            "Virtual.deep ",
            "java.lang.VirtualThread.run ",
        ];
        assert!(stacks_with(&whole) > 0, "{jdk:?}");
        let thawed = ["Virtual.keep ", "Virtual.keepAfter ", "Virtual.deep "];
        let marked = ["Virtual.keepAfter ", "Virtual.deep ", "[continuation]"];
        let whole = [
            "Virtual.keepAfter ",
            "Virtual.deep ",
            "java.lang.VirtualThread.run ",
        ];
        assert!(stacks_with(&thawed) > 0, "{jdk:?}");
        assert_eq!(
            stacks_with(&thawed),
            stacks_with(&marked) + stacks_with(&whole),
            "{jdk:?}"
        );
    }
}

#[test]
fn no_jvm_is_changed_by_being_watched() {
    for jdk in able(HELLO) {
        for conf in [
            "prof:true",
            "prof:true,prof_java:poll",
            "prof:true,prof_java:off",
        ] {
            let run = jdk.run(HELLO, &["-Xcheck:jni"], &[], conf).succeeded();
            assert_eq!(
                (run.stdout.as_str(), run.stderr.as_str()),
                ("hello\n", ""),
                "{conf} {jdk:?}"
            );
        }
        let java = jdk.java();
        let classes = classes(HELLO).to_string_lossy().into_owned();
        let command = format!("timeout 60 {java} -cp {classes} Hello");
        let run = Preload::command(["sh", "-c", &command])
            .conf("prof:true,prof_final:true")
            .run();
        assert_eq!(run.succeeded().stdout, "hello\n");
    }
}

#[test]
fn a_jvm_is_found_by_samples_alone() {
    for jdk in able(STORM) {
        let conf = format!("{ALL},lg_prof_sample:13,prof_java:poll");
        let dump = jdk
            .run(STORM, &[], &["2", "2"], &conf)
            .succeeded()
            .final_dump();
        // What was before the first look at it is without.
        let (java, marked, all) = shares(&dump);
        assert!(
            (java + marked) * 100 >= all * 75,
            "{jdk:?}: {java} of {all}"
        );
        let conf = format!("{ALL},lg_prof_sample:13,prof_java:off");
        let dump = jdk
            .run(STORM, &[], &["2", "1"], &conf)
            .succeeded()
            .final_dump();
        let mut names = dump.managed.values();
        assert!(
            // Code without a name, and where a stack is cut.
            names.all(|name| name.starts_with('[')),
            "{jdk:?}: not asked for"
        );
    }
}

#[test]
fn a_flight_recording_runs_beside_us() {
    for jdk in able(STORM)
        .into_iter()
        .filter(|jdk| jdk.home.join("lib/jfr").is_dir())
    {
        let flags = ["-XX:StartFlightRecording:filename=r.jfr,settings=profile"];
        let run = jdk
            .run(
                STORM,
                &flags,
                &["2", "2"],
                &format!("{ALL},lg_prof_sample:14"),
            )
            .succeeded();
        let recording = fs::metadata(run.directory().join("r.jfr")).expect("a recording");
        assert!(recording.len() > 1000, "{jdk:?}");
        assert!(shares(&run.final_dump()).0 > 1000, "{jdk:?}");
    }
}

/// Tells the links to it apart; pairs with nothing.
static LINKS: AtomicU32 = AtomicU32::new(0);

/// A program with a JVM in it; `flags` say how it comes to it.
fn embedder(jdk: &Jdk, flags: &[&str]) -> Option<PathBuf> {
    let [include, linux] = jdk.include()?;
    let all: Vec<_> = [include.as_str(), linux.as_str()]
        .into_iter()
        .chain(flags.iter().copied())
        .collect();
    Some(compile("embedder.c", &all))
}

fn embed(jdk: &Jdk, program: &Path, more: &[&str], conf: &str) -> Run {
    let (library, classes) = (libjvm(&jdk.home), classes(LOGGER));
    // Under a short name: that of the run, and part of our options, is made from it.
    let link = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "embedder-{}-{}",
        std::process::id(),
        LINKS.fetch_add(1, Ordering::Relaxed)
    ));
    std::os::unix::fs::symlink(program, &link).expect("a link");
    let mut run = Preload::command([&link])
        .arg(library)
        .arg(classes)
        .arg("ExceptionLogger");
    for word in more {
        run = run.arg(word);
    }
    let run = run.conf(conf).run();
    fs::remove_file(link).expect("the link");
    run
}

#[test]
fn programs_with_a_jvm_in_them() {
    for jdk in able(LOGGER) {
        let server = jdk.home.join("lib/server").to_string_lossy().into_owned();
        let linked = [
            "-DLINKED",
            "-Xlinker",
            "--no-as-needed",
            "-L",
            &server,
            "-ljvm",
        ];
        let path = ["-Xlinker", "-rpath", "-Xlinker", &server];
        let linked = [&linked[..], &path].concat();
        for flags in [&linked[..], &[]] {
            let Some(program) = embedder(&jdk, flags) else {
                println!("passed over: no jni.h in {jdk:?}");
                continue;
            };
            let run = embed(&jdk, &program, &[], &format!("{ALL},lg_prof_sample:15")).succeeded();
            assert!(
                run.stdout.ends_with("destroyed=0\nagain=0\n"),
                "{}",
                run.stdout
            );
            let dump = run.final_dump();
            let (java, marked, all) = shares(&dump);
            assert!(
                (java + marked) * 100 >= all * 95,
                "{flags:?} {jdk:?}: {java} of {all}"
            );
        }
    }
}

#[test]
fn a_jvm_that_does_not_tell_enough_is_asked_for_its_traces() {
    for jdk in able(LOGGER) {
        let Some(program) = embedder(&jdk, &[]) else {
            println!("passed over: no jni.h in {jdk:?}");
            continue;
        };
        let hidden = ["JavaCallWrapper", "_anchor"];
        let run = embed(&jdk, &program, &hidden, &format!("{ALL},lg_prof_sample:15")).succeeded();
        let said =
            "this JVM does not publish wrapper_anchor: Java frames come from AsyncGetCallTrace";
        assert_eq!(run.stderr, "", "{jdk:?}");
        let dump = run.final_dump();
        assert_eq!(dump.facts["remark"], said, "{jdk:?}");
        let (java, marked, all) = shares(&dump);
        assert!(
            (java + marked) * 100 >= all * 95,
            "{jdk:?}: {java} and {marked} of {all}"
        );
        assert!(java * 100 >= all * 85, "{jdk:?}: {java} of {all}");
        let chain = [
            "java.util.zip.Deflater.init ",
            "ExceptionLogger$Service.answer ",
        ];
        assert!(
            dump.stacks
                .iter()
                .any(|stack| in_order(&dump.names(stack), &chain)),
            "{jdk:?}"
        );
        // Without that too, one frame stands for all.
        let conf = format!("{ALL},lg_prof_sample:15,prof_java:poll");
        let run = embed(&jdk, &program, &hidden, &conf).succeeded();
        let dump = run.final_dump();
        let (_, marked, all) = shares(&dump);
        assert!(marked * 100 >= all * 90, "{jdk:?}: {marked} of {all}");
        assert!(
            dump.managed.values().any(|name| name.starts_with("[java]")),
            "{jdk:?}"
        );
    }
}

/// Before that, the signal would end the process as it ends any.
fn until_it_handles_sigterm(pid: u32) {
    let handles = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|caught| u64::from_str_radix(caught.trim(), 16).ok());
        caught.is_some_and(|caught| caught >> (libc::SIGTERM - 1) & 1 != 0)
    };
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !handles() && std::time::Instant::now() < end {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // The crash below wants a JVM that has threads of its own.
    std::thread::sleep(std::time::Duration::from_millis(900));
}

#[test]
fn jvms_end_as_without_us() {
    for jdk in able(STORM) {
        let server = |flags: &[&str]| {
            let (java, classes) = (jdk.java(), classes(STORM).to_string_lossy().into_owned());
            let words = [java.as_str()].into_iter().chain(flags.iter().copied());
            let words = words.chain([
                "-XX:-CreateCoredumpOnCrash",
                "-cp",
                &classes,
                "Storm",
                "4",
                "60",
            ]);
            let server = Preload::command(words)
                .conf("prof:true,lg_prof_sample:12,prof_final:true")
                .start();
            until_it_handles_sigterm(server.pid());
            server
        };
        let ended = server(&[]).stop();
        assert_eq!(ended.status.code(), Some(143), "{jdk:?}: {}", ended.stderr);
        let crashed = server(&[]);
        let pid = crashed.pid().to_string();
        Command::new("kill")
            .args(["-SEGV", &pid])
            .status()
            .expect("kill");
        let crashed = crashed.wait();
        assert_eq!(crashed.status.code(), Some(1), "{jdk:?}");
        let report = crashed.directory().join(format!("hs_err_pid{pid}.log"));
        let report = fs::read_to_string(report).expect("the JVM wrote its report");
        assert!(report.contains("SIGSEGV"), "{jdk:?}");
        let short = server(&["-XX:MaxDirectMemorySize=20k"]).wait();
        assert_eq!(short.status.code(), Some(1), "{jdk:?}: {}", short.stderr);
        assert!(short.stderr.contains("OutOfMemoryError"), "{jdk:?}");
    }
}

#[test]
fn look_ups_answer_as_without_us() {
    let plain = Preload::new("dlsym.c").libraries(&[]).run().succeeded();
    for conf in ["", "prof:true", "prof:true,prof_java:poll"] {
        let run = Preload::new("dlsym.c").conf(conf).run().succeeded();
        assert_eq!(run.stdout, plain.stdout, "{conf}");
    }
}
