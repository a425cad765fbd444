use super::*;
use crate::unwind::rule::{Base, Cfa, Saved, Step};
use std::sync::Mutex;

/// The table belongs to the process: tests that fill it or count generations take turns.
static TURN: Mutex<()> = Mutex::new(());

/// A rule that tells which address it belongs to.
fn rule_of(address: u64) -> Rule {
    Rule::pack(Step::Frame {
        cfa: Cfa::Plus(Base::Sp, 16 + (address as i64 & 0xff_ffff) * 8),
        bp: Saved::Same,
        bx: Saved::Same,
    })
}

/// Return addresses as a big program has them.
fn addresses(count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(|n| 0x7f00_1200_0000 + n * 37)
}

fn start_small() {
    // SAFETY: the tests hold `TURN`; unwinds of other tests use the old table, which stays mapped.
    unsafe { abandon() };
}

#[test]
fn found_until_the_generation_changes() {
    let _turn = TURN.lock();
    let table = get().expect("memory");
    let rule = Rule::pack(Step::Signal);
    let address = 0x7f00_1234_5678;
    assert_eq!(table.find(address), None);
    table.insert(address, rule);
    assert_eq!(table.find(address), Some(rule));
    assert_eq!(table.find(address | INTERRUPTED), None);
    bump_generation();
    assert_eq!(get().expect("memory").find(address), None);
}

#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn grows_with_the_rules_and_loses_few() {
    let _turn = TURN.lock();
    start_small();
    let old = get().expect("memory");
    assert_eq!(old.mask, mask(FIRST));
    let kept = |count: u64| {
        let table = get().expect("memory");
        let is_found = |address: &u64| match table.find(*address) {
            Some(rule) => rule == rule_of(*address) || panic!("of another address"),
            None => false,
        };
        addresses(count).filter(is_found).count() as u64
    };
    for count in [100, 1_000, 10_000] {
        addresses(count).for_each(|address| old.insert(address, rule_of(address)));
        let size = get().expect("memory").mask as usize / size_of::<Entry>() + 1;
        assert!(
            size >= count as usize * 3 && size < count as usize * 8,
            "{size}"
        );
        assert!(kept(count) > count - count / 50, "{}", kept(count));
    }
    let many = 2 * MOST as u64;
    addresses(many).for_each(|address| old.insert(address, rule_of(address)));
    assert_eq!(get().expect("memory").mask, mask(MOST));
    assert!(kept(many) > many / 3);
}

#[test]
fn rules_of_old_generations_make_room() {
    let _turn = TURN.lock();
    start_small();
    for round in 0..50 {
        bump_generation();
        let table = get().expect("memory");
        let addresses = || addresses(30).map(|address| address + (round << 14));
        addresses().for_each(|address| table.insert(address, rule_of(address)));
        assert!(addresses().all(|address| table.find(address).is_some()));
    }
    assert_eq!(get().expect("memory").mask, mask(FIRST));
}

#[test]
fn threads_read_while_it_grows_and_libraries_close() {
    let _turn = TURN.lock();
    start_small();
    let rounds = if cfg!(miri) { 300 } else { 20_000 };
    let walk = |thread: u64| {
        for address in addresses(rounds) {
            let table = get().expect("memory");
            for address in [address, address ^ thread << 20] {
                match table.find(address) {
                    Some(rule) => assert_eq!(rule, rule_of(address)),
                    None => table.insert(address, rule_of(address)),
                }
            }
            if thread == 0 && address % 4096 == 0 {
                bump_generation();
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| scope.spawn(move || walk(thread)))
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().expect("its own rules"));
    });
}

#[test]
fn a_writer_that_did_not_come_along_holds_nobody_up() {
    let _turn = TURN.lock();
    let table = get().expect("memory");
    let address = 0x5555_0000_1000;
    let writer = Writer::begin(table).expect("nobody else");
    table.insert(address, rule_of(address));
    assert_eq!(table.find(address), None);
    core::mem::forget(writer);
    after_fork();
    table.insert(address, rule_of(address));
    assert_eq!(table.find(address), Some(rule_of(address)));
}

#[test]
fn no_key_is_zero() {
    assert_ne!(in_key(0), 0);
    assert_ne!(in_key(GENERATIONS - 1), in_key(GENERATIONS));
    assert_eq!(
        in_key(0),
        in_key(GENERATIONS),
        "after which the table is wiped"
    );
}
