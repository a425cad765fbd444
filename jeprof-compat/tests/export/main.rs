//! `malloscope table`, `flame`, `graph` and `convert` on the recorded dumps: what comes out is read
//! back, by the format's own rules, and holds what the dump holds.

mod pprof;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn data(directory: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(directory)
}

fn malloscope(directory: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_malloscope"))
        .current_dir(data(directory))
        .args(arguments)
        .output()
        .expect("malloscope starts")
}

#[track_caller]
fn bytes(directory: &str, arguments: &[&str]) -> Vec<u8> {
    let out = malloscope(directory, arguments);
    let talk = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{arguments:?}: {talk}");
    out.stdout
}

#[track_caller]
fn text(directory: &str, arguments: &[&str]) -> String {
    String::from_utf8(bytes(directory, arguments)).expect("UTF-8")
}

fn jeprof(directory: &str, arguments: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_jeprof-compat"))
        .current_dir(data(directory))
        .args(arguments)
        .output()
        .expect("jeprof-compat starts");
    String::from_utf8(out.stdout).expect("UTF-8")
}

const LEAKY: [&str; 3] = ["leaky.heap", "--program", "leaky"];

fn with(first: &[&'static str], flags: &[&'static str]) -> Vec<&'static str> {
    [first, &LEAKY, flags].concat()
}

/// Live bytes of the recorded dump, by the tool that it is compared with.
fn total() -> f64 {
    let table = jeprof("leaky", &["--text", "--show_bytes", "leaky", "leaky.heap"]);
    table
        .split_whitespace()
        .nth(1)
        .expect("total")
        .parse()
        .expect("bytes")
}

#[test]
fn the_table_is_that_of_jeprof() {
    for (ours, theirs) in [
        (&["--cum"][..], &["--cum"][..]),
        (
            &["--by", "line", "--focus", "buy"],
            &["--lines", "--focus=buy"],
        ),
        (&["--value", "blocks"], &["--inuse_objects"]),
        (&["--base", "less.heap"], &["--base=less.heap"]),
    ] {
        let wanted = jeprof(
            "leaky",
            &[
                &["--text", "--full-names"],
                theirs,
                &["leaky", "leaky.heap"],
            ]
            .concat(),
        );
        // Who was inlined is no other function here.
        let wanted = wanted.replace(" (inline)", "");
        let table = text("leaky", &with(&["table"], ours));
        // jeprof does not say what its shares are of.
        let lines = table.lines().filter(|line| !line.starts_with("Shown: "));
        let table: String = lines.map(|line| format!("{line}\n")).collect();
        assert_eq!(table, wanted, "{ours:?}");
    }
}

#[test]
fn pictures_are_whole_files() {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("export");
    fs::create_dir_all(&scratch).expect("a directory");
    for command in ["flame", "graph"] {
        let file = scratch.join(format!("{command}.svg"));
        let name = file.to_str().expect("UTF-8");
        let arguments = ["gzip.heap", "-o", name];
        let said = bytes("java", &[&[command], &arguments[..]].concat());
        assert!(said.is_empty());
        let picture = fs::read_to_string(&file).expect("the picture");
        let document = roxmltree::Document::parse(&picture).expect("XML");
        let names = document.descendants().filter(|n| n.has_tag_name("title"));
        let names: String = names.filter_map(|n| n.text()).collect();
        assert!(names.contains("ExceptionLogger.log"), "{command}: {names}");
        assert_eq!(document.root_element().tag_name().name(), "svg");
    }
    let dot = scratch.join("graph.dot");
    bytes(
        "java",
        &["graph", "gzip.heap", "-o", dot.to_str().expect("UTF-8")],
    );
    assert!(
        fs::read_to_string(&dot)
            .expect("the graph")
            .starts_with("digraph")
    );
    let heap = text("java", &["flame", "gzip.heap", "--kind", "java_heap"]);
    assert!(heap.contains("java: 6.0 MB live (java_heap)"), "{heap}");
}

#[test]
fn pictures_of_differences_say_so() {
    let base = ["leaky.heap", "--base", "less.heap"];
    let flame = text("leaky", &[&["flame"][..], &base].concat());
    assert!(
        flame.contains("more live than in the base (malloc)"),
        "{flame}"
    );
    let graph = text("leaky", &[&["graph"][..], &base].concat());
    assert!(graph.contains(">More than in the base: "), "{graph}");
}

