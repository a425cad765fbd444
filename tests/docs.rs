//! The pages for readers: they stay short, the index names them all, and each relative link leads to a file, and
//! to a heading, that is there.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &Path) -> String {
    fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
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

/// The lines of `text` that are not in a fenced block.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// What `text` links to, in Markdown or HTML, but for other sites.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        for (before, end) in [
            ("](", ')'),
            ("href=\"", '"'),
            ("src=\"", '"'),
            ("srcset=\"", '"'),
        ] {
            let behind = line.split(before).skip(1);
            found.extend(behind.filter_map(|rest| Some(rest.split_once(end)?.0.to_owned())));
        }
    }
    found.retain(|link| !link.contains("://"));
    found
}

/// The fragments that lead to the headings of `text`, made as GitHub makes them.
fn fragments(text: &str) -> Vec<String> {
    prose(text)
        .filter(|line| line.starts_with('#'))
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' '))
        .map(|heading| {
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
            let name: String = heading.trim().chars().filter(kept).collect();
            name.to_lowercase().replace(' ', "-")
        })
        .collect()
}

/// What is wrong with `link` in `page`.
fn fault(page: &Path, link: &str) -> Option<String> {
    let (file, fragment) = match link.split_once('#') {
        Some((file, fragment)) => (file, Some(fragment)),
        None => (link, None),
    };
    let target = match file {
        "" => page.to_owned(),
        _ => page.parent().expect("a directory").join(file),
    };
    if !target.exists() {
        return Some(format!("{}: no file for {link}", page.display()));
    }
    let fragment = fragment?;
    let there = fragments(&read(&target))
        .iter()
        .any(|name| name == fragment);
    (!there).then(|| format!("{}: no heading for {link}", page.display()))
}

#[test]
fn pages_are_short() {
    let count = |page: &Path| read(page).lines().count();
    let readme = count(&root().join("README.md"));
    assert!(readme <= 150, "README.md has {readme} lines");
    for page in docs() {
        let lines = count(&page);
        assert!(lines <= 250, "{} has {lines} lines", page.display());
    }
}

#[test]
fn every_link_leads_somewhere() {
    let others = ["README.md", "CHANGELOG.md", "examples/README.md"];
    let mut pages = docs();
    pages.extend(others.map(|page| root().join(page)));
    let faults: Vec<String> = pages
        .iter()
        .flat_map(|page| {
            links(&read(page))
                .into_iter()
                .filter_map(move |link| fault(page, &link))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn faults_are_found() {
    let page = root().join("README.md");
    let text = "[a](none.md) [b](#none) [c](LICENSE-MIT)\n```\n[d](none.md)\n```\n<img src=\"none.png\"> [e](https://f.g)";
    let found = links(text);
    assert_eq!(found, ["none.md", "#none", "LICENSE-MIT", "none.png"]);
    let faulty = found.iter().filter(|link| fault(&page, link).is_some());
    assert_eq!(faulty.count(), 3);
    assert_eq!(
        fragments("## Does it leak? `x -- Y`\n# A_b-c\n#no"),
        ["does-it-leak-x----y", "a_b-c"]
    );
}

#[test]
fn the_index_names_every_page() {
    let index = root().join("docs/README.md");
    let named = links(&read(&index));
    for page in docs().iter().filter(|page| **page != index) {
        let name = page
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        assert!(
            named.iter().any(|link| link == name),
            "docs/README.md: no {name}"
        );
    }
}
