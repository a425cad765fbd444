//! `malloscope run` against real programs: what they get, what comes back, what is said. The
//! library preloaded here is libc itself, which changes nothing; a copied dump stands for what the
//! profiler would write.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A directory that is gone when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("run-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn libc() -> String {
    let maps = fs::read_to_string("/proc/self/maps").expect("maps");
    let mut paths = maps.lines().filter_map(|line| line.split(' ').next_back());
    let found = paths.find(|path| path.contains("/libc.so.6") || path.contains("/libc-2."));
    found.expect("glibc").to_owned()
}

fn malloscope(scratch: &Scratch) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_malloscope"));
    command
        .current_dir(&scratch.0)
        .env("MALLOSCOPE_LIB", libc())
        .env_remove("MALLOSCOPE_CONF")
        .env_remove("MALLOC_CONF")
        .env_remove("LD_PRELOAD")
        .env_remove("GITHUB_STEP_SUMMARY")
        .arg("run");
    command
}

fn run(scratch: &Scratch, arguments: &[&str]) -> Output {
    let mut command = malloscope(scratch);
    command.args(arguments).output().expect("malloscope starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn the_exit_code_is_the_programs() {
    let scratch = Scratch::new("exit");
    let code = |arguments: &[&str]| run(&scratch, arguments).status.code();
    assert_eq!(code(&["-o", "d", "true"]), Some(0));
    assert_eq!(code(&["-o", "d", "--", "sh", "-c", "exit 7"]), Some(7));
    assert_eq!(code(&["-o", "d", "sh", "-c", "kill -9 $$"]), Some(137));
    assert_eq!(code(&["-o", "d", "no-such-program"]), Some(127));
    fs::write(scratch.0.join("data"), "no program").expect("a file");
    assert_eq!(code(&["-o", "d", "./data"]), Some(126));
    assert_eq!(code(&["-o", "a,b", "true"]), Some(125));
}

#[test]
fn the_program_gets_its_arguments_and_our_variables() {
    let scratch = Scratch::new("environment");
    let show = "echo \"$#:$1:$2\"; echo \"$LD_PRELOAD\"; echo \"$MALLOSCOPE_CONF\"";
    let output = run(
        &scratch,
        &["-o", "d", "sh", "-c", show, "sh", "-x", "--cum=a b"],
    );
    let stdout = text(&output.stdout);
    let lines: Vec<&str> = stdout.lines().collect();
    let prefix = scratch.0.join("d/malloscope");
    assert_eq!(lines[0], "2:-x:--cum=a b");
    assert_eq!(lines[1], libc());
    assert!(lines[2].starts_with("prof:true,prof_final:true,"));
    assert!(lines[2].ends_with(&format!(",prof_prefix:{}", prefix.display())));
    assert_eq!(lines.len(), 3, "stdout is the program's alone");
}

#[test]
fn what_the_user_set_is_kept() {
    let scratch = Scratch::new("kept");
    let output = malloscope(&scratch)
        .env("LD_PRELOAD", libc())
        .env("MALLOSCOPE_CONF", "lg_prof_sample:12")
        .args(["-o", "d", "sh", "-c"])
        .arg("echo \"$LD_PRELOAD\"; echo \"$MALLOSCOPE_CONF\"")
        .output()
        .expect("malloscope starts");
    let stdout = text(&output.stdout);
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], format!("{0}:{0}", libc()));
    assert!(lines[1].ends_with(",lg_prof_sample:12"));
}

#[test]
fn what_is_asked_for_goes_before_the_variables() {
    let scratch = Scratch::new("wishes");
    let output = malloscope(&scratch)
        .env("MALLOSCOPE_CONF", "lg_prof_sample:12")
        .args(["-o", "d", "--every", "5m", "--rate=256k", "sh", "-c"])
        .arg("echo \"$MALLOSCOPE_CONF\"")
        .output()
        .expect("malloscope starts");
    let stdout = text(&output.stdout);
    let ours = ",lg_prof_sample:12,prof_timer:300,lg_prof_sample:18\n";
    assert!(stdout.ends_with(ours), "{stdout}");
    let refused = run(&scratch, &["--every", "soon", "true"]);
    assert!(text(&refused.stderr).contains("seconds, or with s, m, h or d behind them"));
}

/// Four hours of a process that keeps a megabyte of each minute.
fn leak() -> String {
    let births: Vec<String> = (0..240)
        .map(|minute| format!("{minute}:2:1048576"))
        .collect();
    let bytes = 240 << 20;
    format!(
        "heap_v2/524288\n# malloscope 1\n# pid 7\n# uptime_ms 14400000\n# epochs 60000 240\n\
         @ 0x401100 0x401201\n  t*: 480: {bytes} [0: 0]\n\
         # stack 1 live=480:480.000:{bytes} variance=1 births={}\n\nMAPPED_LIBRARIES:\n# end\n",
        births.join(",")
    )
}

