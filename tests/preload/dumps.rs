//! When dumps are written, what they are called, how many stay, and what happens when they cannot be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::config::STATUS;
use crate::harness::{Preload, Run, compile, dump_files, library, name};
use crate::privilege::{self, Public};

#[track_caller]
fn churn(conf: &str) -> Run {
    let run = Preload::new("churn.c").conf(conf).run();
    assert_eq!(
        (run.status.code(), run.stdout.as_str()),
        (STATUS, "done\n"),
        "{}",
        run.stderr
    );
    run
}

/// The part of each name behind the pid: number, letter and number of its kind.
fn endings(files: &[PathBuf]) -> Vec<String> {
    let ending = |path: &PathBuf| {
        let name = name(path);
        let parts: Vec<_> = name.splitn(3, '.').collect();
        parts[2].to_owned()
    };
    files.iter().map(ending).collect()
}

#[test]
fn names_count_all_dumps_and_those_of_each_kind() {
    let run = churn("prof:true,lg_prof_sample:14,lg_prof_interval:23,prof_final:true");
    let names = endings(&run.dump_files());
    let last = names.len() - 1;
    for (at, name) in names[..last].iter().enumerate() {
        assert_eq!(*name, format!("{at}.i{at}.heap"));
    }
    assert_eq!(names[last], format!("{last}.f.heap"));
    assert!(
        (4..=6).contains(&last),
        "48 MiB make five or six dumps of 8: {names:?}"
    );
    let triggers: Vec<_> = run
        .dumps()
        .iter()
        .map(|dump| dump.facts["trigger"].clone())
        .collect();
    assert!(
        triggers[..last].iter().all(|trigger| trigger == "interval") && triggers[last] == "final"
    );
    assert_eq!(run.stderr, "");
}

#[test]
fn high_water_dumps_hold_the_peak() {
    let run = churn("prof:true,lg_prof_sample:12,prof_gdump:true,prof_final:true");
    let dumps = run.dumps();
    let (end, peaks) = dumps.split_last().expect("dumps");
    assert!(
        peaks.iter().all(|dump| name(&dump.path).contains(".u")),
        "{:?}",
        run.dump_files()
    );
    assert!(
        peaks
            .windows(2)
            .all(|two| two[0].live_bytes() < two[1].live_bytes())
    );
    let peak = peaks.last().expect("a peak").live_bytes();
    let truth = (64 + 512) * 16384;
    assert!(
        peak.abs_diff(truth) < truth / 8,
        "the ring and the peak are {truth}, not {peak}"
    );
    assert!(
        peak > 4 * end.live_bytes(),
        "at the end the ring alone is left"
    );
}

#[test]
fn dumps_appear_while_the_program_runs() {
    let conf = "prof:true,lg_prof_sample:14,lg_prof_interval:24";
    let preload = Preload::new("churn.c").arg("4000000").conf(conf);
    let server = preload.start();
    let end = Instant::now() + Duration::from_secs(60);
    while dump_files(preload.directory()).len() < 3 && Instant::now() < end {
        thread::sleep(Duration::from_millis(10));
    }
    // Ended at any moment, it leaves whole files only: each is read to its last line.
    server.stop();
    let files = dump_files(preload.directory());
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert!(!crate::dump::Dump::read(&file).maps.is_empty());
    }
}

#[test]
fn a_kill_at_any_moment_leaves_whole_files() {
    let conf = "prof:true,lg_prof_sample:12,lg_prof_interval:21,prof_dump_live:true";
    for milliseconds in [15, 32, 47, 63, 81, 104] {
        let preload = Preload::new("churn.c").arg("4000000").conf(conf);
        let server = preload.start();
        thread::sleep(Duration::from_millis(milliseconds));
        server.kill();
        for file in dump_files(preload.directory()) {
            assert!(!crate::dump::Dump::read(&file).maps.is_empty());
        }
    }
}

#[test]
fn prof_keep_leaves_the_youngest() {
    let run = churn("prof:true,lg_prof_sample:14,lg_prof_interval:22,prof_final:true,prof_keep:3");
    let names = endings(&run.dump_files());
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(
        names[2].ends_with(".f.heap") && names[0].contains(".i"),
        "{names:?}"
    );
    assert!(!names[0].starts_with("0."), "the oldest went: {names:?}");
}

#[test]
fn dumps_of_another_process_are_never_replaced() {
    // In a container that starts again the pid is the same: made here by names that are taken.
    let preload = Preload::command(["sh", "-c"]);
    let churn = compile("churn.c", &[]);
    let script = format!(
        "for n in 0 1 2; do echo old > dump.$$.$n.f.heap; done; exec {}",
        churn.display()
    );
    let run = preload.arg(script).conf("prof:true,prof_final:true").run();
    assert_eq!(run.status.code(), STATUS, "{}", run.stderr);
    let files = run.dump_files();
    let old = |path: &&PathBuf| fs::read_to_string(path).is_ok_and(|text| text == "old\n");
    assert_eq!(files.iter().filter(old).count(), 3, "{files:?}");
    let new: Vec<_> = files.iter().filter(|path| !old(path)).collect();
    assert!(
        new.iter().any(|path| name(path).ends_with(".3.f.heap")),
        "{files:?}"
    );
}

