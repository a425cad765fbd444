//! The live table against a plain map, and under threads.
use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::table::stack_table::StackId;

fn sample(addr: usize) -> Sample {
    Sample {
        addr,
        size: addr ^ 0x55,
        weighted_bytes: 1 + addr as u64 % 1000,
        variance: addr as f32,
        birth_ms: addr as u64 / 7,
        first_size: addr / 3,
        first_weight: 1.5,
        resized_ms: addr as u64 / 5,
        lg_period: (addr % 60) as u8,
        stack: StackId(addr as u32 ^ 0xf0f0),
        thread: addr as u32 >> 4,
    }
}

/// With a page filter of its own, which lives as long as the test's process.
fn table() -> Box<LiveTable> {
    Box::new(LiveTable::new(Some(filter())))
}

#[allow(unsafe_code)]
fn filter() -> &'static PageFilter {
    // SAFETY: all zero is a filter; on the stack it would be a megabyte.
    Box::leak(unsafe { Box::<PageFilter>::new_zeroed().assume_init() })
}

impl LiveTable {
    /// As a free asks.
    fn maybe_contains(&self, addr: usize) -> bool {
        let page = self.pages.expect("a filter").may_begin_in_page_of(addr);
        assert!(
            page || !self.may_contain(addr),
            "the page is the first to know"
        );
        page && self.may_contain(addr)
    }
}

fn contents(table: &LiveTable) -> HashMap<usize, Sample> {
    let mut all = HashMap::new();
    table.for_each(&mut |sample| assert!(all.insert(sample.addr, *sample).is_none()));
    all
}

#[test]
fn what_goes_in_comes_out() {
    let table = table();
    let whole = Sample {
        addr: usize::MAX - 15,
        size: usize::MAX,
        weighted_bytes: u64::MAX,
        variance: f32::MAX,
        birth_ms: (1 << 56) - 1,
        first_size: usize::MAX,
        first_weight: f32::MAX,
        resized_ms: u64::MAX,
        lg_period: 63,
        stack: StackId(u32::MAX),
        thread: u32::MAX,
    };
    assert!(!table.maybe_contains(whole.addr));
    assert_eq!(table.insert(whole), Insert::New);
    assert!(table.maybe_contains(whole.addr));
    assert_eq!(table.total_weighted_bytes(), u64::MAX);
    assert_eq!(table.remove(whole.addr), Some(whole));
    assert_eq!(table.remove(whole.addr), None);
    assert!(!table.maybe_contains(whole.addr));
    assert_eq!((table.len(), table.total_weighted_bytes()), (0, 0));
    assert_eq!(table.remove(4096), None);
}

#[test]
fn an_address_known_already_is_replaced() {
    let table = table();
    let old = sample(4096);
    let new = Sample {
        size: 1,
        weighted_bytes: 99,
        ..old
    };
    assert_eq!(table.insert(old), Insert::New);
    assert_eq!(table.insert(new), Insert::Replaced(old));
    assert_eq!((table.len(), table.total_weighted_bytes()), (1, 99));
    assert_eq!(table.remove(4096), Some(new));
    assert!(!table.maybe_contains(4096), "counted once only");
}

#[test]
fn address_zero_is_refused() {
    let table = table();
    assert_eq!(table.insert(sample(0)), Insert::Full);
    assert_eq!(table.remove(0), None);
    assert_eq!(table.len(), 0);
}