#[test]
fn what_is_temporary_is_shown_and_what_a_dump_lacks_is_said() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("temporary.heap");
    let dump = "heap_v2/1024\n# malloscope 2\n# pid 7\n@ 0x401100 0x401201\n  t*: 1: 1024 [0: 0]\n\
        # stack 0 live=1:1.000:1024 alloc=9:9.000:9216 lives=1:8:8192:8388608\nMAPPED_LIBRARIES:\n# end\n";
    fs::write(&file, dump).expect("a dump");
    let name = file.to_str().expect("UTF-8");
    let output = malloscope(
        "java",
        &["table", name, "--temporary", "100ms", "--show-bytes"],
    );
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.starts_with("Temporary: allocated, and freed within 100 ms\nTotal: 8192 B"),
        "{said}"
    );
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(talk.contains("MALLOSCOPE_CONF=prof_accum:true"), "{talk}");
}

#[test]
fn a_graph_is_not_written_under_the_name_of_another_format() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("graph.jpg");
    let output = malloscope(
        "java",
        &["graph", "gzip.heap", "-o", file.to_str().expect("UTF-8")],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not as .jpg"));
    assert!(!file.exists());
}

#[test]
fn what_holds_nothing_is_not_drawn() {
    for arguments in [
        &["flame", "leaky.heap", "--focus", "no_such_frame"][..],
        &["graph", "leaky.heap", "--focus", "no_such_frame"],
        &["convert", "--to", "jeprof", "leaky.heap", "--focus", "buy"],
        &["convert", "--to", "pprof", "nowhere.heap"],
        &["table", "leaky.heap", "--kind", "mmap"],
    ] {
        let out = malloscope("leaky", arguments);
        assert_eq!(out.status.code(), Some(1), "{arguments:?}");
        assert!(
            out.stdout.is_empty() && !out.stderr.is_empty(),
            "{arguments:?}"
        );
    }
}

#[test]
fn folded_and_jeprof_are_what_jeprof_writes() {
    let folded = text("leaky", &with(&["convert", "--to", "folded"], &[]));
    assert_eq!(
        folded,
        jeprof("leaky", &["--collapsed", "leaky", "leaky.heap"])
    );
    let raw = bytes("leaky", &with(&["convert", "--to", "jeprof"], &[]));
    assert_eq!(
        String::from_utf8_lossy(&raw),
        jeprof("leaky", &["--raw", "leaky", "leaky.heap"])
    );
}

/// What `file-format-schema.json` requires.
#[test]
fn speedscope_finds_every_frame() {
    let file: Value = serde_json::from_str(&text(
        "leaky",
        &with(&["convert", "--to", "speedscope"], &[]),
    ))
    .expect("JSON");
    assert_eq!(
        file["$schema"],
        "https://www.speedscope.app/file-format-schema.json"
    );
    let frames = file["shared"]["frames"].as_array().expect("frames");
    assert!(frames.iter().all(|frame| frame["name"].is_string()));
    let profiles = file["profiles"].as_array().expect("profiles");
    let units: Vec<&str> = profiles
        .iter()
        .map(|p| p["unit"].as_str().expect("unit"))
        .collect();
    assert_eq!(units, ["bytes", "none"]);
    let mut roots = Vec::new();
    for profile in profiles {
        assert_eq!(
            (&profile["type"], &profile["startValue"]),
            (&"sampled".into(), &0.0.into())
        );
        let samples = profile["samples"].as_array().expect("samples");
        let weights = profile["weights"].as_array().expect("weights");
        assert_eq!(samples.len(), weights.len());
        let sum: f64 = weights.iter().map(|w| w.as_f64().expect("weight")).sum();
        assert!((sum - profile["endValue"].as_f64().expect("end")).abs() < 1.0);
        for sample in samples {
            let all = sample.as_array().expect("frames").iter();
            let root_first: Vec<usize> = all.map(|f| f.as_u64().expect("index") as usize).collect();
            assert!(root_first.iter().all(|&at| at < frames.len()));
            roots.push(frames[root_first[0]]["name"].clone());
        }
    }
    assert!(roots.contains(&"_start".into()), "{roots:?}");
    assert!((profiles[0]["endValue"].as_f64().expect("end") - total()).abs() < 2.0);
}

