//! What `jeprof-compat` prints for the recorded dumps, byte for byte. A golden file is named by
//! its flags. `BLESS=1 cargo test` writes them anew; look at the difference before committing.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Runs the program in the directory of the recorded dumps.
fn run(flags: &[&str], files: &[&str]) -> Output {
    run_in("leaky", flags, files)
}

fn run_in(directory: &str, flags: &[&str], files: &[&str]) -> Output {
    start(env!("CARGO_BIN_EXE_jeprof-compat"), directory, flags, files)
}

fn start(program: &str, directory: &str, flags: &[&str], files: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.current_dir(tests().join("data").join(directory));
    command.args(flags).args(files).output().unwrap()
}

fn golden(flags: &[&str]) {
    compare(run(flags, &["leaky", "leaky.heap"]), flags, "");
}

fn compare(out: Output, flags: &[&str], directory: &str) {
    let talk = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{flags:?}: {talk}");
    let name: Vec<&str> = flags.iter().map(|f| f.trim_start_matches('-')).collect();
    let name = name
        .join(".")
        .replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "_");
    let file = tests().join("golden").join(directory).join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &out.stdout).unwrap();
    }
    let wanted = std::fs::read(&file).unwrap_or_default();
    let (got, wanted) = (
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&wanted),
    );
    assert_eq!(
        got,
        wanted,
        "{} differs; BLESS=1 accepts it",
        file.display()
    );
}

#[test]
fn text() {
    golden(&["--text"]);
    golden(&["--text", "--cum", "--show_bytes"]);
    golden(&["--text", "--inuse_objects"]);
    golden(&["--text", "--alloc_space"]);
    golden(&["--text", "--alloc_objects"]);
}

#[test]
fn granularity() {
    golden(&["--text", "--lines"]);
    golden(&["--text", "--addresses"]);
    golden(&["--text", "--files"]);
}

#[test]
fn focus_and_ignore() {
    golden(&["--text", "--focus=buy"]);
    golden(&["--text", "--ignore=leaky.cpp:(20|31)$"]);
}

#[test]
fn base_of_another_run() {
    golden(&["--text", "--base=less.heap"]);
    golden(&["--collapsed", "--base=less.heap"]);
}

#[test]
fn collapsed() {
    golden(&["--collapsed"]);
}

/// Java and Ruby frames, constructors, a lambda, names that mean mischief, a kind of its own.
#[test]
fn managed_frames() {
    let all: [&[&str]; 10] = [
        &["--text"],
        &["--text", "--lines"],
        &["--text", "--files"],
        &["--text", "--focus=ExceptionLogger"],
        &["--text", "--ignore=Main.java:77$"],
        &["--text", "--kind=java_heap"],
        &["--collapsed"],
        &["--dot"],
        &["--svg"],
        &["--svg", "--kind=java_heap"],
    ];
    for flags in all {
        // Any file is a program to one whose modules are nowhere.
        let out = run_in("java", flags, &["README.md", "gzip.heap"]);
        compare(out, flags, "java");
    }
}

#[test]
fn suspects() {
    let all: [&[&str]; 5] = [
        &["suspects"],
        &["suspects", "--json"],
        &["suspects", "--markdown"],
        &["table", "--json"],
        &["report", "--json"],
    ];
    for flags in all {
        let program = env!("CARGO_BIN_EXE_malloscope");
        compare(start(program, "java", flags, &["gzip.heap"]), flags, "java");
    }
}

#[test]
fn one_language() {
    let all: [&[&str]; 7] = [
        &["table", "--cum"],
        &["table", "--cum", "--language", "java"],
        &["table", "--cum", "--language", "native"],
        &["convert", "--to", "folded", "--language", "ruby"],
        &["convert", "--to", "folded", "--language", "java"],
        &["graph", "--language", "java"],
        &["suspects", "--language", "java"],
    ];
    for flags in all {
        let program = env!("CARGO_BIN_EXE_malloscope");
        compare(start(program, "java", flags, &["gzip.heap"]), flags, "java");
    }
}

#[test]
fn a_kind_that_is_not_there_is_refused_with_those_that_are() {
    let words = |flags: &[&str], files: &[&str]| {
        let out = run_in("java", flags, files);
        assert_eq!(out.status.code(), Some(1));
        String::from_utf8(out.stderr).unwrap()
    };
    let talk = words(&["--kind=ruby"], &["README.md", "gzip.heap"]);
    let list = "there are no samples of the kind ruby, only of: malloc, java_heap";
    assert!(talk.contains(list), "{talk}");
    let talk = words(&["--raw", "--kind=java_heap"], &["README.md", "gzip.heap"]);
    assert!(talk.contains("--raw takes no"), "{talk}");
    let talk = words(&["--raw"], &["README.md", "gzip.heap", "gzip.heap"]);
    assert!(talk.contains("--raw takes one profile"), "{talk}");
}

#[test]
fn the_total_is_that_of_the_whole_profile() {
    let total = |flags: &[&str]| {
        let out = run(flags, &["leaky", "leaky.heap"]).stdout;
        String::from_utf8(out)
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(total(&["--focus=buy"]), total(&[]));
}

#[test]
fn dumps_of_two_processes_are_added() {
    let both = run(
        &["--inuse_objects", "--full-names"],
        &["leaky", "leaky.heap", "less.heap"],
    );
    let text = String::from_utf8(both.stdout).unwrap();
    let row = text
        .lines()
        .find(|l| l.ends_with("shop::buy(double)"))
        .unwrap();
    assert_eq!(row.split_whitespace().next(), Some("100"));
}

#[test]
fn exit_codes_and_messages() {
    let fails = |flags: &[&str], files: &[&str], words: &str| {
        let out = run(flags, files);
        let talk = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(1), "{flags:?} {files:?}: {talk}");
        assert!(out.stdout.is_empty());
        assert!(talk.contains(words), "{flags:?} {files:?}: {talk}");
    };
    fails(
        &["--bogus"],
        &["leaky", "leaky.heap"],
        "Unknown option: bogus",
    );
    fails(&[], &["leaky"], "Did not specify profile file");
    fails(
        &[],
        &["leaky", "nowhere.heap"],
        "nowhere.heap: No such file",
    );
    fails(&[], &["nowhere", "leaky.heap"], "nowhere: No such file");
    fails(
        &[],
        &["leaky", "leaky.cpp"],
        "leaky.cpp: byte 0: no heap profile begins like this",
    );
    fails(&[], &["leaky", "/dev/null"], "/dev/null: Profile is empty");
    fails(
        &["--svg", "--focus=no_such_frame"],
        &["leaky", "leaky.heap"],
        "No nodes to print",
    );
    let help = run(&["--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("--focus <REGEXP>"));
}

#[test]
fn what_cannot_be_named_is_said_once() {
    let out = run(&[], &["leaky", "leaky.heap", "less.heap"]);
    let talk = String::from_utf8(out.stderr).unwrap();
    let about_libc = talk
        .lines()
        .filter(|l| l.contains("libc.so.6: is not on this machine"));
    assert_eq!(about_libc.count(), 1, "{talk}");
}
