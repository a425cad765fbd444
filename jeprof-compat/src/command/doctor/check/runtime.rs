//! Runtimes with a heap of their own: which memory does not pass malloc, and what shows it. Pure.

use crate::command::doctor::finding::Finding;
use crate::command::doctor::target::search::{Libraries, Object};

/// A runtime, how it is recognised, and what is to be known.
pub(crate) struct Runtime {
    /// Names of its programs, without a version.
    programs: &'static [&'static str],
    /// How the names of its libraries begin.
    libraries: &'static [&'static str],
    unseen: &'static str,
    instead: &'static str,
    /// What sends that memory through malloc when it is set.
    switch: Option<(&'static str, &'static str)>,
    /// An allocator inside that is used on request alone.
    pub(crate) only_on_request: Option<&'static str>,
}

const NONE: Runtime = Runtime {
    programs: &[],
    libraries: &[],
    unseen: "",
    instead: "",
    switch: None,
    only_on_request: None,
};

static RUNTIMES: [Runtime; 8] = [
    Runtime {
        programs: &["java"],
        libraries: &["libjli.so", "libjvm.so"],
        unseen: "the Java heap, metaspace and compiled code are mapped, not malloc'ed; what native code \
                 takes (direct buffers, zlib, JNI, the JVM itself) has the Java line",
        instead: "malloscope run samples the Java heap too (prof_java_heap:true)",
        ..NONE
    },
    Runtime {
        programs: &["node", "nodejs", "electron", "deno"],
        libraries: &["libnode.so"],
        unseen: "the heap of V8 is mapped, not malloc'ed; Buffers, addons and the C++ side are seen, with the \
                 line of the script",
        instead: "malloscope run samples V8's heap too (prof_js_heap:true), on Node 20 to 24",
        ..NONE
    },
    Runtime {
        programs: &["ruby"],
        libraries: &["libruby"],
        unseen: "Ruby's object slots live in heap pages of its own; the strings, arrays and extensions behind \
                 the slots are seen, with the line of the script",
        instead: "malloscope run samples the objects too (prof_ruby_objects:auto)",
        ..NONE
    },
    Runtime {
        programs: &["python", "pypy"],
        libraries: &["libpython"],
        unseen: "objects up to 512 bytes live in pymalloc's mapped arenas, not in malloc",
        instead: "malloscope run samples them at CPython's own allocator (prof_python_objects:true)",
        switch: Some(("PYTHONMALLOC", "malloc")),
        only_on_request: Some("mimalloc"),
    },
    Runtime {
        programs: &["php", "php-fpm", "php-cgi"],
        libraries: &["libphp"],
        unseen: "Zend's memory manager maps chunks of its own",
        instead: "USE_ZEND_ALLOC=0 sends it through malloc",
        switch: Some(("USE_ZEND_ALLOC", "0")),
        ..NONE
    },
    Runtime {
        programs: &["dotnet"],
        libraries: &["libcoreclr", "libhostfxr"],
        unseen: "the heap of .NET is mapped, not malloc'ed; seen is what native code takes",
        instead: "for the managed heap: dotnet-gcdump",
        ..NONE
    },
    Runtime {
        programs: &["erl", "beam.smp"],
        libraries: &[],
        unseen: "Erlang's allocators map carriers of their own",
        instead: "erl +Mea min sends them through malloc",
        ..NONE
    },
    Runtime {
        programs: &["ghc", "ghci", "runghc"],
        libraries: &["libHSrts"],
        unseen: "Haskell's heap is mapped, not malloc'ed; seen is what native code takes",
        instead: "for the heap: +RTS -hT",
        ..NONE
    },
];

/// The runtime that `program` is, or is linked to.
pub(crate) fn of(program: &Object, libraries: &Libraries) -> Option<&'static Runtime> {
    let name = program.name();
    let found: Vec<String> = libraries.found.iter().map(Object::name).collect();
    RUNTIMES.iter().find(|runtime| {
        let is_program = runtime.programs.iter().any(|p| is_version_of(&name, p));
        let is_library =
            |library: &String| runtime.libraries.iter().any(|l| library.starts_with(l));
        is_program || found.iter().any(is_library)
    })
}

/// What is to be known of it. `variable` reads the environment.
pub(crate) fn finding(runtime: &Runtime, variable: impl Fn(&str) -> Option<String>) -> Finding {
    const ABOUT: &str = "runtime";
    if let Some((name, value)) = runtime.switch
        && variable(name).as_deref() == Some(value)
    {
        let text = format!("{name}={value} is set: the runtime's own allocator stands aside");
        return Finding::ok(ABOUT, text);
    }
    Finding::note(ABOUT, runtime.unseen).instead(runtime.instead)
}

/// `python3.13t` is a `python`, `javac` is no `java`.
fn is_version_of(name: &str, program: &str) -> bool {
    let Some(version) = name.strip_prefix(program) else {
        return false;
    };
    let version = version.strip_prefix('-').unwrap_or(version);
    version.is_empty()
        || (version.starts_with(|c: char| c.is_ascii_digit())
            && version
                .chars()
                .all(|c| c.is_ascii_digit() || ".td".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Severity;
    use crate::command::doctor::target::image::Image;

    fn object(path: &str) -> Object {
        Object {
            path: path.into(),
            image: Image::default(),
        }
    }

    fn said(path: &str, library: &str) -> Option<&'static str> {
        let libraries = Libraries {
            found: vec![object(library)],
            missing: Vec::new(),
        };
        of(&object(path), &libraries).map(|runtime| runtime.programs[0])
    }

    #[test]
    fn runtimes_are_told_by_program_or_library() {
        assert_eq!(said("/usr/bin/python3.13t", ""), Some("python"));
        assert_eq!(said("/usr/bin/ruby3.1", ""), Some("ruby"));
        assert_eq!(said("/usr/sbin/php-fpm8.2", ""), Some("php"));
        assert_eq!(said("/usr/bin/javac", "/jvm/lib/libjli.so"), Some("java"));
        assert_eq!(
            said("/usr/bin/uwsgi", "/lib/libpython3.11.so.1.0"),
            Some("python")
        );
        assert_eq!(said("/usr/bin/nodeadm", ""), None);
        assert_eq!(said("/usr/bin/python3-config", ""), None);
    }

    #[test]
    fn the_switch_makes_it_fine() {
        let none = Libraries::default();
        let python = of(&object("/usr/bin/python3"), &none).expect("Python");
        let set = |value: &str| {
            let value = value.to_owned();
            move |name: &str| (name == "PYTHONMALLOC").then(|| value.clone())
        };
        assert_eq!(finding(python, set("malloc")).verdict, Severity::Ok);
        assert_eq!(finding(python, set("debug")).verdict, Severity::Note);
        let said = finding(python, |_| None).sentence();
        assert!(said.contains("prof_python_objects:true"), "{said}");
    }
}