/// What `processed-profile-format.md` of the Firefox Profiler says of its tables.
#[test]
fn the_firefox_profiler_finds_every_frame() {
    let file: Value =
        serde_json::from_str(&text("leaky", &with(&["convert", "--to", "firefox"], &[])))
            .expect("JSON");
    assert_eq!(file["meta"]["preprocessedProfileVersion"], 60);
    assert_eq!(file["meta"]["product"], "leaky");
    let shared = &file["shared"];
    for (name, table) in shared.as_object().expect("tables") {
        let Some(table) = table.as_object() else {
            continue;
        };
        let columns = table.iter().filter(|(column, _)| *column != "length");
        for (column, cells) in columns {
            let cells = cells.as_array().expect("cells").len();
            assert_eq!(table["length"], cells, "{name}.{column}");
        }
    }
    let at = |table: &str, column: &str, index: u64| shared[table][column][index as usize].clone();
    let string =
        |index: &Value| shared["stringArray"][index.as_u64().expect("an index") as usize].clone();
    let threads = file["threads"].as_array().expect("threads");
    let units: Vec<_> = threads
        .iter()
        .map(|t| &t["samples"]["weightType"])
        .collect();
    assert_eq!(units, ["bytes", "samples"]);
    let samples = &threads[0]["samples"];
    let weights = samples["weight"].as_array().expect("weights");
    let sum: f64 = weights.iter().map(|w| w.as_f64().expect("weight")).sum();
    assert!((sum - total()).abs() < 10.0, "{sum}");
    // From a leaf to its root, by names.
    let mut paths = Vec::new();
    for leaf in samples["stack"].as_array().expect("stacks") {
        let (mut at_stack, mut path) = (leaf.as_u64(), Vec::new());
        while let Some(stack) = at_stack {
            let frame = at("stackTable", "frame", stack).as_u64().expect("a frame");
            let function = at("frameTable", "func", frame)
                .as_u64()
                .expect("a function");
            let name = string(&at("funcTable", "name", function));
            let source = at("funcTable", "source", function).as_u64();
            let file = source.map(|s| string(&at("sources", "filename", s)));
            path.push((name, file, at("frameTable", "line", frame)));
            at_stack = at("stackTable", "prefix", stack).as_u64();
            assert!(at_stack.is_none_or(|caller| caller < stack));
        }
        paths.push(path);
    }
    assert!(
        paths
            .iter()
            .any(|path| path.last().expect("a root").0 == "_start")
    );
    let recursion = paths
        .iter()
        .find(|path| path[0].0 == "recurse")
        .expect("recurse");
    assert_eq!(
        recursion
            .iter()
            .filter(|frame| frame.0 == "recurse")
            .count(),
        6
    );
    assert_eq!(recursion[0].1, Some("/src/leaky.cpp".into()));
    assert!(recursion[0].2.is_number());
}

#[test]
fn callgrind_annotate_reads_it() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("callgrind.out.leaky");
    let name = file.to_str().expect("UTF-8");
    bytes(
        "leaky",
        &[
            &with(&["convert", "--to", "callgrind"], &[])[..],
            &["-o", name],
        ]
        .concat(),
    );
    let written = fs::read_to_string(&file).expect("the file");
    let summary = written
        .lines()
        .find_map(|l| l.strip_prefix("summary: "))
        .expect("summary");
    let sum: f64 = summary
        .split(' ')
        .next()
        .expect("bytes")
        .parse()
        .expect("bytes");
    assert!((sum - total()).abs() < 10.0, "{sum}");
    // Own costs alone are the whole.
    let mut own = 0.0;
    let mut after_calls = false;
    for line in written.lines() {
        let is_cost = line.starts_with(|c: char| c.is_ascii_digit());
        if is_cost && !after_calls {
            own += line
                .split(' ')
                .nth(1)
                .expect("bytes")
                .parse::<f64>()
                .expect("bytes");
        }
        after_calls = line.starts_with("calls=");
    }
    assert_eq!(own, sum);
    let Ok(out) = Command::new("callgrind_annotate")
        .arg("--inclusive=yes")
        .arg(&file)
        .output()
    else {
        println!("skipped: callgrind_annotate is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success() && out.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert!(
        said.contains("PROGRAM TOTALS") && said.contains("shop::buy"),
        "{said}"
    );
    let row = said
        .lines()
        .find(|l| l.ends_with("[leaky]") && l.contains(":main"))
        .expect("main");
    assert!(row.contains("%)"), "{row}");
}
