//! The heads of the chains, by hash: as many as there are frames, or more.
//!
//! Growth makes a new array, links all frames anew and publishes it. A reader meanwhile may move
//! from one chain to another, and miss a frame that exists; it then looks again under the table's
//! lock. Its walk always ends: a frame that was linked anew leads only to such frames, by a chain
//! that is complete already. Readers may still use the old array, so that stays; all old arrays
//! together are smaller than the new one.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::Entry;
use crate::table::arena;

/// Heads of the first array: with its length less than a page.
const FIRST: usize = 256;

/// The array in force, or null. Written under the table's lock with Release; Acquire in `all` sees it filled.
pub(super) struct Heads(AtomicPtr<Array>);

/// The head of an array; `len` heads follow it.
#[repr(C)]
struct Array {
    len: usize,
}

type Head = AtomicPtr<Entry>;

fn create(len: usize) -> Option<NonNull<Array>> {
    let (layout, _) = Layout::new::<Array>()
        .extend(Layout::array::<Head>(len).ok()?)
        .ok()?;
    let array = arena::alloc(layout)?.cast::<Array>();
    // SAFETY: a fresh piece of ours with room for the length; the heads after it are zeroed, which
    // means null.
    unsafe { array.write(Array { len }) };
    Some(array)
}

/// # Safety
/// [`create`] returned `array`, and what it wrote is visible to this thread.
unsafe fn heads_of<'a>(array: NonNull<Array>) -> &'a [Head] {
    // SAFETY: one piece of the arena, never freed, with `len` heads after the length.
    unsafe {
        let heads = array.add(1).cast::<Head>();
        core::slice::from_raw_parts(heads.as_ptr(), array.as_ref().len)
    }
}

/// Puts an entry before the others of its chain. Release: pairs with Acquire in `find`, which sees
/// the complete entry.
fn link(heads: &[Head], entry: &Entry) {
    if let Some(head) = of_hash(heads, entry.hash) {
        entry.next.store(head.load(Relaxed), Release);
        head.store(core::ptr::from_ref(entry).cast_mut(), Release);
    }
}

fn of_hash(heads: &[Head], hash: u64) -> Option<&Head> {
    heads.get(hash as usize & heads.len().wrapping_sub(1))
}

impl Heads {
    pub(super) const fn new() -> Heads {
        Heads(AtomicPtr::new(null_mut()))
    }

    fn all(&self) -> &[Head] {
        // Acquire: pairs with Release in `make_room`.
        // SAFETY: only what `create` returned is stored, and it is visible by that Acquire.
        NonNull::new(self.0.load(Acquire)).map_or(&[], |array| unsafe { heads_of(array) })
    }

    /// The frame with this hash that `is` accepts.
    pub(super) fn find(&self, hash: u64, is: impl Fn(&Entry) -> bool) -> Option<&Entry> {
        // Acquire, here and below: pairs with Release in `link`.
        let mut at = of_hash(self.all(), hash)?.load(Acquire);
        // SAFETY: null, or an entry that was complete when it was linked, and is never freed.
        while let Some(entry) = unsafe { at.as_ref() } {
            if entry.hash == hash && is(entry) {
                return Some(entry);
            }
            at = entry.next.load(Acquire);
        }
        None
    }

    /// Makes sure that there are more heads than `len`; `frames` are the frames that exist. Under
    /// the table's lock. `None` when there is no memory.
    pub(super) fn make_room<'a>(
        &self,
        len: u32,
        frames: impl Iterator<Item = &'a Entry>,
    ) -> Option<()> {
        let old = self.all().len();
        if (len as usize) < old {
            return Some(());
        }
        let array = create((old * 2).max(FIRST))?;
        // SAFETY: made by `create` just now.
        let heads = unsafe { heads_of(array) };
        frames.for_each(|entry| link(heads, entry));
        // Release: pairs with Acquire in `all`.
        self.0.store(array.as_ptr(), Release);
        Some(())
    }

    /// Adds a new entry. Under the table's lock, after `make_room`.
    pub(super) fn put(&self, entry: &Entry) {
        link(self.all(), entry);
    }

    /// Forgets everything; for a process with one thread.
    pub(super) fn clear(&self) {
        self.0.store(null_mut(), Release);
    }
}
