//! Dumps by the clock, by a signal, and before the memory ends; and what the thread that watches
//! for them must leave alone.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::dump::Dump;
use crate::harness::{Preload, Run, compile, library, name};

const EXACT: &str = "prof:true,lg_prof_sample:17";

fn program(arguments: &[&str], options: &str) -> Run {
    let preload = Preload::new("triggers.c");
    let preload = arguments.iter().fold(preload, |it, word| it.arg(word));
    preload.conf(&format!("{EXACT},{options}")).run()
}

/// How many of the dumps bear `letter` and a number.
fn with_letter(dumps: &[Dump], letter: char) -> usize {
    let is_such = |dump: &&Dump| {
        let name = name(&dump.path);
        let trigger = name.rsplit('.').nth(1).unwrap_or_default();
        trigger.starts_with(letter) && trigger[1..].parse::<u64>().is_ok()
    };
    dumps.iter().filter(is_such).count()
}

/// What the program's allocating function holds.
fn of_culprit(run: &Run, dump: &Dump) -> u64 {
    let range = run.truth("culprit")..run.truth("behind");
    let stacks = dump.stacks.iter().filter(|stack| stack.passes(&range));
    stacks.map(|stack| stack.live.2).sum()
}

#[test]
fn an_idle_program_is_dumped_by_the_clock() {
    let run = program(&["idle", "3400"], "prof_timer:1").succeeded();
    let dumps = run.dumps();
    assert!(
        (3..=4).contains(&with_letter(&dumps, 't')),
        "{:?}",
        run.dump_files()
    );
    assert_eq!(dumps[0].facts["trigger"], "timer");
    assert_eq!(
        run.truth("early"),
        1,
        "nothing to watch before the first sample"
    );
    assert_eq!(run.truth("tasks"), 2);
    let bytes = of_culprit(&run, &dumps[2]);
    assert!((25 << 20..36 << 20).contains(&bytes), "{bytes}");
    assert_eq!(run.stderr, "");
}

#[test]
fn a_program_that_allocates_nothing_has_no_second_thread() {
    let options = "prof_timer:1,prof_memory_limit:90";
    let run = program(&["nothing", "1200"], options).succeeded();
    assert_eq!(run.truth("tasks"), 1);
    assert!(run.dump_files().is_empty());
}

#[test]
fn a_child_has_a_clock_of_its_own() {
    let run = program(&["fork", "2300"], "prof_timer:1").succeeded();
    let child = run.truth("child");
    let dumps = run.dumps();
    let of_child = dumps.iter().filter(|dump| dump.number("pid") == child);
    assert_eq!(of_child.count(), 2, "{:?}", run.dump_files());
    assert!(dumps.len() >= 4);
}

#[test]
fn a_signal_makes_a_dump() {
    let run = program(&["signal", "12"], "prof_signal:12").succeeded();
    let dumps = run.dumps();
    // One that comes while a dump is being written is counted, not made.
    assert!(
        (2..=3).contains(&with_letter(&dumps, 's')),
        "{:?}",
        run.dump_files()
    );
    assert_eq!(dumps[0].facts["trigger"], "signal");
    assert!(of_culprit(&run, &dumps[0]) > 25 << 20);
    assert_eq!((run.truth("own"), run.stderr.as_str()), (0, ""));
    assert!(!run.stdout.contains("WRONG"));
}

#[test]
fn a_handler_of_the_programs_own_stays() {
    let run = program(&["own", "12"], "prof_signal:12").succeeded();
    assert_eq!(run.truth("own"), 3);
    assert!(run.dump_files().is_empty());
    // Ignored from before: `trap ''` passes it on.
    let program = compile("triggers.c", &[]);
    let script = format!("trap '' USR2; exec {} signal 12", program.display());
    let preload = Preload::command(["sh", "-c"]).arg(script);
    let run = preload
        .conf(&format!("{EXACT},prof_signal:12,prof_remarks:true"))
        .run()
        .succeeded();
    assert!(run.dump_files().is_empty());
    assert_eq!(run.stderr, "");
    let said = "prof_signal: signal 12 has a handler, or is ignored: it stays as it is";
    assert_eq!(run.remarks(), [said]);
}

#[test]
fn signals_that_mean_harm_are_no_triggers() {
    for number in ["9", "11", "33"] {
        let run = program(&["nothing", "1"], &format!("prof_signal:{number}")).succeeded();
        let line = format!("<malloscope>: prof_signal: signal {number} cannot be a trigger\n");
        assert_eq!(run.stderr, line);
    }
}

#[test]
fn a_signal_may_come_while_we_are_at_work() {
    let options = "prof_signal:10,lg_prof_sample:10,prof_keep:3,lg_prof_interval:26";
    let run = program(&["busy", "10"], options).succeeded();
    assert!(run.stdout.ends_with("end\n"));
    assert!(run.dumps().len() >= 3);
}

/// A memory cgroup of this test's own, gone with it.
struct Group {
    directory: PathBuf,
    limit: &'static str,
}

