//! The JDKs of the machine, and Java programs compiled for them. Called by the tests of Java.
//!
//! JDKs are those of `/usr/lib/jvm`, and what `MALLOSCOPE_JAVA_HOMES` names (colons between):
//! `tests/more_jdks.sh` gets JDK 11 and 21. Programs are compiled by the oldest that knows what they
//! use; a test that no JDK here can do is passed over, with a line that says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::harness::{Preload, Run, source};

/// Held while a Java program is compiled.
static COMPILER: Mutex<()> = Mutex::new(());

/// A JDK or a runtime without compiler.
#[derive(Clone, Debug)]
pub struct Jdk {
    /// Its directory.
    pub home: PathBuf,
    /// 17 of 17.0.15.
    pub version: u32,
}

/// Those of the machine, and those that `MALLOSCOPE_JAVA_HOMES` names.
pub fn jdks() -> Vec<Jdk> {
    let listed = fs::read_dir("/usr/lib/jvm").into_iter().flatten();
    let more = std::env::var("MALLOSCOPE_JAVA_HOMES").unwrap_or_default();
    let homes = listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .chain(more.split(':').map(PathBuf::from));
    let mut found: Vec<Jdk> = homes
        .filter_map(|home| fs::canonicalize(home).ok())
        .filter(|home| libjvm(home).is_file())
        .filter_map(|home| {
            Some(Jdk {
                version: version(&home)?,
                home,
            })
        })
        .collect();
    found.sort_by_key(|jdk| (jdk.version, jdk.home.clone()));
    found.dedup_by_key(|jdk| jdk.home.clone());
    if found.is_empty() {
        println!("passed over: no JDK in /usr/lib/jvm");
    }
    found
}

/// The JVM of a JDK.
pub fn libjvm(home: &Path) -> PathBuf {
    home.join("lib/server/libjvm.so")
}

/// The number of a JDK: 17 of `JAVA_VERSION="17.0.15"`.
pub fn version(home: &Path) -> Option<u32> {
    let release = fs::read_to_string(home.join("release")).ok()?;
    let line = release
        .lines()
        .find_map(|line| line.strip_prefix("JAVA_VERSION=\""))?;
    line.split(['.', '"']).next()?.parse().ok()
}

impl Jdk {
    /// Its launcher.
    pub fn java(&self) -> String {
        self.home.join("bin/java").to_string_lossy().into_owned()
    }

    /// Where its headers are, as flags of a compiler.
    pub fn include(&self) -> Option<[String; 2]> {
        let include = self.home.join("include");
        let text = |path: PathBuf| format!("-I{}", path.display());
        include
            .join("jni.h")
            .is_file()
            .then(|| [text(include.clone()), text(include.join("linux"))])
    }

    /// A program of ours on this JDK.
    pub fn run(&self, program: &str, flags: &[&str], arguments: &[&str], conf: &str) -> Run {
        let classes = classes(program).to_string_lossy().into_owned();
        let name = Path::new(program)
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let java = self.java();
        let words = [java.as_str()].into_iter().chain(flags.iter().copied());
        let words = words
            .chain(["-cp", &classes, &name])
            .chain(arguments.iter().copied());
        Preload::command(words).conf(conf).run()
    }
}

/// The version of Java that a program needs.
fn needs(program: &str) -> u32 {
    match program {
        "tests/java/Foreign.java" => 22,
        "tests/java/Virtual.java" | "tests/java/Pinned.java" => 21,
        _ => 11,
    }
}

/// JDKs that can run a program, if one of them can compile it.
pub fn able(program: &str) -> Vec<Jdk> {
    let able: Vec<_> = jdks()
        .into_iter()
        .filter(|jdk| jdk.version >= needs(program))
        .collect();
    if able.iter().any(|jdk| jdk.home.join("bin/javac").is_file()) {
        return able;
    }
    println!(
        "passed over: no JDK of {} or later for {program}",
        needs(program)
    );
    Vec::new()
}

/// The directory of the classes of a program, compiled now if they are not there.
pub fn classes(program: &str) -> PathBuf {
    let file = source(program);
    let name = file.file_stem().expect("a name");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("classes")
        .join(name);
    let _one = COMPILER
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let class = directory.join(name).with_extension("class");
    if modified(&class) > modified(&file) {
        return directory;
    }
    let compilers = jdks()
        .into_iter()
        .filter(|jdk| jdk.version >= needs(program));
    let javac = compilers
        .map(|jdk| jdk.home.join("bin/javac"))
        .find(|javac| javac.is_file())
        .expect("a compiler");
    let compiled = Command::new(javac)
        .args(["--release", &needs(program).to_string(), "-d"])
        .args([&directory, &file])
        .output()
        .expect("javac");
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{program}: {said}");
    directory
}
