//! Where a JVM keeps its objects: the reserved range, from the tables in which the JVM describes
//! itself.
//!
//! Noted when a JVM becomes known; the dump reads it for its account of the memory. Collectors that
//! reserve memory in another way (ZGC) report an empty range; their memory is recognised by its
//! name.
//!
//! Source: `CollectedHeap::_reserved` in `vmStructs.cpp`, JDK 11 to 25.

use core::ops::Range;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use super::layout::Fields;
use crate::runtime::memory::Memory;

/// First address, and one past the last. Written by [`note`]. Relaxed: an account that reads one
/// old and one new address misses the heap once.
static HEAP: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Keeps the heap range of the JVM that `fields` belong to.
pub(super) fn note(fields: &Fields, memory: &mut Memory) {
    let range = read(fields, memory).unwrap_or(0..0);
    for (word, value) in HEAP.iter().zip([range.start, range.end]) {
        word.store(value, Relaxed);
    }
}

fn read(fields: &Fields, memory: &mut Memory) -> Option<Range<u64>> {
    let heap = memory.word(fields.collected_heap?.at)?;
    let region = heap.checked_add(fields.reserved?.at)?;
    let start = memory.word(region.checked_add(fields.region_start?.at)?)?;
    let words = memory.word(region.checked_add(fields.region_words?.at)?)?;
    Some(start..start.checked_add(words.checked_mul(8)?)?)
}

/// The range; empty where there is no JVM, or the JVM does not report one.
pub fn java_heap() -> Range<u64> {
    let [start, end] = HEAP.each_ref().map(|word| word.load(Relaxed));
    start..end
}
