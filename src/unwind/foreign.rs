//! Where walks have met code outside all modules that no runtime answers for: a JIT's.
//!
//! One range for the process, which grows by each such address. A process without a JIT never has
//! one, and so whoever would name such code reads one word there.

use core::ops::Range;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

/// The lowest address, and one past the highest; both 0 while there is none. Written by [`note`].
/// Relaxed: a reader that sees half of a change finds less code than there is, once.
static LOWEST: AtomicU64 = AtomicU64::new(0);
static HIGHEST: AtomicU64 = AtomicU64::new(0);

/// There is such code at `pc`.
#[cold]
pub(super) fn note(pc: u64) {
    HIGHEST.fetch_max(pc.saturating_add(1), Relaxed);
    let lower = |low| (low == 0 || pc < low).then_some(pc);
    let _unchanged = LOWEST.fetch_update(Relaxed, Relaxed, lower);
}

/// Was there any?
#[inline]
pub fn is_any() -> bool {
    LOWEST.load(Relaxed) != 0
}

/// From the first such address to the last. There may be modules between.
pub fn range() -> Range<u64> {
    LOWEST.load(Relaxed)..HIGHEST.load(Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_grows_both_ways() {
        for pc in [0x5000, 0x3000, 0x9000, 0x4000] {
            note(pc);
        }
        assert!(is_any() && range().contains(&0x3000) && range().contains(&0x9000));
    }
}
