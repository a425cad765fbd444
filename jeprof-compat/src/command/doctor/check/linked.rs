//! What the program's libraries mean for a preload: allocators, sanitizers, what is missing. Pure.

use crate::command::doctor::check::allocator;
use crate::command::doctor::finding::Finding;
use crate::command::doctor::target::brand::{self, Sanitizer};
use crate::command::doctor::target::search::{Libraries, Object};

/// Allocators among the libraries, and what the loader will miss. `only_on_request` names an
/// allocator that the program's runtime brings along and does not use by itself.
pub(crate) fn findings(libraries: &Libraries, only_on_request: Option<&str>) -> Vec<Finding> {
    let found = libraries.found.iter();
    let mut findings: Vec<Finding> = found
        .filter_map(|library| of_library(library, only_on_request))
        .collect();
    findings.extend(libraries.missing.iter().map(|(name, wanter)| {
        let text = format!("{name}, which {wanter} needs, is not found");
        Finding::note("libraries", text).instead("LD_LIBRARY_PATH may be missing here")
    }));
    findings
}

/// An allocator that stands behind a preload, because only the executable stands before it.
pub(crate) fn is_allocator(library: &Object) -> bool {
    library.image.exports_malloc() && !is_system(library) && sanitizer_of(library).is_none()
}

fn of_library(library: &Object, only_on_request: Option<&str>) -> Option<Finding> {
    if is_system(library) || sanitizer_of(library).is_some() {
        return None;
    }
    const ABOUT: &str = "allocator";
    let shown = library.path.display();
    let carried = allocator::carried(&library.image);
    if library.image.exports_malloc() {
        let known = carried.first().map(|one| one.brand);
        let known = known.or_else(|| brand::by_library(&library.name()));
        let name = known.map_or("an allocator", |brand| brand.name);
        let text = format!("{shown} ({name}) gives the program its malloc: it works behind us");
        return Some(Finding::ok(ABOUT, text));
    }
    let one = carried
        .iter()
        .find(|one| only_on_request != Some(one.brand.name))?;
    let text = format!(
        "{shown} has {} linked in: what this library takes from there is not seen",
        one.name()
    );
    Some(Finding::note(ABOUT, text))
}

/// libc and the loader, whose malloc everybody has behind him.
fn is_system(library: &Object) -> bool {
    let soname = library.image.soname.as_deref().unwrap_or_default();
    soname.starts_with("libc.so.") || soname.starts_with("ld-linux")
}

/// The sanitizer that the program was built with.
pub(crate) fn sanitizer(program: &Object, libraries: &Libraries) -> Option<Finding> {
    const ABOUT: &str = "sanitizer";
    let objects = std::iter::once(program).chain(&libraries.found);
    let sanitizer = objects.filter_map(sanitizer_of).next()?;
    let (shown, name) = (program.path.display(), sanitizer.name);
    if sanitizer.refuses || sanitizer_of(program).is_some() {
        let text = format!(
            "{shown} is instrumented with {name}, whose malloc must come first: with a preload it \
             does not start, or nothing is seen"
        );
        return Some(Finding::problem(ABOUT, text).instead("take a build without -fsanitize"));
    }
    let text =
        format!("{shown} is instrumented with {name}, which takes memory and works behind us");
    Some(Finding::note(ABOUT, text))
}

fn sanitizer_of(object: &Object) -> Option<&'static Sanitizer> {
    let names = object.image.symbols.iter().map(|symbol| &symbol.name);
    names.filter_map(|name| brand::sanitizer(name)).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Severity;
    use crate::command::doctor::target::image::{Image, Symbol};

    fn object(path: &str, symbols: &[&str]) -> Object {
        let symbol = |name: &&str| Symbol {
            name: (*name).to_owned(),
            exported: true,
        };
        let name = path.rsplit('/').next().map(str::to_owned);
        let image = Image {
            soname: name,
            symbols: symbols.iter().map(symbol).collect(),
            ..Image::default()
        };
        Object {
            path: path.into(),
            image,
        }
    }

    fn said(found: Vec<Object>) -> Vec<(Severity, &'static str)> {
        let libraries = Libraries {
            found,
            missing: Vec::new(),
        };
        let findings = findings(&libraries, Some("mimalloc"));
        findings.iter().map(|f| (f.verdict, f.about)).collect()
    }

    #[test]
    fn allocators_behind_us_are_fine() {
        let libc = object("/lib/libc.so.6", &["malloc"]);
        let jemalloc = object("/lib/libjemalloc.so.2", &["malloc", "mallctl"]);
        assert!(is_allocator(&jemalloc) && !is_allocator(&libc));
        assert_eq!(said(vec![libc, jemalloc]), [(Severity::Ok, "allocator")]);
    }

    #[test]
    fn a_library_with_a_hidden_allocator_is_told() {
        let arrow = object("/lib/libarrow.so.14", &["je_arrow_mallctl"]);
        assert_eq!(said(vec![arrow]), [(Severity::Note, "allocator")]);
    }

    #[test]
    fn what_a_library_does_not_use_is_passed_over() {
        let python = object("/lib/libpython3.13.so.1.0", &["mi_malloc"]);
        assert_eq!(said(vec![python]), []);
    }

    #[test]
    fn sanitizers_come_first_or_work_behind_us() {
        let verdict = |program: &[&str], library: &[&str]| {
            let libraries = Libraries {
                found: vec![object("/lib/libsan.so", library)],
                missing: Vec::new(),
            };
            assert!(library.is_empty() || !is_allocator(&libraries.found[0]));
            sanitizer(&object("/bin/x", program), &libraries).map(|f| f.verdict)
        };
        assert_eq!(
            verdict(&[], &["malloc", "__asan_init"]),
            Some(Severity::Problem)
        );
        assert_eq!(
            verdict(&[], &["malloc", "__tsan_init"]),
            Some(Severity::Note)
        );
        assert_eq!(
            verdict(&["malloc", "__tsan_init"], &[]),
            Some(Severity::Problem)
        );
        assert_eq!(verdict(&["malloc"], &[]), None);
    }

    #[test]
    fn a_missing_library_is_named() {
        let libraries = Libraries {
            found: Vec::new(),
            missing: vec![("liby.so.1".to_owned(), "libx.so".to_owned())],
        };
        let findings = findings(&libraries, None);
        assert_eq!(findings[0].verdict, Severity::Note);
        assert!(findings[0].text.contains("liby.so.1, which libx.so needs"));
    }
}
