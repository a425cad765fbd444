//! The order of the rooms. The head of each `lib.rs` has a drawing of which folder may use which,
//! and this test compares the sources with the drawing. A folder uses only the folders of lines
//! above it. Files and folders that lie in the same folder, at any depth, use each other in one
//! direction only. In the companion, only the rooms that its drawing names look outside. Every
//! dependency must be named by a source.

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use source::{Module, Sources};

/// The crates that have rooms.
const HOUSES: [&str; 2] = ["", "jeprof-compat"];

/// The parts of the companion that look outside the process: at files, the kernel, other programs.
const OUTSIDE: [&str; 6] = [
    "profile/read",
    "profile/identity",
    "web",
    "symbolize",
    "analysis/series",
    "command",
];

fn folder(house: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(house)
}

fn sources(house: &str) -> Sources {
    Sources::read(&folder(house).join("src"))
}

/// The line of each room in the drawing, counted from the top. Two blanks end the rooms of a line.
fn drawing(house: &str) -> BTreeMap<String, usize> {
    let map = fs::read_to_string(folder(house).join("src/lib.rs")).expect("the map");
    let text = map.split("(a test holds the sources against this):").nth(1);
    let block = text
        .and_then(|text| text.split("```").nth(1))
        .expect("the drawing");
    let lines = block.lines().skip(1).enumerate();
    let rooms = lines.flat_map(|(at, line)| {
        let line = line.trim_start_matches("//!").trim();
        let rooms = line.split("  ").next().unwrap_or_default();
        let rooms = rooms.split(' ').filter(|room| !room.is_empty());
        rooms.map(|room| (room.to_owned(), at)).collect::<Vec<_>>()
    });
    rooms.collect()
}

#[test]
fn the_drawing_has_every_room_and_no_other() {
    for house in HOUSES {
        let rooms: BTreeSet<String> = sources(house).rooms();
        let drawn: BTreeSet<String> = drawing(house).into_keys().collect();
        assert_eq!(rooms, drawn, "{house}");
    }
}

#[test]
fn rooms_use_only_rooms_above_them() {
    for house in HOUSES {
        let drawing = drawing(house);
        let mut wrong = Vec::new();
        let mut rooms = BTreeSet::new();
        for (module, used) in sources(house).arrows() {
            for other in used.iter().filter(|other| !other.is_empty()) {
                if other[0] == module[0] {
                    continue;
                }
                rooms.insert((module[0].clone(), other[0].clone()));
                if drawing[&other[0]] >= drawing[&module[0]] {
                    wrong.push(format!("{} uses {}", module.join("/"), other.join("/")));
                }
            }
        }
        println!("{house}: {} rooms, {} arrows", drawing.len(), rooms.len());
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

/// For each folder, which of the modules in it uses which.
fn siblings(house: &str) -> BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> {
    let mut folders: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (module, used) in sources(house).arrows() {
        for other in used {
            let same = module.iter().zip(&other).take_while(|(a, b)| a == b);
            let depth = same.count();
            // One of the two modules is a folder that holds the other.
            let (Some(own), Some(its)) = (module.get(depth), other.get(depth)) else {
                continue;
            };
            let folder = folders.entry(module[..depth].to_vec()).or_default();
            folder.entry(own.clone()).or_default().insert(its.clone());
        }
    }
    folders
}

/// True when `from` leads to `to`.
fn leads(arrows: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let (mut open, mut seen) = (vec![from], BTreeSet::new());
    while let Some(at) = open.pop() {
        for next in arrows.get(at).into_iter().flatten() {
            if next == to {
                return true;
            }
            if seen.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    false
}

#[test]
fn no_circle_is_in_any_folder() {
    let mut circles = Vec::new();
    for house in HOUSES {
        for (folder, arrows) in siblings(house) {
            let within = arrows.keys().filter(|room| leads(&arrows, room, room));
            let names: Vec<&str> = within.map(String::as_str).collect();
            if !names.is_empty() {
                circles.push(format!(
                    "{house}/{}: {}",
                    folder.join("/"),
                    names.join(", ")
                ));
            }
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn only_the_rooms_at_the_door_look_outside() {
    let looks_outside = |name: &str| OUTSIDE.iter().any(|room| name.starts_with(room));
    let sources = sources("jeprof-compat");
    let arrows = sources.arrows();
    let mut wrong = Vec::new();
    for (module, code) in sources.iter() {
        let name = module.join("/");
        if looks_outside(&name) {
            continue;
        }
        for word in ["std::fs", "File::", ".metadata(", "std::env", "std::net"] {
            if code.contains(word) {
                wrong.push(format!("{name} has {word}"));
            }
        }
        for other in &arrows[module] {
            let other = other.join("/");
            if other.starts_with("profile/read") || other.starts_with("symbolize") {
                wrong.push(format!("{name} uses {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A file beside a folder of the same name hides the place of the folder's head.
#[test]
fn the_head_of_a_folder_is_its_mod_rs() {
    for house in HOUSES {
        let mut paths = Vec::new();
        source::files(&folder(house).join("src"), &mut paths);
        let beside = paths.iter().filter(|path| path.with_extension("").is_dir());
        assert_eq!(beside.collect::<Vec<_>>(), Vec::<&PathBuf>::new());
    }
}

/// The names under `[dependencies]` of a manifest.
fn dependencies(manifest: &str, section: &str) -> Vec<String> {
    let lines = manifest.lines().skip_while(|line| *line != section).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split_once('='));
    names
        .map(|(name, _)| name.trim().replace('-', "_"))
        .collect()
}

fn code_of(folders: &[PathBuf]) -> String {
    let mut paths = Vec::new();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        source::files(folder, &mut paths);
    }
    let texts = paths
        .iter()
        .map(|path| fs::read_to_string(path).expect("a source"));
    texts.collect()
}

#[test]
fn every_dependency_is_used() {
    for house in ["", "preload", "jeprof-compat", "profile-format"] {
        let folder = folder(house);
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        let parts = |names: &[&str]| {
            let folders: Vec<_> = names.iter().map(|name| folder.join(name)).collect();
            code_of(&folders)
        };
        let code = parts(&["src"]);
        let tests = code.clone() + &parts(&["tests", "benches"]);
        for (section, code) in [("[dependencies]", &code), ("[dev-dependencies]", &tests)] {
            for name in dependencies(&manifest, section) {
                let is_used =
                    code.contains(&format!("{name}::")) || code.contains(&format!("use {name}"));
                assert!(is_used, "{house}: {section} {name}");
            }
        }
    }
}
