//! Every way in which a JVM ends (`tests/java/Ending.java`), with four threads at work: the same
//! status, the same words and the same crash report as without us, and the dumps are whole.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::harness::{Run, Server};
use crate::java_attacks::{crash_report, java, natives};
use crate::jdk::{Jdk, able};

const ENDING: &str = "tests/java/Ending.java";

const CONF: &str = "prof:true,prof_final:true,lg_prof_sample:12,lg_prof_interval:23";

/// The same text whatever addresses, pids and times are. Without traces: when memory runs out the
/// JVM has some that it made in advance, first come, first served. Without what it says of its
/// disassembler, which it looks for only if it crashed in compiled code, and of other threads that
/// crash while it writes its report.
fn timeless(text: &str) -> String {
    let passing = ["hsdis", "also had an error]"];
    let lines = text.split_inclusive('\n').filter(|line| {
        !line.starts_with("\tat ") && !passing.iter().any(|passing| line.contains(passing))
    });
    let words = lines.flat_map(|line| line.split_inclusive(|c: char| !c.is_ascii_alphanumeric()));
    let number = |word: &str| word.contains(|c: char| c.is_ascii_digit());
    words
        .map(|word| if number(word) { "N" } else { word })
        .collect()
}

/// The lines of [`timeless`] in one order: when memory runs out, the hooks of the end and the thread
/// that tells of it write beside each other.
fn sorted(text: &str) -> Vec<String> {
    let text = timeless(text);
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// What a crash report says of the place, and whether it is finished.
fn report(run: &Run) -> Option<(String, bool)> {
    let text = fs::read_to_string(crash_report(run)?).expect("a report");
    let mut lines = text.lines();
    lines.find(|line| line.starts_with("# Problematic frame"));
    let frame = lines.next().unwrap_or_default();
    Some((timeless(frame), text.ends_with("END.\n")))
}

/// The number of dumps, each read to its end. An ending without handlers may overtake the first.
fn whole_dumps(run: &Run) -> usize {
    run.dumps().len()
}

#[track_caller]
fn ends_as_without_us(jdk: &Jdk, flags: &[&str], how: &str) -> Run {
    let all = [&["-Xmx40m", "-XX:-CreateCoredumpOnCrash"], flags].concat();
    let plain = java(jdk, &all, ENDING, &[how], None).run();
    let run = java(jdk, &all, ENDING, &[how], Some(CONF)).run();
    let what = format!("{how} {flags:?} {jdk:?}, in {}", run.directory().display());
    assert_eq!(run.status, plain.status, "{what}: {}", run.stderr);
    assert_eq!(sorted(&run.stdout), sorted(&plain.stdout), "{what}");
    assert_eq!(timeless(&run.stderr), timeless(&plain.stderr), "{what}");
    assert_eq!(report(&run), report(&plain), "{what}");
    whole_dumps(&run);
    run
}

#[test]
fn by_javas_own_ways() {
    for jdk in able(ENDING) {
        for how in ["return", "exit", "exit-in-thread", "exception"] {
            ends_as_without_us(&jdk, &[], how).final_dump();
        }
        // Without what `exit` of C does.
        ends_as_without_us(&jdk, &[], "out-of-stack");
        ends_as_without_us(&jdk, &[], "halt");
    }
}

#[test]
fn by_lack_of_memory() {
    for jdk in able(ENDING) {
        let flags: [&[&str]; 4] = [
            &[],
            &["-XX:+ExitOnOutOfMemoryError"],
            &["-XX:+CrashOnOutOfMemoryError"],
            &["-XX:OnOutOfMemoryError=echo said by a child"],
        ];
        let status = flags.map(|flags| {
            let run = ends_as_without_us(&jdk, flags, "out-of-memory");
            run.status.code()
        });
        assert_eq!(status, [Some(1), Some(3), Some(1), Some(1)], "{jdk:?}");
        ends_as_without_us(&jdk, &[], "out-of-native-memory");
    }
}

#[test]
fn by_a_crash_in_java_or_in_a_native_method() {
    let Some(library) = natives() else {
        return;
    };
    let flag = format!("-Dnative={}", library.display());
    for jdk in able(ENDING) {
        for how in ["bad-address", "native-crash", "native-free"] {
            let run = ends_as_without_us(&jdk, &[&flag], how);
            let (frame, is_whole) = report(&run).expect("a crash report");
            assert!(!frame.is_empty() && is_whole, "{how} {jdk:?}: {frame}");
        }
        for how in [
            "native-abort",
            "native-exit",
            "native-overflow",
            "native-fatal",
        ] {
            ends_as_without_us(&jdk, &[&flag], how);
        }
    }
}

/// Starts one that waits, and returns when its threads are at work.
fn waiting(jdk: &Jdk, flags: &[&str], conf: Option<&str>) -> Server {
    let all = [&["-Xmx40m", "-XX:-CreateCoredumpOnCrash"], flags].concat();
    let server = java(jdk, &all, ENDING, &["wait"], conf).start();
    let stdout = server.directory().join("stdout");
    let end = Instant::now() + Duration::from_secs(60);
    while !fs::read_to_string(&stdout).is_ok_and(|text| text.contains("ready")) {
        assert!(Instant::now() < end, "it does not come to work: {jdk:?}");
        thread::sleep(Duration::from_millis(5));
    }
    server
}

/// Sends one to the process alone, not to the children of it.
fn signal(server: &Server, name: &str) {
    let (signal, pid) = (format!("-{name}"), server.pid().to_string());
    let status = Command::new("kill").args([signal, pid]).status();
    assert!(status.expect("kill").success());
}

#[test]
fn by_a_signal() {
    for jdk in able(ENDING) {
        for name in ["TERM", "INT", "HUP", "SEGV", "ABRT"] {
            let [plain, run] = [None, Some(CONF)].map(|conf| {
                let server = waiting(&jdk, &[], conf);
                signal(&server, name);
                server.wait()
            });
            let what = format!("{name} {jdk:?}, in {}", run.directory().display());
            if name == "SEGV" {
                // Without us too it ends in either way: 3 of 15 times with 1, on JDK 25.
                let crashes =
                    |run: &Run| run.status.signal() == Some(6) || run.status.code() == Some(1);
                assert!(crashes(&run) && crashes(&plain), "{what}: {}", run.stderr);
            } else {
                assert_eq!(run.status, plain.status, "{what}: {}", run.stderr);
            }
            assert_eq!(timeless(&run.stderr), timeless(&plain.stderr), "{what}");
            let (mine, its) = (crash_report(&run), crash_report(&plain));
            assert_eq!(mine.is_some(), its.is_some(), "{what}");
            whole_dumps(&run);
        }
    }
}

#[test]
fn a_thread_dump_by_signal_goes_on() {
    for jdk in able(ENDING) {
        let server = waiting(&jdk, &[], Some(CONF));
        for _ in 0..3 {
            signal(&server, "QUIT");
        }
        let end = Instant::now() + Duration::from_secs(60);
        let said = || fs::read_to_string(server.directory().join("stdout")).unwrap_or_default();
        while !said().contains("JNI global ref") {
            assert!(
                Instant::now() < end,
                "no thread dump of {jdk:?}: {}",
                said()
            );
            thread::sleep(Duration::from_millis(5));
        }
        signal(&server, "TERM");
        let run = server.wait();
        assert_eq!(run.status.code(), Some(143), "{jdk:?}");
        assert!(run.stdout.ends_with("hook\n"), "{jdk:?}: {}", run.stdout);
        run.final_dump();
    }
}

#[test]
fn by_a_kill_amid_a_collection() {
    let mut dumps = 0;
    for jdk in able(ENDING) {
        for collector in ["Serial", "G1", "Z"] {
            let flags = [
                // ZGC of JDK 11 needs so much for its own pages.
                "-Xmx200m",
                "-XX:+UnlockExperimentalVMOptions",
                &format!("-XX:+Use{collector}GC"),
            ];
            for more in [0, 7, 29] {
                let server = waiting(&jdk, &flags, Some(CONF));
                thread::sleep(Duration::from_millis(more));
                let run = server.kill();
                assert_eq!(run.status.signal(), Some(9), "{}", run.stderr);
                assert_eq!(run.stdout, "ready\n", "{}", run.stderr);
                dumps += whole_dumps(&run);
            }
        }
    }
    assert!(dumps > 0, "none was looked at");
}