#[test]
fn a_leak_fails_the_run_where_that_was_asked_for() {
    let scratch = Scratch::new("leak");
    fs::write(scratch.0.join("leak.heap"), leak()).expect("a dump");
    let script = "cp leak.heap $0/malloscope.7.0.t0.heap; exit 9";
    let code = |directory: &str, limit: &[&str]| {
        let common = ["-o", directory, "sh", "-c", script, directory];
        let output = run(&scratch, &[limit, &common].concat());
        let said = text(&output.stderr);
        assert!(
            said.contains("malloscope: Yes, it leaks 60.0 MB/h"),
            "{said}"
        );
        let page = fs::read_to_string(scratch.0.join(directory).join("report.html"));
        assert!(page.expect("a page").contains("Yes, it leaks 60.0 MB/h"));
        assert!(said.contains(&format!("malloscope: report: {directory}/report.html\n")));
        let next = format!("malloscope suspects {directory}\n");
        let (_, verdict) = said.split_once(&next).expect("the next command");
        if output.status.code() == Some(9) {
            assert_eq!(verdict, "");
        } else {
            let words = "at least 53.8 MB/h leak for certain (the program's own exit code was 9)\n";
            assert!(verdict.starts_with("malloscope: exit 3, for --fail-if-leak "));
            assert!(verdict.ends_with(words), "{said}");
        }
        output.status.code()
    };
    assert_eq!(code("a", &[]), Some(9));
    assert_eq!(code("b", &["--fail-if-leak", "10MB/h"]), Some(3));
    assert_eq!(code("c", &["--fail-if-leak", "512k/min"]), Some(3));
    assert_eq!(code("d", &["--fail-if-leak", "100"]), Some(9));
    assert_eq!(code("e", &["--fail-if-leak", "2MB/min"]), Some(9));
    let refused = run(&scratch, &["--fail-if-leak", "much", "true"]);
    assert!(text(&refused.stderr).contains("as in 10MB/h, 512k/min or 3k/s"));
}

/// Silence is no pass: a build that measured nothing does not know that nothing leaks.
#[test]
fn nothing_measured_fails_the_run_where_a_pass_was_asked_for() {
    let scratch = Scratch::new("unseen");
    let line = ": too little was seen to tell whether it leaks";
    let code = |arguments: &[&str]| {
        let output = run(&scratch, arguments);
        let said = text(&output.stderr);
        assert_eq!(
            said.contains(line),
            arguments[0] == "--fail-if-leak",
            "{said}"
        );
        output.status.code()
    };
    assert_eq!(code(&["-o", "a", "true"]), Some(0));
    assert_eq!(
        code(&["--fail-if-leak", "1MB/h", "-o", "b", "true"]),
        Some(4)
    );
    let failing = ["--fail-if-leak", "1MB/h", "-o", "c", "sh", "-c", "exit 9"];
    assert_eq!(
        code(&failing),
        Some(9),
        "the program's own failure goes first"
    );
    // Half a dump proves nothing, neither of a leak nor of none.
    fs::write(scratch.0.join("half.heap"), leak().replace("# end\n", "")).expect("a dump");
    let script = "cp half.heap d/malloscope.7.0.t0.heap";
    let half = ["--fail-if-leak", "1MB/h", "-o", "d", "sh", "-c", script];
    assert_eq!(code(&half), Some(4));
    let said = text(
        &run(
            &scratch,
            &[
                "-o",
                "d",
                "sh",
                "-c",
                "cp half.heap d/malloscope.7.1.t1.heap",
            ],
        )
        .stderr,
    );
    assert!(
        said.contains("The only dump is not whole: no verdict"),
        "{said}"
    );
}

/// A pass says that nothing leaks as fast as that; what could not have been seen is no pass.
#[test]
fn a_limit_below_what_can_be_seen_is_no_pass() {
    let scratch = Scratch::new("hidden");
    // All of it is as old as the process.
    let births = "births=0:480:251658240";
    let calm = leak().split("births=").next().expect("a head").to_owned()
        + births
        + "\n\nMAPPED_LIBRARIES:\n# end\n";
    fs::write(scratch.0.join("calm.heap"), calm).expect("a dump");
    let script = "cp calm.heap d/malloscope.7.0.t0.heap";
    let said_with = |limit: &str| {
        let output = run(
            &scratch,
            &["--fail-if-leak", limit, "-o", "d", "sh", "-c", script],
        );
        let again = Command::new(env!("CARGO_BIN_EXE_malloscope"))
            .args(["suspects", "--fail-if-leak", limit, "d"])
            .current_dir(&scratch.0)
            .output();
        let again = again.expect("malloscope starts");
        assert_eq!(
            again.status.code(),
            output.status.code(),
            "{}",
            text(&again.stderr)
        );
        fs::remove_dir_all(scratch.0.join("d")).expect("removal");
        (output.status.code(), text(&output.stderr))
    };
    let (code, said) = said_with("1MB/h");
    assert_eq!(code, Some(4), "{said}");
    assert!(
        said.contains("No leak visible above ")
            && said.contains(" may be there that cannot be told"),
        "{said}"
    );
    assert_eq!(said_with("100MB/h").0, Some(0));
}