#[test]
fn a_process_without_a_sample_writes_nothing() {
    let run = Preload::command([compile("churn.c", &[])])
        .arg("0")
        .conf("prof:true,prof_final:true,lg_prof_sample:40")
        .run();
    assert_eq!(
        (run.status.code(), run.dump_files().len()),
        (STATUS, 0),
        "{}",
        run.stderr
    );
    assert_eq!(run.stderr, "");
}

#[test]
fn an_empty_prefix_means_no_dump() {
    let conf = "prof:true,lg_prof_sample:14,lg_prof_interval:22,prof_final:true,prof_prefix:";
    let run = Preload::new("churn.c").bare_conf(conf).run();
    assert_eq!((run.status.code(), run.stderr.as_str()), (STATUS, ""));
    assert_eq!(run.dump_files().len(), 0);
}

/// The program ends as if nothing were wrong, and one line says what is.
#[track_caller]
fn assert_one_line(run: &Run, reason: &str) {
    assert_unmoved(run);
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let line = lines[0];
    assert!(
        line.starts_with("<malloscope>: cannot write heap profile"),
        "{line}"
    );
    assert!(line.contains(reason), "{line}");
}

#[track_caller]
fn assert_unmoved(run: &Run) {
    assert_eq!(
        (run.status.code(), run.stdout.as_str()),
        (STATUS, "done\n"),
        "{}",
        run.stderr
    );
}

const OFTEN: &str = "prof:true,lg_prof_sample:14,lg_prof_interval:22";

#[test]
fn a_missing_directory_is_one_line() {
    let conf = format!("{OFTEN},prof_prefix:/nowhere/at/all/dump");
    let run = Preload::new("churn.c").bare_conf(&conf).run();
    assert_one_line(&run, "/nowhere/at/all/dump");
}

#[test]
fn a_directory_that_takes_no_files_is_one_line() {
    let run = Preload::new("churn.c")
        .bare_conf(&format!("{OFTEN},prof_prefix:/proc/dump"))
        .run();
    assert_one_line(&run, "/proc/dump");
}

/// EACCES, which only another user than root meets.
#[test]
fn a_directory_of_another_user_is_one_line() {
    if !privilege::possible() {
        return;
    }
    let public = Public::new("malloscope-denied");
    let program = public.copy(&compile("churn.c", &[]), "churn");
    let library = public.copy(&library(), "libmalloscope.so");
    let place = public.path().join("place");
    fs::create_dir(&place).expect("a directory");
    privilege::permit(&place, 0o755);
    let setpriv = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let run = Preload::command(setpriv)
        .arg(&program)
        .libraries(&[library])
        .bare_conf(&format!("{OFTEN},prof_prefix:{}/dump", place.display()))
        .run();
    assert_one_line(&run, "Permission denied");
    assert_eq!(leftovers(&place), 0);
}

#[test]
fn a_limit_on_file_sizes_is_a_remark_and_no_death() {
    let churn = compile("churn.c", &[]);
    let script = format!("ulimit -f 1; exec {}", churn.display());
    let conf = format!("{OFTEN},lg_prof_sample:12,prof_final:true");
    let conf = format!("{conf},prof_remarks:true");
    let run = Preload::command(["sh", "-c"]).arg(script).conf(&conf).run();
    assert_unmoved(&run);
    assert_eq!(run.stderr, "");
    let remarks = run.remarks();
    assert_eq!(remarks.len(), 1, "{remarks:?}");
    assert!(remarks[0].starts_with("cannot write heap profile: File too large: "));
    assert_eq!(run.dump_files().len(), 0, "no half a file");
    assert_eq!(leftovers(run.directory()), 1, "the remarks");
}

/// Files that are neither output nor dumps.
fn leftovers(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).expect("directory of a run");
    let names = entries.map(|entry| name(&entry.expect("entry").path()));
    names
        .filter(|name| name != "stdout" && name != "stderr")
        .count()
}

/// A file system of 12 KiB, as long as it lives.
struct FullDisk(PathBuf);

impl FullDisk {
    /// None where mounting is forbidden.
    fn mount(directory: PathBuf) -> Option<FullDisk> {
        fs::create_dir_all(&directory).expect("directory to mount at");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=12k", "none"])
            .arg(&directory);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(FullDisk(directory))
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_not_the_programs_concern() {
    let preload = Preload::command(["sh", "-c"]);
    let Some(disk) = FullDisk::mount(preload.directory().join("disk")) else {
        println!("not run: mounting is forbidden here; the limit on file sizes stands in for it");
        return;
    };
    fs::write(disk.0.join("fill"), vec![0; 8 << 10]).expect("room for two pages");
    let prefix = disk.0.join("dump");
    // A profile of more than one page: every value has a stack of its own.
    let script = format!("exec {}", compile("churn.c", &[]).display());
    let conf = format!(
        "{OFTEN},prof_dump_live:true,prof_final:true,prof_prefix:{}",
        prefix.display()
    );
    let run = preload.arg(script).bare_conf(&conf).run();
    assert_unmoved(&run);
    assert_eq!(run.stderr, "");
    assert_eq!(dump_files(&disk.0).len(), 0, "no half a file");
    assert_eq!(leftovers(&disk.0), 1, "the temporary file went");
}
