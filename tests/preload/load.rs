//! The file itself: what it needs, what it asks of glibc, and what it exports.
//!
//! A preloaded library that does not load stops every program of the machine, shells included.

use std::collections::BTreeSet;
use std::process::Command;

use crate::harness::library;

/// The oldest glibc that must be able to load us.
const OLDEST: (u32, u32) = (2, 17);

const HOOKS: &[&str] = &[
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "sdallocx",
    "free",
    "cfree",
    "dallocx",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "valloc",
    "pvalloc",
    "malloc_usable_size",
    "free_sized",
    "free_aligned_sized",
    // What maps memory past malloc.
    "mmap",
    "mmap64",
    "munmap",
    "mremap",
    "brk",
    "sbrk",
    // The one call into the loader we watch: code that goes away.
    "dlclose",
    // Where a JVM is met at its creation.
    "dlsym",
    // operator new and new[]: plain, nothrow, aligned, both
    "_Znwm",
    "_Znam",
    "_ZnwmRKSt9nothrow_t",
    "_ZnamRKSt9nothrow_t",
    "_ZnwmSt11align_val_t",
    "_ZnamSt11align_val_t",
    "_ZnwmSt11align_val_tRKSt9nothrow_t",
    "_ZnamSt11align_val_tRKSt9nothrow_t",
    // operator delete and delete[]: plain, sized, nothrow, aligned, aligned and sized, aligned and nothrow
    "_ZdlPv",
    "_ZdaPv",
    "_ZdlPvm",
    "_ZdaPvm",
    "_ZdlPvRKSt9nothrow_t",
    "_ZdaPvRKSt9nothrow_t",
    "_ZdlPvSt11align_val_t",
    "_ZdaPvSt11align_val_t",
    "_ZdlPvmSt11align_val_t",
    "_ZdaPvmSt11align_val_t",
    "_ZdlPvSt11align_val_tRKSt9nothrow_t",
    "_ZdaPvSt11align_val_tRKSt9nothrow_t",
];

fn readelf(what: &str) -> String {
    let output = Command::new("readelf")
        .args(["-W", what])
        .arg(library())
        .output();
    let output = output.expect("readelf of binutils");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

/// `(name, is defined here)` of every dynamic symbol.
fn symbols() -> Vec<(String, bool)> {
    let table = readelf("--dyn-syms");
    let rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.len() >= 8 && row[0] != "Num:" && row[0].ends_with(':'))
        .map(|row| (row[7].to_owned(), row[6] != "UND"))
        .collect()
}

#[test]
fn it_needs_libc_alone() {
    let dynamic = readelf("--dynamic");
    let needed: Vec<_> = dynamic
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split_once('[')?.1.strip_suffix(']'))
        .collect();
    assert!(needed.contains(&"libc.so.6"), "{needed:?}");
    let others = needed
        .iter()
        .filter(|name| **name != "libc.so.6" && !name.starts_with("ld-linux"));
    assert_eq!(others.count(), 0, "{needed:?}");
}

#[test]
fn it_asks_for_no_new_glibc() {
    let versioned = symbols().into_iter().filter(|(_, defined)| !defined);
    for (symbol, _) in versioned {
        let Some((name, version)) = symbol.split_once("@GLIBC_") else {
            assert!(!symbol.contains('@'), "{symbol}");
            continue;
        };
        let mut parts = version
            .split('.')
            .map(|part| part.parse::<u32>().expect("a version"));
        let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        assert!(version <= OLDEST, "{name} wants glibc {version:?}");
    }
}

#[test]
fn it_exports_the_hooks_and_nothing_else() {
    let defined = symbols()
        .into_iter()
        .filter_map(|(name, defined)| defined.then_some(name));
    let exported: BTreeSet<String> = defined.collect();
    let hooks: BTreeSet<String> = HOOKS.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(exported, hooks);
}

#[test]
fn its_thread_locals_are_small_and_need_no_call() {
    let headers = readelf("--program-headers");
    let tls = headers
        .lines()
        .find(|line| line.trim_start().starts_with("TLS"))
        .expect("a TLS segment");
    let size = tls
        .split_whitespace()
        .nth(5)
        .expect("memory size")
        .trim_start_matches("0x");
    assert!(
        u32::from_str_radix(size, 16).expect("a size") <= 64,
        "{tls}"
    );
    let calls = symbols()
        .iter()
        .any(|(name, _)| name.starts_with("__tls_get_addr"));
    assert!(!calls, "initial-exec");
    let relocations = readelf("--relocs");
    assert!(
        !relocations.contains("TLSDESC") && !relocations.contains("DTPMOD"),
        "initial-exec"
    );
}
