//! `prof_keep`: the last so many dumps of this process stay, older ones are removed.
//!
//! Called by `dump`, one writer at a time. Only dumps that this very process wrote are removed.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};

use super::file::{Name, Path};

/// More than this are kept as if it said 0: all.
const MOST: usize = 1024;

/// What tells one dump's name from another's.
struct Entry {
    seq: AtomicU64,
    number: AtomicU64,
    letter: AtomicU32,
}

/// The last dumps, in a ring. Written by the one who writes a dump.
static RING: [Entry; MOST] = [const {
    Entry {
        seq: AtomicU64::new(0),
        number: AtomicU64::new(0),
        letter: AtomicU32::new(0),
    }
}; MOST];

/// Dumps noted so far.
static NOTED: AtomicUsize = AtomicUsize::new(0);

/// Forgets all dumps, so that none is removed.
pub fn forget() {
    NOTED.store(0, Relaxed);
}

/// A dump was written: removes the one that is now one too many.
pub fn note(keep: u32, name: Name<'_>, path: &mut Path<'_>) {
    let keep = keep as usize;
    if keep == 0 || keep > MOST {
        return;
    }
    let noted = NOTED.fetch_add(1, Relaxed);
    let Some(entry) = RING.get(noted % keep) else {
        return;
    };
    let oldest = Name {
        seq: entry.seq.load(Relaxed),
        letter: u8::try_from(entry.letter.load(Relaxed)).unwrap_or(b'i'),
        number: Some(entry.number.load(Relaxed)).filter(|number| *number != u64::MAX),
        ..name
    };
    entry.seq.store(name.seq, Relaxed);
    entry.letter.store(u32::from(name.letter), Relaxed);
    entry.number.store(name.number.unwrap_or(u64::MAX), Relaxed);
    if noted >= keep {
        // One that somebody moved away is not ours to miss.
        oldest.remove(path).ok();
    }
}
