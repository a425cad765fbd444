//! Code for which a language runtime is responsible: the range in which each runtime generates
//! code. A native walk that reaches such code ends there, and the runtime continues it.

use core::ops::Range;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

/// A runtime, by its place in the list of all runtimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(pub u8);

/// The largest possible number of runtimes.
pub const MOST_OWNERS: usize = 8;

/// The range `[low, high)` of each runtime, empty while the process does not have that runtime.
/// Written by [`set`]. Relaxed is enough: a walk that sees half of a change ends early, or steps
/// over one frame by its frame pointer. No other harm is possible.
static RANGES: [[AtomicU64; 2]; MOST_OWNERS] =
    [const { [const { AtomicU64::new(0) }; 2] }; MOST_OWNERS];

/// From now on walks end at the code of `range`, which belongs to `owner`. An empty range removes
/// the previous range.
pub fn set(owner: Owner, range: &Range<u64>) {
    if let Some([low, high]) = RANGES.get(usize::from(owner.0)) {
        high.store(0, Relaxed);
        low.store(range.start, Relaxed);
        high.store(range.end, Relaxed);
    }
    super::bump_generation();
}

/// The code for which `owner` is responsible.
pub fn range(owner: Owner) -> Range<u64> {
    let range = RANGES.get(usize::from(owner.0));
    range.map_or(0..0, |[low, high]| low.load(Relaxed)..high.load(Relaxed))
}

/// Is a runtime responsible for the code at `pc`?
pub fn is_owned(pc: u64) -> bool {
    owner(pc).is_some()
}

/// The runtime that is responsible for the code at `pc`.
pub(super) fn owner(pc: u64) -> Option<Owner> {
    let mut ranges = (0..).map(Owner).zip(&RANGES);
    let found =
        ranges.find(|(_, [low, high])| (low.load(Relaxed)..high.load(Relaxed)).contains(&pc));
    found.map(|(owner, _)| owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_runtimes_have_their_code_at_once() {
        let (first, second) = (Owner(6), Owner(7));
        set(first, &(0x1000..0x2000));
        set(second, &(0x2000..0x3000));
        assert_eq!(owner(0x1fff), Some(first));
        assert_eq!(owner(0x2000), Some(second));
        assert_eq!(range(first), 0x1000..0x2000);
        set(first, &(0..0));
        assert_eq!((owner(0x1fff), owner(0x2fff)), (None, Some(second)));
        set(second, &(0..0));
        assert_eq!(owner(0x2fff), None);
    }
}
