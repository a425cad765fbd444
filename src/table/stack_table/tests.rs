//! The stack table against a plain map, and under threads.
use std::collections::HashMap;
use std::sync::Mutex;

use super::*;

/// Stacks that share most of their frames, as real ones do.
fn stack(n: u64) -> Vec<u64> {
    let depth = 1 + n % 40;
    let mut frames: Vec<u64> = (0..depth)
        .map(|level| 0x7f00_0000_0000 + level * 0x40)
        .collect();
    frames[0] += n * 16;
    frames
}

#[test]
fn same_frames_same_number() {
    let table = StackTable::new();
    let first = table.intern(&[1, 2, 3]).expect("memory");
    let second = table.intern(&[1, 2]).expect("memory");
    assert_eq!((first, second), (StackId(0), StackId(1)));
    assert_eq!(table.intern(&[1, 2, 3]), Some(first));
    assert_eq!(table.intern(&[]), Some(StackId(2)));
    assert_eq!(table.intern(&[]), Some(StackId(2)));
    assert_eq!(table.frames(first), [1, 2, 3]);
    assert_eq!(table.frames(second), [1, 2]);
    assert_eq!((table.len(), table.is_empty()), (3, false));
}

#[test]
fn unknown_numbers_are_harmless() {
    let table = StackTable::new();
    for id in [0, 1, 5000, u32::MAX - 1, u32::MAX].map(StackId) {
        assert!(table.frames(id).is_empty());
        table.note_alloc(
            id,
            &Weight {
                objects_fx: 256,
                bytes: 1,
                ..Weight::default()
            },
            19,
        );
        table.note_free(id, 1, 10);
        assert_eq!(table.totals(id), StackTotals::default());
    }
}

#[test]
fn too_deep_stacks_lose_their_root() {
    let table = StackTable::new();
    let deep: Vec<u64> = (0..MAX_FRAMES as u64 + 7).collect();
    let id = table.intern(&deep).expect("memory");
    assert_eq!(table.frames(id), &deep[..MAX_FRAMES]);
    assert_eq!(table.intern(&deep), Some(id));
}

#[test]
fn sums_and_lifetimes() {
    let table = StackTable::new();
    let id = table.intern(&[9]).expect("memory");
    table.note_alloc(
        id,
        &Weight {
            objects_fx: 300,
            bytes: 1000,
            ..Weight::default()
        },
        19,
    );
    table.note_alloc(
        id,
        &Weight {
            objects_fx: 256,
            bytes: 24,
            ..Weight::default()
        },
        19,
    );
    for ms in [0, 1, 2, 3, 4, 1000, u64::MAX] {
        table.note_free(id, ms, 10);
    }
    let totals = table.totals(id);
    assert_eq!(
        (totals.objects_fx, totals.bytes, totals.samples),
        (556, 1024, 2)
    );
    let mut freed: Vec<_> = table.freed(id).collect();
    freed.sort_by_key(|part| part.0);
    let part = |bucket, samples| {
        let (bytes, squares) = (10 * samples, 100 * u128::from(samples));
        let part = Weighed {
            samples,
            bytes,
            squares,
        };
        (bucket, part)
    };
    let last = profile_format::lifetimes::BUCKETS - 1;
    let expected = [
        part(0, 1),
        part(1, 1),
        part(5, 1),
        part(7, 1),
        part(9, 1),
        part(40, 1),
        part(last, 1),
    ];
    assert_eq!(freed, expected);
    table.clear_totals();
    assert_eq!(table.freed(id).count(), 0);
    table.note_free(id, 1, 10);
    assert_eq!(table.freed(id).collect::<Vec<_>>(), [part(1, 1)]);
}

