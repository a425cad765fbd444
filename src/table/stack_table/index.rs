//! From the hash of a stack to its number: open addressing, at most half full, read without a lock.
//! For `stack_table` alone.
//!
//! A slot is one word, the upper half of the hash and the number plus one, and is written once. The
//! home of a hash is its highest bits, so that growth needs no more than the slots themselves.
//! Growth makes a new array and publishes it; readers may still be in the old one, so that stays,
//! and all old ones together are smaller than the new one. A reader of an old array may
//! miss a stack that is there: it then looks again under the table's lock.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU64};

use super::StackId;
use crate::table::arena;

const LG_FIRST: u32 = 8;

/// Hash to id.
#[derive(Debug)]
pub(super) struct Index {
    /// The array in force, or null. Written under the table's lock with Release; Acquire in
    /// `slots` sees the array filled.
    array: AtomicPtr<Array>,
}

/// The head of an array; `len` slots follow it.
#[derive(Debug)]
#[repr(C)]
struct Array {
    len: usize,
}

fn entry(hash: u64, id: StackId) -> u64 {
    (hash >> 32 << 32) | (u64::from(id.0) + 1)
}

/// Where the search for `hash`, of which the upper half counts, starts among `len` slots.
fn home(hash: u64, len: usize) -> usize {
    (hash >> 32).wrapping_mul(len as u64) as usize >> 32
}

/// Puts `entry` in the first empty slot from its home on.
fn insert(slots: &[AtomicU64], entry: u64) {
    let mask = slots.len().wrapping_sub(1);
    let mut at = home(entry, slots.len());
    // Ends, because half of the slots is empty. Relaxed load: all writers hold the table's lock.
    while let Some(slot) = slots.get(at) {
        if slot.load(Relaxed) == 0 {
            // Release: pairs with Acquire in `find`.
            slot.store(entry, Release);
            return;
        }
        at = (at + 1) & mask;
    }
}

fn create(lg: u32) -> Option<NonNull<Array>> {
    let size = size_of::<Array>() + (size_of::<AtomicU64>() << lg);
    let layout = Layout::from_size_align(size, align_of::<Array>()).ok()?;
    let array = arena::alloc(layout)?.cast::<Array>();
    // SAFETY: a fresh piece of ours with room for the head; the slots behind it come zeroed.
    unsafe { array.write(Array { len: 1 << lg }) };
    Some(array)
}

/// The slots behind the head.
///
/// # Safety
/// [`create`] returned `array`, and what it wrote is visible to this thread.
unsafe fn slots_of<'a>(array: NonNull<Array>) -> &'a [AtomicU64] {
    // SAFETY: `create` made one piece of the arena of the head and `len` slots; it is never freed.
    unsafe {
        let slots = array.add(1).cast::<AtomicU64>();
        core::slice::from_raw_parts(slots.as_ptr(), array.as_ref().len)
    }
}

impl Index {
    pub(super) const fn new() -> Self {
        Self {
            array: AtomicPtr::new(null_mut()),
        }
    }

    fn slots(&self) -> &[AtomicU64] {
        // Acquire: pairs with Release in `make_room`.
        // SAFETY: only what `create` returned is stored, and it is visible by that Acquire.
        NonNull::new(self.array.load(Acquire)).map_or(&[], |array| unsafe { slots_of(array) })
    }

    /// The number of the stack with this hash that `is` accepts.
    #[inline]
    pub(super) fn find(&self, hash: u64, is: impl Fn(StackId) -> bool) -> Option<StackId> {
        let slots = self.slots();
        let mask = slots.len().wrapping_sub(1);
        let mut at = home(hash, slots.len());
        // Ends, because half of the slots is empty.
        while let Some(slot) = slots.get(at) {
            // Acquire: pairs with Release in `insert`, so that the directory has the record.
            let found = slot.load(Acquire);
            if found == 0 {
                break;
            }
            let id = StackId((found as u32).wrapping_sub(1));
            if found >> 32 == hash >> 32 && is(id) {
                return Some(id);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Makes sure that one more than `len` entries leave half of the slots empty. Under the table's
    /// lock. `None` when there is no memory.
    pub(super) fn make_room(&self, len: u32) -> Option<()> {
        let old = self.slots();
        if (len as usize + 1) * 2 <= old.len() {
            return Some(());
        }
        let lg = if old.is_empty() {
            LG_FIRST
        } else {
            old.len().ilog2() + 1
        };
        let array = create(lg)?;
        // SAFETY: made by `create` just now.
        let slots = unsafe { slots_of(array) };
        // Relaxed: all writers hold the table's lock.
        for entry in old
            .iter()
            .map(|slot| slot.load(Relaxed))
            .filter(|&entry| entry != 0)
        {
            insert(slots, entry);
        }
        // Release: pairs with Acquire in `slots`.
        self.array.store(array.as_ptr(), Release);
        Some(())
    }

    /// Adds a number that is not there. Under the table's lock, after `make_room`.
    pub(super) fn put(&self, hash: u64, id: StackId) {
        insert(self.slots(), entry(hash, id));
    }

    /// Forgets everything; for a process with one thread.
    pub(super) fn clear(&self) {
        self.array.store(null_mut(), Release);
    }
}
