//! JavaScript frames in the stacks of Node, with nothing but the library preloaded.
//!
//! The installed Node, or those that `MALLOSCOPE_NODES` names (`tests/node.sh` fetches others). A
//! Node of a version that is not supported must be unharmed, and have no names.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::dump::Dump;
use crate::harness::{Preload, Run, installed, source};

const ALL: &str = "prof:true,prof_final:true,prof_accum:true";

struct Node {
    path: PathBuf,
    major: u32,
}

/// The Nodes to test with.
fn nodes() -> Vec<Node> {
    let listed = std::env::var_os("MALLOSCOPE_NODES");
    let paths: Vec<PathBuf> = match listed {
        Some(listed) => std::env::split_paths(&listed).collect(),
        None => vec![installed("node").expect("node is not installed; .ci/run installs it")],
    };
    paths.into_iter().map(Node::at).collect()
}

/// Those of them whose frames get names.
fn named() -> Vec<Node> {
    let mut nodes = nodes();
    nodes.retain(|node| (20..=24).contains(&node.major));
    if nodes.is_empty() {
        eprintln!("skipped: no Node from 20 to 24 here");
    }
    nodes
}

impl Node {
    fn at(path: PathBuf) -> Node {
        let out = Command::new(&path).arg("--version").output().expect("node");
        let version = String::from_utf8(out.stdout).expect("text");
        let major = version.trim_start_matches('v').split('.').next();
        let major = major.and_then(|major| major.parse().ok()).expect("vNN.");
        Node { path, major }
    }

    fn command(&self, arguments: &[&str]) -> Preload {
        let words = arguments.iter().map(|word| match word.ends_with(".js") {
            true => source("tests/node").join(word).into_os_string(),
            false => OsString::from(word),
        });
        Preload::command(
            [self.path.clone().into_os_string()]
                .into_iter()
                .chain(words),
        )
    }

    fn run(&self, arguments: &[&str], options: &str) -> Run {
        self.command(arguments)
            .conf(&format!("{ALL},{options}"))
            .run()
    }
}

fn file(name: &str) -> String {
    source("tests/node").join(name).display().to_string()
}

/// Live bytes of the stacks that have all of `names` in this order, leaf first.
fn below(dump: &Dump, names: &[&str]) -> u64 {
    let has = |found: &[&str]| {
        let mut found = found.iter();
        names
            .iter()
            .all(|name| found.any(|found| found.starts_with(name)))
    };
    let stacks = dump.stacks.iter().filter(|stack| has(&dump.names(stack)));
    stacks.map(|stack| stack.live.2).sum()
}

fn is_near(found: u64, truth: u64, context: &str) {
    let ratio = found as f64 / truth as f64;
    assert!(
        (0.85..1.15).contains(&ratio),
        "{found} of {truth}: {context}"
    );
}

#[test]
fn the_leak_names_its_line_at_both_ends() {
    let leak = file("leak.js");
    let chain = [
        "alloc node:buffer".to_owned(),
        format!("openSession {leak}:4"),
        format!("handleRequest {leak}:8"),
        format!("tick {leak}:16"),
    ];
    let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
    for node in named() {
        for (how, status) in [("exit", 3), ("", 0)] {
            let run = node.run(&["leak.js", how], "lg_prof_sample:14");
            assert_eq!(run.status.code(), Some(status));
            assert_eq!(run.stderr, "");
            // Most of it in code in which these functions are inlined into each other.
            let found = below(&run.final_dump(), &chain);
            is_near(found, run.truth("bytes"), &format!("{:?} {how}", node.path));
        }
    }
}

#[test]
fn whatever_the_end_it_is_the_same() {
    for node in nodes() {
        for how in ["", "exit", "throw", "reject", "abort", "kill"] {
            let plain = node.command(&["leak.js", how]).libraries(&[]).run();
            for rate in [
                "lg_prof_sample:0",
                "lg_prof_sample:10",
                "lg_prof_sample:auto",
            ] {
                let run = node.run(&["leak.js", how], rate);
                let context = format!("{:?} {how} {rate}", node.path);
                assert_eq!(run.status, plain.status, "{context}\n{}", run.stderr);
                assert_eq!(run.stdout, plain.stdout, "{context}");
                // Node's own report of an abort has addresses in it.
                if how != "abort" {
                    assert_eq!(run.stderr, plain.stderr, "{context}");
                }
            }
        }
    }
}