#[test]
fn an_age_that_was_not_reached_makes_no_leak() {
    let scratch = Scratch::new("horizon");
    fs::write(scratch.0.join("leak.heap"), leak()).expect("a dump");
    let script = "cp leak.heap $0/malloscope.7.0.t0.heap";
    let said = |directory: &str, horizon: &str| {
        let arguments = [
            "--horizon",
            horizon,
            "-o",
            directory,
            "sh",
            "-c",
            script,
            directory,
        ];
        text(&run(&scratch, &arguments).stderr)
    };
    assert!(said("a", "1h").contains("malloscope: Yes, it leaks 60.0 MB/h"));
    let early = said("b", "5h");
    assert!(
        early.contains("It grows 60.0 MB/h, and nothing of it was ever freed"),
        "{early}"
    );
    assert!(
        early.contains("nothing was freed in the 4 h watched, but asked for is an age of 5 h"),
        "{early}"
    );
}

#[test]
fn the_end_is_told_first() {
    let scratch = Scratch::new("end");
    fs::write(scratch.0.join("leak.heap"), leak()).expect("a dump");
    let said = |directory: &str, end: &str| {
        let script = format!("cp leak.heap {directory}/malloscope.7.0.t0.heap; {end}");
        text(&run(&scratch, &["-o", directory, "sh", "-c", &script]).stderr)
    };
    let failed = said("a", "exit 1");
    let (end, verdict) = (
        failed.find("malloscope: It ended with exit code 1 after"),
        failed.find("Yes, it leaks"),
    );
    assert!(end.is_some() && end < verdict, "{failed}");
    let page = fs::read_to_string(scratch.0.join("a/report.html")).expect("a page");
    assert!(page.contains("<p>It ended with exit code 1 after"));
    assert!(said("b", "kill -9 $$").contains("malloscope: It was killed by SIGKILL after"));
    assert!(said("c", "kill -11 $$").contains("malloscope: It was ended by SIGSEGV after"));
    assert!(!said("d", "true").contains("malloscope: It "));
}

#[test]
fn the_summary_of_a_job_gets_the_answer() {
    let scratch = Scratch::new("job");
    fs::write(scratch.0.join("leak.heap"), leak()).expect("a dump");
    let file = scratch.0.join("summary.md");
    fs::write(&file, "of the step before\n").expect("a summary");
    let script = "cp leak.heap d/malloscope.7.0.t0.heap";
    for asked in [&[][..], &["--fail-if-leak", "10MB/h"]] {
        let _ = fs::remove_dir_all(scratch.0.join("d"));
        let status = malloscope(&scratch)
            .env("GITHUB_STEP_SUMMARY", &file)
            .args([asked, &["-o", "d", "sh", "-c", script]].concat())
            .status();
        let status = status.expect("malloscope starts");
        assert_eq!(status.code(), Some(if asked.is_empty() { 0 } else { 3 }));
        let summary = fs::read_to_string(&file).expect("the summary");
        assert!(summary.starts_with("of the step before\n"), "{summary}");
        let answered = summary.contains("\n### Yes, it leaks 60.0 MB/h");
        assert_eq!(answered, !asked.is_empty(), "{summary}");
    }
}

#[test]
fn while_it_runs_it_says_what_is_live() {
    let scratch = Scratch::new("progress");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/leaky/leaky.heap");
    // Until the line is there, however slow the machine is.
    let script =
        "cp $0 d/malloscope.7.0.t0.heap; until grep -q 'live 10.1 MB' said; do sleep 0.1; done";
    let said = fs::File::create(scratch.0.join("said")).expect("a file");
    let data = data.display().to_string();
    let status = malloscope(&scratch)
        .args(["-o", "d", "--every=1s", "sh", "-c", script, &data])
        .stderr(said)
        .status()
        .expect("malloscope starts");
    assert!(status.success());
    let said = fs::read_to_string(scratch.0.join("said")).expect("what was said");
    assert!(
        said.contains("live 10.1 MB in the first dump; RSS "),
        "{said}"
    );
    assert!(!said.contains('\r'), "{said}");
}

