//! `malloscope doctor` over real programs: what is on this machine, and what the compiler makes.
//! The library that it looks at here is libc itself, which loads everywhere.

mod run;
mod scratch;

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use scratch::{Report, Scratch, libc};
use serde_json::Value;

const PLAIN: &str = "#include <stdlib.h>\nint main(void) { return malloc(3) == 0; }";
const OWN: &str = "static char b[64]; void *malloc(unsigned long n) { return b + n; }
                   int main(void) { return malloc(3) == 0; }";

/// Where a program is not installed there is nothing to look at; bash and sh are everywhere.
#[test]
fn the_programs_of_this_machine_load_and_runtimes_are_explained() {
    let scratch = Scratch::new("machine");
    for (path, known) in [
        ("/bin/bash", None),
        ("/bin/sh", None),
        ("/usr/bin/java", Some("the Java heap")),
        ("/usr/bin/node", Some("the heap of V8")),
        ("/usr/bin/ruby", Some("object slots")),
        ("/usr/bin/python3", Some("prof_python_objects:true")),
    ] {
        if !Path::new(path).exists() {
            continue;
        }
        let report = scratch.doctor(&[path, "--version"]);
        assert_eq!(report.code, Some(0), "{}", report.text);
        report.says("ok", &["dynamically linked", "on glibc"]);
        report.says("ok", &[&libc(), "can be loaded"]);
        report.says("ok", &["dumps can be written"]);
        if let Some(known) = known {
            report.says("note", &[known]);
        }
    }
}

#[test]
fn linkage_decides() {
    let scratch = Scratch::new("linkage");
    scratch.compile("plain", PLAIN, &[]);
    scratch
        .doctor(&["./plain"])
        .says("ok", &["calls of malloc reach us"]);
    scratch.compile("static", PLAIN, &["-static"]);
    scratch
        .doctor(&["./static"])
        .says("problem", &["statically linked", "without -static"]);
    scratch.compile("pie", PLAIN, &["-static-pie"]);
    scratch
        .doctor(&["./pie"])
        .says("problem", &["statically linked"]);
    scratch.compile("own", OWN, &["-fno-builtin"]);
    scratch
        .doctor(&["./own"])
        .says("problem", &["exports a malloc of its own"]);
    let loader = "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1";
    scratch.compile("musl", PLAIN, &[loader]);
    scratch
        .doctor(&["./musl"])
        .says("problem", &["musl", "a build for glibc"]);
    scratch.compile(
        "lost",
        PLAIN,
        &["-Wl,--dynamic-linker=/no/ld-linux-x86-64.so.2"],
    );
    scratch
        .doctor(&["./lost"])
        .says("problem", &["/no/ld-linux-x86-64.so.2", "not here"]);
}

#[test]
fn allocators_linked_in_are_named() {
    let scratch = Scratch::new("allocators");
    let prefixed = "int je_mallctl(void) { return 0; } int main(void) { return je_mallctl(); }";
    scratch.compile("redis-server", prefixed, &[]);
    let report = scratch.doctor(&["./redis-server"]);
    report.says(
        "problem",
        &["jemalloc (je_)", "make MALLOC=libc", "JE_MALLOC_CONF"],
    );
    scratch.compile(
        "rust",
        "int _rjem_malloc(void) { return 0; } int main(void) { return 0; }",
        &[],
    );
    scratch
        .doctor(&["./rust"])
        .says("problem", &["jemalloc (_rjem_)", "_RJEM_MALLOC_CONF"]);
    scratch.compile(
        "mi",
        "int mi_malloc(void) { return 0; } int main(void) { return 0; }",
        &[],
    );
    scratch.doctor(&["./mi"]).says("problem", &["mimalloc"]);
}

#[test]
fn libraries_that_allocate_stand_behind_us() {
    let scratch = Scratch::new("libraries");
    let source = "static char b[64]; void *malloc(unsigned long n) { return b + n; }
                  int mallctl(void) { return 0; }";
    scratch.compile(
        "libjemalloc.so.2",
        source,
        &["-shared", "-fPIC", "-fno-builtin"],
    );
    let linked = [
        "-L.",
        "-l:libjemalloc.so.2",
        "-Wl,--no-as-needed,-rpath,$ORIGIN",
    ];
    scratch.compile("linked", PLAIN, &linked);
    scratch
        .doctor(&["./linked"])
        .says("ok", &["libjemalloc.so.2 (jemalloc)", "behind us"]);
    let twice = scratch
        .malloscope("doctor")
        .env("MALLOC_CONF", "prof:true")
        .args(["--", "./linked"])
        .output();
    Report::of(twice).says("note", &["MALLOC_CONF", "both write"]);
    // Another name, or the machine's own would be found.
    scratch.compile(
        "libmine-alone.so",
        source,
        &["-shared", "-fPIC", "-fno-builtin"],
    );
    let linked = ["-L.", "-l:libmine-alone.so", "-Wl,--no-as-needed"];
    scratch.compile("lost", PLAIN, &linked);
    scratch
        .doctor(&["./lost"])
        .says("note", &["libmine-alone.so", "is not found"]);
}

