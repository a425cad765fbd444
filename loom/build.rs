//! Takes the sources of the library as they are and puts loom in the place of what it watches.
//!
//! Each replacement must be found: who changes the source there changes it here. Tables are made so
//! small that they grow within a test; nothing else differs from what is preloaded.

use std::path::Path;
use std::{env, fs};

/// Files below `src/`, and what makes each small.
const SOURCES: &[(&str, &[(&str, &str)])] = &[
    (
        "table/sync",
        &[
            ("SPINS: u32 = 100", "SPINS: u32 = 1"),
            ("core::hint::spin_loop", "loom::hint::spin_loop"),
        ],
    ),
    (
        "table/fork_gate",
        &[
            ("pub static TABLES: ForkGate = ForkGate::new();", ""),
            ("    fn new", "    pub fn new"),
        ],
    ),
    ("table/stack_table/mod", &[]),
    (
        "table/stack_table/directory",
        &[("LG_FIRST: u32 = 10", "LG_FIRST: u32 = 1")],
    ),
    (
        "table/stack_table/index",
        &[("LG_FIRST: u32 = 8", "LG_FIRST: u32 = 1")],
    ),
    (
        "table/stack_table/lifetimes",
        &[("WIDTH: usize = 4", "WIDTH: usize = 1")],
    ),
    ("table/stack_table/record", &[]),
    (
        "table/live_table/mod",
        &[("LG_SHARDS: u32 = 6", "LG_SHARDS: u32 = 1")],
    ),
    (
        "table/live_table/pages",
        &[
            ("u32::BITS - LG_PAGE", "1"),
            ("FULL as usize + 1", "1"),
            // Lost count at two, and counted anew at each removal.
            ("FULL: u8 = u8::MAX", "FULL: u8 = 2"),
            (
                "u8::try_from(samples).unwrap_or(FULL)",
                "u8::try_from(samples).unwrap_or(FULL).min(FULL)",
            ),
            (".saturating_add(1)", ".saturating_add(1).min(FULL)"),
        ],
    ),
    ("table/live_table/sample/mod", &[]),
    (
        "table/live_table/shard",
        &[("RECOUNT: u32 = 64", "RECOUNT: u32 = 1")],
    ),
    (
        "table/live_table/region",
        &[
            ("LG_FIRST: u32 = 4", "LG_FIRST: u32 = 1"),
            ("LG_LEAVE: u32 = 6", "LG_LEAVE: u32 = 0"),
            // The first that is outgrown is retired.
            ("LG_MAPPED: u32 = 7", "LG_MAPPED: u32 = 1"),
        ],
    ),
];

fn main() {
    let output = env::var("OUT_DIR").expect("cargo sets it");
    for (name, changes) in SOURCES {
        let source = format!("../src/{name}.rs");
        println!("cargo::rerun-if-changed={source}");
        let text = fs::read_to_string(&source).unwrap_or_else(|error| panic!("{source}: {error}"));
        let mut text = under_loom(&text);
        for (old, new) in *changes {
            assert!(text.contains(old), "{source} has no {old}");
            text = text.replace(old, new);
        }
        // A folder within a table's is included as a file.
        let target = match name.matches('/').count() {
            0..=2 => name,
            _ => name.trim_end_matches("/mod"),
        };
        let file = Path::new(&output).join(format!("{target}.rs"));
        fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        fs::write(file, text).expect("a file");
    }
}

/// `text` with loom's atomics, which cannot be constants, and without its tests.
fn under_loom(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let text = without_inner_attributes(text)
        .replace("core::sync::atomic", "crate::atomic")
        .replace("const fn new", "fn new");
    let text = arrays_of_calls(&text);
    let lines = text.lines().map(|line| {
        let private = line.strip_prefix("pub ").unwrap_or(line);
        let module = private.strip_prefix("mod ").and_then(|line| line.strip_suffix(';'));
        let parent = if text.contains("struct LiveTable") { "live_table" } else { "stack_table" };
        module.map_or(line.to_owned(), |module| {
            format!("pub mod {module} {{ include!(concat!(env!(\"OUT_DIR\"), \"/table/{parent}/{module}.rs\")); }}")
        })
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// An included file may have none.
fn without_inner_attributes(text: &str) -> String {
    let mut inside = false;
    let outer = text.lines().filter(|line| {
        inside |= line.starts_with("#![");
        let keep = !inside && !line.starts_with("//!");
        inside &= !line.ends_with(")]");
        keep
    });
    outer.collect::<Vec<_>>().join("\n")
}

/// `[const { X }; N]` becomes an array made by as many calls.
fn arrays_of_calls(text: &str) -> String {
    let mut parts = text.split("[const { ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |done, part| {
        let (value, rest) = part.split_once(" }; ").expect("a value");
        let (_, rest) = rest.split_once(']').expect("a length");
        format!("{done}core::array::from_fn(|_| {value}){rest}")
    })
}
