//! Programs that run with more rights than who started them: nothing happens in them, whatever the
//! environment asks for.
//!
//! Only root can make such a program and start it as somebody else; elsewhere the tests say so and
//! pass. CI runs as root.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::STATUS;
use crate::harness::{Preload, compile, installed, library};

/// A directory that anybody may enter and write to, which those of the tests may not be.
pub struct Public(PathBuf);

impl Public {
    /// An empty one.
    pub fn new(name: &str) -> Public {
        let directory = std::env::temp_dir().join(format!("{name}.{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        permit(&directory, 0o777);
        Public(directory)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Copies a file into it that anybody may run.
    pub fn copy(&self, file: &Path, name: &str) -> PathBuf {
        let copy = self.0.join(name);
        fs::copy(file, &copy).expect("a copy");
        permit(&copy, 0o755);
        copy
    }

    fn dumps(&self) -> usize {
        let entries = fs::read_dir(&self.0).expect("the directory");
        entries
            .filter(|entry| {
                let name = entry.as_ref().expect("entry").file_name();
                name.to_string_lossy().starts_with("dump")
            })
            .count()
    }
}

impl Drop for Public {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sets the mode of a file.
pub fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}

/// False, and said, where the test cannot be made.
pub fn possible() -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let possible = root && installed("setpriv").is_some();
    if !possible {
        eprintln!("passed over: needs root and setpriv");
    }
    possible
}

/// The churning program with us among its libraries: the loader ignores what an unprivileged user
/// preloads, and must not be what the test relies on.
fn linked(public: &Public) -> PathBuf {
    let library = public.copy(&library(), "libmalloscope.so");
    let flags = [
        "-Xlinker",
        "--no-as-needed",
        library.to_str().expect("text"),
    ];
    let compiled = compile("churn.c", &flags);
    let program = public.copy(&compiled, "churn");
    // The next run has another directory, so this is of no use to it.
    let _ = fs::remove_file(compiled);
    program
}

fn as_nobody(public: &Public, program: &Path) -> Preload {
    let setpriv = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let prefix = public.0.join("dump");
    Preload::command(setpriv)
        .arg(program)
        .libraries(&[])
        .bare_conf(&format!(
            "prof:true,prof_final:true,lg_prof_sample:14,nonsense:1,prof_prefix:{}",
            prefix.display()
        ))
}

#[test]
fn without_privileges_the_same_program_is_profiled() {
    if possible() {
        let public = Public::new("malloscope-plain");
        let run = as_nobody(&public, &linked(&public)).run();
        assert_eq!(run.status.code(), STATUS, "{}", run.stderr);
        assert!(run.stderr.contains("nonsense"), "{}", run.stderr);
        assert_eq!(public.dumps(), 1);
    }
}

#[test]
fn a_setuid_program_is_left_alone() {
    if possible() {
        let public = Public::new("malloscope-setuid");
        let program = linked(&public);
        for mode in [0o4755, 0o2755] {
            permit(&program, mode);
            assert_silent(&public, &program);
        }
    }
}

#[test]
fn a_program_with_capabilities_is_left_alone() {
    if possible() && installed("setcap").is_some() {
        let public = Public::new("malloscope-setcap");
        let program = linked(&public);
        let status = Command::new("setcap")
            .arg("cap_net_bind_service=ep")
            .arg(&program)
            .status();
        assert!(status.expect("setcap").success());
        assert_silent(&public, &program);
    }
}

#[track_caller]
fn assert_silent(public: &Public, program: &Path) {
    let run = as_nobody(public, program).run();
    assert_eq!(
        (run.status.code(), run.stdout.as_str(), run.stderr.as_str()),
        (STATUS, "done\n", "")
    );
    assert_eq!(public.dumps(), 0);
}
