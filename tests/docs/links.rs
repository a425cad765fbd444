//! The index names all pages, and each relative link leads to a file, and to a heading, that is there.

use std::path::Path;

use crate::{docs, name, pages, prose, read, root};

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
        return Some(format!("{}: no file for {link}", name(page)));
    }
    let fragment = fragment?;
    let there = fragments(&read(&target))
        .iter()
        .any(|name| name == fragment);
    (!there).then(|| format!("{}: no heading for {link}", name(page)))
}

#[test]
fn every_link_leads_somewhere() {
    let faults: Vec<String> = pages()
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
        let name = name(page);
        let link = name.trim_start_matches("docs/");
        assert!(named.iter().any(|l| l == link), "docs/README.md: no {name}");
    }
}
