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
    "free",
    "cfree",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "valloc",
    "pvalloc",
    "malloc_usable_size",
    "free_sized",
    "free_aligned_sized",
    // What puts a program into a sandbox.
    "prctl",
    "syscall",
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

/// What only some allocators have: exported under a veil, another name of the same length and hash.
const EXTENDED: &str = "\
    mallctl mallctlnametomib mallctlbymib \
    mallocx rallocx xallocx sallocx dallocx sdallocx tc_malloc tc_malloc_skip_new_handler \
    tc_calloc tc_realloc tc_free tc_free_sized tc_cfree tc_memalign tc_posix_memalign tc_valloc \
    tc_pvalloc tc_malloc_size tc_new tc_new_nothrow tc_new_aligned tc_new_aligned_nothrow \
    tc_newarray tc_newarray_nothrow tc_newarray_aligned tc_newarray_aligned_nothrow tc_delete \
    tc_delete_sized tc_delete_nothrow tc_delete_aligned tc_delete_sized_aligned \
    tc_delete_aligned_nothrow tc_deletearray tc_deletearray_sized tc_deletearray_nothrow \
    tc_deletearray_aligned tc_deletearray_sized_aligned tc_deletearray_aligned_nothrow mi_malloc \
    mi_malloc_small mi_calloc mi_realloc mi_reallocarray mi_free mi_free_size \
    mi_free_size_aligned mi_free_aligned mi_cfree mi_memalign mi_posix_memalign mi_aligned_alloc \
    mi_valloc mi_pvalloc mi_usable_size mi_malloc_size mi_malloc_usable_size mi_zalloc \
    mi_zalloc_small mi_mallocn mi_malloc_aligned mi_zalloc_aligned mi_calloc_aligned mi_reallocn \
    mi_reallocf mi_reallocarr mi_rezalloc mi_recalloc mi_realloc_aligned mi_rezalloc_aligned \
    mi_recalloc_aligned mi_strdup mi_strndup mi_new mi_new_nothrow mi_new_aligned \
    mi_new_aligned_nothrow mi_new_n mi_new_realloc mi_new_reallocn";

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
    // musl takes this name for its own, and finds no other library of glibc's.
    assert_eq!(needed, ["libc.so.6"]);
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
    let veils: BTreeSet<_> = exported.difference(&hooks).collect();
    assert_eq!(exported.intersection(&hooks).count(), hooks.len());
    for name in EXTENDED.split_whitespace() {
        let like = |veil: &&&String| veil.len() == name.len() && hash(veil) == hash(name);
        let stands = veils.iter().filter(like).count();
        assert_eq!((stands, exported.contains(name)), (1, false), "{name}");
    }
    assert_eq!(veils.len(), EXTENDED.split_whitespace().count());
}

/// The hash by which the loader finds a symbol.
fn hash(name: &str) -> u32 {
    name.bytes().fold(5381, |hash: u32, byte| {
        hash.wrapping_mul(33).wrapping_add(byte.into())
    })
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

/// Start and size of a section, by its name.
fn section(name: &str) -> (u64, u64) {
    let sections = readelf("--section-headers");
    let line = sections
        .lines()
        .find(|line| line.split_whitespace().any(|word| word == name));
    let fields: Vec<_> = line
        .unwrap_or_else(|| panic!("no section {name}"))
        .split_whitespace()
        .skip_while(|word| *word != name)
        .collect();
    let number = |at: usize| u64::from_str_radix(fields[at], 16).expect("a number");
    (number(2), number(4))
}

#[test]
fn what_every_process_touches_lies_together() {
    const PAGE: u64 = 4096;
    // preload/layout.ld: the small variables and the head of the page filter on one page, what is
    // relocated on one, and room for one more of each before it is worth another look.
    let ((data, _), (filter, _)) = (section(".data"), section(".bss.filter"));
    let variables = filter / PAGE - data / PAGE + 1;
    assert!(variables <= 2, "{variables} pages of variables");
    let ((first, _), (got, size)) = (section(".data.rel.ro"), section(".got"));
    let relocated = (got + size - 1) / PAGE - first / PAGE + 1;
    assert!(relocated <= 2, "{relocated} pages are relocated");
    // What every start, fork and end runs, by pieces of mangled names.
    let run = [
        "malloscope5start17h",
        "4next7resolve17h",
        "3elf7symbols6Tables6lookup17h",
        "6config5parse3set17h",
        "4boot7prepare17h",
        "4boot5child17h",
        "4boot7at_exit17h",
        "6dumper9write_now17h",
        "8recorder8sampling11enter_event17h",
        "7Sampler8next_gap17h",
    ];
    for name in run {
        let (address, size) = local_symbol(name);
        assert!(
            address + size <= 16 * PAGE,
            "{name} ends at {:#x}",
            address + size
        );
    }
    // And what a fork's child writes.
    let pages = [
        "8recorder4fork3PID",
        "6thread4SEED",
        "7lineage3PID",
        "5arena7RESERVE",
        "9UNDER_WAY",
    ]
    .map(|name| local_symbol(name).0 / PAGE);
    assert_eq!(pages, [filter / PAGE; 5]);
}

/// Address and size of the only symbol whose name has this piece.
fn local_symbol(piece: &str) -> (u64, u64) {
    let table = readelf("--symbols");
    let rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let found: Vec<_> = rows
        .filter(|row| row.len() >= 8 && row[7].contains(piece))
        .filter(|row| row[2] != "0")
        .map(|row| {
            let address = u64::from_str_radix(row[1], 16).expect("an address");
            (address, row[2].parse().expect("a size"))
        })
        .collect();
    let [only] = found[..] else {
        panic!("{piece}: {found:x?}");
    };
    only
}

/// Start addresses of `.eh_frame_hdr`'s search table, relative to it.
fn unwind_table() -> Vec<i32> {
    let sections = readelf("--section-headers");
    let row = sections
        .lines()
        .find_map(|line| line.split_once(" .eh_frame_hdr "))
        .expect("a search table");
    let fields: Vec<&str> = row.1.split_whitespace().collect();
    let offset = usize::from_str_radix(fields[2], 16).expect("an offset");
    let file = std::fs::read(library()).expect("the library");
    let word = |at: usize| {
        let bytes = file[offset + at..][..4].try_into().expect("four bytes");
        i32::from_le_bytes(bytes)
    };
    // Version 1; the table's words are relative to the section, with a sign.
    assert_eq!((file[offset], file[offset + 3]), (1, 0x3b));
    (0..word(8) as usize)
        .map(|row| word(12 + 8 * row))
        .collect()
}

#[test]
fn other_unwinders_find_our_functions() {
    let table = unwind_table();
    assert!(table.len() > 100, "{} functions", table.len());
    // They halve it. A linker that sorts by distances without a sign breaks it where code stands on both sides.
    assert!(table.is_sorted());
}