impl Group {
    /// `Err` says what the kernel said.
    fn make(name: &str) -> Result<Group, String> {
        let version_1 = Path::new("/sys/fs/cgroup/memory");
        let (root, limit) = if version_1.is_dir() {
            (version_1, "memory.limit_in_bytes")
        } else {
            (Path::new("/sys/fs/cgroup"), "memory.max")
        };
        let directory = root.join(format!("malloscope-{name}-{}", std::process::id()));
        fs::create_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let group = Group { directory, limit };
        let set = fs::write(group.directory.join(limit), "100663296");
        set.map_err(|error| format!("{limit}: {error}"))?;
        Ok(group)
    }

    /// `program` of `tests/programs/triggers.c`, in the group from its first instruction on.
    fn run(&self, arguments: &str, options: &str) -> Run {
        let program = compile("triggers.c", &[]);
        let tasks = self.directory.join("cgroup.procs");
        let inner = format!(
            "echo $$ > {}; exec env LD_PRELOAD={} {} {arguments}",
            tasks.display(),
            library().display(),
            program.display()
        );
        let preload = Preload::command(["sh", "-c"]).arg(inner).libraries(&[]);
        preload.conf(&format!("{EXACT},{options}")).run()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The last process of the group may not be reaped yet.
        for _ in 0..50 {
            if fs::remove_dir(&self.directory).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        println!("{} of {} stays", self.directory.display(), self.limit);
    }
}

#[test]
fn before_the_oom_killer_there_is_a_whole_dump_with_the_culprit() {
    let group = match Group::make("oom") {
        Ok(group) => group,
        Err(error) => return println!("not run: no memory cgroup here: {error}"),
    };
    // Slow, so that the share decides; and as fast as it may be, so that the pace does.
    for (pace, options) in [
        ("12", "prof_memory_limit:80"),
        ("1", "prof_memory_limit:90"),
    ] {
        let run = group.run(&format!("grow {pace}"), options);
        assert_eq!(
            run.status.signal(),
            Some(9),
            "the OOM killer came: {}",
            run.stderr
        );
        let dumps = run.dumps();
        assert!(with_letter(&dumps, 'l') >= 1, "{:?}", run.dump_files());
        let last = dumps.last().expect("a dump");
        assert_eq!(last.number("cgroup_limit_bytes"), 96 << 20);
        let (bytes, all) = (of_culprit(&run, last), last.live_bytes());
        assert!(
            bytes >= 20 << 20 && bytes * 10 > all * 9,
            "{bytes} of {all}"
        );
    }
}

#[test]
fn a_limit_of_address_space_counts_too() {
    let run = program(&["limited"], "prof_memory_limit:60").succeeded();
    let dumps = run.dumps();
    assert!(
        with_letter(&dumps, 'l') >= 1,
        "{:?} {}",
        run.dump_files(),
        run.stderr
    );
    assert!(of_culprit(&run, &dumps[0]) > 20 << 20);
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|text| text.contains("\nUid:\t0\t"))
}

#[test]
fn the_watcher_goes_with_the_rights_it_had() {
    if !is_root() {
        return println!("not run: there are no rights to give away");
    }
    let run = program(&["rights"], "prof_timer:1").succeeded();
    assert_eq!(run.truth("before"), 2);
    assert_eq!(run.truth("others"), 0, "it went");
    assert_eq!(run.truth("again"), 2, "another came with the next samples");
    assert_eq!(run.truth("others_again"), 0);
    assert!(!run.stdout.contains("WRONG"));
}

/// Without `/proc` it cannot see that the program gave rights away, so it goes at once.
#[test]
fn the_watcher_does_not_follow_into_a_root_without_proc() {
    if !is_root() {
        return println!("not run: only root may change the root");
    }
    let run = program(&["chroot"], "prof_timer:60").succeeded();
    assert!(!run.stdout.contains("WRONG"), "{}", run.stdout);
    assert_eq!((run.truth("before"), run.truth("after")), (2, 1));
    let empty = run
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("empty="));
    fs::remove_dir(empty.expect("a directory")).expect("its removal");
}

#[test]
fn the_process_ends_with_its_own_threads() {
    let begun = Instant::now();
    let run = program(&["last"], "prof_timer:60,prof_final:true").succeeded();
    assert!(
        of_culprit(&run, &run.final_dump()) > 25 << 20,
        "exit handlers ran"
    );
    let run = program(&["alone"], "prof_timer:60");
    assert_eq!(run.status.code(), Some(5));
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "neither waits for the timer"
    );
}

#[test]
fn nobody_waits_for_an_output_that_the_program_closed() {
    let directory = Preload::new("triggers.c").directory().to_owned();
    let conf = format!(
        "prof_prefix:{}/dump,{EXACT},prof_timer:60",
        directory.display()
    );
    let mut child = Command::new(compile("triggers.c", &[]))
        .args(["pipe", "3000"])
        .env("LD_PRELOAD", library())
        .env("MALLOSCOPE_CONF", conf)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut output = child.stdout.take().expect("a pipe");
    std::io::copy(&mut output, &mut std::io::sink()).expect("its end");
    assert!(
        child.try_wait().expect("our child").is_none(),
        "it still runs"
    );
    assert!(child.wait().expect("our child").success());
}

#[test]
fn what_a_watcher_forbids_is_known() {
    let run = program(&["namespace"], "prof_timer:60").succeeded();
    let with = run.truth("errno");
    let without = program(&["namespace"], "").succeeded().truth("errno");
    // A process of several threads may not enter a user namespace; docs/limits.md, "Threads and signals".
    assert!(with == 22 || with == without, "{with}, {without}");
}
