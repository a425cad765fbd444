//! From the number of a stack to its record. For `stack_table` alone.
//!
//! Numbers are dense, so this is an array in segments that double: segment k holds 1024 << k
//! pointers and, once there, stays. Reading is two loads without a lock; writing happens under the
//! table's lock.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering::{Acquire, Release};

use super::StackId;
use super::record::{Head, Record};
use crate::table::arena;

const LG_FIRST: u32 = 10;

/// Segments for all numbers of 32 bits, less the last 1024.
const SEGMENTS: usize = (u32::BITS - LG_FIRST) as usize;

type Cell = AtomicPtr<Head>;

/// Id to record.
#[derive(Debug)]
pub(super) struct Directory {
    /// Each null, or heading the cells of its segment. Written under the table's lock with
    /// Release; Acquire in `cell` sees the cells zeroed.
    segments: [AtomicPtr<Cell>; SEGMENTS],
}

/// Segment and place in it.
fn locate(id: StackId) -> (usize, usize) {
    let n = u64::from(id.0) + (1 << LG_FIRST);
    let lg = n.ilog2();
    ((lg - LG_FIRST) as usize, (n - (1 << lg)) as usize)
}

impl Directory {
    pub(super) const fn new() -> Self {
        Self {
            segments: [const { AtomicPtr::new(null_mut()) }; SEGMENTS],
        }
    }

    fn cell(&self, id: StackId) -> Option<&Cell> {
        let (segment, place) = locate(id);
        // Acquire: pairs with Release in `extend`.
        let cells = NonNull::new(self.segments.get(segment)?.load(Acquire))?;
        // SAFETY: the segment has `1 << (LG_FIRST + segment)` cells (`extend`), and `place` is
        // below that (`locate`). Segments are never freed.
        Some(unsafe { cells.add(place).as_ref() })
    }

    /// The record of `id`, if it was put.
    pub(super) fn get(&self, id: StackId) -> Option<Record<'_>> {
        // Acquire: pairs with Release in `put`, so that the record is seen as created.
        let head = NonNull::new(self.cell(id)?.load(Acquire))?;
        // SAFETY: only what `record::create` returned is put here, and it is visible by the line
        // above.
        Some(unsafe { Record::at(head) })
    }

    /// Publishes the record of `id`. Under the table's lock. `None` when there is no memory for its
    /// segment.
    pub(super) fn put(&self, id: StackId, head: NonNull<Head>) -> Option<()> {
        let cell = match self.cell(id) {
            Some(cell) => cell,
            None => {
                self.extend(locate(id).0)?;
                self.cell(id)?
            }
        };
        // Release: pairs with Acquire in `get`.
        cell.store(head.as_ptr(), Release);
        Some(())
    }

    fn extend(&self, segment: usize) -> Option<()> {
        let layout = Layout::array::<Cell>(1 << (LG_FIRST as usize + segment)).ok()?;
        let cells = arena::alloc(layout)?.cast::<Cell>();
        // Release: pairs with Acquire in `cell`. Zeroed memory is so many null pointers.
        self.segments.get(segment)?.store(cells.as_ptr(), Release);
        Some(())
    }

    /// Forgets everything; for a process with one thread.
    pub(super) fn clear(&self) {
        for segment in &self.segments {
            segment.store(null_mut(), Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_one_place() {
        assert_eq!(locate(StackId(0)), (0, 0));
        assert_eq!(locate(StackId(1023)), (0, 1023));
        assert_eq!(locate(StackId(1024)), (1, 0));
        assert_eq!(locate(StackId(3071)), (1, 2047));
        assert_eq!(locate(StackId(3072)), (2, 0));
        let (segment, place) = locate(StackId(u32::MAX - 1024));
        assert_eq!((segment, place), (SEGMENTS - 1, (1 << 31) - 1));
        assert_eq!(locate(StackId(u32::MAX)).0, SEGMENTS);
    }
}
