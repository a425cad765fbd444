//! The tables: stacks are found while others are added, blocks while others come and go.
//!
//! What is to be tried in all orders runs in threads of its own: loom was seen not to vary what the
//! first thread only reads.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use malloscope_loom::sampler::Weight;
use malloscope_loom::table::arena;
use malloscope_loom::table::live_table::pages::PageFilter;
use malloscope_loom::table::live_table::{Drawn, Insert, LiveTable, Sample};
use malloscope_loom::table::stack_table::{StackId, StackTable};

fn check(bound: usize, test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(bound);
    model.check(move || {
        arena::reset();
        test();
    });
}

/// As for a sample. The sums stand in the record: to touch them before they are published is what
/// loom calls a causality violation.
fn intern(table: &StackTable) -> StackId {
    let id = table.intern(&[1, 2]).expect("memory");
    let weight = Weight {
        objects_fx: 256,
        bytes: 1,
        ..Weight::default()
    };
    table.note_alloc(id, &weight, 0);
    id
}

#[test]
fn threads_agree_on_a_stack() {
    check(3, || {
        let table = Arc::new(StackTable::new());
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || intern(&table))
        };
        let mine = intern(&table);
        assert_eq!(other.join().expect("no panic"), mine);
        assert_eq!((table.len(), table.frames(mine)), (1, &[1, 2][..]));
        assert_eq!(table.totals(mine).samples, 2);
    });
}

#[test]
fn a_stack_is_found_while_the_table_grows() {
    check(3, || {
        let table = Arc::new(StackTable::new());
        let first = table.intern(&[7]).expect("memory");
        // The index doubles, and the directory gets its second segment.
        let adder = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                for frame in [8, 9] {
                    table.intern(&[frame]).expect("memory");
                }
            })
        };
        let reader = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                assert_eq!(table.intern(&[7]), Some(first));
                // What the dump does.
                for id in (0..table.len()).map(StackId) {
                    assert_eq!(table.frames(id).len(), 1, "counted, so readable");
                    assert_eq!(table.totals(id).samples, 0);
                }
            })
        };
        adder.join().expect("no panic");
        reader.join().expect("no panic");
        assert_eq!(table.len(), 3);
    });
}

/// Two threads that free samples of one stack make room for the same lifetimes once.
#[test]
fn lifetimes_are_counted_once() {
    check(3, || {
        let table = Arc::new(StackTable::new());
        let id = intern(&table);
        let other = {
            let table = table.clone();
            thread::spawn(move || table.note_free(id, 3, 10))
        };
        table.note_free(id, 3, 10);
        other.join().unwrap();
        let freed: Vec<_> = table.freed(id).collect();
        assert_eq!(freed.len(), 1);
        assert_eq!(
            (freed[0].1.samples, freed[0].1.bytes, freed[0].1.squares),
            (2, 20, 200)
        );
    });
}

fn sample(addr: usize) -> Sample {
    Sample::new(&Drawn {
        addr,
        size: 10,
        lg_period: 0,
        now_ms: 0,
        stack: StackId(0),
        thread: 0,
    })
}

/// A table with a page filter of its own. The filter is never given back: the table wants it for
/// ever, and loom keeps no account of it.
fn live() -> (Arc<LiveTable>, &'static PageFilter) {
    let filter: &PageFilter = Box::leak(Box::new(PageFilter::new()));
    (Arc::new(LiveTable::new(Some(filter))), filter)
}

/// What a free asks.
fn may_be_sampled(table: &LiveTable, filter: &PageFilter, addr: usize) -> bool {
    filter.may_begin_in_page_of(addr) && table.may_contain(addr)
}

fn free(table: &LiveTable, filter: &PageFilter, addr: usize) {
    assert!(may_be_sampled(table, filter, addr), "its owner asks");
    assert_eq!(table.remove(addr), Some(sample(addr)));
}

/// A block goes from one thread to another, while a third thread has one beside it.
fn passes_from_hand_to_hand(theirs: usize) {
    check(2, move || {
        let (table, filter) = live();
        let passed = Arc::new(AtomicUsize::new(0));
        let giver = {
            let (table, passed) = (Arc::clone(&table), Arc::clone(&passed));
            thread::spawn(move || {
                assert_eq!(table.insert(sample(4096)), Insert::New);
                passed.store(4096, Ordering::Release);
            })
        };
        let bystander = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                assert_eq!(table.insert(sample(theirs)), Insert::New);
                free(&table, filter, theirs);
            })
        };
        let taker = {
            let (table, passed) = (Arc::clone(&table), Arc::clone(&passed));
            thread::spawn(move || {
                let addr = passed.load(Ordering::Acquire);
                if addr != 0 {
                    free(&table, filter, addr);
                }
                addr != 0
            })
        };
        giver.join().expect("no panic");
        bystander.join().expect("no panic");
        if !taker.join().expect("no panic") {
            free(&table, filter, 4096);
        }
        assert!(table.is_empty() && table.total_weighted_bytes() == 0);
        assert!(
            [theirs, 4096]
                .iter()
                .all(|&addr| !may_be_sampled(&table, filter, addr))
        );
    });
}

#[test]
fn the_owner_of_a_block_finds_it() {
    passes_from_hand_to_hand(8192);
}

/// By its address alone the other would be in another shard, and two locks would guard one count.
#[test]
fn the_owner_of_a_block_finds_it_among_its_page() {
    passes_from_hand_to_hand(4176);
}

/// Who holds a block finds it while its shard's region is outgrown and keys move back over holes.
#[test]
fn a_block_is_found_while_keys_move() {
    check(2, || {
        let (table, filter) = live();
        assert_eq!(table.insert(sample(4096)), Insert::New);
        let mover = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                // The first region has two slots: it grows.
                for addr in [4112, 4128] {
                    assert_eq!(table.insert(sample(addr)), Insert::New);
                }
                assert_eq!(table.remove(4112), Some(sample(4112)));
            })
        };
        let holder = {
            let table = Arc::clone(&table);
            thread::spawn(move || free(&table, filter, 4096))
        };
        mover.join().expect("no panic");
        holder.join().expect("no panic");
        assert!(may_be_sampled(&table, filter, 4128) && table.len() == 1);
    });
}

/// A page that has lost count is counted anew, and never too low.
#[test]
fn a_full_page_is_counted_anew() {
    check(2, || {
        let (table, filter) = live();
        for addr in [4096, 4112, 4128] {
            assert_eq!(table.insert(sample(addr)), Insert::New);
        }
        let threads = [4096, 4112].map(|addr| {
            let table = Arc::clone(&table);
            thread::spawn(move || free(&table, filter, addr))
        });
        for thread in threads {
            thread.join().expect("no panic");
        }
        free(&table, filter, 4128);
        assert!(!filter.may_begin_in_page_of(4096), "nobody is left");
    });
}
