//! `prof_keep` and `prof_keep_bytes`: the youngest dumps of this process stay, as many as the two
//! allow; older ones are removed.
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
use crate::config::Config;

/// Dumps that can be kept in mind. A greater `prof_keep` means all; `prof_keep_bytes` alone keeps
/// no more than these.
const MOST: usize = 1024;

/// What tells one dump's name from another's.
struct Entry {
    seq: AtomicU64,
    number: AtomicU64,
    letter: AtomicU32,
    bytes: AtomicU64,
}

/// The last dumps, in a ring. Written by the one who writes a dump.
static RING: [Entry; MOST] = [const {
    Entry {
        seq: AtomicU64::new(0),
        number: AtomicU64::new(0),
        letter: AtomicU32::new(0),
        bytes: AtomicU64::new(0),
    }
}; MOST];

/// Dumps noted so far, and how many of them were removed again. Written by the one who writes a
/// dump.
static NOTED: AtomicUsize = AtomicUsize::new(0);
static REMOVED: AtomicUsize = AtomicUsize::new(0);
/// Bytes of those that are there. Written by the same.
static BYTES: AtomicU64 = AtomicU64::new(0);

/// Forgets all dumps, so that none is removed.
pub fn forget() {
    NOTED.store(0, Relaxed);
    REMOVED.store(0, Relaxed);
    BYTES.store(0, Relaxed);
}

/// A dump of `bytes` was written: removes those that are now too many or too much. The one just
/// written stays.
pub fn note(config: &Config, name: Name<'_>, bytes: u64, path: &mut Path<'_>) {
    let wished = usize::try_from(config.prof_keep).unwrap_or(usize::MAX);
    let most_bytes = config.prof_keep_bytes;
    let is_counted = (1..=MOST).contains(&wished);
    if !is_counted && most_bytes == 0 {
        return;
    }
    let most = if is_counted { wished } else { MOST };
    let newest = NOTED.fetch_add(1, Relaxed);
    // Before the newest takes the place of one that is MOST older.
    while newest - REMOVED.load(Relaxed) >= most {
        remove_oldest(name, path);
    }
    set(newest, name, bytes);
    while most_bytes != 0 && BYTES.load(Relaxed) > most_bytes && REMOVED.load(Relaxed) < newest {
        remove_oldest(name, path);
    }
}

fn entry(at: usize) -> Option<&'static Entry> {
    RING.get(at % MOST)
}

fn set(at: usize, name: Name<'_>, bytes: u64) {
    if let Some(entry) = entry(at) {
        entry.seq.store(name.seq, Relaxed);
        entry.letter.store(u32::from(name.letter), Relaxed);
        entry.number.store(name.number.unwrap_or(u64::MAX), Relaxed);
        entry.bytes.store(bytes, Relaxed);
        BYTES.fetch_add(bytes, Relaxed);
    }
}

/// Removes the oldest dump that is there; `like` says what all names have in common.
fn remove_oldest(like: Name<'_>, path: &mut Path<'_>) {
    let Some(entry) = entry(REMOVED.fetch_add(1, Relaxed)) else {
        return;
    };
    BYTES.fetch_sub(entry.bytes.load(Relaxed), Relaxed);
    let name = Name {
        seq: entry.seq.load(Relaxed),
        letter: u8::try_from(entry.letter.load(Relaxed)).unwrap_or(b'i'),
        number: Some(entry.number.load(Relaxed)).filter(|number| *number != u64::MAX),
        ..like
    };
    // One that somebody moved away is not ours to miss.
    name.remove(path).ok();
}