/// Threads that free what they allocated lose no lifetime, whoever makes the room for it.
#[test]
fn lifetimes_of_many_threads_add_up() {
    let table = StackTable::new();
    let id = table.intern(&[9]).expect("memory");
    let frees = if cfg!(miri) { 20 } else { 2000 };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..frees).for_each(|ms| table.note_free(id, ms, 3)));
        }
    });
    let mut buckets: Vec<_> = table.freed(id).map(|part| part.0).collect();
    let samples: u64 = table.freed(id).map(|part| part.1.samples).sum();
    let squares: u128 = table.freed(id).map(|part| part.1.squares).sum();
    assert_eq!((samples, squares), (4 * frees, 36 * u128::from(frees)));
    buckets.sort_unstable();
    buckets.dedup();
    assert_eq!(buckets.len(), table.freed(id).count(), "one piece for each");
}

#[test]
fn the_smallest_period_of_all_is_known() {
    let table = StackTable::new();
    let id = table.intern(&[9]).expect("memory");
    assert_eq!(table.least_lg_period(), None);
    for (lg_period, least) in [(19, 19), (21, 19), (13, 13), (0, 0), (63, 0)] {
        table.note_alloc(id, &Weight::default(), lg_period);
        assert_eq!(table.least_lg_period(), Some(least));
    }
    table.clear_totals();
    assert_eq!(table.least_lg_period(), None);
}

#[test]
fn many_stacks_keep_their_frames_through_growth() {
    let many = if cfg!(miri) { 1500 } else { 20_000 };
    let table = StackTable::new();
    let ids: Vec<_> = (0..many)
        .map(|n| table.intern(&stack(n)).expect("memory"))
        .collect();
    assert_eq!(u64::from(table.len()), many);
    for (n, &id) in ids.iter().enumerate() {
        assert_eq!(id.0 as usize, n);
        assert_eq!(table.frames(id), stack(n as u64));
        assert_eq!(table.intern(&stack(n as u64)), Some(id));
    }
}

#[test]
fn threads_agree_on_numbers() {
    let (rounds, different) = if cfg!(miri) { (60, 20) } else { (30_000, 3000) };
    let table = StackTable::new();
    let agreed: Mutex<HashMap<u64, StackId>> = Mutex::default();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (table, agreed) = (&table, &agreed);
            scope.spawn(move || {
                let mut mine = HashMap::new();
                for round in 0..rounds {
                    let n = (round * 7 + thread * 13) % different;
                    let id = table.intern(&stack(n)).expect("memory");
                    assert_eq!(table.frames(id), stack(n));
                    assert_eq!(*mine.entry(n).or_insert(id), id);
                    table.note_alloc(
                        id,
                        &Weight {
                            objects_fx: 256,
                            bytes: n,
                            ..Weight::default()
                        },
                        19,
                    );
                }
                for (n, id) in mine {
                    assert_eq!(*agreed.lock().expect("ok").entry(n).or_insert(id), id);
                }
            });
        }
    });
    let ids = agreed.into_inner().expect("ok");
    assert_eq!(ids.len(), table.len() as usize);
    let samples: u64 = (0..table.len())
        .map(|id| table.totals(StackId(id)).samples)
        .sum();
    assert_eq!(samples, 4 * rounds);
}

#[test]
fn hashes_of_near_stacks_differ() {
    let mut seen = std::collections::HashSet::new();
    let count = if cfg!(miri) { 500 } else { 50_000 };
    for n in 0..count {
        assert!(
            seen.insert(hash(&stack(n)) >> 24),
            "40 bits collide among {count}"
        );
    }
    assert_ne!(hash(&[0, 1]), hash(&[1, 0]));
    assert_ne!(hash(&[0]), hash(&[0, 0]));
    assert_ne!(hash(&[0, 0, 7]), hash(&[0, 7, 0]));
}

#[test]
#[allow(unsafe_code)]
fn abandoned_is_empty() {
    let table = StackTable::new();
    let id = table.intern(&[4, 5]).expect("memory");
    // SAFETY: the table is this thread's alone.
    unsafe { table.abandon() };
    assert_eq!((table.len(), table.frames(id).len()), (0, 0));
    assert_eq!(table.intern(&[6]), Some(StackId(0)));
    assert_eq!(table.frames(StackId(0)), [6]);
}
