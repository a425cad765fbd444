//! The order of the rooms: the head of `src/lib.rs` draws which room may use which; this holds the
//! sources against the drawing.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Line of each room in the drawing, counted from the top.
fn drawing(map: &str) -> HashMap<String, usize> {
    let text = map
        .split("(a test holds the sources against this):")
        .nth(1)
        .expect("the drawing");
    let lines = text.split("```").nth(1).expect("its block").lines().skip(1);
    lines
        .enumerate()
        .flat_map(|(at, line)| {
            let rooms = line.trim_start_matches("//!").split_whitespace();
            rooms
                .map(move |room| (room.to_owned(), at))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that a source names: `crate::room` anywhere in its code, also in groups.
fn used(source: &str) -> Vec<String> {
    let code: String = source
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    code.split("crate::")
        .skip(1)
        .flat_map(|rest| {
            let group = rest
                .strip_prefix('{')
                .and_then(|rest| rest.split("};").next());
            let names = group.unwrap_or(rest);
            let first = |part: &str| {
                part.trim()
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect()
            };
            match group {
                Some(_) => names.split(',').map(first).collect::<Vec<String>>(),
                None => vec![first(names)],
            }
        })
        .collect()
}

#[test]
fn rooms_use_only_rooms_above_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rooms = drawing(&fs::read_to_string(root.join("lib.rs")).expect("the map"));
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&root).expect("a source");
        let first = inside.components().next().expect("a room");
        let room = Path::new(first.as_os_str()).with_extension("");
        let room = room.to_str().expect("UTF-8");
        if room == "lib" {
            continue;
        }
        let own = *rooms
            .get(room)
            .unwrap_or_else(|| panic!("{room} is not in the drawing"));
        for other in used(&fs::read_to_string(&file).expect("a source")) {
            let allowed = other == room || rooms.get(&other).is_none_or(|line| *line < own);
            if !allowed {
                wrong.push(format!("{} uses {other}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn uses_are_found_in_groups_and_paths() {
    let source = "use crate::{arena, diag::{self, Counter}, sys};\nlet x = crate::boot::start();\n// crate::comment\n";
    assert_eq!(used(source), ["arena", "diag", "Counter", "sys", "boot"]);
}
