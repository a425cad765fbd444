//! Every file that a page names between backticks is there, and every test it names is in its file.
//!
//! A word of code is a path when it begins with a folder of the repository, or ends as a source, script or
//! page does. `FILE::TEST` names a function of the file. A bare name is looked for anywhere in the
//! repository; a path stands from the root, from the page's folder, or, as `docs/hazards.md` says of itself,
//! from `tests/preload`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{name, pages, read, root};

/// Names that end so are files of ours, without a folder too.
const ENDINGS: [&str; 5] = [".rs", ".sh", ".md", ".toml", ".yml"];

/// Folders that a build makes.
const BUILT: [&str; 2] = ["target", "leak-profile"];

/// The words of code in `text`, in lines and in fenced blocks.
fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let code: Vec<&str> = match fenced {
            true => vec![line],
            false => line.split('`').skip(1).step_by(2).collect(),
        };
        let words = code.into_iter().flat_map(str::split_whitespace);
        found.extend(words.map(|word| {
            word.trim_matches([',', '(', ')', ';', '"', '\''])
                .to_owned()
        }));
    }
    found
}

/// The entries of the root, without hidden ones and what is built.
fn entries() -> BTreeSet<String> {
    let entries = fs::read_dir(root()).expect("the root");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| !BUILT.contains(&name.as_str()) && !name.starts_with('.'))
        .chain([".ci".to_owned(), ".github".to_owned()])
        .collect()
}

/// Is `word` meant as a file or folder of the repository?
fn is_path(word: &str, entries: &BTreeSet<String>) -> bool {
    let pattern = |c: char| !(c.is_ascii_alphanumeric() || "_-./".contains(c));
    let file = word.split("::").next().unwrap_or_default();
    if file.contains(pattern) || file.starts_with('/') {
        return false;
    }
    let first = file.split('/').next().unwrap_or_default();
    if BUILT.contains(&first) {
        return false;
    }
    let is_below = file.contains('/') && entries.contains(first);
    is_below
        || ENDINGS
            .iter()
            .any(|ending| file.len() > ending.len() && file.ends_with(ending))
}

/// The files of a repository whose name is `name`.
fn named(directory: &Path, wanted: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default();
        if path.is_dir() && !BUILT.contains(&name) && name != ".git" {
            named(&path, wanted, found);
        } else if name == wanted {
            found.push(path);
        }
    }
}

/// Where `file`, named in `page`, may be.
fn places(page: &Path, file: &str) -> Vec<PathBuf> {
    let folder = page.parent().expect("a folder");
    let mut places = vec![root().join(file), folder.join(file)];
    if page.ends_with("docs/hazards.md") {
        places.push(root().join("tests/preload").join(file));
    } else if !file.contains('/') {
        named(root(), file, &mut places);
    }
    places.retain(|place| place.exists());
    places
}

/// What is wrong with `word` in `page`.
fn fault(page: &Path, word: &str) -> Option<String> {
    let (file, function) = match word.split_once("::") {
        Some((file, function)) => (file, Some(function)),
        None => (word, None),
    };
    let places = places(page, file);
    if places.is_empty() {
        return Some(format!("{}: no {file}", name(page)));
    }
    let start = format!("fn {}(", function?);
    let is_there = places.iter().any(|place| read(place).contains(&start));
    (!is_there).then(|| format!("{}: no test {word}", name(page)))
}

#[test]
fn every_path_is_there() {
    let entries = entries();
    let mut faults = BTreeSet::new();
    let mut count = 0;
    for page in pages() {
        let words = words(&read(&page));
        let paths: Vec<&String> = words.iter().filter(|w| is_path(w, &entries)).collect();
        count += paths.len();
        faults.extend(paths.iter().filter_map(|path| fault(&page, path)));
    }
    println!("{count} paths");
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn paths_are_told_from_other_code() {
    let text = "`src/lib.rs` is `tests/long.sh kill=1000`, `a.rs::b_c`; `x/y` `/proc/a.rs` `prof:true` `.rs` `*.rs`\n\
                ```sh\n(cd benches/none && ls target/release/a.rs)\n```\n";
    let entries = entries();
    let words = words(text);
    let paths: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|w| is_path(w, &entries))
        .collect();
    assert_eq!(
        paths,
        ["src/lib.rs", "tests/long.sh", "a.rs::b_c", "benches/none"]
    );
    let page = root().join("docs/hazards.md");
    let is_faulty = |word: &str| fault(&page, word).is_some();
    assert!(is_faulty("paths.rs") && is_faulty("benches/none"));
    assert!(!is_faulty("tests/docs/paths.rs::is_path") && is_faulty("tests/docs/paths.rs::none"));
    assert!(fault(&root().join("README.md"), "paths.rs").is_none());
}
