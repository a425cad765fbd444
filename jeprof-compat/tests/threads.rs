//! Who allocated, by thread: rows of `table`, and `--thread` in the commands that take it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Two pools and a thread that the program named; Of `lg_prof_sample:0`, so that figures are as they stand here.
const DUMP: &str = "heap_v2/1
# malloscope 2
# pid 7
  t*: 6: 1024000 [0: 0]
  t1: 1: 102400 [0: 0] main
  t2: 2: 307200 [0: 0] web-pool-1
  t3: 2: 512000 [0: 0] web-pool-2
  t4: 1: 102400 [0: 0] db
@ 0x10 0x2000 0x3000
  t*: 4: 819200 [0: 0]
  t2: 2: 307200 [0: 0]
  t3: 2: 512000 [0: 0]
@ 0x10 0x4000 0x3000
  t*: 2: 204800 [0: 0]
  t1: 1: 102400 [0: 0]
  t4: 1: 102400 [0: 0]
";

fn dump(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("threads-{name}.heap"));
    fs::write(&path, DUMP).expect("a dump");
    path
}

fn malloscope(command: &str, name: &str, arguments: &[&str]) -> Output {
    let mut malloscope = Command::new(env!("CARGO_BIN_EXE_malloscope"));
    malloscope.arg(command).arg(dump(name)).args(arguments);
    malloscope.output().expect("malloscope starts")
}

/// The last column of each row with its bytes.
fn rows(name: &str, arguments: &[&str]) -> Vec<(String, f64)> {
    let output = malloscope("table", name, &[arguments, &["--show-bytes"]].concat());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{talk}");
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let bytes: f64 = words.next()?.parse().ok()?;
        let name: Vec<&str> = words.skip(4).collect();
        Some((name.join(" "), bytes))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn a_thread_or_a_pool_is_a_row() {
    let row = |name: &str, bytes: f64| (name.to_owned(), bytes);
    assert_eq!(
        rows("thread", &["--by", "thread"]),
        [
            row("t3 web-pool-2", 512_000.0),
            row("t2 web-pool-1", 307_200.0),
            row("t1 main", 102_400.0),
            row("t4 db", 102_400.0)
        ]
    );
    assert_eq!(
        rows("pool", &["--by", "pool"]),
        [
            row("web-pool-*", 819_200.0),
            row("db", 102_400.0),
            row("main", 102_400.0)
        ]
    );
}

#[test]
fn a_filter_leaves_what_its_threads_hold() {
    let held = |pattern: &str| -> f64 {
        let rows = rows("held", &["--thread", pattern]);
        rows.iter().map(|(_, flat)| flat).sum()
    };
    assert_eq!(held("web-pool"), 819_200.0);
    assert_eq!(held("^t4 "), 102_400.0);
    assert_eq!(held("web-pool-2|db"), 614_400.0);
}

#[test]
fn a_name_that_no_thread_has_is_an_error_that_names_some() {
    for command in ["table", "suspects", "flame"] {
        let output = malloscope(command, command, &["--thread", "nobody"]);
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{talk}");
        assert!(talk.contains("t2 web-pool-1"), "{talk}");
    }
}
