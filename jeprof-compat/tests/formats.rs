//! Profiles of other tools, each read by its own rules: what it holds, in which unit, and by which names.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use jeprof_compat::profile::model::{Measure, Profile, ValueKind};
use jeprof_compat::profile::read;

fn parse(bytes: &[u8]) -> (Profile, Vec<String>) {
    read::parse(bytes, "x").unwrap()
}

fn error(bytes: &[u8]) -> String {
    format!("{:#}", read::parse(bytes, "x").unwrap_err())
}

/// The stacks by their innermost names, leaf first, with live bytes.
fn stacks(profile: &Profile) -> Vec<(String, i64)> {
    let names = |stack: &[_]| -> Vec<String> {
        let locations = stack.iter().map(|&id| profile.location(id));
        locations
            .flat_map(|location| match location.lines.is_empty() {
                true => vec![format!("{:x}", location.address)],
                false => location
                    .lines
                    .iter()
                    .map(|l| l.short().to_owned())
                    .collect(),
            })
            .collect()
    };
    let samples = profile.samples.iter();
    samples
        .map(|s| {
            (
                names(&s.stack).join(" < "),
                s.values.inuse_space.round() as i64,
            )
        })
        .collect()
}

#[test]
fn go_is_scaled_as_go_does_it_and_named_by_its_own_lines() {
    let text = b"heap profile: 2: 8192 [2: 8192] @ heap/8192\n\
                 2: 8192 [2: 8192] @ 0x4b3ecb 0x4b3f19\n\
                 #\t0x4b3eca\tmain.leaf+0x2a\t\t/opt/gh.go:5\n\
                 #\t0x4b3f18\tmain.mid+0x18\t\t/opt/gh.go:7\n\n# runtime.MemStats\n# Alloc = 3\n";
    let (profile, warnings) = parse(text);
    // 4096 bytes on average, and one sample every 4096.
    let expected = (8192.0 / (1.0 - (-1.0f64).exp())).round() as i64;
    assert_eq!(
        stacks(&profile),
        [("main.leaf < main.mid".to_owned(), expected)]
    );
    let leaf = &profile.location(profile.samples[0].stack[0]).lines[0];
    assert_eq!(
        (leaf.file.as_deref(), leaf.line),
        (Some("/opt/gh.go"), Some(5))
    );
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn lines_before_the_header_are_passed_over_and_counted() {
    let text =
        b"Defaulted container \"app\" out of: app\nheap_v2/1\n@ 0x10\n  t*: 1: 7 [0: 0]\nbad\n\
                 MAPPED_LIBRARIES:\n";
    let (profile, warnings) = parse(text);
    assert_eq!(stacks(&profile).len(), 1);
    assert!(warnings[0].contains("begins in line 2"), "{warnings:?}");
    assert!(warnings[1].starts_with("x: line 5: "), "{warnings:?}");
}

#[test]
fn delays_are_nanoseconds() {
    let text = b"--- contentionz 1 ---\ncycles/second = 2000000000\nsampling period = 100\n\
                 ms since reset = 5\n 4000 3 @ 0x10 0x21\n--- Memory map: ---\n";
    let (profile, _) = parse(&text[..].replacen("contentionz 1 ---", "contention"));
    assert_eq!(profile.measure, Measure::Delay);
    assert_eq!(stacks(&profile), [("10 < 20".to_owned(), 200_000)]);
    assert_eq!(profile.total(ValueKind::InuseObjects), 300.0);
    assert_eq!(
        profile.samples[0].values.get(ValueKind::Mean).round(),
        667.0
    );
}

trait Replace {
    fn replacen(&self, from: &str, to: &str) -> Vec<u8>;
}

impl Replace for [u8] {
    fn replacen(&self, from: &str, to: &str) -> Vec<u8> {
        String::from_utf8_lossy(self)
            .replacen(from, to, 1)
            .into_bytes()
    }
}

#[test]
fn java_names_follow_its_stacks() {
    let text = b"--- heapz 1 ---\nformat = java\nresolution = bytes\n\n  7048 1 @ 0x0a 0x0b\n\
                 \n 0x0a com.example.f (File.java:12)\n 0x0b GC\n";
    let (profile, _) = parse(text);
    let scaled = (7048.0 / (1.0 - (-7048.0f64 / 524_288.0).exp())).round() as i64;
    assert_eq!(
        stacks(&profile),
        [("com.example.f < GC".to_owned(), scaled)]
    );
    assert_eq!(profile.locations[0].lines[0].line, Some(12));
}

/// Little-endian words, and the map behind them.
fn cpu(words: &[u64]) -> Vec<u8> {
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend_from_slice(b"00400000-00500000 r-xp 00000000 00:00 0 /bin/x\n");
    bytes
}

#[test]
fn time_is_counted_in_samples_and_loses_the_signal_handler() {
    let words = [
        0, 3, 0, 10_000, 0, 2, 3, 0x400010, 0x77, 0x400021, 1, 2, 0x400030, 0x77, 0, 1, 0,
    ];
    let (profile, warnings) = parse(&cpu(&words));
    assert_eq!(profile.measure, Measure::Time);
    let expected = [
        ("400010 < 400020".to_owned(), 20_000_000),
        ("400030".to_owned(), 10_000_000),
    ];
    assert_eq!(stacks(&profile), expected);
    assert_eq!(profile.total(ValueKind::InuseObjects), 3.0);
    assert_eq!(profile.mappings[0].path, "/bin/x");
    assert_eq!(warnings, [""; 0]);
    let (profile, warnings) = parse(&cpu(&words)[..15 * 8 - 1]);
    assert!(
        profile.cut_off && warnings[0].contains("ends before its end mark"),
        "{warnings:?}"
    );
}

#[test]
fn folded_stacks_have_names_alone() {
    let (profile, warnings) = parse(b"# x\nmain;a b;f[inline] 12\nmain 3.5\nnonsense\n");
    assert_eq!(
        stacks(&profile),
        [("f < a b < main".to_owned(), 12), ("main".to_owned(), 4)]
    );
    assert!(profile.location(profile.samples[0].stack[0]).lines[0].inlined);
    assert!(warnings[0].contains("1 lines"), "{warnings:?}");
    let (profile, warnings) = parse(b"main;f 10 25\n");
    assert_eq!(stacks(&profile), [("f < main".to_owned(), 15)]);
    assert!(
        warnings[0].contains("second less the first"),
        "{warnings:?}"
    );
}

#[test]
fn v8_says_files_and_lines() {
    let text =
        br#"{"head":{"callFrame":{"functionName":"(root)","url":"","lineNumber":-1},"selfSize":0,
        "id":1,"children":[{"callFrame":{"functionName":"f","url":"file:///a.js","lineNumber":6},
        "selfSize":40,"id":2,"children":[{"callFrame":{"functionName":"","url":"","lineNumber":0},
        "selfSize":2,"id":3,"children":[]}]}]},"samples":[{"size":8,"nodeId":2,"ordinal":1}]}"#;
    let (profile, _) = parse(text);
    assert_eq!(
        stacks(&profile),
        [("f".to_owned(), 40), ("(anonymous) < f".to_owned(), 2)]
    );
    assert_eq!(profile.locations[0].lines[0].line, Some(7));
    assert_eq!(profile.samples[0].values.inuse_objects, 1.0);
    let deep = format!(
        "{{\"selfSize\":1,\"callFrame\":{}{}}}",
        "[".repeat(30_000),
        "]".repeat(30_000)
    );
    assert!(error(deep.as_bytes()).contains("nested deeper"));
}

