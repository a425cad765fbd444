//! Memory that passes the hooks although malloc is hooked: of a second libc, of oneTBB. Pure.

use crate::command::doctor::finding::Finding;
use crate::command::doctor::target::search::{Libraries, Object};

const ABOUT: &str = "allocator";

/// oneTBB's allocator, whose own interface has other names than malloc's.
const TBB: &str = "libtbbmalloc.so";

/// What the program and its libraries take from elsewhere.
pub(crate) fn findings(program: &Object, libraries: &Libraries) -> Vec<Finding> {
    let opener = std::iter::once(program)
        .chain(libraries.found.iter().filter(|library| !is_system(library)))
        .find(|object| object.image.opens_namespaces);
    let opener = opener.map(|object| {
        let text = format!(
            "{} calls dlmopen: a library that it opens brings a libc of its own, whose blocks are not seen",
            object.path.display()
        );
        Finding::note(ABOUT, text)
    });
    let tbb = libraries
        .found
        .iter()
        .find(|library| library.name().starts_with(TBB));
    let tbb = tbb.map(|library| {
        let text = format!(
            "{} has scalable_malloc: what is taken by that name is not seen, and blocks of malloc that \
             scalable_free gives back are shown as live",
            library.path.display()
        );
        Finding::note(ABOUT, text)
    });
    opener.into_iter().chain(tbb).collect()
}

/// The loader and libc, which have dlmopen.
fn is_system(library: &Object) -> bool {
    let name = library.name();
    ["ld-linux", "libc.so", "libdl.so"]
        .iter()
        .any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Severity;
    use crate::command::doctor::target::image::Image;

    fn object(path: &str, opens_namespaces: bool) -> Object {
        let image = Image {
            opens_namespaces,
            ..Image::default()
        };
        Object {
            path: path.into(),
            image,
        }
    }

    fn said(program: &Object, found: Vec<Object>) -> Vec<String> {
        let libraries = Libraries {
            found,
            missing: Vec::new(),
        };
        let findings = findings(program, &libraries);
        assert!(
            findings
                .iter()
                .all(|finding| finding.verdict == Severity::Note)
        );
        findings.into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn a_second_libc_and_a_second_interface_are_said() {
        let plain = object("/bin/x", false);
        assert_eq!(said(&plain, vec![object("/lib/libc.so.6", true)]), [""; 0]);
        let said_of = |program: &Object, library| said(program, vec![library]).join(" ");
        let opener = said_of(&object("/bin/x", true), object("/lib/libm.so.6", false));
        assert!(opener.starts_with("/bin/x calls dlmopen"), "{opener}");
        let tbb = said_of(&plain, object("/lib/libtbbmalloc.so.2", false));
        assert!(tbb.contains("scalable_malloc"), "{tbb}");
    }
}