#[test]
fn a_function_is_one_whatever_its_tier_and_code_that_is_gone_keeps_its_name() {
    let names = file("names.js");
    for node in named() {
        let run = node
            .run(
                &["--expose-gc", "names.js"],
                "lg_prof_sample:12,prof_dump_live:true",
            )
            .succeeded();
        let dump = run.final_dump();
        let seen = |name: &str| {
            let start = format!("{name} ");
            dump.managed
                .values()
                .filter(|frame| frame.starts_with(&start))
                .count()
        };
        assert_eq!(seen("hot"), 1, "{:?}", dump.managed);
        let accessor = format!("get buffer {names}:11");
        assert!(
            below(&dump, &[&accessor]) > 600 * 4000,
            "{:?}",
            dump.managed
        );
        assert!(below(&dump, &[&format!("<anonymous> {names}:12")]) > 600 * 4000);
        let without_file = dump
            .managed
            .values()
            .filter(|frame| *frame == "<anonymous> :1");
        assert_eq!(without_file.count(), 1, "the compiled function");
        // Each round's buffers have a size of their own, and its functions a file.
        let mut checked = 0;
        for (_, size, id) in dump
            .live
            .iter()
            .filter(|live| (3000..3010).contains(&live.1))
        {
            let stack = dump
                .stacks
                .iter()
                .find(|stack| stack.id == *id)
                .expect("listed");
            let names = dump.names(stack);
            if let Some(name) = names.iter().find(|name| name.starts_with("made_")) {
                let round = size - 3000;
                assert!(
                    name.ends_with(&format!(" /made/{round}.js:1")),
                    "{name}: {size}"
                );
                checked += 1;
            }
        }
        assert!(checked > 1000, "{checked}");
    }
}

#[test]
fn each_worker_is_named() {
    let workers = file("workers.js");
    for node in named() {
        for _ in 0..3 {
            let run = node.run(&["workers.js"], "lg_prof_sample:13").succeeded();
            assert_eq!(
                (run.stdout.as_str(), run.stderr.as_str()),
                ("workers 4\n", "")
            );
            let dump = run.final_dump();
            let kept = below(&dump, &[&format!("keepInWorker {workers}:6")]);
            is_near(kept, 4 * 60 * 50 * 4024, &format!("{:?}", node.path));
        }
    }
}

#[test]
fn off_means_nothing_is_asked() {
    for node in nodes() {
        let script = "console.log(require('fs').readdirSync('/proc/self/task').length)";
        let threads = |options: &str| {
            let run = node.run(&["-e", script], options).succeeded();
            run.truth_line().parse::<u32>().expect("a number")
        };
        let plain = node.command(&["-e", script]).libraries(&[]).run();
        let plain: u32 = plain.truth_line().parse().expect("a number");
        assert_eq!(threads("prof_js:off"), plain);
        let run = node.run(&["leak.js", "exit"], "lg_prof_sample:14,prof_js:off");
        let dump = run.final_dump();
        let names: Vec<&String> = dump.managed.values().collect();
        let marks = ["[jit]", "[truncated", "[no unwind information"];
        let is_mark = |name: &&String| marks.iter().any(|mark| name.starts_with(mark));
        assert!(names.iter().all(is_mark), "{names:?}");
    }
}

#[test]
fn a_version_that_is_not_known_is_left_alone() {
    for node in nodes() {
        let run = node.run(&["leak.js", "exit"], "lg_prof_sample:14");
        let text = std::fs::read_to_string(&run.final_dump().path).expect("the dump");
        let said = text.contains("# remark JavaScript frames have no names");
        assert_eq!(said, !(20..=24).contains(&node.major), "{:?}", node.path);
    }
}

/// Live bytes of V8's objects whose stacks have a frame of this name.
fn objects(dump: &Dump, name: &str) -> f64 {
    let text = std::fs::read_to_string(&dump.path).expect("the dump");
    let stacks = text
        .lines()
        .filter_map(|line| line.strip_prefix("#@ js_heap stack "));
    let bytes = stacks.filter_map(|line| {
        let (facts, frames) = line.split_once(" @ ")?;
        let address = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok();
        let mut names = frames
            .split(' ')
            .filter_map(|word| dump.managed.get(&address(word)?));
        names.find(|found| found.starts_with(name))?;
        let live = facts
            .split(' ')
            .find_map(|word| word.strip_prefix("live="))?;
        live.rsplit(':').next()?.parse::<f64>().ok()
    });
    bytes.sum()
}