#[test]
fn pages_in_rows_spread_over_shards() {
    let table = table();
    let many = if cfg!(miri) { 500 } else { 30_000 };
    let addr = |n: usize| 0x7f12_3456_0000 + n * 4096;
    (1..=many).for_each(|n| assert_eq!(table.insert(sample(addr(n))), Insert::New));
    assert_eq!(contents(&table).len(), many);
    let mut in_shard = [0; 1 << LG_SHARDS];
    for n in 1..=many {
        let at = table
            .shards
            .iter()
            .position(|shard| shard.get(addr(n)).is_some());
        in_shard[at.expect("in one")] += 1;
    }
    let most = in_shard.iter().max().expect("shards");
    assert!(
        most * (1 << LG_SHARDS) < many * 3,
        "{most} of {many} in one shard"
    );
    for n in 1..=many {
        assert_eq!(table.remove(addr(n)), Some(sample(addr(n))));
    }
    assert_eq!((table.len(), table.total_weighted_bytes()), (0, 0));
}

#[test]
fn neighbours_of_samples_are_told_apart() {
    let table = table();
    let blocks = |page: usize| (0..32).map(move |n| 0x5500_0000_0000 + page * 4096 + n * 128);
    for page in 0..200 {
        let sampled = blocks(page).nth(page % 32).expect("a block");
        table.insert(sample(sampled));
        assert!(blocks(page).all(|addr| table.maybe_contains(addr) == (addr == sampled)));
    }
}

#[test]
fn a_page_of_many_samples_is_free_of_them_again() {
    let table = table();
    let filter = table.pages.expect("a filter");
    // 512 blocks of 8 bytes, as jemalloc has them: more than a byte can count.
    let addr = |n: usize| 0x7f00_0000_0000 + n * 8;
    (0..512).for_each(|n| assert_eq!(table.insert(sample(addr(n))), Insert::New));
    (0..512).for_each(|n| assert!(table.remove(addr(n)).is_some()));
    assert!(
        !filter.may_begin_in_page_of(addr(0)),
        "it was counted anew on the way"
    );
    // Exactly as many as it can count.
    (0..255).for_each(|n| assert_eq!(table.insert(sample(addr(n))), Insert::New));
    (0..255).for_each(|n| assert!(table.remove(addr(n)).is_some()));
    assert!(!filter.may_begin_in_page_of(addr(0)));
    (0..300).for_each(|n| assert_eq!(table.insert(sample(addr(n))), Insert::New));
    table.clear();
    assert!(!filter.may_begin_in_page_of(addr(0)) && table.is_empty());
}

#[test]
fn without_pages_it_is_the_same_table() {
    let table = LiveTable::new(None);
    (1..100).for_each(|n| assert_eq!(table.insert(sample(n)), Insert::New));
    assert!((1..100).all(|n| table.may_contain(n) && table.get(n) == Some(sample(n))));
    assert!((1..100).all(|n| table.remove(n) == Some(sample(n)) && !table.may_contain(n)));
}

#[test]
fn threads_find_what_others_put() {
    let rounds = if cfg!(miri) { 40 } else { 20_000_usize };
    let table = table();
    std::thread::scope(|scope| {
        for thread in 0..3_usize {
            let (send, receive) = std::sync::mpsc::sync_channel::<usize>(64);
            let table = &table;
            scope.spawn(move || {
                for round in 1..=rounds {
                    let addr = (thread << 40) + round * 4096;
                    assert_eq!(table.insert(sample(addr)), Insert::New);
                    send.send(addr).expect("the other end waits");
                }
            });
            scope.spawn(move || {
                for addr in receive {
                    assert!(table.maybe_contains(addr));
                    assert_eq!(table.remove(addr), Some(sample(addr)));
                }
            });
        }
        let mut seen = 0;
        table.for_each(&mut |found| {
            assert_eq!(*found, sample(found.addr));
            seen += 1;
        });
        assert!(seen <= 3 * rounds);
    });
    assert_eq!((table.len(), table.total_weighted_bytes()), (0, 0));
}

#[test]
#[allow(unsafe_code)]
fn abandoned_is_empty() {
    let table = table();
    table.insert(sample(4096));
    // SAFETY: the table is this thread's alone.
    unsafe { table.abandon() };
    assert!(table.is_empty() && contents(&table).is_empty() && !table.maybe_contains(4096));
    assert_eq!(table.insert(sample(4096)), Insert::New);
}

