//! What was drawn, on its way into the tables: the same for malloc, mappings and the Java heap.

use super::STACKS;
use crate::diag::{self, Counter};
use crate::platform::usdt;
use crate::sampler::Weight;
use crate::table::live_table::{Drawn, Insert, Sample};
use crate::table::stack_table::StackTable;

/// Stores what was drawn and weighs `weight`. `insert` puts the record into a table. The error is the
/// counter to increment.
#[inline(always)]
pub fn keep(
    stacks: &StackTable,
    drawn: &Drawn,
    weight: &Weight,
    insert: impl FnOnce(Sample) -> Insert,
) -> Result<(), Counter> {
    match insert(Sample::weighed(drawn, weight)) {
        Insert::Full => return Err(Counter::SampleNotStored),
        Insert::New => {}
        Insert::Replaced(stale) => replaced(stacks, &stale, drawn.now_ms),
    }
    stacks.note_alloc(drawn.stack, weight, drawn.lg_period);
    Ok(())
}

/// The free of a block was not seen: its address is another's now.
#[cold]
#[inline(never)]
pub(super) fn replaced(stacks: &StackTable, stale: &Sample, now_ms: u64) {
    diag::count(Counter::StaleReplaced);
    if core::ptr::eq(stacks, &raw const STACKS) {
        usdt::free(stale.addr);
    }
    let lifetime = now_ms.saturating_sub(stale.birth_ms);
    stacks.note_free(stale.stack, lifetime, stale.first_bytes());
}
