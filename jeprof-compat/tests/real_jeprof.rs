//! The same numbers as jemalloc's own `jeprof`, where its names can be trusted. Needs `jeprof`
//! and `libjemalloc.so.2` on the machine; says so and passes where they are missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const JEMALLOC: &str = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";

/// A fresh dump of the recorded program, with the true paths of this machine in it.
fn fresh_dump(dir: &Path) -> Option<(PathBuf, PathBuf)> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/leaky/leaky");
    if !Path::new(JEMALLOC).exists() || Command::new("jeprof").arg("--version").output().is_err() {
        return None;
    }
    std::fs::create_dir_all(dir).unwrap();
    let conf = "prof:true,prof_final:true,prof_accum:true,lg_prof_sample:12,prof_prefix:";
    let run = Command::new(&program)
        .env("LD_PRELOAD", JEMALLOC)
        .env("MALLOC_CONF", format!("{conf}{}/jeprof", dir.display()))
        .status();
    if !run.is_ok_and(|status| status.success()) {
        return None;
    }
    let mut files = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path());
    let dump = files.find(|f| f.extension().is_some_and(|e| e == "heap"))?;
    Some((program, dump))
}

fn output(program: &str, flags: &[&str], files: &[&Path]) -> String {
    let out = Command::new(program)
        .args(flags)
        .args(files)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{program} {flags:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

/// The rows whose names `jeprof` gets right, by name: no templates, no overloads, no inlined
/// functions, nothing from stripped libraries.
fn rows(text: &str) -> BTreeMap<String, String> {
    const TRUSTED: [&str; 5] = ["namesake@", "recurse", "other_file", "main", "_start"];
    let trusted = text.lines().filter_map(|line| {
        let (numbers, name) = line.split_at_checked(39)?;
        let name = name.split(" (discriminator").next()?;
        TRUSTED
            .iter()
            .any(|t| name.starts_with(t))
            .then(|| (name.to_owned(), numbers.to_owned()))
    });
    trusted.collect()
}

/// Flat, flat share, cumulative and its share: the running share depends on the other rows.
fn without_running_share(row: &str) -> (String, String) {
    (row[..15].to_owned(), row[22..].to_owned())
}

#[test]
fn totals_and_rows_are_the_same() {
    let dir = std::env::temp_dir().join(format!("jeprof-compat-{}", std::process::id()));
    let Some((program, dump)) = fresh_dump(&dir) else {
        println!("skipped: needs jeprof and {JEMALLOC}");
        return;
    };
    let runs: [&[&str]; 8] = [
        &["--text"],
        &["--text", "--show_bytes"],
        &["--text", "--inuse_objects"],
        &["--text", "--alloc_space"],
        &["--text", "--alloc_objects"],
        &["--text", "--lines"],
        &["--text", "--cum"],
        &["--text", "--focus=namesake"],
    ];
    for flags in runs {
        let files = [program.as_path(), dump.as_path()];
        let theirs = output("jeprof", flags, &files);
        let ours = output(env!("CARGO_BIN_EXE_jeprof-compat"), flags, &files);
        assert_eq!(ours.lines().next(), theirs.lines().next(), "{flags:?}");
        let (their_rows, our_rows) = (rows(&theirs), rows(&ours));
        assert!(their_rows.len() >= 4, "{flags:?}: {theirs}");
        for (name, row) in &their_rows {
            let ours = our_rows
                .get(name)
                .unwrap_or_else(|| panic!("{flags:?}: no row {name}"));
            assert_eq!(
                without_running_share(ours),
                without_running_share(row),
                "{flags:?} {name}"
            );
        }
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

/// `(name, numbers)` of all rows, sorted: rows of one value stand in any order.
fn all_rows(text: &str) -> Vec<(String, String)> {
    let rows = text.lines().filter_map(|line| line.split_at_checked(39));
    let mut rows: Vec<(String, String)> = rows
        .map(|(numbers, name)| (name.to_owned(), without_running_share(numbers).1))
        .collect();
    rows.sort();
    rows
}

#[test]
fn what_raw_writes_shows_it_the_managed_frames() {
    if Command::new("jeprof").arg("--version").output().is_err() {
        println!("skipped: needs jeprof");
        return;
    }
    let dump = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/java/gzip.heap");
    let ours = env!("CARGO_BIN_EXE_jeprof-compat");
    let raw = std::env::temp_dir().join(format!("jeprof-compat-{}.raw", std::process::id()));
    let symbolized = output(ours, &["--raw"], &[&dump]);
    std::fs::write(&raw, symbolized).unwrap();
    for flags in [&["--text"][..], &["--text", "--focus=ExceptionLogger"]] {
        let theirs = output("jeprof", flags, &[&raw]);
        let mut expected = all_rows(&output(ours, flags, &[&dump]));
        for (name, _) in &mut expected {
            // As jeprof can bear them.
            let bearable = name.replace("--", "- -").replace('"', "'");
            *name = bearable.replace(['<', '('], "[").replace(['>', ')'], "]");
        }
        expected.sort();
        assert_eq!(all_rows(&theirs), expected, "{flags:?}");
        assert!(theirs.contains("com.example.logging.ExceptionLogger.log"));
    }
    let lines = output("jeprof", &["--collapsed"], &[&raw]);
    let path = "com.example.logging.ExceptionLogger.log;java.util.zip.GZIPOutputStream.[init];\
                java.util.zip.Deflater.[init];java.util.zip.Deflater.init;libzip.so+0x3000;";
    assert!(lines.contains(path), "{lines}");
    std::fs::remove_file(raw).unwrap();
}

#[test]
fn side_by_side_nothing_is_refused() {
    let dir = std::env::temp_dir().join(format!("jeprof-side-{}", std::process::id()));
    let Some((program, dump)) = fresh_dump(&dir) else {
        println!("skipped: needs jeprof and {JEMALLOC}");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/side-by-side.sh");
    let out = Command::new("bash")
        .arg(script)
        .args([
            Path::new(env!("CARGO_BIN_EXE_jeprof-compat")),
            &program,
            &dump,
        ])
        .output()
        .unwrap();
    let table = String::from_utf8_lossy(&out.stdout).into_owned();
    println!("{table}");
    assert!(out.status.success(), "{table}");
    // What of jeprof's rows ours has: all but those that it names after the nearest symbol. Of addresses most are in
    // the allocator, which has no symbols here.
    let shares = table.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words
            .windows(2)
            .position(|pair| pair[0] == "of" && pair[1].parse::<u32>().is_ok())?;
        let seen: f64 = words[at - 1].parse().ok()?;
        Some((line, seen / words[at + 1].parse::<f64>().ok()?))
    });
    let (most, few): (Vec<_>, Vec<_>) = shares.partition(|(_, share)| *share >= 0.5);
    assert!(most.len() >= 20, "{table}");
    let known = ["--text --files", "--symbols"];
    for (line, _) in few {
        assert!(known.iter().any(|k| line.starts_with(k)), "{line}");
    }
    std::fs::remove_dir_all(&dir).unwrap();
}
