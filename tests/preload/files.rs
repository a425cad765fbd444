//! The files of dumps in places that belong to others: nothing planted there is followed, replaced or
//! read, and permissions, sizes and secrets are what the options say.

use std::fs;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::config::STATUS;
use crate::harness::{Preload, Run, compile, dump_files, library, name};
use crate::privilege::{Public, permit, possible};

const FINAL: &str = "prof:true,prof_final:true,lg_prof_sample:14";

/// Whether the file system of `directory` knows files without a name.
pub fn can_be_nameless(directory: &Path) -> bool {
    const O_TMPFILE: i32 = 0o20_200_000;
    let mut options = fs::OpenOptions::new();
    options.write(true).custom_flags(O_TMPFILE);
    options.open(directory).is_ok()
}

/// Runs `prepare` in a shell without us, whose pid the churning program then has.
fn churn_after(prepare: &str, conf: &str) -> Run {
    churn_behind("", prepare, conf)
}

/// As [`churn_after`], where no file can be without a name: as on a file system that does not know
/// them.
fn churn_with_names_after(prepare: &str, conf: &str) -> Run {
    let launcher = compile("named_files.c", &[]);
    churn_behind(&launcher.display().to_string(), prepare, conf)
}

fn churn_behind(launcher: &str, prepare: &str, conf: &str) -> Run {
    let churn = compile("churn.c", &[]);
    let script = format!(
        "{prepare}; export LD_PRELOAD=$OURS; exec {launcher} {}",
        churn.display()
    );
    let shell = Preload::command(["sh", "-c"]).arg(script).libraries(&[]);
    let run = shell.env("OURS", library()).conf(conf).run();
    assert_eq!((run.status.code(), run.stderr.as_str()), (STATUS, ""));
    run
}

/// What `$NS` is in the names of temporary files.
const NAMESPACE: &str = "NS=$(readlink /proc/self/ns/pid | tr -dc 0-9)";

fn victim(run: &Run) -> PathBuf {
    run.directory().join("victim")
}

#[track_caller]
fn assert_unharmed(run: &Run) {
    let text = fs::read_to_string(victim(run)).expect("the victim");
    assert_eq!(text, "precious\n");
    let dumps = dump_files(run.directory());
    let (links, whole): (Vec<_>, Vec<_>) = dumps.iter().partition(|path| path.is_symlink());
    assert!(links.len() <= 1 && whole.len() == 1, "{dumps:?}");
    crate::dump::Dump::read(whole[0]);
}

#[test]
fn a_link_at_the_final_name_is_neither_followed_nor_replaced() {
    for target in ["victim", "nothing"] {
        for way in [churn_after, churn_with_names_after] {
            let plant = format!("echo precious > victim; ln -s {target} dump.$$.0.f.heap");
            let run = way(&plant, FINAL);
            assert_unharmed(&run);
            assert!(!run.directory().join("nothing").exists(), "not made either");
            let links = dump_files(run.directory());
            assert!(links.iter().any(|path| path.is_symlink()), "it stays");
        }
    }
}

#[test]
fn a_link_at_the_temporary_name_is_not_followed() {
    for target in ["victim", "nothing"] {
        let plant =
            format!("{NAMESPACE}; echo precious > victim; ln -s {target} dump.$$.0.f.heap.$NS.tmp");
        for way in [churn_after, churn_with_names_after] {
            let run = way(&plant, FINAL);
            assert_unharmed(&run);
            assert!(!run.directory().join("nothing").exists(), "not made either");
        }
    }
}

#[test]
fn a_directory_at_the_temporary_name_is_gone_around() {
    let plant = format!(
        "{NAMESPACE}; echo precious > victim; mkdir dump.$$.0.f.heap.$NS.tmp dump.$$.2.f.heap"
    );
    let run = churn_with_names_after(&plant, FINAL);
    let files = dump_files(run.directory());
    let whole: Vec<_> = files.iter().filter(|path| path.is_file()).collect();
    assert_eq!(whole.len(), 1);
    assert!(name(whole[0]).ends_with(".1.f.heap"), "{files:?}");
}

