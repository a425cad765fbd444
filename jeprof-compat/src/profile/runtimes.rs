//! The language runtimes with a heap beside malloc: how the mappings of a process show one, what its heap
//! is called, and what samples it. Pure.

use super::model::Profile;

/// A runtime.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Runtime {
    /// Its name.
    pub name: &'static str,
    /// How the file names of its library and its executable begin.
    modules: &'static [&'static str],
    /// Memory of its own that malloc does not see.
    pub heap: &'static str,
    /// The kind that its objects have in a dump.
    pub kind: Option<&'static str>,
    /// What shows that heap.
    pub instead: &'static str,
}

const RUNTIMES: [Runtime; 8] = [
    Runtime {
        name: "Java",
        modules: &["libjvm.so"],
        heap: "the Java heap",
        kind: Some("java_heap"),
        instead: "prof_java_heap:true says which classes and lines",
    },
    Runtime {
        name: "Node.js",
        modules: &["node", "nodejs", "libnode.so", "electron"],
        heap: "V8's heap",
        kind: Some("js_heap"),
        instead: "prof_js_heap:true says which lines of JavaScript",
    },
    Runtime {
        name: "Ruby",
        modules: &["libruby", "ruby"],
        heap: "Ruby's object slots",
        kind: Some("ruby_objects"),
        instead: "prof_ruby_objects:true says which classes and lines",
    },
    Runtime {
        name: "Python",
        modules: &["libpython", "python"],
        heap: "pymalloc's arenas (objects up to 512 bytes)",
        kind: Some("python_objects"),
        instead: "prof_python_objects:true says which lines",
    },
    Runtime {
        name: ".NET",
        modules: &["libcoreclr.so"],
        heap: ".NET's heap",
        kind: None,
        instead: "dotnet-gcdump shows it",
    },
    Runtime {
        name: "PHP",
        modules: &["php", "libphp"],
        heap: "Zend's chunks",
        kind: None,
        instead: "USE_ZEND_ALLOC=0 sends them through malloc",
    },
    Runtime {
        name: "Erlang",
        modules: &["beam.smp"],
        heap: "Erlang's carriers",
        kind: None,
        instead: "erl +Mea min sends them through malloc",
    },
    Runtime {
        name: "LuaJIT",
        modules: &["libluajit", "luajit"],
        heap: "LuaJIT's own heap",
        kind: None,
        instead: "collectgarbage('count') says how large it is",
    },
];

impl Runtime {
    /// The first that is in a process, by its mappings.
    pub fn of(profile: &Profile) -> Option<&'static Runtime> {
        let files = || profile.mappings.iter().filter(|m| m.executable);
        RUNTIMES.iter().find(|runtime| {
            let is = |name: &str| runtime.modules.iter().any(|m| is_version_of(name, m));
            files().any(|mapping| is(mapping.file_name()))
        })
    }

    /// Does the dump have samples of its objects?
    pub fn is_sampled(&self, profile: &Profile) -> bool {
        let kind = self.kind.and_then(|kind| profile.other_kinds.get(kind));
        kind.is_some()
    }
}

/// `libruby-3.1.so.3.1` is a `libruby`, `python3.11` a `python`, and `nodeadm` no `node`.
fn is_version_of(name: &str, module: &str) -> bool {
    let rest = name.strip_prefix(module);
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::Mapping;

    fn runtime(path: &str) -> Option<&'static str> {
        let mapping = Mapping {
            path: path.to_owned(),
            executable: true,
            ..Mapping::default()
        };
        let profile = Profile {
            mappings: vec![mapping],
            ..Profile::default()
        };
        Runtime::of(&profile).map(|runtime| runtime.name)
    }

    #[test]
    fn a_runtime_is_known_by_its_files() {
        assert_eq!(runtime("/usr/lib/libruby-3.1.so.3.1"), Some("Ruby"));
        assert_eq!(runtime("/usr/bin/python3.11"), Some("Python"));
        assert_eq!(runtime("/usr/bin/node"), Some("Node.js"));
        assert_eq!(runtime("/usr/lib/jvm/libjvm.so"), Some("Java"));
        for other in [
            "/usr/bin/nodeadm",
            "/usr/lib/libpythonize.so",
            "/opt/app",
            "",
        ] {
            assert_eq!(runtime(other), None, "{other}");
        }
    }
}