#[test]
fn the_objects_that_live_are_a_kind_of_their_own() {
    let path = file("objects.js");
    for node in named() {
        for (how, status) in [("exit", 4), ("throw", 1), ("", 0)] {
            let run = node.run(&["objects.js", how], "lg_prof_sample:14,prof_js_heap:auto");
            assert_eq!(run.status.code(), Some(status), "{}", run.stderr);
            let dump = run.final_dump();
            // 4,800 sessions of 40 words of 40 bytes each, and the garbage of a while.
            let kept = objects(&dump, &format!("<anonymous> {path}:10"));
            let least = 4800.0 * 40.0 * 40.0 * 0.85;
            let most = run.truth("used") as f64 * 1.3;
            assert!(
                (least..most).contains(&kept),
                "{kept}: {:?} {how}",
                node.path
            );
        }
    }
}

#[test]
fn v8s_sampler_changes_nothing_at_any_end() {
    for node in named() {
        for how in ["", "exit", "throw", "worker"] {
            let plain = node.command(&["objects.js", how]).libraries(&[]).run();
            let run = node.run(&["objects.js", how], "lg_prof_sample:16,prof_js_heap:true");
            let lines = |run: &Run| {
                let lines = run.stdout.lines().filter(|line| !line.starts_with("used="));
                lines.map(str::to_owned).collect::<Vec<_>>()
            };
            assert_eq!(run.status, plain.status, "{:?} {how}", node.path);
            assert_eq!(lines(&run), lines(&plain), "{:?} {how}", node.path);
            assert_eq!(run.stderr, plain.stderr, "{:?} {how}", node.path);
        }
    }
}

#[test]
fn a_sampler_of_the_programs_own_is_left_alone() {
    for node in named() {
        let run = node.run(
            &["--heap-prof", "objects.js", "exit"],
            "lg_prof_sample:16,prof_js_heap:true",
        );
        assert_eq!(run.status.code(), Some(4), "{}", run.stderr);
        let dump = run.final_dump();
        let text = std::fs::read_to_string(&dump.path).expect("the dump");
        assert!(
            text.contains("# remark prof_js_heap: the program samples"),
            "{:?}",
            node.path
        );
        let directory = dump.path.parent().expect("a directory");
        let files = std::fs::read_dir(directory).expect("listed").flatten();
        let own = files.filter(|file| file.file_name().to_string_lossy().ends_with(".heapprofile"));
        assert_eq!(own.count(), 1, "Node's own profile is written");
        let run = node.run(
            &["objects.js", "inspector"],
            "lg_prof_sample:16,prof_js_heap:true",
        );
        let run = run.succeeded();
        assert!(run.stdout.starts_with("sampled true\n"), "{}", run.stdout);
        assert_eq!(run.stderr, "");
        // However much is sampled, a profile that the program has begun is not begun anew.
        let run = node.run(&["inspected.js"], "prof_js_heap:auto").succeeded();
        assert_eq!(
            (run.stdout.as_str(), run.stderr.as_str()),
            ("kept 40000 seen true\n", "")
        );
    }
}

trait Lines {
    fn truth_line(&self) -> &str;
}

impl Lines for Run {
    fn truth_line(&self) -> &str {
        self.stdout.trim()
    }
}

/// V8 compares its flags with those of a snapshot, and allows no sampler while it makes one.
#[test]
fn a_snapshot_is_made_and_read_as_ever() {
    const HEAP: &str = "lg_prof_sample:10,prof_js_heap:true";
    for node in named() {
        for is_made_plainly in [false, true] {
            let file = format!("snapshot-{}-{is_made_plainly}.blob", node.major);
            let blob = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
            let blob = format!("--snapshot-blob={}", blob.display());
            let make = [&blob, "--build-snapshot", "snapshot.js"];
            match is_made_plainly {
                true => node.command(&make).libraries(&[]).run().succeeded(),
                false => node.run(&make, HEAP).succeeded(),
            };
            let run = node.run(&[&blob], HEAP).succeeded();
            assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("1000\n", ""));
        }
    }
}
