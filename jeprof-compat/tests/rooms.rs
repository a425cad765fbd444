//! The order of the rooms: the head of `src/lib.rs` draws which folder may use which, and this holds the
//! sources against the drawing. A folder uses only folders of lines above it; within a folder, at any
//! depth, files and folders beside each other use each other in one direction; and only the rooms that
//! the drawing names look outside.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module's path below the crate.
type Module = Vec<String>;

/// What looks outside the process: files, the kernel, other programs.
const OUTSIDE: [&str; 5] = [
    "profile/read",
    "profile/identity",
    "symbolize",
    "analysis/series",
    "command",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every module with its code: without tests, which may look wherever they like, and comments.
fn sources() -> BTreeMap<Module, String> {
    let mut paths = Vec::new();
    files(&root(), &mut paths);
    let module = |path: &Path| -> Module {
        let inside = path.strip_prefix(root()).expect("a source");
        let parts = inside.with_extension("");
        let parts = parts.iter().map(|part| part.to_string_lossy().into_owned());
        parts.filter(|part| part != "mod").collect()
    };
    let is_library = |module: &Module| {
        let last = module.last().map(String::as_str);
        module[0] != "bin" && module[0] != "lib" && last != Some("tests")
    };
    let modules = paths.iter().map(|path| (module(path), path));
    modules
        .filter(|(module, _)| is_library(module))
        .map(|(module, path)| (module, code(&fs::read_to_string(path).expect("a source"))))
        .collect()
}

fn code(text: &str) -> String {
    let lines = text
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"));
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The paths that begin with `text`: one, or several with groups; and what follows them.
fn expand(text: &str) -> (Vec<Module>, &str) {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let (mut paths, mut rest) = (Vec::new(), group);
        loop {
            let (more, after) = expand(rest);
            paths.extend(more);
            let after = after.trim_start();
            // A name that was given: `as name`.
            let end = after.find([',', '}']).unwrap_or(after.len());
            let is_over = !after[end..].starts_with(',');
            rest = after.get(end + 1..).unwrap_or_default();
            if is_over {
                return (paths, rest);
            }
        }
    }
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let Some(below) = rest.strip_prefix("::") else {
        return (vec![vec![name.to_owned()]], rest);
    };
    let (mut paths, rest) = expand(below);
    for path in &mut paths {
        path.insert(0, name.to_owned());
    }
    (paths, rest)
}

/// The modules that `code` names, by `crate::` or `super::`, as far down as there are modules.
fn used(module: &Module, code: &str, all: &BTreeMap<Module, String>) -> BTreeSet<Module> {
    let mut used = BTreeSet::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            for path in expand(&code[at..]).0 {
                used.insert(resolve(module, &path, all));
            }
        }
    }
    used.remove(module);
    used
}

fn resolve(module: &Module, path: &Module, all: &BTreeMap<Module, String>) -> Module {
    let mut at: Module = Vec::new();
    for part in path {
        match part.as_str() {
            "crate" => at.clear(),
            "super" if at.is_empty() => at = module[..module.len() - 1].to_vec(),
            "super" => _ = at.pop(),
            part => {
                at.push(part.to_owned());
                if !all.contains_key(&at) {
                    at.pop();
                    break;
                }
            }
        }
    }
    at
}

/// Who uses whom, file by file.
fn arrows() -> BTreeMap<Module, BTreeSet<Module>> {
    let all = sources();
    let of = |(module, code): (&Module, &String)| (module.clone(), used(module, code, &all));
    all.iter().map(of).collect()
}

/// The line of each room in the drawing, counted from the top. Two blanks end its rooms.
fn drawing() -> BTreeMap<String, usize> {
    let map = fs::read_to_string(root().join("lib.rs")).expect("the map");
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
    let rooms: BTreeSet<String> = sources().into_keys().map(|m| m[0].clone()).collect();
    let drawn: BTreeSet<String> = drawing().into_keys().collect();
    assert_eq!(rooms, drawn);
}

#[test]
fn rooms_use_only_rooms_above_them() {
    let drawing = drawing();
    let mut wrong = Vec::new();
    let mut rooms = BTreeSet::new();
    for (module, used) in arrows() {
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
    println!("{} rooms, {} arrows", drawing.len(), rooms.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Modules beside each other, by the folder that they are in: which uses which.
fn siblings() -> BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> {
    let mut folders: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (module, used) in arrows() {
        for other in used {
            let same = module.iter().zip(&other).take_while(|(a, b)| a == b);
            let depth = same.count();
            // One of them is the folder of the other.
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
    for (folder, arrows) in siblings() {
        let within = arrows.keys().filter(|room| leads(&arrows, room, room));
        let names: Vec<&str> = within.map(String::as_str).collect();
        if !names.is_empty() {
            circles.push(format!("{}: {}", folder.join("/"), names.join(", ")));
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn only_the_rooms_at_the_door_look_outside() {
    let looks_outside = |name: &str| OUTSIDE.iter().any(|room| name.starts_with(room));
    let arrows = arrows();
    let mut wrong = Vec::new();
    for (module, code) in sources() {
        let name = module.join("/");
        if looks_outside(&name) {
            continue;
        }
        for word in ["std::fs", "File::", ".metadata(", "std::env", "std::net"] {
            if code.contains(word) {
                wrong.push(format!("{name} has {word}"));
            }
        }
        for other in &arrows[&module] {
            let other = other.join("/");
            if other.starts_with("profile/read") || other.starts_with("symbolize") {
                wrong.push(format!("{name} uses {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn uses_are_found_in_groups_and_paths() {
    let path = |text: &str| -> Module { text.split('/').map(str::to_owned).collect() };
    let modules = ["a", "a/b", "a/b/c", "a/d", "e", "e/f"];
    let all = modules.map(|module| (path(module), String::new())).into();
    let code = code(
        "use super::c::{self, Shape as Other};\nuse super::super::d;\nuse crate::e::{Other, f::{g, H}};\n\
         let x = crate::e::other();\n// crate::comment\n#[cfg(test)]\nuse crate::a;\n",
    );
    let used: Vec<Module> = used(&path("a/b/x"), &code, &all).into_iter().collect();
    assert_eq!(used, ["a/b/c", "a/d", "e", "e/f"].map(path));
}
