//! stderr is the program's: what the profiler has to remark goes into the dump, to `status`, to a file
//! that is asked for and so to `malloscope run`, and is printed with `confirm_conf` alone.

use std::os::unix::process::ExitStatusExt;

use crate::control::wait_for;
use crate::harness::{Preload, Run, compile, library, malloscope};

const SIGNAL: &str = "prof_signal: signal 10 has a handler, or is ignored: it stays as it is";
const SHADOWED: &str = "malloc is defined before this library: nothing can be sampled";

/// A program that was started with SIGUSR1 ignored, and a profiler that should take it.
fn deaf(program: &str) -> Preload {
    let script = format!("trap '' USR1; exec {program}");
    Preload::command(["sh", "-c"]).arg(script)
}

fn deaf_churn(conf: &str) -> Run {
    let conf = format!("prof:true,prof_final:true,lg_prof_sample:14,prof_signal:10{conf}");
    let program = compile("churn.c", &[]);
    deaf(&program.display().to_string()).conf(&conf).run()
}

#[test]
fn a_remark_stands_in_the_dump_and_on_stderr_only_on_request() {
    let run = deaf_churn("");
    assert_eq!(run.stderr, "");
    assert_eq!(run.final_dump().facts["remark"], SIGNAL);
    assert!(run.remarks().is_empty(), "nobody asked for the file");
    let asked = deaf_churn(",confirm_conf:true,prof_remarks:true");
    let line = format!("<malloscope>: {SIGNAL}\n");
    // The shell, where nothing ignores it yet, has nothing to remark.
    assert_eq!(asked.stderr.matches(&line).count(), 1, "{}", asked.stderr);
    assert_eq!(asked.remarks(), [SIGNAL]);
}

#[test]
fn what_is_wrong_in_the_configuration_is_said_all_the_same() {
    let run = deaf_churn(",prof_signal:9");
    let said = "<malloscope>: prof_signal: signal 9 cannot be a trigger\n";
    // By the shell, and by what it becomes.
    assert_eq!(run.stderr, said.repeat(2));
}

#[test]
fn a_message_may_meet_the_limit_on_file_sizes() {
    let script = format!("ulimit -f 1; exec {}", compile("churn.c", &[]).display());
    // More than one block of it.
    let conf = format!(
        "prof:true,confirm_conf:true,{}",
        "prof_accum:true,".repeat(40) + "prof_final:false"
    );
    let run = Preload::command(["sh", "-c"]).arg(script).conf(&conf).run();
    assert_eq!((run.status.signal(), run.stdout.as_str()), (None, "done\n"));
    assert!(
        run.stderr.len() > 1024,
        "by the shell, which has no limit yet"
    );
}

#[test]
fn status_has_the_remarks() {
    let program = format!("{} 60 threads", compile("controlled.c", &[]).display());
    let conf = "prof:true,prof_control:true,lg_prof_sample:14,prof_signal:10";
    let server = deaf(&program).conf(conf).start();
    // The shell that becomes the program may answer first.
    let remarks = format!("\"remarks\":[\"{SIGNAL}\"]}}");
    wait_for(server.pid(), |status| status.contains(&remarks));
    assert_eq!(server.kill().stderr, "");
}

#[test]
fn a_child_that_cannot_write_is_silent_and_who_was_named_is_not() {
    let churn = compile("churn.c", &[]);
    let conf = "prof:true,lg_prof_sample:14,lg_prof_interval:22,prof_prefix:/nowhere/at/all";
    let run = Preload::command([&churn]).bare_conf(conf).run();
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    let script = format!("{0}; {0}; :", churn.display());
    let run = Preload::command(["sh", "-c"])
        .arg(script)
        .bare_conf(conf)
        .run();
    assert_eq!(
        (run.stdout.as_str(), run.stderr.as_str()),
        ("done\ndone\n", "")
    );
}

/// Cargo keeps what rustc prints and prints it again at each later build. The compiler brings an
/// allocator of its own.
#[test]
fn rustc_says_nothing() {
    let run = Preload::command(["rustc", "-vV"])
        .conf("prof:true,prof_final:true,prof_remarks:true")
        .run()
        .succeeded();
    assert_eq!(run.stderr, "");
    assert!(run.remarks().iter().all(|remark| remark == SHADOWED));
}

#[test]
fn run_tells_of_processes_that_leave_no_dump() {
    let own = compile("own_malloc.c", &[]);
    let preload = Preload::command(["true"]);
    let script = format!("{0}; {0}; :", own.display());
    let output = malloscope()
        .env("MALLOSCOPE_LIB", library())
        .current_dir(preload.directory())
        .args(["run", "--no-report", "-o", "d", "--", "sh", "-c", &script])
        .output()
        .expect("malloscope starts");
    let said = String::from_utf8_lossy(&output.stderr);
    let line = format!("malloscope: own_malloc (2 processes): {SHADOWED}\n");
    assert_eq!(said.matches(&line).count(), 1, "{said}");
    assert!(!said.contains("<malloscope>"), "{said}");
    assert!(!preload.directory().join("d/malloscope.remarks").exists());
}
