//! What the system refuses: memory, descriptors, threads, rights, and the place of the dumps.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::harness::{Preload, Run, compile, dump_files, library, name};
use crate::privilege::{Public, possible};

const OFTEN: &str = "prof:true,prof_final:true,lg_prof_sample:12,lg_prof_interval:22";

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|text| text.contains("\nUid:\t0\t"))
}

#[test]
fn out_of_memory_is_told_as_without_us() {
    let plain = Preload::new("memory_limit.c")
        .libraries(&[])
        .run()
        .succeeded();
    for lg_period in [0, 12] {
        let conf = "prof:true,prof_final:true,prof_dump_live:true";
        let conf = format!("{conf},lg_prof_sample:{lg_period}");
        let run = Preload::new("memory_limit.c").conf(&conf).run().succeeded();
        assert_eq!(run.stdout, plain.stdout);
        let dump = run.final_dump();
        let tracked = dump.live.iter().filter(|&&(_, size, _)| size == 777_777);
        assert_eq!(tracked.count(), 1, "its realloc failed");
    }
}

fn moved(how: &str, prefix: &str) -> Run {
    let preload = Preload::new("moved.c").arg(how);
    fs::create_dir(preload.directory().join("place")).expect("a place");
    let conf = format!("{OFTEN},prof_prefix:{prefix}");
    let run = preload.bare_conf(&conf).run().succeeded();
    assert_eq!(run.stdout, "end\n");
    run
}

/// Dumps came until the place was lost; nothing is said of it.
#[track_caller]
fn assert_lost(how: &str, left: &str) {
    let run = moved(how, "place/dump");
    assert!(!dump_files(&run.directory().join(left)).is_empty());
    assert_eq!(run.stderr, "");
}

#[test]
fn the_directory_of_the_dumps_may_vanish() {
    assert_lost("rename", "elsewhere");
}

#[test]
fn there_may_be_no_descriptor_left() {
    assert_lost("nofile", "place");
}

#[test]
fn the_root_may_be_another() {
    if !is_root() {
        println!("not run: chroot is root's");
        return;
    }
    assert_lost("chroot", "place");
}

#[test]
fn a_relative_prefix_means_where_the_program_was_started() {
    let run = moved("chdir", "place/dump");
    let files = dump_files(&run.directory().join("place"));
    assert!(files.iter().any(|path| name(path).ends_with(".f.heap")));
    assert_eq!(run.stderr, "");
}

#[test]
fn a_filter_that_refuses_threads_still_lets_dumps_be_written() {
    let run = Preload::new("seccomp.c").conf(OFTEN).run().succeeded();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("end\n", ""));
    assert!(run.dumps().len() > 5, "{:?}", run.dump_files());
    assert!(run.final_dump().live_bytes() >= 3_000_000);
}

#[test]
fn no_thread_keeps_the_rights_that_root_gives_away() {
    if !is_root() {
        println!("not run: there are no rights to give away");
        return;
    }
    for kind in ["uid", "gid"] {
        let conf = format!("{OFTEN},prof_dump_live:true,prof_keep:3,lg_prof_interval:20");
        let preload = Preload::new("credentials.c").arg(kind);
        // A place where nobody may write, as the program is then.
        let run = preload.conf(&conf).run().succeeded();
        assert_eq!(run.truth("privileged"), 0, "{kind}");
        assert!(!run.stdout.contains("WRONG"));
    }
}

/// Runs the program as pid 1 of pid namespaces of its own, by a script where `$ONE` is one of them.
#[track_caller]
fn assert_containers_do_not_clash(script: &str) {
    if !is_root() {
        println!("not run: namespaces are root's");
        return;
    }
    let one = format!("unshare -pf {}", compile("churn.c", &[]).display());
    let preload = Preload::command(["sh", "-c", script]).env("ONE", one);
    let run = preload.conf(OFTEN).run();
    if run.stderr.contains("Operation not permitted") {
        println!("not run: no namespaces here");
        return;
    }
    assert_eq!(run.truth("status"), 7, "{}", run.stderr);
    let dumps = run.dumps();
    let of_first = dumps.iter().filter(|dump| dump.number("pid") == 1);
    let names: Vec<_> = of_first.map(|dump| name(&dump.path)).collect();
    let ends = names.iter().filter(|name| name.ends_with(".f.heap"));
    assert_eq!(ends.count(), 2, "{names:?}");
}

#[test]
fn a_container_that_starts_again_keeps_the_dumps_of_the_last() {
    assert_containers_do_not_clash("$ONE; $ONE; echo status=$?");
}

/// Both are pid 1 and write at the same time under the same names.
#[test]
fn two_containers_may_share_a_directory() {
    assert_containers_do_not_clash("$ONE & $ONE; s=$?; wait; echo status=$s");
}

/// A limit on processes that was met when the watcher should start, and is raised later.
#[test]
fn a_thread_that_cannot_be_started_is_tried_again() {
    // Nobody else's, so that the limit counts this process alone.
    const USER: &str = "65431";
    if !possible() {
        return;
    }
    let public = Public::new("malloscope-nproc");
    let program = public.copy(&compile("churn.c", &[]), "churn");
    let library = public.copy(&library(), "libmalloscope.so");
    let (user, group) = (format!("--reuid={USER}"), format!("--regid={USER}"));
    let dumps = public.path().join("dump");
    let launcher = [
        "prlimit",
        "--nproc=1:1000",
        "setpriv",
        &user,
        &group,
        "--clear-groups",
    ];
    let server = Preload::command(launcher)
        .arg(&program)
        .arg("400000000")
        .libraries(&[library])
        .bare_conf(&format!(
            "prof:true,prof_timer:1,prof_remarks:true,prof_prefix:{}",
            dumps.display()
        ))
        .start();
    let remarks = public.path().join("dump.remarks");
    let said = || fs::read_to_string(&remarks).unwrap_or_default();
    let refused = comes_true(&|| said().contains("no thread can be started"));
    let pid = server.pid().to_string();
    // As the same user: root in a container may not.
    let raised = Command::new("setpriv")
        .args([user.as_str(), &group, "--clear-groups"])
        .args(["prlimit", "--pid", &pid, "--nproc=1000:1000"])
        .status();
    let tried_again = comes_true(&|| !dump_files(public.path()).is_empty());
    let said = said();
    // Before anything is asserted: it would go on for good.
    assert_eq!(server.kill().stderr, "");
    assert!(refused && raised.is_ok_and(|status| status.success()));
    assert!(tried_again);
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// False when it takes too long.
fn comes_true(is_so: &dyn Fn() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_so() && Instant::now() < end {
        sleep(Duration::from_millis(50));
    }
    is_so()
}