#[test]
fn the_summary_names_the_biggest_call_sites_of_new_dumps() {
    let scratch = Scratch::new("summary");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/leaky");
    fs::create_dir(scratch.0.join("d")).expect("a directory");
    let old = scratch.0.join("d/malloscope.1.0.f.heap");
    fs::copy(data.join("leaky.heap"), old).expect("an old dump");
    let script =
        "cp $0/less.heap d/malloscope.7.0.i0.heap; cp $0/leaky.heap d/malloscope.7.1.f.heap";
    let data = data.display().to_string();
    let output = run(&scratch, &["-o", "d", "sh", "-c", script, &data]);
    let said = text(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("malloscope: running "), "{said}");
    assert_eq!(
        lines[1],
        "malloscope: 2 dumps; the most is live in d/malloscope.7.1.f.heap: 10.1 MB"
    );
    let sites = lines
        .iter()
        .position(|l| *l == "malloscope: biggest call sites:");
    let sites = sites.expect("the biggest call sites");
    assert!(sites > 2, "the answer comes first: {said}");
    let rows = &lines[sites + 1..sites + 6];
    assert!(rows.iter().all(|l| l.starts_with("  ")), "{said}");
    let picture = lines[sites + 6];
    assert!(picture.starts_with("malloscope: call graph: "), "{said}");
    assert!(picture.ends_with(" -o d/malloscope.7.1.f.svg"), "{said}");
    assert!(
        lines[sites + 7].starts_with("malloscope: report: "),
        "{said}"
    );
    assert_eq!(lines.len(), 13);
}

#[test]
fn a_run_without_dumps_says_so() {
    let scratch = Scratch::new("none");
    let said = text(&run(&scratch, &["true"]).stderr);
    assert!(said.contains("no dump was written"), "{said}");
    let mut made = fs::read_dir(&scratch.0).expect("a directory");
    let name = made
        .next()
        .expect("an entry")
        .expect("an entry")
        .file_name();
    assert!(name.to_string_lossy().starts_with("malloscope-true-20"));
}

#[test]
fn a_word_that_is_no_option_is_no_program_either() {
    let scratch = Scratch::new("option");
    let output = run(&scratch, &["--evry", "1", "true"]);
    assert_eq!(output.status.code(), Some(125));
    assert!(text(&output.stderr).contains("there is no option --evry"));
}

#[test]
fn a_command_that_sets_our_variable_is_told_what_that_means() {
    let scratch = Scratch::new("sets");
    for command in [
        &["env", "MALLOSCOPE_CONF=prof:true", "true"][..],
        &["sh", "-c", "MALLOSCOPE_CONF=prof:true true"],
    ] {
        let said = text(&run(&scratch, command).stderr);
        assert!(said.contains("sets MALLOSCOPE_CONF itself"), "{said}");
    }
}

#[test]
fn nobody_who_listens_does_not_change_the_exit_code() {
    let scratch = Scratch::new("deaf");
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    let mut command = malloscope(&scratch);
    let status = command.args(["sh", "-c", "exit 5"]).stderr(full()).status();
    assert_eq!(status.expect("malloscope starts").code(), Some(5));
    let mut companion = Command::new(env!("CARGO_BIN_EXE_jeprof-compat"));
    let status = companion.arg("--bogus").stderr(full()).status();
    assert_eq!(status.expect("jeprof-compat starts").code(), Some(1));
}

#[test]
fn a_missing_library_is_named() {
    let scratch = Scratch::new("missing");
    let output = malloscope(&scratch)
        .env("MALLOSCOPE_LIB", "/nowhere/lib.so")
        .arg("true")
        .output()
        .expect("malloscope starts");
    assert_eq!(output.status.code(), Some(125));
    assert!(text(&output.stderr).contains("MALLOSCOPE_LIB names /nowhere/lib.so"));
}

/// Signals meant for the program reach it, and it decides about its end.
#[test]
fn signals_are_passed_on() {
    let scratch = Scratch::new("signals");
    for (signal, script, code) in [
        ("TERM", "echo ready; exec sleep 60", 143),
        ("INT", "trap 'exit 9' INT; echo ready; sleep 20 & wait", 9),
        ("USR1", "trap 'exit 8' USR1; echo ready; sleep 20 & wait", 8),
    ] {
        let mut child = malloscope(&scratch)
            .args(["-o", "d", "sh", "-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("malloscope starts");
        let mut ready = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        stdout.read_line(&mut ready).expect("a line");
        let pid = child.id().to_string();
        let kill = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(kill.expect("kill").success());
        let status = child.wait().expect("an end");
        assert_eq!(status.signal(), None);
        assert_eq!(status.code(), Some(code), "{signal}");
    }
}