#[test]
fn an_allocator_preloaded_before_us_is_a_problem() {
    let scratch = Scratch::new("preload");
    // The doctor itself runs with it.
    let source = "void *__libc_malloc(unsigned long);
                  void *malloc(unsigned long n) { return __libc_malloc(n); }";
    scratch.compile("liballoc.so", source, &["-shared", "-fPIC", "-fno-builtin"]);
    scratch.compile("libours.so", source, &["-shared", "-fPIC", "-fno-builtin"]);
    scratch.compile("plain", PLAIN, &[]);
    let path = |name: &str| scratch.0.join(name).display().to_string();
    let with = |preload: String| {
        let mut doctor = scratch.malloscope("doctor");
        doctor
            .env("MALLOSCOPE_LIB", path("libours.so"))
            .env("LD_PRELOAD", preload);
        Report::of(doctor.args(["--", "./plain"]).output())
    };
    let (ours, other) = (path("libours.so"), path("liballoc.so"));
    with(format!("{other}:{ours}")).says("problem", &["liballoc.so before libmalloscope.so"]);
    with(format!("{ours} {other}")).says("ok", &["liballoc.so, which works behind us"]);
    with(other).says(
        "ok",
        &["liballoc.so, which works behind us", "must come first"],
    );
    with("libnowhere.so".to_owned()).says("note", &["libnowhere.so, which cannot be loaded"]);
}

#[test]
fn sanitizers_are_told_before_they_refuse() {
    let scratch = Scratch::new("sanitizer");
    let start = "int __asan_init(void) { return 0; } int main(void) { return __asan_init(); }";
    scratch.compile("asan", start, &[]);
    scratch
        .doctor(&["./asan"])
        .says("problem", &["AddressSanitizer", "without -fsanitize"]);
}

#[test]
fn scripts_lead_to_their_interpreter() {
    let scratch = Scratch::new("scripts");
    scratch.compile("static", PLAIN, &["-static"]);
    scratch.script("wrapper", "#!/bin/sh\nX=1\nexec ./static \"$@\"\n");
    let report = scratch.doctor(&["./wrapper"]);
    report.says("note", &["a wrapper", "hands over to: ./static \"$@\""]);
    report.says("ok", &["/bin/sh is a dynamically linked"]);
    let through = format!("#!{}/static\n", scratch.0.display());
    scratch.script("through", &through);
    scratch
        .doctor(&["./through"])
        .says("problem", &["statically linked"]);
    scratch.script("env", "#!/usr/bin/env -S no-such-interpreter -x\n");
    scratch
        .doctor(&["./env"])
        .says("problem", &["no-such-interpreter: command not found"]);
    scratch.script("loop", &format!("#!{}/loop\n", scratch.0.display()));
    assert!(
        scratch.doctor(&["./loop"]).text.contains("./loop"),
        "and it ends"
    );
}

#[test]
fn what_cannot_be_started_is_a_problem() {
    let scratch = Scratch::new("missing");
    scratch
        .doctor(&["no-such-program"])
        .says("problem", &["command not found"]);
    scratch.script("data", "no program");
    scratch
        .doctor(&["./data"])
        .says("problem", &["neither an ELF program nor a script"]);
    scratch.mode("data", 0o644);
    scratch
        .doctor(&["./data"])
        .says("problem", &["not executable"]);
    let library = scratch
        .malloscope("doctor")
        .args(["--", "/bin/sh"])
        .env("MALLOSCOPE_LIB", "/no")
        .output();
    Report::of(library).says("problem", &["MALLOSCOPE_LIB names /no"]);
}

#[test]
fn a_program_that_is_started_elsewhere_is_out_of_reach() {
    let scratch = Scratch::new("elsewhere");
    scratch.script("docker", "#!/bin/sh\n");
    let report = scratch.doctor(&["./docker", "run", "redis"]);
    report.says("problem", &["docker starts the program where", "-v and -e"]);
}

/// Only root can give a file away; to everybody else the bit on his own file means nothing.
#[test]
fn set_user_id_programs_are_out_of_reach() {
    let scratch = Scratch::new("rights");
    scratch.compile("setuid", PLAIN, &[]);
    let given = chown(scratch.0.join("setuid"), Some(65_534), None).is_ok();
    scratch.mode("setuid", 0o4755);
    let report = scratch.doctor(&["./setuid"]);
    if given {
        report.says("problem", &["set-user-ID", "ignores LD_PRELOAD"]);
    } else {
        report.says("note", &["set-user-ID", "changes nothing for you"]);
    }
}

#[test]
fn json_holds_the_same() {
    let scratch = Scratch::new("json");
    scratch.compile("static", PLAIN, &["-static"]);
    let output = scratch
        .malloscope("doctor")
        .args(["--json", "--", "./static"])
        .output();
    let report = Report::of(output);
    assert_eq!(report.code, Some(1));
    let json: Value = serde_json::from_str(&report.text).expect("JSON");
    assert_eq!(
        (json["schema"].as_u64(), json["command"].as_str()),
        (Some(1), Some("doctor"))
    );
    assert_eq!(json["program"], "./static");
    assert_eq!(json["verdict"], "problem");
    let findings = json["findings"].as_array().expect("a list");
    assert_eq!(findings[0]["about"], "format");
    assert_eq!(findings[0]["verdict"], "problem");
    assert!(findings[0]["advice"].is_string());
}

#[test]
fn a_directory_that_cannot_be_written_is_a_problem() {
    let scratch = Scratch::new("directory");
    fs::write(scratch.0.join("file"), "").expect("a file");
    let mut doctor = scratch.malloscope("doctor");
    let output = doctor.args(["-o", "file/d", "--", "sh"]).output();
    Report::of(output).says("problem", &["is no directory: there would be no dump"]);
    let limited = "ulimit -f 1; exec \"$0\" doctor -- sh";
    let mut shell = Command::new("sh");
    shell.args(["-c", limited, env!("CARGO_BIN_EXE_malloscope")]);
    let output = shell
        .env("MALLOSCOPE_LIB", libc())
        .current_dir(&scratch.0)
        .output();
    Report::of(output).says("problem", &["ulimit -f", "no dump fits"]);
}
