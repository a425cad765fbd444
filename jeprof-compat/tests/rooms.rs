//! The rooms of the crate use only rooms before them, and views are pure.

use std::fs;
use std::path::{Path, PathBuf};

/// In the order in which they may use each other.
const ROOMS: [&str; 9] = [
    "profile",
    "figures",
    "symbolize",
    "stacks",
    "analysis",
    "report",
    "view",
    "command",
    "lib",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn all() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    files(&source(), &mut paths);
    let room = |path: &Path| {
        let first = path.strip_prefix(source()).unwrap().iter().next().unwrap();
        first.to_str().unwrap().trim_end_matches(".rs").to_owned()
    };
    let read = |path: PathBuf| (room(&path), fs::read_to_string(&path).unwrap());
    paths
        .into_iter()
        .map(read)
        .filter(|(room, _)| room != "bin")
        .collect()
}

fn rank(room: &str) -> usize {
    let found = ROOMS.iter().position(|r| *r == room);
    found.unwrap_or_else(|| panic!("{room} has no place in the order of rooms"))
}

#[test]
fn a_room_uses_only_rooms_before_it() {
    for (room, text) in all() {
        // Tests may look wherever they like.
        let code = text.split("#[cfg(test)]").next().unwrap();
        for used in code.split("crate::").skip(1) {
            let used = used
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap();
            if !used.is_empty() && used != room {
                assert!(rank(used) < rank(&room), "{room} uses {used}");
            }
        }
    }
}

#[test]
fn views_open_no_files_and_look_up_no_symbols() {
    for (room, text) in all() {
        let pure = ["view", "report", "stacks", "figures"];
        if pure.contains(&room.as_str()) {
            for word in ["std::fs", "File::", "symbolize::", "read::"] {
                assert!(!text.contains(word), "{room} has {word}");
            }
        }
    }
}