/// As in `/tmp`: who may write there may still not remove what others own.
#[test]
fn what_another_user_planted_is_gone_around() {
    if !possible() {
        return;
    }
    let public = Public::new("malloscope-sticky");
    let program = public.copy(&compile("churn.c", &[]), "churn");
    let library = public.copy(&library(), "libmalloscope.so");
    let place = public.path().join("place");
    fs::create_dir(&place).expect("a directory");
    permit(&place, 0o1777);
    let victim = public.path().join("victim");
    fs::write(&victim, "precious\n").expect("a file");
    // The pid is not known before, so all that are near are taken.
    let namespace = fs::read_link("/proc/self/ns/pid").expect("a pid namespace");
    let namespace: String = namespace
        .to_string_lossy()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let near = std::process::id();
    for pid in near..near + 3000 {
        let planted = place.join(format!("dump.{pid}.0.f.heap.{namespace}.tmp"));
        symlink(&victim, planted).expect("a link");
    }
    let launcher = public.copy(&compile("named_files.c", &[]), "launcher");
    let setpriv = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let conf = format!("{FINAL},prof_prefix:{}", place.join("dump").display());
    let run = Preload::command(setpriv)
        .arg(&launcher)
        .arg(&program)
        .libraries(&[library])
        .bare_conf(&conf)
        .run();
    assert_eq!((run.status.code(), run.stderr.as_str()), (STATUS, ""));
    assert_eq!(
        fs::read_to_string(&victim).expect("it is there"),
        "precious\n"
    );
    let dumps = dump_files(&place);
    assert_eq!(dumps.len(), 1, "{dumps:?}");
    let number: u32 = dumps.iter().map(|path| pid(path)).sum();
    if (near..near + 3000).contains(&number) {
        assert!(name(&dumps[0]).ends_with(".1.f.heap"), "{dumps:?}");
    }
}

fn pid(dump: &Path) -> u32 {
    let pid = name(dump).split('.').nth(1).map(str::parse);
    pid.expect("a second part").expect("a pid")
}

fn modes(run: &Run) -> Vec<u32> {
    let mode = |path: &PathBuf| fs::metadata(path).expect("a dump").permissions().mode() & 0o7777;
    run.dump_files().iter().map(mode).collect()
}

#[test]
fn dumps_are_the_owners_unless_the_option_says_more() {
    assert_eq!(modes(&churn_after("umask 0", FINAL)), [0o600]);
    let conf = format!("{FINAL},prof_mode:0640");
    assert_eq!(modes(&churn_after("umask 077", &conf)), [0o640]);
}

#[test]
fn prof_keep_bytes_leaves_the_youngest() {
    let often = "prof:true,lg_prof_sample:12,lg_prof_interval:21,prof_final:true";
    let all = churn_after("true", often);
    let size = |run: &Run| -> u64 {
        let files = run.dump_files();
        files
            .iter()
            .map(|path| fs::metadata(path).expect("a dump").size())
            .sum()
    };
    let (count, total) = (all.dump_files().len(), size(&all));
    assert!(count > 5, "{count}");
    let most = total / 2;
    let bounded = churn_after("true", &format!("{often},prof_keep_bytes:{most}"));
    let left = bounded.dump_files();
    assert!(size(&bounded) <= most && left.len() > 1, "{left:?}");
    assert!(
        left.last()
            .is_some_and(|path| name(path).ends_with(".f.heap"))
    );
    assert!(
        !name(&left[0]).contains(".0.i0."),
        "the oldest went: {left:?}"
    );
    let one = churn_after("true", &format!("{often},prof_keep_bytes:1"));
    assert_eq!(one.dump_files().len(), 1, "the youngest stays");
    one.final_dump();
}

#[test]
fn a_masked_command_line_has_the_names_of_options_alone() {
    let run = Preload::new("churn.c")
        .arg("0x40000")
        .arg("--password=secret")
        .arg("-psecret")
        .arg("secret")
        .conf(&format!("{FINAL},prof_cmdline:masked"))
        .run();
    let dump = run.final_dump();
    let command = &dump.facts["command"];
    assert!(command.ends_with("churn * --password=* -p* *"), "{command}");
    let text = fs::read_to_string(&dump.path).expect("a dump");
    assert!(!text.contains("secret"));
}
