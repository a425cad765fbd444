//! Every way to end: the status is what it is without us, and the last dump is whole.

use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::Duration;

use crate::harness::{Preload, Run};

/// The number is the same on all architectures.
const SIGSEGV: i32 = 11;

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
        dumps += server.kill().dumps().len();
    }
    assert!(dumps > 40, "{dumps} dumps were looked at");
}