#[derive(Debug, Clone)]
enum Step {
    Insert(usize, u64),
    Remove(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few addresses, so that inserts meet removals; odd ones among them, so that homes collide.
    let addr = prop_oneof![1..400_usize, (1..400_usize).prop_map(|n| n << 12)];
    let step = prop_oneof![
        3 => (addr.clone(), any::<u32>()).prop_map(|(a, w)| Step::Insert(a, w.into())),
        2 => addr.prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 0..2000)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    // Miri would take minutes for the generator alone.
    #[cfg_attr(miri, ignore)]
    #[test]
    fn behaves_like_a_map(steps in steps()) {
        let table = table();
        let mut model = HashMap::new();
        for step in steps {
            match step {
                Step::Insert(addr, weighted_bytes) => {
                    let new = Sample { weighted_bytes, ..sample(addr) };
                    let expected = model.insert(addr, new).map_or(Insert::New, Insert::Replaced);
                    prop_assert_eq!(table.insert(new), expected);
                }
                Step::Remove(addr) => prop_assert_eq!(table.remove(addr), model.remove(&addr)),
            }
        }
        prop_assert!(model.keys().all(|&addr| table.maybe_contains(addr)));
        prop_assert_eq!(table.len(), model.len());
        let bytes: u64 = model.values().map(|sample| sample.weighted_bytes).sum();
        prop_assert_eq!(table.total_weighted_bytes(), bytes);
        prop_assert_eq!(contents(&table), model);
    }
}

/// Thins all of `table` to period `2^lg_period`, part by part; how many gave way.
fn thin(table: &LiveTable, lg_period: u8, random: &mut dyn FnMut() -> u64) -> usize {
    let (mut place, mut gone) = (Place::default(), 0);
    loop {
        gone += table.thin(&mut place, lg_period, random);
        if place.is_start() {
            return gone;
        }
    }
}

/// Blocks of four sizes, sampled with 2^12 and thinned step by step to 2^16: the table's own sums hold, what
/// is left is found and what went is not, and the samples stand for the truth within four deviations.
#[test]
fn thinning_keeps_the_sums_and_the_pages_true() {
    use crate::sampler::{probability, weight};
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    const BLOCKS: usize = 60_000;
    let mut random = SmallRng::seed_from_u64(11);
    for size in [64, 1_000, 5_000, 300_000] {
        let table = table();
        let mut addresses = Vec::new();
        for number in 1..=BLOCKS {
            let drawn = (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
            if drawn < probability(size, 12) {
                let addr = number * 0x530;
                addresses.push(addr);
                table.insert(Sample {
                    size,
                    lg_period: 12,
                    weighted_bytes: weight(size, 12).bytes,
                    ..sample(addr)
                });
            }
        }
        let gone: usize = (13..=16)
            .map(|lg| thin(&table, lg, &mut || random.next_u64()))
            .sum();
        let left = contents(&table);
        assert_eq!(
            (left.len(), table.len()),
            (addresses.len() - gone, left.len())
        );
        let sum: u64 = left.values().map(|sample| sample.weighted_bytes).sum();
        assert_eq!(table.total_weighted_bytes(), sum);
        assert!(left.values().all(|sample| sample.lg_period == 16));
        for addr in &addresses {
            assert_eq!(table.maybe_contains(*addr), left.contains_key(addr));
        }
        let p = probability(size, 16);
        let deviation = size as f64 * (BLOCKS as f64 * (1.0 - p) / p).sqrt();
        let off = (sum as f64 - (BLOCKS * size) as f64).abs();
        assert!(
            off <= 4.0 * deviation + sum as f64 / 1000.0,
            "{size}: off by {off}"
        );
        addresses.iter().for_each(|addr| {
            table.remove(*addr);
        });
        assert!(table.is_empty() && table.total_weighted_bytes() == 0);
    }
}
