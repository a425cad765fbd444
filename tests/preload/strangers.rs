//! Processes that inherit our variables and are not meant: programs of another libc, of another
//! architecture, of other names; and other libraries that are preloaded with us.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Preload, Run, compile, library, source, system_library};

const CONFS: [&str; 4] = [
    "prof:false",
    "prof:true,prof_final:true,lg_prof_sample:0",
    "prof:true,prof_final:true,prof_mmap:true,lg_prof_sample:12",
    "prof:true,prof_timer:1,prof_control:true,prof_final_signal:true",
];

/// `another_libc.c`, built by `compiler` with `flags`.
fn built(compiler: &str, flags: &[&str]) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("strangers");
    std::fs::create_dir_all(&directory).expect("a directory");
    let program = directory.join([&[compiler], flags].concat().join(""));
    let status = Command::new(compiler)
        .args(flags)
        .arg(source("tests/programs/another_libc.c"))
        .args(["-O1", "-pthread", "-o"])
        .arg(&program)
        .status()
        .expect("a compiler; .ci/run installs it");
    assert!(status.success(), "{compiler} {flags:?}");
    program
}

/// What it says with each configuration is what it says without us, and it leaves no dump.
#[track_caller]
fn sleeps_in(program: &Path, said_by_the_loader: &str) {
    let start = || Preload::command([program]);
    let plain = start().libraries(&[]).run();
    assert_eq!(plain.status.code(), Some(7), "{}", plain.stderr);
    assert!(
        plain.stdout.ends_with("status=0\nend\n"),
        "{}",
        plain.stdout
    );
    for conf in CONFS {
        let run = start().conf(conf).run();
        assert_eq!(
            (run.status, &run.stdout),
            (plain.status, &plain.stdout),
            "{conf}: {}",
            run.stderr
        );
        let told = run
            .stderr
            .lines()
            .all(|line| !said_by_the_loader.is_empty() && line.contains(said_by_the_loader));
        assert!(told, "{conf}: {}", run.stderr);
        assert_eq!(run.dump_files(), [] as [PathBuf; 0], "{conf}");
    }
}

#[test]
fn a_program_of_musl_runs_as_without_us() {
    sleeps_in(&built("musl-gcc", &[]), "");
    sleeps_in(&built("musl-gcc", &["-static"]), "");
}

#[test]
fn the_loader_passes_over_us_in_a_program_of_32_bits() {
    sleeps_in(&built("gcc", &["-m32"]), "wrong ELF class");
}

/// The names of the programs that left a dump.
fn programs(run: &Run) -> Vec<String> {
    let dumps = run.dumps();
    let command = |dump: &crate::dump::Dump| dump.facts["command"].clone();
    let mut programs: Vec<String> = dumps.iter().map(command).collect();
    programs.sort();
    programs.dedup();
    programs
}

#[test]
fn only_programs_of_a_name_in_prof_program_are_profiled() {
    let conf = "prof:true,prof_final:true,prof_final_all:true,lg_prof_sample:10,prof_program:sort|script.sh";
    let script =
        "seq 3000 | sort -r | awk '{ n += $1 } END { print n }'; ./script.sh; printenv LD_PRELOAD";
    let start = || Preload::command(["bash", "-c", script]);
    let prepared = |preload: Preload| {
        let path = preload.directory().join("script.sh");
        std::fs::write(&path, "#!/usr/bin/awk -f\nBEGIN { print \"a script\" }\n")
            .expect("a script");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("its mode");
        preload
    };
    let plain = prepared(start()).run().succeeded();
    let run = prepared(start()).conf(conf).run().succeeded();
    assert_eq!((&run.stdout, run.stderr.as_str()), (&plain.stdout, ""));
    let programs = programs(&run);
    assert_eq!(programs.len(), 2, "{programs:?}");
    assert!(
        programs.iter().any(|line| line.starts_with("sort")),
        "{programs:?}"
    );
    assert!(
        programs.iter().any(|line| line.contains("script.sh")),
        "{programs:?}"
    );
}

#[test]
fn an_injector_beside_us_works_and_we_sample() {
    let injector = compile("injector.c", &["-shared", "-fPIC", "-ldl"]);
    let jemalloc = system_library("libjemalloc.so.2");
    let conf = "prof:true,prof_final:true,prof_final_all:true,lg_prof_sample:10";
    let script = "seq 3000 | sort -r | tail -1; printenv INJECTED NODE_OPTIONS";
    let start = || Preload::command(["sh", "-c", script]);
    let alone = start()
        .libraries(std::slice::from_ref(&injector))
        .run()
        .succeeded();
    assert_eq!(alone.stdout.lines().nth(1), Some("yes"));
    for libraries in [
        vec![library(), injector.clone()],
        vec![injector.clone(), library()],
        vec![library(), injector.clone(), jemalloc.clone()],
        vec![injector, library(), jemalloc],
    ] {
        let run = start().libraries(&libraries).conf(conf).run().succeeded();
        assert_eq!((&run.stdout, &run.stderr), (&alone.stdout, &alone.stderr));
        let programs = programs(&run);
        assert!(
            programs.iter().any(|line| line.starts_with("sort")),
            "{libraries:?}: {programs:?}"
        );
    }
}
