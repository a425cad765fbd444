//! The tables: stacks are found while others are added, blocks while others come and go.
//!
//! What is to be tried in all orders runs in threads of its own: loom was seen not to vary what the
//! first thread only reads.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use malloscope_loom::arena;
use malloscope_loom::live_table::{Insert, LiveTable, Sample};
use malloscope_loom::sampler::Weight;
use malloscope_loom::stack_table::{StackId, StackTable};

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
    };
    table.note_alloc(id, &weight);
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

fn sample(addr: usize) -> Sample {
    Sample {
        addr,
        size: 1,
        weighted_bytes: 10,
        birth_ms: 0,
        lg_period: 0,
        stack: StackId(0),
        thread: 0,
    }
}

fn free(table: &LiveTable, addr: usize) {
    assert!(table.maybe_contains(addr), "its owner asks");
    assert_eq!(table.remove(addr), Some(sample(addr)));
}

/// A block goes from one thread to another, while a third thread has blocks with the same hash.
#[test]
fn the_owner_of_a_block_finds_it() {
    check(2, || {
        let table = Arc::new(LiveTable::new());
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
                for addr in [8192, 12288] {
                    assert_eq!(table.insert(sample(addr)), Insert::New);
                    free(&table, addr);
                }
            })
        };
        let taker = {
            let (table, passed) = (Arc::clone(&table), Arc::clone(&passed));
            thread::spawn(move || {
                let addr = passed.load(Ordering::Acquire);
                if addr != 0 {
                    free(&table, addr);
                }
                addr != 0
            })
        };
        giver.join().expect("no panic");
        bystander.join().expect("no panic");
        if !taker.join().expect("no panic") {
            free(&table, 4096);
        }
        assert!(table.is_empty() && table.total_weighted_bytes() == 0);
        assert!(
            [4096, 8192, 12288]
                .iter()
                .all(|&addr| !table.maybe_contains(addr))
        );
    });
}
