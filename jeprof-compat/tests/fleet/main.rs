//! What leaves one machine for engines of many: lines of JSON, metrics, one dump of many processes, and profiles
//! pushed to servers (`push`, against doubles of them in `double`). Real engines: `tests/fleet.sh`.

mod double;
mod push;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// A directory that is gone when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fleet-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory");
        Scratch(path)
    }

    /// A dump of a JVM with this number, written so many seconds ago.
    fn dump(&self, pid: u32, age: u64) -> PathBuf {
        let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/java/gzip.heap");
        let text = fs::read_to_string(recorded).expect("the recorded dump");
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock");
        let written = now.as_millis() as u64 - age * 1000;
        let facts = format!(
            "# pid {pid}\n# host web-1\n# start_unix_ms {}\n# time_unix_ms {written}\n\
             # uptime_ms 8000\n# trigger timer\n# rss_bytes 50000000\n",
            written - 8000
        );
        let path = self.0.join(format!("m.{pid}.0.t0.heap"));
        fs::write(&path, text.replace("# pid 4711\n", &facts)).expect("a dump");
        path
    }

    fn malloscope(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_malloscope"));
        command.current_dir(&self.0).env_remove("OTEL_SERVICE_NAME");
        command
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn succeeded(output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn rows(text: &str) -> Vec<Value> {
    let row = |line| serde_json::from_str(line).expect("a line of JSON");
    text.lines().map(row).collect()
}

fn sum(rows: &[Value], column: &str) -> f64 {
    rows.iter().filter_map(|row| row[column].as_f64()).sum()
}

#[test]
fn each_stack_of_each_dump_is_a_line() {
    let scratch = Scratch::new("rows");
    scratch.dump(1, 100);
    scratch.dump(2, 100);
    let lines = [
        "table",
        ".",
        "--json-lines",
        "--label",
        "pod=a b",
        "--service=shop",
    ];
    let all = succeeded(
        scratch
            .malloscope()
            .args(lines)
            .output()
            .expect("it starts"),
    );
    let all = rows(&all);
    let (all, objects): (Vec<Value>, Vec<Value>) =
        all.into_iter().partition(|row| row["kind"] == "malloc");
    assert_eq!((all.len(), objects.len()), (8, 10));
    assert!(objects.iter().all(|row| row["kind"] == "java_heap"));
    assert_eq!(sum(&all, "live_bytes"), 2.0 * 7_464_702.0);
    assert_eq!(sum(&all, "variance"), 8e6);
    let logger = all
        .iter()
        .find(|row| row["line"] == 42)
        .expect("the culprit");
    assert_eq!(logger["culprit"], "com.example.logging.ExceptionLogger.log");
    assert_eq!(
        (&logger["pod"], &logger["service"]),
        (&"a b".into(), &"shop".into())
    );
    assert_eq!(
        (&logger["host"], &logger["kind"]),
        (&"web-1".into(), &"malloc".into())
    );
    let stacks: std::collections::BTreeSet<&str> = all
        .iter()
        .filter_map(|row| row["stack_id"].as_str())
        .collect();
    assert_eq!(
        stacks.len(),
        4,
        "the same stack has one number in both processes"
    );
    let taken = scratch
        .malloscope()
        .args(["table", ".", "--json-lines", "--label", "pid=1"])
        .output();
    let said = String::from_utf8(taken.expect("it starts").stderr).expect("UTF-8");
    assert!(said.contains("every line has a pid already"), "{said}");
}

#[test]
fn one_dump_holds_what_all_hold() {
    let scratch = Scratch::new("merge");
    scratch.dump(1, 100);
    scratch.dump(2, 100);
    let merged = scratch
        .malloscope()
        .args(["merge", ".", "-o", "all.heap"])
        .output();
    succeeded(merged.expect("it starts"));
    let table = |file: &str| {
        let out = scratch
            .malloscope()
            .args(["table", "--json", file])
            .output();
        let answer: Value =
            serde_json::from_str(&succeeded(out.expect("it starts"))).expect("JSON");
        answer
    };
    let (one, all) = (table("m.1.0.t0.heap"), table("all.heap"));
    let total = |answer: &Value| answer["total"].as_f64().expect("a number");
    assert!((total(&all) - 2.0 * total(&one)).abs() < 1.0, "{all}");
    let function = |answer: &Value, name: &str| {
        let rows = answer["rows"].as_array().expect("rows").clone();
        let row = rows.into_iter().find(|row| row["function"] == name);
        row.unwrap_or_else(|| panic!("no {name} in {answer}"))["cumulative"].as_f64()
    };
    let logger = "com.example.logging.ExceptionLogger.log";
    let twice = function(&one, logger).map(|bytes| 2.0 * bytes);
    assert_eq!(function(&all, logger), twice);
    let text = fs::read_to_string(scratch.0.join("all.heap")).expect("the dump");
    assert!(
        text.contains("# merged_dumps 2\n") && text.ends_with("# end\n"),
        "{text}"
    );
}

#[test]
fn metrics_have_few_labels_and_an_error() {
    let scratch = Scratch::new("metrics");
    scratch.dump(1, 100);
    scratch.dump(2, 100);
    let text = succeeded(
        scratch
            .malloscope()
            .args(["metrics", "."])
            .output()
            .expect("it starts"),
    );
    let live = |name: &str| {
        let start = format!(
            "malloscope_{name}{{service=\"java\",kind=\"malloc\",culprit=\"com.example.logging"
        );
        let line = text.lines().find(|line| line.starts_with(&start));
        let line = line.unwrap_or_else(|| panic!("no {start} in {text}"));
        line.rsplit_once(' ')
            .expect("a value")
            .1
            .parse::<f64>()
            .expect("a number")
    };
    let (value, low, high) = (
        live("live_bytes"),
        live("live_bytes_low"),
        live("live_bytes_high"),
    );
    assert!(low < value && value < high, "{low} {value} {high}");
    assert!(
        text.contains("malloscope_processes{service=\"java\"} 2\n"),
        "{text}"
    );
    assert!(
        text.contains("malloscope_rss_bytes{service=\"java\"} 100000000\n"),
        "{text}"
    );
    assert!(!text.contains("pid="), "{text}");
    assert!(text.ends_with("# EOF\n"));
}
