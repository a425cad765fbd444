//! A directory with programs to look at, and what `doctor` says of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A directory that is gone when the test ends.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("doctor-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory");
        Scratch(path)
    }

    pub fn compile(&self, name: &str, source: &str, arguments: &[&str]) {
        let file = self.0.join(format!("{name}.c"));
        fs::write(&file, source).expect("a source file");
        let mut compiler = Command::new("cc");
        compiler
            .current_dir(&self.0)
            .arg("-o")
            .arg(name)
            .arg(file)
            .args(arguments);
        assert!(compiler.status().expect("a C compiler").success(), "{name}");
    }

    pub fn script(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a script");
        self.mode(name, 0o755);
    }

    pub fn mode(&self, name: &str, mode: u32) {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.0.join(name), mode).expect("our own file");
    }

    pub fn malloscope(&self, subcommand: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_malloscope"));
        command
            .current_dir(&self.0)
            .env("MALLOSCOPE_LIB", libc())
            .arg(subcommand);
        for name in [
            "MALLOSCOPE_CONF",
            "MALLOC_CONF",
            "LD_PRELOAD",
            "PYTHONMALLOC",
        ] {
            command.env_remove(name);
        }
        command
    }

    pub fn doctor(&self, arguments: &[&str]) -> Report {
        Report::of(self.malloscope("doctor").arg("--").args(arguments).output())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What it said.
pub struct Report {
    pub code: Option<i32>,
    pub text: String,
}

impl Report {
    pub fn of(output: std::io::Result<Output>) -> Report {
        let output = output.expect("malloscope starts");
        Report {
            code: output.status.code(),
            text: String::from_utf8(output.stdout).expect("UTF-8"),
        }
    }

    /// A line with this verdict that has all these parts.
    pub fn says(&self, verdict: &str, parts: &[&str]) {
        let verdict = format!("{verdict} ");
        let mut lines = self.text.lines().filter(|line| line.starts_with(&verdict));
        let found = lines.any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "no {verdict}with {parts:?} in:\n{}", self.text);
        let is_problem = |line: &str| line.starts_with("problem ");
        let code = i32::from(self.text.lines().any(is_problem));
        assert_eq!(self.code, Some(code), "{}", self.text);
    }
}

pub fn libc() -> String {
    let maps = fs::read_to_string("/proc/self/maps").expect("maps");
    let mut paths = maps.lines().filter_map(|line| line.split(' ').next_back());
    let found = paths.find(|path| path.contains("/libc.so.6") || path.contains("/libc-2."));
    found.expect("glibc").to_owned()
}
