//! Every way to end: the status is what it is without us, and the last dump is whole.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Preload, Run, Server};

/// The number is the same on all architectures.
const SIGSEGV: i32 = 11;
const SIGTERM: i32 = 15;

const CONF: &str = "prof:true,prof_final:true,lg_prof_sample:12,lg_prof_interval:22";

#[track_caller]
fn ends_as_without_us(how: &str) -> Run {
    let program = || Preload::new("ending.c").arg(how);
    let plain = program().libraries(&[]).run();
    let run = program().conf(CONF).run();
    assert_eq!(run.status.code(), plain.status.code(), "{}", run.stderr);
    assert_eq!(run.status.signal(), plain.status.signal(), "{}", run.stderr);
    assert_eq!(run.stdout, plain.stdout);
    assert_eq!(run.stderr, plain.stderr);
    // Those that are there are whole: reading them says so. An ending without handlers may overtake
    // the thread that writes the first.
    let without_handlers = ["_exit", "quick_exit"].contains(&how);
    assert!(
        !run.dumps().is_empty() || without_handlers,
        "{how}: the interval left some"
    );
    run
}

#[test]
fn without_exit_handlers() {
    ends_as_without_us("_exit");
    ends_as_without_us("quick_exit");
}

#[test]
fn by_a_signal() {
    ends_as_without_us("abort");
    ends_as_without_us("term");
}

#[test]
fn by_exit_in_a_signal_handler() {
    ends_as_without_us("handler").final_dump();
}

#[test]
fn by_the_end_of_the_last_thread() {
    ends_as_without_us("pthread_exit").final_dump();
}

#[test]
fn by_a_stack_overflow() {
    let run = ends_as_without_us("overflow");
    assert_eq!(run.status.signal(), Some(SIGSEGV));
    let run = ends_as_without_us("caught");
    assert_eq!(run.stdout, "overflow\n");
}

#[test]
fn by_a_kill_at_a_random_moment() {
    // The long form kills a thousand times.
    let conf = "prof:true,lg_prof_sample:11,lg_prof_interval:20,prof_dump_live:true,prof_keep:5";
    let mut dumps = 0;
    for attempt in 0..40_u64 {
        let preload = Preload::new("churn.c").arg("4000000").conf(conf);
        let server = preload.start();
        thread::sleep(Duration::from_micros(5_000 + attempt * 7919 % 60_000));
        let run = server.kill();
        dumps += run.dumps().len();
        let entries = fs::read_dir(run.directory()).expect("the directory of a run");
        let mut names = entries.map(|entry| entry.expect("an entry").file_name());
        let half = names.find(|name| name.to_string_lossy().ends_with(".tmp"));
        let excused = !crate::files::can_be_nameless(run.directory());
        assert!(half.is_none() || excused, "{half:?}");
    }
    assert!(dumps > 40, "{dumps} dumps were looked at");
}

/// Waits until the program, or we for it, have a handler of SIGTERM.
fn wait_for_handler(server: &Server) {
    let path = format!("/proc/{}/status", server.pid());
    let end = Instant::now() + Duration::from_secs(60);
    let caught = || {
        let status = fs::read_to_string(&path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let set = line.map(|set| u64::from_str_radix(set.trim(), 16).expect("a set"));
        set.is_some_and(|set| set & 1 << (SIGTERM - 1) != 0)
    };
    while !caught() {
        assert!(Instant::now() < end, "nobody catches SIGTERM");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_signal_is_held_back_for_the_last_dump_at_any_moment() {
    // So close samples that the signal often meets us at work.
    let conf = "prof:true,prof_final_signal:true,lg_prof_sample:6";
    let mut finals = 0;
    for attempt in 0..12_u64 {
        let server = Preload::new("churn.c").arg("400000000").conf(conf).start();
        wait_for_handler(&server);
        thread::sleep(Duration::from_micros(attempt * 7919 % 40_000));
        let run = server.stop();
        assert_eq!(run.status.signal(), Some(SIGTERM), "{}", run.stderr);
        assert_eq!(run.stderr, "");
        let last = run.dumps().pop();
        finals += u32::from(last.is_some_and(|last| last.facts["trigger"] == "final"));
    }
    assert!(finals > 6, "only {finals} of 12");
}

#[test]
fn a_runtime_that_wants_the_signal_gets_it() {
    let script = "
import os, signal, time
kept = [bytes(100000) for _ in range(100)]
time.sleep(2.5)
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
except KeyboardInterrupt:
    print('interrupted', flush=True)
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(5)
";
    let python = Preload::command(["python3", "-c"]).arg(script);
    let run = python
        .conf("prof:true,prof_final_signal:true,lg_prof_sample:14")
        .run();
    assert_eq!(run.stdout, "interrupted\n", "{}", run.stderr);
    assert_eq!(run.status.signal(), Some(SIGTERM));
    run.final_dump();
}
