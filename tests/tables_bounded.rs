//! The tables under a ceiling: they say no, stay whole, and start afresh. A process of its own, for the
//! ceiling holds for all of it.
#![allow(unsafe_code)]

use malloscope::diag::{Counter, counted};
use malloscope::table::arena;
use malloscope::table::live_table::pages::PageFilter;
use malloscope::table::live_table::{Drawn, Insert, LiveTable, Sample};
use malloscope::table::stack_table::{StackId, StackTable};

static STACKS: StackTable = StackTable::new();
static LIVE: LiveTable = LiveTable::new(Some(&PAGES));
static PAGES: PageFilter = PageFilter::new();

const CEILING: usize = 4 << 20;

fn stack(n: u64) -> Vec<u64> {
    (0..30).map(|level| level * 64 + n * 4096).collect()
}

fn sample(page: usize) -> Sample {
    Sample::new(&Drawn {
        addr: page << 12,
        size: page,
        lg_period: 19,
        now_ms: 0,
        stack: StackId(0),
        thread: 0,
    })
}

/// Fills both tables in turn until both refuse; how much each holds.
fn fill() -> (u64, usize) {
    let (mut stacks, mut samples) = (0, 1);
    loop {
        let stored = STACKS.intern(&stack(stacks)).is_some();
        let inserted = LIVE.insert(sample(samples)) != Insert::Full;
        stacks += u64::from(stored);
        samples += usize::from(inserted);
        assert!(arena::used() <= CEILING);
        assert!(arena::exhausted() || (stored && inserted));
        if !stored && !inserted {
            return (stacks, samples - 1);
        }
    }
}

fn holds(stacks: u64, samples: usize) {
    assert_eq!((u64::from(STACKS.len()), LIVE.len()), (stacks, samples));
    for n in 0..stacks {
        let id = STACKS
            .intern(&stack(n))
            .expect("known stacks are found without memory");
        assert_eq!(STACKS.frames(id), stack(n));
    }
    for page in 1..=samples {
        assert!(LIVE.may_contain(page << 12));
    }
}

#[test]
fn tables_at_the_ceiling() {
    arena::set_ceiling(CEILING);
    assert!(!arena::exhausted());
    let (stacks, samples) = fill();
    assert!(
        stacks > 3000 && samples > 3000,
        "{stacks} stacks, {samples} samples in 4 MiB"
    );
    assert_eq!(counted(Counter::ArenaExhausted), 1);
    holds(stacks, samples);

    // A record that is there is replaced, and goes, without memory.
    let newer = Sample {
        size: 5,
        ..sample(samples)
    };
    assert_eq!(LIVE.insert(newer), Insert::Replaced(sample(samples)));
    assert_eq!(LIVE.remove(samples << 12), Some(newer));
    assert_eq!(LIVE.insert(newer), Insert::New, "its place is free again");

    // SAFETY: no other thread uses the tables or the arena, and no pointer into it is kept.
    unsafe {
        arena::abandon();
        STACKS.abandon();
        LIVE.abandon();
    }
    assert!(!arena::exhausted() && STACKS.is_empty() && LIVE.is_empty());
    let again = fill();
    assert_eq!(again, (stacks, samples), "as if nothing had been");
    holds(stacks, samples);
}
