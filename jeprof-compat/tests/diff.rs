//! `malloscope diff` on the recorded dumps: its words byte for byte (`BLESS=1 cargo test` writes them
//! anew), its figures against `jeprof-compat --base`, and what it says of dumps that do not fit.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// A directory that is gone when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("diff-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory");
        Scratch(path)
    }

    /// The recorded dump of a JVM with other words in it.
    fn dump(&self, file: &str, replaced: &[(&str, &str)]) -> PathBuf {
        let mut text = fs::read_to_string(tests().join("data/java/gzip.heap")).expect("the dump");
        for (old, new) in replaced {
            assert!(text.contains(old), "{old}");
            text = text.replace(old, new);
        }
        let path = self.0.join(file);
        fs::write(&path, text).expect("a dump");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn diff(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_malloscope"))
        .current_dir(tests().join("data/leaky"))
        .arg("diff")
        .args(arguments)
        .output()
        .expect("malloscope starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The standard output of what must succeed.
#[track_caller]
fn said(arguments: &[&str]) -> String {
    let out = diff(arguments);
    assert!(out.status.success(), "{arguments:?}: {}", text(&out.stderr));
    text(&out.stdout)
}

#[track_caller]
fn golden(name: &str, got: &str) {
    let file = tests().join("golden/diff").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, got).expect("the golden file");
    }
    let wanted = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        got,
        wanted,
        "{} differs; BLESS=1 accepts it",
        file.display()
    );
}

const LEAKY: [&str; 4] = ["less.heap", "leaky.heap", "--program", "leaky"];

fn leaky(flags: &[&str]) -> String {
    said(&[&LEAKY[..], flags].concat())
}

#[test]
fn two_runs() {
    golden("two_runs", &leaky(&[]));
    golden("by_path.lines", &leaky(&["--by", "path", "--lines"]));
    golden("cum.top_3", &leaky(&["--cum", "--top", "3"]));
    golden("by_module", &leaky(&["--by", "module"]));
    golden("focus_buy", &leaky(&["--flat", "--focus", "buy"]));
}

/// A place that grew, one that shrank, one that is new, by so few samples that nothing is certain; and
/// one that is within the noise.
#[test]
fn of_one_process() {
    let scratch = Scratch::new("process");
    let process = (
        "# epochs 2000 4",
        "# start_unix_ms 5000\n# uptime_ms 5000\n# epochs 2000 4",
    );
    let later = (
        "# epochs 2000 4",
        "# start_unix_ms 5000\n# uptime_ms 12000\n# epochs 2000 7",
    );
    let first = scratch.dump("m.4711.0.t0.heap", &[process]);
    let grown = "live=45:71.190:37323513 variance=17000000000000 alloc=45:71.190:37323513 size=524288-524288 \
                 births=1:5:4147057,3:40:33176456";
    let second = scratch.dump("m.4711.1.t1.heap", &[
        later,
        ("live=5:7.910:4147057 variance=1000000 alloc=5:7.910:4147057 size=524288-524288 births=1:5:4147057", grown),
        ("live=2:3.164:1658823 variance=1000000 alloc=2:3.164:1658823 size=524288-524288 births=1:2:1658823",
         "live=1:1.582:829411 variance=100000000000 alloc=2:3.164:1658823 size=524288-524288 births=1:1:829411 lives=12:1"),
    ]);
    let files = [
        first.to_str().expect("UTF-8"),
        second.to_str().expect("UTF-8"),
    ];
    golden("one_process", &said(&files));
    let json = said(&[&files[..], &["--json", "--redact"]].concat());
    assert!(
        !json.contains("/src/") && !json.contains(env!("CARGO_TARGET_TMPDIR")),
        "{json}"
    );
    golden("one_process.json", &json);
    golden(
        "java_heap",
        &said(&[&files[..], &["--kind", "java_heap"]].concat()),
    );
    // The directory says the same.
    let directory = scratch.0.to_str().expect("UTF-8");
    assert_eq!(said(&[directory]), said(&files));
}

/// Name and growth of every row of `--text --base`, which cancels by name too.
#[test]
fn the_figures_are_those_of_jeprof_with_a_base() {
    for flag in ["--flat", "--cum"] {
        let out = Command::new(env!("CARGO_BIN_EXE_jeprof-compat"))
            .current_dir(tests().join("data/leaky"))
            .args([
                "--text",
                "--show_bytes",
                "--full-names",
                "--base=less.heap",
                "leaky",
                "leaky.heap",
            ])
            .output()
            .expect("jeprof-compat starts");
        let column = if flag == "--flat" { 0 } else { 3 };
        let table = text(&out.stdout);
        let rows = table.lines().skip(1).filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let value: i64 = words[column].parse().expect("bytes");
            (value != 0).then(|| (words[5..].join(" "), value))
        });
        let wanted: BTreeMap<String, i64> = rows.collect();
        let json: serde_json::Value =
            serde_json::from_str(&leaky(&[flag, "--json"])).expect("JSON");
        let rows = json["rows"].as_array().expect("rows").iter();
        let got: BTreeMap<String, i64> = rows
            .map(|row| {
                (
                    row["name"].as_str().expect("name").to_owned(),
                    row["change"].as_f64().expect("bytes") as i64,
                )
            })
            .filter(|row| row.1 != 0)
            .collect();
        assert_eq!(got, wanted, "{flag}");
        let total: i64 = table
            .split_whitespace()
            .nth(1)
            .expect("total")
            .parse()
            .expect("bytes");
        assert_eq!(
            json["total"]["change"].as_f64().expect("bytes") as i64,
            total
        );
    }
}

#[test]
fn what_does_not_fit_is_refused_or_told() {
    let refused = |arguments: &[&str], words: &str| {
        let out = diff(arguments);
        assert_eq!(out.status.code(), Some(1), "{arguments:?}");
        assert!(out.stdout.is_empty());
        let talk = text(&out.stderr);
        assert!(talk.contains(words), "{arguments:?}: {talk}");
    };
    refused(&["leaky.heap", "./leaky.heap"], "both are the same dump");
    refused(&["leaky.heap"], "give another one");
    refused(&["nowhere", "leaky.heap"], "nowhere: No such file");
    refused(
        &["leaky.cpp", "leaky.heap"],
        "no heap profile begins like this",
    );
    refused(
        &["less.heap", "leaky.heap", "--kind", "ruby"],
        "no samples of the kind ruby, only of: malloc",
    );
    let scratch = Scratch::new("misfits");
    let whole = scratch.dump("a.heap", &[("# pid 4711", "# pid 1\n# uptime_ms 9000")]);
    let whole = whole.to_str().expect("UTF-8");
    let told = said(&["less.heap", whole, "--kind", "java_heap"]);
    assert!(
        told.contains("less.heap has no samples of java_heap at all"),
        "{told}"
    );
    assert!(!said(&["less.heap", whole]).contains("a sample every"));
    let bytes = fs::read(whole).expect("the dump");
    let cut = scratch.0.join("b.heap");
    fs::write(&cut, &bytes[..bytes.len() / 2]).expect("half a dump");
    let told = said(&["less.heap", cut.to_str().expect("UTF-8")]);
    assert!(
        told.contains("b.heap is cut off: what is missing there looks like shrinkage"),
        "{told}"
    );
    let earlier = scratch.dump("c.heap", &[("# pid 4711", "# pid 1\n# uptime_ms 3000")]);
    let told = said(&[whole, earlier.to_str().expect("UTF-8")]);
    assert!(told.contains("The first dump is the later one"), "{told}");
}
