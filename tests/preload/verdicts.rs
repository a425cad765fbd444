//! Programs of known behaviour under `malloscope run`: what it says of each, and whether that is right.
//! `examples/verdicts.sh` is the long form, with the Java programs.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::harness::{Preload, library, malloscope, source};

/// Seconds; at a dump a second.
const LENGTH: &str = "16";

/// The shape, the verdict, the culprit, and the cause where it does not leak.
const SHAPES: [(&str, [&str; 3]); 4] = [
    (
        "leak",
        ["Yes, it leaks", "log_error", "100 % of all growth"],
    ),
    (
        "filling",
        [
            "No leak visible",
            "cache_fill",
            "growth has all but stopped",
        ],
    ),
    ("lru", ["No leak visible", "lru_put", "samples were freed"]),
    (
        "fragmented",
        ["No leak visible", "fragment", "the rest is fragmentation"],
    ),
];

/// Runs the shape; what was said, and the page.
fn judged(program: &Path, shape: &str) -> (String, String) {
    let malloscope = malloscope();
    let run = Preload::command([malloscope.get_program()])
        .arg("run")
        .arg("-o")
        .arg("d")
        .arg("--every=1s")
        .arg("--rate=8k")
        .arg("--")
        .arg(program)
        .arg(shape)
        .arg(LENGTH)
        .libraries(&[])
        .env("MALLOSCOPE_LIB", library())
        .run()
        .succeeded();
    let page = fs::read_to_string(run.directory().join("d/report.html"));
    (run.stderr, page.expect("a page"))
}

#[test]
fn each_shape_gets_its_verdict_and_its_culprit() {
    let place = Preload::command(["shapes"]);
    let program = place.directory().join("shapes");
    let compiled = Command::new("cc")
        .args(["-O2", "-g", "-o"])
        .arg(&program)
        .arg(source("examples/verdicts/shapes.c"))
        .status();
    assert!(compiled.expect("a C compiler").success());
    thread::scope(|scope| {
        let runs = SHAPES.map(|(shape, words)| {
            let program = &program;
            (scope.spawn(move || judged(program, shape)), words)
        });
        for (run, words) in runs {
            let (said, page) = run.join().expect("a run");
            for word in words {
                assert!(said.contains(word), "no {word:?} in:\n{said}");
                assert!(
                    page.contains(word),
                    "no {word:?} on the page; said:\n{said}"
                );
            }
        }
    });
}
