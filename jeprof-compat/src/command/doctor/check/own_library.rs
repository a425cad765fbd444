//! Whether `libmalloscope.so` itself can be loaded into the program: a preload that cannot be is left
//! out with a line on stderr, one whose symbols are too new stops the program.

use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

use crate::command::doctor::finding::Finding;
use crate::command::doctor::target::image::Requirement;
use crate::command::doctor::target::search::{Object, Search};

const ABOUT: &str = "library";

/// Whether `library` loads; `program` decides which libc it meets.
pub(crate) fn findings(library: &Object, program: &Object, search: &Search) -> Vec<Finding> {
    let shown = library.path.display();
    if !library.image.exports_malloc() {
        let text = format!("{shown} does not define malloc: it is not libmalloscope.so");
        return vec![Finding::problem(ABOUT, text)];
    }
    let mut findings = Vec::new();
    if is_noexec(&library.path) {
        let text = format!("{shown} lies on a file system that is mounted noexec: it cannot load");
        findings.push(Finding::problem(ABOUT, text).instead("MALLOSCOPE_LIB can name a copy"));
    }
    let needed = library.image.needed.iter();
    let found: Vec<(&String, Option<Object>)> = needed
        .map(|name| (name, search.find(name, library, program)))
        .collect();
    for (name, _) in found.iter().filter(|(_, object)| object.is_none()) {
        let text = format!("{shown} needs {name}, which is not found: it cannot load");
        findings.push(Finding::problem(ABOUT, text));
    }
    let objects: Vec<&Object> = found
        .iter()
        .filter_map(|(_, object)| object.as_ref())
        .collect();
    let unmet = unmet(&library.image.requires, &objects);
    if !unmet.is_empty() {
        let text = format!(
            "{shown} needs {}, which {} does not have: nothing would start with it",
            versions(&unmet),
            unmet[0].library
        );
        findings.push(Finding::problem(ABOUT, text).instead("take a build for an older glibc"));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(ABOUT, loads(library, &objects)));
    }
    findings
}

fn loads(library: &Object, objects: &[&Object]) -> String {
    let shown = library.path.display();
    let needs = library.image.requires.iter().map(|r| r.version.as_str());
    let has = objects.iter().flat_map(|object| &object.image.provides);
    match (newest(needs), newest(has.map(String::as_str))) {
        (Some(needs), Some(has)) => {
            format!("{shown} can be loaded: it needs {needs}, and here is {has}")
        }
        _ => format!("{shown} can be loaded"),
    }
}

/// Versions that the library which should have them has not. A missing library has its own finding.
fn unmet<'a>(requires: &'a [Requirement], objects: &[&Object]) -> Vec<&'a Requirement> {
    let is_unmet = |requirement: &&Requirement| {
        let is_it = |object: &&&Object| object.name() == requirement.library;
        let library = objects.iter().find(is_it);
        library.is_some_and(|object| !object.image.provides.contains(&requirement.version))
    };
    requires.iter().filter(is_unmet).collect()
}

fn versions(requirements: &[&Requirement]) -> String {
    let versions: Vec<&str> = requirements.iter().map(|r| r.version.as_str()).collect();
    versions.join(", ")
}

/// The highest of glibc's versions.
fn newest<'a>(versions: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let numbers = |version: &str| -> Option<Vec<u32>> {
        let parts = version.strip_prefix("GLIBC_")?.split('.');
        parts.map(|part| part.parse().ok()).collect()
    };
    let numbered = versions.filter_map(|version| Some((numbers(version)?, version)));
    numbered.max().map(|(_, version)| version)
}

fn is_noexec(path: &Path) -> bool {
    statvfs(path).is_ok_and(|fs| fs.f_flag.contains(StatVfsMountFlags::NOEXEC))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::target::image::Image;

    #[test]
    fn versions_are_numbers() {
        let versions = ["GLIBC_2.9", "GLIBC_2.17", "GLIBC_PRIVATE", "GLIBC_2.2.5"];
        assert_eq!(newest(versions.into_iter()), Some("GLIBC_2.17"));
        assert_eq!(newest(std::iter::empty()), None);
    }

    #[test]
    fn a_newer_glibc_is_missed_by_name() {
        let provides = ["GLIBC_2.2.5", "GLIBC_2.31"];
        let libc = Object {
            path: "/lib/libc.so.6".into(),
            image: Image {
                provides: provides.map(str::to_owned).into(),
                ..Image::default()
            },
        };
        let requires = ["GLIBC_2.31", "GLIBC_2.34"].map(|version| Requirement {
            library: "libc.so.6".to_owned(),
            version: version.to_owned(),
        });
        let unmet = unmet(&requires, &[&libc]);
        assert_eq!(versions(&unmet), "GLIBC_2.34");
    }
}
