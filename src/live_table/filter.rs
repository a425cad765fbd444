//! The counting filter before the live table: 64 Ki counters of one byte. Called by `live_table`
//! alone.
//!
//! It errs on one side only: an address whose record is in the table always reads as "maybe". A
//! counter that reaches 255 has lost count, so it stays there for ever. Fan and others, "Summary
//! cache" (2000), with one hash function, because the second would cost free another cache miss.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use core::sync::atomic::AtomicU8;
use core::sync::atomic::Ordering::Relaxed;

// Fewer where each step is interpreted.
const LG_CELLS: u32 = if cfg!(miri) { 8 } else { 16 };

/// A counter that has lost count.
const STUCK: u8 = u8::MAX;

/// How many records hash to each cell. Cells are written under the lock of the record's shard,
/// which several cells share and one cell does not imply, hence the atomic; why Relaxed is enough
/// stands in `live_table`.
#[derive(Debug)]
pub(super) struct Filter {
    cells: [AtomicU8; 1 << LG_CELLS],
}

impl Filter {
    pub(super) const fn new() -> Self {
        Self {
            cells: [const { AtomicU8::new(0) }; 1 << LG_CELLS],
        }
    }

    #[inline(always)]
    fn cell(&self, hash: u64) -> Option<&AtomicU8> {
        // 16 bits index 64 Ki cells: the compiler drops the check.
        self.cells.get((hash >> (64 - LG_CELLS)) as usize)
    }

    /// `false` means that no record with this hash is in the table.
    #[inline(always)]
    pub(super) fn maybe_contains(&self, hash: u64) -> bool {
        self.cell(hash).is_some_and(|cell| cell.load(Relaxed) != 0)
    }

    /// A record with this hash comes.
    pub(super) fn add(&self, hash: u64) {
        self.change(hash, |count| count.checked_add(1));
    }

    /// A record with this hash has gone.
    pub(super) fn subtract(&self, hash: u64) {
        self.change(hash, |count| {
            if count == STUCK {
                None
            } else {
                count.checked_sub(1)
            }
        });
    }

    fn change(&self, hash: u64, step: impl FnMut(u8) -> Option<u8>) {
        if let Some(cell) = self.cell(hash) {
            // An Err says that the counter is stuck, which is all right.
            let _ = cell.fetch_update(Relaxed, Relaxed, step);
        }
    }

    /// Forgets everything; for a process with one thread.
    pub(super) fn clear(&self) {
        for cell in &self.cells {
            cell.store(0, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_up_and_down() {
        let filter = Filter::new();
        let (here, beside) = (5 << 57, 6 << 57);
        assert!(!filter.maybe_contains(here));
        filter.add(here);
        filter.add(here | 77);
        filter.subtract(here);
        assert!(filter.maybe_contains(here));
        filter.subtract(here);
        assert!(!filter.maybe_contains(here));
        assert!(!filter.maybe_contains(beside));
    }

    #[test]
    fn a_counter_that_lost_count_sticks() {
        let filter = Filter::new();
        for _ in 0..300 {
            filter.add(u64::MAX);
        }
        for _ in 0..300 {
            filter.subtract(u64::MAX);
        }
        assert!(filter.maybe_contains(u64::MAX));
        filter.clear();
        assert!(!filter.maybe_contains(u64::MAX));
    }
}
