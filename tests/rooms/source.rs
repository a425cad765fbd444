//! The modules of a crate as found in its sources, and which module names which.
//!
//! Source: the Rust reference on use declarations and module files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module's path below the crate.
pub type Module = Vec<String>;

/// The Rust sources below `directory`.
pub fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of every module. Comments are left out, and so are tests, which may use any module.
pub struct Sources(BTreeMap<Module, String>);

impl Sources {
    /// All sources below `root`, except the programs and the map.
    pub fn read(root: &Path) -> Self {
        let mut paths = Vec::new();
        files(root, &mut paths);
        let modules = paths.iter().map(|path| (module(root, path), path));
        let modules = modules.filter(|(module, _)| is_room(module));
        Self(
            modules
                .map(|(module, path)| (module, code(&fs::read_to_string(path).expect("a source"))))
                .collect(),
        )
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Module, &String)> {
        self.0.iter()
    }

    /// The folders and files at the top level.
    pub fn rooms(&self) -> BTreeSet<String> {
        self.0.keys().map(|module| module[0].clone()).collect()
    }

    /// Which module uses which, file by file.
    pub fn arrows(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let of = |(module, code): (&Module, &String)| (module.clone(), used(module, code, &self.0));
        self.0.iter().map(of).collect()
    }
}

fn module(root: &Path, path: &Path) -> Module {
    let inside = path.strip_prefix(root).expect("a source");
    let parts = inside.with_extension("");
    let parts = parts.iter().map(|part| part.to_string_lossy().into_owned());
    parts.filter(|part| part != "mod").collect()
}

fn is_room(module: &Module) -> bool {
    let last = module.last().map(String::as_str);
    module[0] != "bin" && module[0] != "lib" && last != Some("tests")
}

fn code(text: &str) -> String {
    let tests = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    let lines = text[..tests].lines();
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The paths that begin with `text` (one path, or several if there are groups), and the text after
/// them.
fn expand(text: &str) -> (Vec<Module>, &str) {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let (mut paths, mut rest) = (Vec::new(), group);
        loop {
            let (more, after) = expand(rest);
            paths.extend(more);
            let after = after.trim_start();
            // A renamed path: `as name`.
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

/// The modules that `code` names by `crate::` or `super::`, each path as deep as it leads to
/// modules.
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

#[test]
fn uses_are_found_in_groups_and_paths() {
    let path = |text: &str| -> Module { text.split('/').map(str::to_owned).collect() };
    let modules = ["a", "a/b", "a/b/c", "a/d", "e", "e/f"];
    let all = modules.map(|module| (path(module), String::new())).into();
    let code = code(
        "use super::c::{self, Shape as Other};\nuse super::super::d;\nuse crate::e::{Other, f::{g, H}};\n\
         let x = crate::e::other();\n// crate::comment\n#[cfg(test)]\nmod tests {\nuse crate::a;\n",
    );
    let used: Vec<Module> = used(&path("a/b/x"), &code, &all).into_iter().collect();
    assert_eq!(used, ["a/b/c", "a/d", "e", "e/f"].map(path));
}
