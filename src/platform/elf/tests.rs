//! The answers against those of the loader.
#![allow(unsafe_code)]

use core::ptr;

use libc::Elf64_Sym;

use super::symbols::{Tables, sysv_hash};
use super::*;

fn libc_object() -> Object {
    all()
        .find(|object| object.name().ends_with(b"libc.so.6"))
        .expect("libc is loaded")
}

#[test]
fn hashes_are_those_of_the_specification() {
    assert_eq!(gnu_hash(b"printf"), 0x156b_2bb8);
    assert_eq!(sysv_hash(b"printf"), 0x0779_05a6);
}

#[test]
fn own_object_holds_this_function() {
    let own = own().expect("found");
    assert!(own.contains(own_object_holds_this_function as fn() as usize));
    assert!(!libc_object().contains(own_object_holds_this_function as fn() as usize));
}

#[test]
fn malloc_is_where_dlsym_says() {
    // SAFETY: both strings are NUL-terminated.
    let wanted = unsafe { libc::dlsym(libc::RTLD_NEXT, c"malloc".as_ptr()) } as usize;
    let (symbol, object) = next_symbol(b"malloc").expect("found");
    assert_eq!((symbol.addr, symbol.is_ifunc), (wanted, false));
    assert!(object.contains(wanted));
    assert_eq!(
        find_by_address(wanted).map(|object| object.base()),
        Some(libc_object().base())
    );
}

#[test]
fn indirect_functions_are_resolved() {
    // SAFETY: both strings are NUL-terminated.
    let wanted = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"memcpy".as_ptr()) } as usize;
    // memcpy has two versions in glibc: the default one must win.
    let symbol = libc_object().symbol(b"memcpy").expect("found");
    assert_eq!((symbol.addr, symbol.is_ifunc), (wanted, true));
}

#[test]
fn answers_are_those_of_dlsym() {
    for name in [
        c"realpath",
        c"pthread_cond_wait",
        c"environ",
        c"free",
        c"stpcpy",
    ] {
        // SAFETY: the string is NUL-terminated.
        let wanted = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) } as usize;
        let found = libc_object().symbol(name.to_bytes());
        assert_eq!(found.map(|symbol| symbol.addr), Some(wanted), "{name:?}");
    }
}

#[test]
fn a_hidden_version_is_better_than_none() {
    // Hidden since 2.34: programs use sched_yield instead.
    let (name, version) = (c"pthread_yield", c"GLIBC_2.2.5");
    // SAFETY: the strings are NUL-terminated.
    let wanted = unsafe { libc::dlvsym(libc::RTLD_NEXT, name.as_ptr(), version.as_ptr()) };
    let found = libc_object().symbol(b"pthread_yield");
    assert_eq!(found.map_or(0, |symbol| symbol.addr), wanted as usize);
}

#[test]
fn what_is_not_defined_is_not_found() {
    assert!(libc_object().symbol(b"no_such_symbol_anywhere").is_none());
    assert!(libc_object().symbol(b"").is_none());
    assert!(
        libc_object().symbol(b"errno").is_none(),
        "thread-local symbols have no address"
    );
}

#[test]
fn both_kinds_of_hash_table_agree_in_the_vdso() {
    let Some(vdso) = all().find(|object| object.name().starts_with(b"linux-vdso")) else {
        return;
    };
    let tables = Tables::read(&vdso).expect("tables");
    let name = b"__vdso_clock_gettime";
    let hash = gnu_hash(name);
    let wanted = tables.lookup(name, hash).expect("found") as *const Elf64_Sym;
    for without_gnu in [false, true] {
        let mut tables = Tables::read(&vdso).expect("tables");
        if without_gnu {
            tables.gnu_hash = None;
        }
        if tables.gnu_hash.is_some() || !tables.hash.is_null() {
            assert!(ptr::eq(tables.lookup(name, hash).expect("found"), wanted));
        }
    }
    assert!(vdso.contains(vdso.symbol(b"__vdso_clock_gettime").expect("found").addr));
}

#[test]
fn names_looked_up_together_are_found_as_one_by_one() {
    let names = ["realpath", "no_such_function", "malloc", "stpcpy", "_Znwm"].map(str::as_bytes);
    let object = libc_object();
    let mut found = [None; 5];
    let numbered = names.into_iter().map(Name::new).enumerate();
    let table = object.table().expect("symbols");
    table.symbols(numbered, |at, symbol| found[at] = Some(symbol));
    assert_eq!(found, names.map(|name| object.symbol(name)));
    assert_eq!(found[1], None);
    let mut seen = 0;
    for_each_but_own(&mut |object, place| {
        assert!(Some(*object) != own());
        // The program itself is who asks here.
        assert_eq!(place, Place::Behind);
        seen += 1;
    });
    assert_eq!(seen, all().count() - 1);
}

#[test]
fn a_hash_tells_of_a_name() {
    let object = libc_object();
    let table = object.table().expect("symbols");
    assert!(table.has_hash_of(&[gnu_hash(b"_Znwm"), gnu_hash(b"stpcpy")]));
    assert!(!table.has_hash_of(&[gnu_hash(b"_Znwm"), gnu_hash(b"mallocx")]));
}
