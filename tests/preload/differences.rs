//! `malloscope diff` on real dumps: of one process, of two runs, of a JVM, of a fork child.

use std::path::PathBuf;

use crate::harness::{Preload, Run, malloscope, name};

const CONF: &str = "prof:true,lg_prof_sample:15,prof_final:true";
const MIB: f64 = 1_048_576.0;

fn run(arguments: &[&str], options: &str) -> Run {
    let program = Preload::new("difference.c");
    let program = arguments.iter().fold(program, |it, word| it.arg(word));
    program.conf(&format!("{CONF}{options}")).run().succeeded()
}

/// The answer, by lines of the JSON's rows: name, change, low, high, samples, mark.
struct Answer(serde_json::Value);

fn diff(files: &[PathBuf], flags: &[&str]) -> Answer {
    let out = malloscope()
        .arg("diff")
        .args(files)
        .args(flags)
        .arg("--json")
        .output()
        .expect("malloscope starts");
    let talk = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{talk}");
    Answer(serde_json::from_slice(&out.stdout).expect("JSON"))
}

impl Answer {
    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().expect("text")
    }

    fn row(&self, name: &str) -> Option<&serde_json::Value> {
        let rows = self.0["rows"].as_array().expect("rows");
        rows.iter().find(|row| row["name"] == name)
    }

    /// The truth is no further off than twice the 95 % band reaches: once in 10,000 runs it is.
    #[track_caller]
    fn is_near(&self, name: &str, mebibytes: f64) {
        let row = self
            .row(name)
            .unwrap_or_else(|| panic!("no {name} in {}", self.0));
        let number = |key: &str| row[key].as_f64().expect("number");
        let (value, low, high) = (number("change"), number("low"), number("high"));
        let truth = mebibytes * MIB;
        let reach = if truth < value {
            value - low
        } else {
            high - value
        };
        assert!(
            (truth - value).abs() <= 2.0 * reach,
            "{name} is {mebibytes} MiB: {row}"
        );
        assert_eq!(row["mark"], "certain", "{row}");
    }
}

#[test]
fn of_one_process_only_what_came_and_went_is_uncertain() {
    let run = run(&["40", "20", "10", "dump"], ",prof_signal:12");
    let files = run.dump_files();
    assert_eq!(files.len(), 2, "{files:?}");
    let answer = diff(&files, &[]);
    assert_eq!(answer.text("matched"), "process");
    answer.is_near("leak", 10.0);
    answer.is_near("returned", -20.0);
    // 40 MiB of it, but none of them came or went.
    let steady = answer.row("steady").expect("it is in both");
    let nothing = ["change", "low", "high", "samples"].map(|key| steady[key].as_f64());
    assert_eq!(nothing, [Some(0.0); 4], "{steady}");
    assert!(
        answer
            .text("headline")
            .starts_with("The live heap shrank by"),
        "{}",
        answer.text("headline")
    );
    // By name alone the same change is less certain.
    let apart = diff(&files, &["--match", "names"]);
    assert_eq!(apart.0["total"]["change"], answer.0["total"]["change"]);
    let width = |a: &Answer| {
        a.0["total"]["high"]
            .as_f64()
            .zip(a.0["total"]["low"].as_f64())
            .map(|(h, l)| h - l)
    };
    assert!(width(&apart) > width(&answer).map(|w| 1.5 * w));
    // The other way round everything else is, too.
    let back = diff(&[files[1].clone(), files[0].clone()], &[]);
    back.is_near("leak", -10.0);
    assert!(
        back.0["notes"].to_string().contains("the later one"),
        "{}",
        back.0
    );
}

#[test]
fn two_runs_meet_by_the_names_of_their_functions() {
    let few = run(&["40", "0", "2"], "");
    let many = run(&["40", "0", "12"], "");
    let directories = [few.directory().to_owned(), many.directory().to_owned()];
    let answer = diff(&directories, &[]);
    assert_eq!(answer.text("matched"), "names");
    answer.is_near("leak", 10.0);
    let headline = answer.text("headline");
    assert!(headline.contains("leak (difference.c:"), "{headline}");
    if let Some(steady) = answer.row("steady") {
        let reach =
            steady["high"].as_f64().expect("number") - steady["change"].as_f64().expect("number");
        assert!(
            reach > 2.0 * MIB,
            "40 MiB of another run are another 40 MiB: {steady}"
        );
    }
}

/// The samples from before the fork are in both dumps.
#[test]
fn a_fork_child_is_told_from_another_run() {
    let run = Preload::new("fork.c")
        .arg("40")
        .arg("dumps")
        .conf("prof:true,lg_prof_sample:12,prof_final:true,prof_final_all:true")
        .run()
        .succeeded();
    let child = run.truth("child");
    let (mut files, mut of_child) = (run.dump_files(), Vec::new());
    files.retain(|file| {
        let is_child = name(file).contains(&format!(".{child}."));
        of_child.extend(is_child.then(|| file.clone()));
        !is_child
    });
    let answer = diff(&[files[0].clone(), of_child[0].clone()], &[]);
    assert_eq!(answer.text("matched"), "relatives");
    assert!(
        answer.0["notes"].to_string().contains("before the fork"),
        "{}",
        answer.0
    );
    // Five million bytes are exact: such a block is always sampled.
    let change = answer.0["total"]["change"].as_f64().expect("number");
    assert!((4e6..6e6).contains(&change), "{change}");
}
