//! Whether the loader will preload anything into the program: architecture, libc, linkage. Pure.

use std::path::Path;

use crate::command::doctor::finding::Finding;
use crate::command::doctor::target::image::{Image, Kind};
use crate::command::doctor::target::search::Object;

const ABOUT: &str = "format";

/// What the program's headers say; only after `ok` there is more to look at. `library` is our own,
/// when there is one.
pub(crate) fn finding(program: &Object, library: Option<&Image>) -> Finding {
    let image = &program.image;
    let shown = program.path.display();
    if image.soname.as_deref().is_some_and(is_glibc_loader) {
        let text = format!("{shown} is the loader itself, which preloads into what it starts");
        return Finding::note(ABOUT, text).instead("ask doctor about that program");
    }
    if image.kind != Kind::Program {
        let text = format!("{shown} is an ELF file, but no program");
        return Finding::problem(ABOUT, text);
    }
    let built_for = image.architecture();
    if let Some(library) = library
        && library.architecture() != built_for
    {
        let ours = library.architecture();
        let text = format!("{shown} is built for {built_for}, libmalloscope.so for {ours}");
        return Finding::problem(ABOUT, format!("{text}, and the loader passes over it"))
            .instead(format!("take a {ours} build of the program"));
    }
    match image.interpreter.as_deref() {
        None => is_static(program),
        Some(loader) => libc(program, loader, Path::new(loader).exists()),
    }
}

fn is_static(program: &Object) -> Finding {
    let shown = program.path.display();
    let text = format!(
        "{shown} is statically linked: there is no loader that could preload, nothing will be seen"
    );
    let advice = if program.image.is_go {
        "for a Go program pprof sees its heap: import net/http/pprof, then go tool pprof"
    } else {
        "link it dynamically (without -static; for Rust not the musl target, or \
         -C target-feature=-crt-static)"
    };
    Finding::problem(ABOUT, text).instead(advice)
}

fn libc(program: &Object, loader: &str, there: bool) -> Finding {
    let shown = program.path.display();
    let name = loader.rsplit('/').next().unwrap_or(loader);
    let other = match name {
        _ if is_glibc_loader(name) => None,
        _ if name.starts_with("ld-musl") => Some("musl"),
        _ if name.starts_with("ld-uClibc") => Some("uClibc"),
        "linker" | "linker64" => Some("Android's libc"),
        _ => Some("a libc that is not glibc"),
    };
    if let Some(libc) = other {
        let becomes = match libc {
            "musl" => "the program runs as without it, and nothing will be seen",
            _ => "the program may not start with it",
        };
        let text =
            format!("{shown} runs on {libc} ({loader}): libmalloscope.so is for glibc; {becomes}");
        return Finding::problem("libc", text).instead("take a build for glibc");
    }
    if !there {
        let text = format!("{shown} wants the loader {loader}, which is not here: it cannot start");
        return Finding::problem("libc", text);
    }
    let architecture = program.image.architecture();
    let text = format!("{shown} is a dynamically linked {architecture} program on glibc");
    Finding::ok(ABOUT, text)
}

/// By the names that glibc's ports give it.
fn is_glibc_loader(name: &str) -> bool {
    ["ld-linux", "ld64.so", "ld.so"]
        .iter()
        .any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use object::elf::{EM_386, EM_AARCH64, EM_X86_64};

    use super::*;
    use crate::command::doctor::finding::Severity;

    fn image(interpreter: Option<&str>) -> Image {
        Image {
            machine: EM_X86_64,
            wide: true,
            kind: Kind::Program,
            interpreter: interpreter.map(str::to_owned),
            ..Image::default()
        }
    }

    /// Severity and sentence.
    fn said(image: Image) -> (Severity, String) {
        let ours = Image {
            machine: EM_X86_64,
            wide: true,
            kind: Kind::Library,
            ..Image::default()
        };
        let path = "/x".into();
        let finding = finding(&Object { path, image }, Some(&ours));
        (finding.verdict, finding.sentence())
    }

    fn problem(image: Image, part: &str) {
        let (verdict, sentence) = said(image);
        assert_eq!(verdict, Severity::Problem, "{sentence}");
        assert!(sentence.contains(part), "{sentence}");
    }

    #[test]
    fn other_architectures_are_refused() {
        let mut other = image(Some("/lib/ld-linux-aarch64.so.1"));
        other.machine = EM_AARCH64;
        problem(other, "built for aarch64, libmalloscope.so for x86-64");
        let mut other = image(Some("/lib/ld-linux.so.2"));
        (other.machine, other.wide) = (EM_386, false);
        problem(other, "built for i386");
        let mut other = image(Some("/libx32/ld-linux-x32.so.2"));
        other.wide = false;
        problem(other, "built for x32");
    }

    #[test]
    fn other_libcs_are_refused() {
        problem(image(Some("/lib/ld-musl-x86_64.so.1")), "runs on musl");
        problem(image(Some("/lib/ld-uClibc.so.0")), "runs on uClibc");
        problem(image(Some("/system/bin/linker64")), "Android");
        problem(image(Some("/nowhere/ld-linux-x86-64.so.2")), "not here");
    }

    #[test]
    fn what_has_no_loader_is_static() {
        problem(image(None), "without -static");
        let go = Image {
            is_go: true,
            ..image(None)
        };
        problem(go, "pprof");
    }

    #[test]
    fn the_loader_and_libraries_are_no_programs() {
        let mut library = image(None);
        library.kind = Kind::Library;
        problem(library.clone(), "no program");
        library.soname = Some("ld-linux-x86-64.so.2".to_owned());
        assert_eq!(said(library).0, Severity::Note);
    }
}