#[test]
fn heaptrack_counts_what_is_left() {
    let text = b"v 10350 3\nX ./app --x\ns 6 libc.so\ns 4 main\ns 5 leaky\ns 3 a.c\n\
                 i 4011aa 1 3 4 7\ni 4012bb 1 2 4 b\nt 2 0\nt 1 1\na 20 2\n+ 0\n+ 0\n- 0\nc 10\n";
    let (profile, _) = parse(text);
    assert_eq!(stacks(&profile), [("leaky < main".to_owned(), 32)]);
    assert_eq!(profile.total(ValueKind::AllocSpace), 64.0);
    assert_eq!(profile.process.program(), "app");
    assert_eq!(profile.locations[0].lines[0].line, Some(7));
}

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/leaky")
        .join(name)
}

/// What a command of ours prints in the folder of the recorded dump.
fn printed(arguments: &[&str], input: Stdio) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_malloscope"))
        .current_dir(data(""))
        .args(arguments)
        .stdin(input)
        .output()
        .expect("malloscope starts");
    let talk = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{arguments:?}: {talk}");
    String::from_utf8(out.stdout).expect("UTF-8")
}

#[test]
fn what_is_written_can_be_read() {
    let scratch = std::env::temp_dir().join(format!("malloscope-formats-{}", std::process::id()));
    fs::create_dir_all(&scratch).unwrap();
    let table = |file: &str, input: Stdio| printed(&["table", "--show-bytes", file], input);
    // Whole numbers are written, so a row may be off by one.
    let names = |table: &str| -> BTreeSet<String> {
        let rows = table.lines().filter(|line| !line.starts_with("Asked"));
        // Which of two namesakes it is stands in no file.
        let rows = rows.filter_map(|row| row.split_whitespace().nth(5)?.split('@').next());
        rows.map(str::to_owned).collect()
    };
    let total = |table: &str| -> i64 {
        let total = table.split_whitespace().nth(1).expect("a total");
        total.parse().expect("a number")
    };
    let leaky = ["leaky.heap", "--program", "leaky"];
    let wanted = printed(
        &[&["table", "--show-bytes"], &leaky[..]].concat(),
        Stdio::null(),
    );
    for format in ["pprof", "jeprof", "folded"] {
        let file = scratch.join(format);
        let path = file.display().to_string();
        let arguments = [&["convert", "--to", format, "-o", &path], &leaky[..]].concat();
        printed(&arguments, Stdio::null());
        let by_name = table(&path, Stdio::null());
        assert!(
            (total(&by_name) - total(&wanted)).abs() <= 3,
            "{format}: {by_name}"
        );
        if format != "folded" {
            assert_eq!(names(&by_name), names(&wanted), "{format}");
        }
        let piped = fs::File::open(&file).unwrap();
        assert_eq!(table("-", piped.into()), by_name, "{format}");
    }
    fs::remove_dir_all(&scratch).unwrap();
}
