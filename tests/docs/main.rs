//! The documents hold what they say: links and paths lead to files that are there (`links`, `paths`), the
//! reading tour is short (`tour`), and the commands of their console blocks do what the blocks show
//! (`console`).
//!
//! Pages are read with the few rules of Markdown that they keep to: fenced blocks begin and end a line with
//! three backticks, code inside a line stands between single backticks.

mod console;
mod links;
mod loose;
mod paths;
mod tour;

use std::fs;
use std::path::{Path, PathBuf};

/// The pages beside those of `docs/`.
const OTHERS: [&str; 7] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "examples/README.md",
    ".github/PULL_REQUEST_TEMPLATE.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &Path) -> String {
    fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}

/// The name of a page or file below the root.
fn name(path: &Path) -> String {
    let inside = path.strip_prefix(root()).unwrap_or(path);
    inside.display().to_string()
}

/// The pages of `docs/`.
fn docs() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("docs")).expect("docs");
    let mut pages: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    pages
}

/// All pages.
fn pages() -> Vec<PathBuf> {
    let others = OTHERS.map(|page| root().join(page));
    docs().into_iter().chain(others).collect()
}

/// The lines of `text` that are not in a fenced block.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// A fenced block.
struct Block<'a> {
    /// What stands behind the backticks: `console`, `sh`.
    language: &'a str,
    /// The line above, if it says something.
    above: &'a str,
    /// Number of its first line, from 1.
    line: usize,
    lines: Vec<&'a str>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found: Vec<Block<'_>> = Vec::new();
    let (mut inside, mut above) = (false, "");
    for (at, line) in text.lines().enumerate() {
        match line.trim_start().strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(language) => {
                inside = true;
                found.push(Block {
                    language: language.trim(),
                    above,
                    line: at + 2,
                    lines: Vec::new(),
                });
            }
            None => {
                if let Some(block) = found.last_mut().filter(|_| inside) {
                    block.lines.push(line);
                }
            }
        }
        above = line;
    }
    found
}

#[test]
fn pages_are_short() {
    let most = |page: &Path| match name(page).as_str() {
        "README.md" => 150,
        "CHANGELOG.md" => usize::MAX,
        _ => 250,
    };
    for page in pages() {
        let lines = read(&page).lines().count();
        let most = most(&page);
        assert!(
            lines <= most,
            "{} has {lines} lines, not {most}",
            name(&page)
        );
    }
}

#[test]
fn blocks_are_found_with_what_stands_above_them() {
    let text = "a\n```sh\nls\n```\n\n<!-- b -->\n```console\n$ ls\nc\n```\n";
    let found = blocks(text);
    let shown: Vec<_> = found
        .iter()
        .map(|b| (b.language, b.above, b.line, b.lines.len()))
        .collect();
    assert_eq!(shown, [("sh", "a", 3, 1), ("console", "<!-- b -->", 8, 2)]);
}
