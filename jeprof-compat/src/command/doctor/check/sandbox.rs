//! Programs that put themselves into a seccomp sandbox, where no dump can be written. Pure.
//!
//! Told by name where a program brings its filter along, else by libseccomp among its libraries (chronyd,
//! tor, file, man, QEMU, ...), of which not every start makes use.

use crate::command::doctor::finding::Finding;
use crate::command::doctor::target::search::{Libraries, Object};

/// Programs whose filters are their own, by the beginning of their name.
const NAMES: [&str; 14] = [
    "WebKitWebProcess",
    "brave",
    "chrome",
    "chromium",
    "chronyd",
    "dhcpcd",
    "electron",
    "firefox",
    "google-chrome",
    "ntpd",
    "sshd",
    "thunderbird",
    "tor",
    "vsftpd",
];

/// What there is to say of `program` with these libraries.
pub(crate) fn finding(program: &Object, libraries: &Libraries) -> Option<Finding> {
    let name = program.name();
    let links = |library: &Object| library.name().starts_with("libseccomp.so");
    let says = match () {
        () if is_known(&name) => "puts itself, or its children, into a seccomp sandbox",
        () if libraries.found.iter().any(links) => {
            "links libseccomp, and may put itself into a sandbox"
        }
        () => return None,
    };
    let text = format!(
        "{name} {says}: where that forbids what a dump takes, the last one is written just before \
         (.b0.heap), and nothing after it is seen"
    );
    Some(Finding::note("sandbox", text))
}

/// A name of the list, or one with something behind it: `firefox-esr`, not `torsocks`.
fn is_known(name: &str) -> bool {
    let mut rests = NAMES.iter().filter_map(|known| name.strip_prefix(known));
    rests.any(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Severity;
    use crate::command::doctor::target::image::Image;

    fn said(path: &str, libraries: &[&str]) -> Option<String> {
        let object = |path: &str| Object {
            path: path.into(),
            image: Image::default(),
        };
        let libraries = Libraries {
            found: libraries.iter().map(|path| object(path)).collect(),
            missing: Vec::new(),
        };
        let finding = finding(&object(path), &libraries)?;
        assert_eq!(finding.verdict, Severity::Note);
        Some(finding.text)
    }

    #[test]
    fn sandboxes_are_told_by_name() {
        for name in [
            "/usr/sbin/sshd",
            "/usr/lib/firefox-esr/firefox-esr",
            "/usr/bin/tor",
        ] {
            let text = said(name, &[]).expect("a note");
            assert!(text.contains("puts itself"), "{text}");
        }
        assert_eq!(said("/usr/bin/torsocks", &[]), None);
        assert_eq!(said("/usr/bin/ssh", &["/lib/libcrypto.so.3"]), None);
    }

    #[test]
    fn libseccomp_among_the_libraries_tells_of_one() {
        let text = said("/usr/bin/file", &["/lib/libseccomp.so.2"]).expect("a note");
        assert!(text.starts_with("file links libseccomp"), "{text}");
    }
}
