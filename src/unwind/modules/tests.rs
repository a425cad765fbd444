//! The table against the loader's own answers.

use core::ops::Range;
use std::sync::atomic::AtomicBool;

use super::*;

/// `_dl_find_object`; what the rest of the process knows does not change.
fn loaders_function() -> Option<usize> {
    let symbol = elf::all().find_map(|object| object.symbol(b"_dl_find_object"));
    symbol.map(|symbol| symbol.addr)
}

/// The first and last byte of each loaded object, the addresses around them, and some that are in none.
fn addresses() -> Vec<u64> {
    let modules = elf::all().filter_map(|object| Module::of(&object));
    let edges = modules.flat_map(|module| {
        let Range { start, end } = module.addresses();
        [start - 1, start, start + 77, end - 1, end]
    });
    edges
        .chain([0, 1, usize::MAX])
        .map(|address| address as u64)
        .collect()
}

/// Other tests write the table meanwhile.
fn listed_at_last(pc: u64) -> Option<Module> {
    std::iter::repeat_with(|| listed(pc)).flatten().next()?
}

#[test]
fn our_table_answers_as_the_loader_does() {
    let Some(function) = loaders_function() else {
        return;
    };
    list_modules();
    for pc in addresses() {
        let (ours, loaders) = (listed_at_last(pc), ask_loader(function, pc));
        assert_eq!(
            ours.map(|module| (module.base, module.header)),
            loaders.map(|module| (module.base, module.header)),
            "{pc:#x}"
        );
    }
}

#[test]
fn readers_of_the_table_see_all_of_a_module_or_nothing() {
    let inside = our_table_answers_as_the_loader_does as fn() as usize as u64;
    list_modules();
    let expected = listed_at_last(inside).expect("this program");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    while !stop.load(Relaxed) {
                        assert!(listed(inside).is_none_or(|module| module == Some(expected)));
                    }
                })
            })
            .collect();
        (0..200).for_each(|_| list_modules());
        stop.store(true, Relaxed);
        readers
            .into_iter()
            .for_each(|reader| reader.join().expect("no half-written module"));
    });
}

#[test]
fn tables_are_found_and_sorted() {
    list_modules();
    let inside = tables_are_found_and_sorted as fn() as usize as u64;
    let tables = listed(inside)
        .flatten()
        .expect("this program")
        .tables()
        .expect("tables");
    let starts: Vec<_> = tables
        .rows
        .iter()
        .map(|[start, _]| i32::from_le_bytes(*start))
        .collect();
    assert!(starts.len() > 1000 && starts.is_sorted());
}

#[test]
fn an_object_in_pieces_is_read_like_one_in_one_piece() {
    list_modules();
    let inside = an_object_in_pieces_is_read_like_one_in_one_piece as fn() as usize;
    let whole = listed_at_last(inside as u64).expect("this program");
    // This is the loader's answer for a program with holes between its segments.
    let piece = Module {
        start: inside & !0xfff,
        end: (inside & !0xfff) + 0x1000,
        ..whole
    };
    let (expected, tables) = (
        whole.tables().expect("tables"),
        piece.tables().expect("tables"),
    );
    assert_eq!(tables.eh_frame_address, expected.eh_frame_address);
    assert_eq!(tables.rows.len(), expected.rows.len());
}
