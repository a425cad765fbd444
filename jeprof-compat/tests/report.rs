//! `malloscope report` as a command: real dumps in, a page or a clear error out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A directory that is gone when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("dumps")).expect("a directory");
        Scratch(path)
    }

    /// A dump of a JVM whose command line has a secret; only so many bytes of it.
    fn dump(&self, pid: u32, bytes: usize) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/java/gzip.heap");
        let text = fs::read_to_string(source).expect("the dump");
        let text = text
            .replace("# pid 4711", &format!("# pid {pid}"))
            .replace("java%20-cp%20.", "java%20-Dtoken=s3cret%20-cp%20.");
        let text = &text.as_bytes()[..bytes.min(text.len())];
        let file = self.0.join(format!("dumps/m.{pid}.0.f.heap"));
        fs::write(file, text).expect("a dump");
    }

    fn report(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_malloscope"))
            .current_dir(&self.0)
            .args(["report", "dumps"])
            .args(arguments)
            .output()
            .expect("malloscope starts")
    }

    /// The page on the standard output.
    fn page(&self, arguments: &[&str]) -> String {
        let output = self.report(&[&["--output", "-"], arguments].concat());
        assert!(output.status.success(), "{}", error(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_page_is_written_and_the_command_line_only_when_it_may() {
    let scratch = Scratch::new("page");
    scratch.dump(4711, usize::MAX);
    let output = scratch.report(&[]);
    assert!(output.status.success(), "{}", error(&output));
    assert!(error(&output).contains("see report.html"));
    let page = fs::read_to_string(scratch.0.join("report.html")).expect("the page");
    assert!(page.starts_with("<!DOCTYPE html>") || page.starts_with("<!doctype html>"));
    assert!(page.contains("s3cret") && page.contains("4711"));
    for secret in ["--no-cmdline", "--redact"] {
        let page = scratch.page(&[secret]);
        assert!(
            !page.contains("s3cret") && page.contains("4711"),
            "{secret}"
        );
    }
}

#[test]
fn of_several_processes_one_has_the_page_and_the_rest_are_counted() {
    let scratch = Scratch::new("several");
    scratch.dump(4711, usize::MAX);
    scratch.dump(4712, usize::MAX);
    assert!(
        scratch
            .page(&[])
            .contains("1 more processes have dumps here")
    );
}

#[test]
fn a_dump_cut_short_anywhere_is_a_page_or_a_clear_error() {
    let scratch = Scratch::new("cut");
    for bytes in [0, 1, 40, 400, 2000] {
        scratch.dump(4711, bytes);
        let output = scratch.report(&["--output", "-"]);
        let said = error(&output);
        let page = output.stdout.ends_with(b"</html>\n");
        assert_eq!(output.status.success(), page, "{bytes} bytes: {said}");
        assert!(page || said.contains("m.4711.0.f.heap"), "{bytes}: {said}");
    }
}

#[test]
fn nothing_to_read_and_nowhere_to_write_are_said() {
    let scratch = Scratch::new("nothing");
    let output = scratch.report(&[]);
    assert!(!output.status.success());
    assert!(error(&output).contains("no dump can be read in dumps"));
    assert!(!scratch.0.join("report.html").exists());
    scratch.dump(4711, usize::MAX);
    let output = scratch.report(&["--output", "absent/report.html"]);
    assert!(!output.status.success());
    assert!(error(&output).contains("absent/report.html"));
}
