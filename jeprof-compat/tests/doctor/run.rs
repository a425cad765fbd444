//! The same problems before `malloscope run` starts a program.

use super::*;

/// What `run` says before it says that it runs `./program`, and that it does run.
fn told_by_run(scratch: &Scratch, program: &str) -> String {
    let run = scratch
        .malloscope("run")
        .args(["-o", "d", program])
        .output();
    let said = String::from_utf8(run.expect("malloscope starts").stderr).expect("UTF-8");
    let (told, rest) = said.split_once("malloscope: running ").unwrap_or_default();
    assert!(rest.starts_with(&program[2..]), "{said}");
    assert!(
        told.lines().all(|line| line.starts_with("malloscope: ./")),
        "{said}"
    );
    told.to_owned()
}

/// `run` says what is wrong and what to do instead, nothing else, and starts the program all the same.
#[test]
fn run_tells_the_problems_and_goes_on() {
    let scratch = Scratch::new("run");
    let musl = "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1";
    let carries =
        |symbol: &str| format!("int {symbol}(void) {{ return 0; }} int main(void) {{ return 0; }}");
    let targets: [(&str, &str, &[&str], &[&str]); 6] = [
        (
            "static",
            PLAIN,
            &["-static"],
            &["is statically linked", "without -static"],
        ),
        (
            "own",
            OWN,
            &["-fno-builtin"],
            &["exports a malloc of its own"],
        ),
        ("musl", PLAIN, &[musl], &["musl", "a build for glibc"]),
        (
            "prefixed",
            &carries("je_mallctl"),
            &[],
            &["jemalloc (je_)", "JE_MALLOC_CONF"],
        ),
        (
            "mi",
            &carries("mi_malloc"),
            &[],
            &["mimalloc", "build it with the system's malloc"],
        ),
        (
            "go",
            &carries("runtime_mallocgc"),
            &["-Wl,--defsym=runtime.mallocgc=main"],
            &["Go", "pprof"],
        ),
    ];
    for (name, source, flags, parts) in targets {
        scratch.compile(name, source, flags);
        let told = told_by_run(&scratch, &format!("./{name}"));
        assert!(
            parts.iter().all(|part| told.contains(part)),
            "{name}: {told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    scratch.compile("plain", PLAIN, &[]);
    assert_eq!(told_by_run(&scratch, "./plain"), "");
}

/// By a file whose head says so: it cannot be started here, and `run` says why before it tries.
#[test]
fn run_tells_another_architecture() {
    const MACHINE: usize = 18;
    const AARCH64: u8 = 183;
    let scratch = Scratch::new("architecture");
    scratch.compile("foreign", PLAIN, &[]);
    let path = scratch.0.join("foreign");
    let mut bytes = fs::read(&path).expect("a program");
    bytes[MACHINE] = AARCH64;
    fs::write(&path, bytes).expect("a program");
    let told = told_by_run(&scratch, "./foreign");
    assert!(told.contains("aarch64"), "{told}");
}

/// A real one of each, where the compiler can make it or root can give it away.
#[test]
fn run_tells_of_rights_and_sanitizers() {
    let scratch = Scratch::new("refused");
    scratch.compile("setuid", PLAIN, &[]);
    if chown(scratch.0.join("setuid"), Some(65_534), None).is_ok() {
        scratch.mode("setuid", 0o4755);
        let told = told_by_run(&scratch, "./setuid");
        assert!(told.contains("ignores LD_PRELOAD"), "{told}");
    } else {
        println!("not run: only root can give a file away");
    }
    scratch.compile("asan", PLAIN, &["-fsanitize=address"]);
    let told = told_by_run(&scratch, "./asan");
    assert!(told.contains("AddressSanitizer"), "{told}");
}
