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
        self.write(&format!("m.{pid}.0.f.heap"), text);
    }

    fn write(&self, name: &str, text: &[u8]) {
        fs::write(self.0.join("dumps").join(name), text).expect("a dump");
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
    assert_eq!(page, scratch.page(&[]), "same dumps, same bytes");
    let page = scratch.page(&["--no-cmdline"]);
    assert!(!page.contains("s3cret") && page.contains("4711"));
    let page = scratch.page(&["--redact"]);
    assert!(!page.contains("s3cret") && !page.contains("4711"));
    assert!(!page.contains("/nowhere"));
}

#[test]
fn of_several_processes_each_can_be_had_and_the_page_says_whose_it_is() {
    let scratch = Scratch::new("several");
    for pid in [4711, 4712, 4713] {
        scratch.dump(pid, usize::MAX);
    }
    let page = scratch.page(&[]);
    assert!(page.contains("This page is about process 4711. 2 other processes have dumps"));
    assert!(page.contains("malloscope report DIR --pid 4712"));
    let page = scratch.page(&["--pid", "4712"]);
    assert!(page.contains("This page is about process 4712."));
    assert!(page.contains("--pid 4711") && !page.contains("--pid 4712"));
    let output = scratch.report(&["--pid", "1"]);
    assert!(!output.status.success());
    assert!(error(&output).contains("no such process; there are dumps of pid 4711"));
    // A page for each, and from one to the other.
    let output = scratch.report(&["--each", "--output", "all the pages.html"]);
    assert!(output.status.success(), "{}", error(&output));
    let read = |name: &str| fs::read_to_string(scratch.0.join(name)).expect(name);
    let first = read("all the pages.html");
    assert!(first.contains("<a href=\"./all%20the%20pages.4712.html\">"));
    let second = read("all the pages.4712.html");
    assert!(second.contains("about process 4712"));
    assert!(second.contains("<a href=\"./all%20the%20pages.html\">"));
    assert!(second.contains("<a href=\"./all%20the%20pages.4713.html\">"));
    let output = scratch.report(&["--each", "--output", "-"]);
    assert!(!output.status.success() && output.stdout.is_empty());
}

#[test]
fn names_from_a_dump_are_text_whatever_they_are() {
    let scratch = Scratch::new("names");
    scratch.dump(4711, usize::MAX);
    let path = scratch.0.join("dumps/m.4711.0.f.heap");
    let mut text = fs::read(&path).expect("the dump");
    let frame = b"com.example.logging.ExceptionLogger\tlog";
    let at = text
        .windows(frame.len())
        .position(|w| w == frame)
        .expect("a frame");
    let mut name = b"</script><script>window.pwned=1</script>%00%e2%80%ae\xff\xfe]]>".to_vec();
    name.extend(vec![b'x'; 1 << 20]);
    text.splice(at..at + frame.len(), [name, b"\tlog".to_vec()].concat());
    fs::write(&path, text).expect("a dump");
    let page = scratch.page(&[]);
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(page.contains("letters left out") && page.len() < 1 << 20);
    assert!(!page.contains(['\0', '\u{202e}']));
}

#[test]
fn absurd_numbers_are_a_page_or_a_clear_error() {
    const MOST: &str = "18446744073709551615";
    let scratch = Scratch::new("numbers");
    for (at, rss) in ["-5", "1e999", "NaN", MOST].into_iter().enumerate() {
        let text = format!(
            "heap_v2/{MOST}\n# malloscope 1\n# pid {MOST}\n# uptime_ms {MOST}\n# rss_bytes {rss}\n\
             # rss_anonymous_bytes {rss}\n# cgroup_limit_bytes {rss}\n# epochs {MOST} {MOST}\n\
             \x20 t*: {MOST}: {MOST} [0: 0]\n@ 0x1 0x2\n  t*: {MOST}: {MOST} [0: 0]\n\
             # stack 0 live={MOST}:1e300:{MOST} variance={MOST} alloc=1:1:1 size=1-{MOST} births=4294967295:{MOST}:{MOST}\n\
             @ 0x3\n  t*: {MOST}: {MOST} [0: 0]\n# stack 1 live={MOST}:1.0:{MOST} variance=1 alloc=1:1:1 births=1:2:3\n\
             \nMAPPED_LIBRARIES:\n# end\n"
        );
        fs::write(scratch.0.join(format!("dumps/m.9.{at}.i{at}.heap")), text).expect("a dump");
        let output = scratch.report(&["--output", "-"]);
        let page = output.stdout.ends_with(b"</html>\n");
        assert_eq!(output.status.success(), page, "{rss}: {}", error(&output));
        assert!(!error(&output).contains("panicked"), "{}", error(&output));
    }
}

#[test]
fn thousands_of_dumps_are_one_small_page() {
    let scratch = Scratch::new("many");
    scratch.dump(4711, usize::MAX);
    let first = scratch.0.join("dumps/m.4711.0.f.heap");
    let text = fs::read_to_string(&first).expect("the dump");
    for n in 0..1000 {
        let facts = format!(
            "# uptime_ms {}\n# rss_bytes 9000000\n# epochs 2000 4\n",
            n * 1000
        );
        let text = text.replace("# epochs 2000 4\n", &facts);
        fs::write(scratch.0.join(format!("dumps/m.4711.{n}.t{n}.heap")), text).expect("a dump");
    }
    fs::remove_file(first).expect("the first dump goes");
    let page = scratch.page(&[]);
    assert!(page.len() < 400_000, "{} bytes", page.len());
    assert!(page.contains("Of 1000 dumps the call paths of 120 are here"));
    assert_eq!(page.matches("class=\"tick\"").count(), 240, "two drawings");
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
fn a_cut_dump_beside_a_whole_one_of_its_process_is_left_out() {
    let scratch = Scratch::new("beside");
    scratch.dump(4711, usize::MAX);
    let whole = fs::read(scratch.0.join("dumps/m.4711.0.f.heap")).expect("the dump");
    scratch.write("m.4711.1.f.heap", &whole[..whole.len() / 2]);
    let left_out = "m.4711.1.f.heap: left out, it is not whole";
    assert!(scratch.page(&[]).contains(left_out));
    fs::remove_file(scratch.0.join("dumps/m.4711.0.f.heap")).expect("was there");
    assert!(!scratch.page(&[]).contains(left_out));
}

#[test]
fn nothing_to_read_and_nowhere_to_write_are_said() {
    let scratch = Scratch::new("nothing");
    let output = scratch.report(&[]);
    assert!(!output.status.success());
    assert!(error(&output).contains("there is no dump in dumps"));
    assert!(!scratch.0.join("report.html").exists());
    scratch.dump(4711, usize::MAX);
    let output = scratch.report(&["--output", "absent/report.html"]);
    assert!(!output.status.success());
    assert!(error(&output).contains("absent/report.html"));
}
