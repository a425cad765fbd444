//! One shard of the live table: linear probing, deletion by shifting back, growth by doubling.
//! Called by `live_table` alone, which picks the shard.
//!
//! Everything but the lock word is touched under the lock, readers included: shifting back moves
//! records, and a reader without the lock could miss one that is there. Memory comes from
//! `arena::map` and goes back when the shard has grown. An empty slot is all zero, as the arena
//! delivers it. Source: Knuth, TAOCP 3, 6.4, algorithm R.
#![allow(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use core::cell::UnsafeCell;
use core::ptr::NonNull;

use super::{LG_SHARDS, Sample, hash};
use crate::arena;
use crate::stack_table::StackId;
use crate::sync::SpinLock;

/// The first table of a shard: 64 slots, 2.5 KiB, one page.
const LG_FIRST: u32 = 6;

/// There was no memory to grow into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// A [`Sample`] as it is stored, 40 bytes. Address 0 is "empty".
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Slot {
    addr: usize,
    size: usize,
    weighted_bytes: u64,
    /// The birth in the upper 56 bits, the period in the lower 8.
    birth_and_lg: u64,
    stack: u32,
    thread: u32,
}

const EMPTY: Slot = Slot {
    addr: 0,
    size: 0,
    weighted_bytes: 0,
    birth_and_lg: 0,
    stack: 0,
    thread: 0,
};

const _: () = assert!(size_of::<Slot>() == 40);

impl Slot {
    fn pack(sample: &Sample) -> Self {
        Self {
            addr: sample.addr,
            size: sample.size,
            weighted_bytes: sample.weighted_bytes,
            birth_and_lg: sample.birth_ms << 8 | u64::from(sample.lg_period),
            stack: sample.stack.0,
            thread: sample.thread,
        }
    }

    fn unpack(&self) -> Sample {
        Sample {
            addr: self.addr,
            size: self.size,
            weighted_bytes: self.weighted_bytes,
            birth_ms: self.birth_and_lg >> 8,
            lg_period: self.birth_and_lg as u8,
            stack: StackId(self.stack),
            thread: self.thread,
        }
    }
}

/// A lock and the slots it guards. On a cache line of its own, so that two threads in two shards do
/// not meet.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Shard {
    lock: SpinLock,
    map: UnsafeCell<Map>,
}

// SAFETY: `map` is reached through `Shard::with` alone, which holds the lock, and through
// `abandon`, whose contract is that there is one thread.
unsafe impl Sync for Shard {}

// SAFETY: the memory behind `Map::slots` belongs to the shard and to no thread.
unsafe impl Send for Shard {}

impl Shard {
    pub(super) const fn new() -> Self {
        Self {
            lock: SpinLock::new(),
            map: UnsafeCell::new(Map {
                slots: None,
                lg_slots: 0,
                len: 0,
            }),
        }
    }

    fn with<R>(&self, f: impl FnOnce(&mut Map) -> R) -> R {
        let _held = self.lock.lock();
        // SAFETY: the lock is held until the end of this function, and nothing in this file calls
        // `with` within `with`.
        f(unsafe { &mut *self.map.get() })
    }

    /// Stores `sample`; the record that had its address comes back. `on_new` runs under the lock
    /// when there was none.
    pub(super) fn insert(
        &self,
        sample: &Sample,
        on_new: impl FnOnce(),
    ) -> Result<Option<Sample>, Full> {
        self.with(|map| {
            let old = map.insert(Slot::pack(sample))?;
            if old.is_none() {
                on_new();
            }
            Ok(old.map(|slot| slot.unpack()))
        })
    }

    /// Takes the record of `addr` out; `on_found` runs under the lock, when it is out.
    pub(super) fn remove(&self, addr: usize, on_found: impl FnOnce()) -> Option<Sample> {
        self.with(|map| {
            let slot = map.remove(addr)?;
            on_found();
            Some(slot.unpack())
        })
    }

    /// A copy of the record of `addr`, if there is one.
    pub(super) fn get(&self, addr: usize) -> Option<Sample> {
        self.with(|map| {
            let (_, slot) = map.find(addr)?;
            (slot.addr != 0).then(|| slot.unpack())
        })
    }

    /// Calls `f` for each record, under the lock.
    pub(super) fn for_each(&self, f: &mut dyn FnMut(&Sample)) {
        self.with(|map| {
            for slot in map.slots().iter().filter(|slot| slot.addr != 0) {
                f(&slot.unpack());
            }
        });
    }

    /// Takes all records out and keeps the memory; `on_found` runs for each, under the lock.
    pub(super) fn clear(&self, on_found: &mut dyn FnMut(&Sample)) {
        self.with(|map| {
            for slot in map.slots().iter_mut().filter(|slot| slot.addr != 0) {
                on_found(&slot.unpack());
                *slot = EMPTY;
            }
            map.len = 0;
        });
    }

    /// Empties the shard, without giving memory back, and frees its lock.
    ///
    /// # Safety
    /// The caller is the only thread of its process.
    pub(super) unsafe fn abandon(&self) {
        // SAFETY: one thread, which is not within `with`, as it is here.
        unsafe {
            *self.map.get() = Map {
                slots: None,
                lg_slots: 0,
                len: 0,
            };
            self.lock.force_unlock();
        }
    }
}

/// The table proper. `slots` is null, or heads `2^lg_slots` slots, of which at least a quarter is
/// empty.
#[derive(Debug)]
struct Map {
    slots: Option<NonNull<Slot>>,
    lg_slots: u32,
    len: usize,
}

impl Map {
    fn slots(&mut self) -> &mut [Slot] {
        match self.slots {
            None => &mut [],
            // SAFETY: the region was mapped for exactly so many slots (`grow`), all bit patterns of
            // which are valid, and `&mut self` is the only way to it.
            Some(slots) => unsafe {
                core::slice::from_raw_parts_mut(slots.as_ptr(), 1 << self.lg_slots)
            },
        }
    }

    /// Where the search for `addr` starts: the bits of the hash below those that chose the shard.
    fn home(&self, addr: usize) -> usize {
        ((hash(addr) << LG_SHARDS) >> (64 - self.lg_slots.max(1))) as usize
    }

    /// The slot of `addr`, or the empty one where it would go.
    fn find(&mut self, addr: usize) -> Option<(usize, &mut Slot)> {
        let mut at = self.home(addr);
        let slots = self.slots();
        let mask = slots.len().checked_sub(1)?;
        // Ends, because a quarter of the slots is empty.
        loop {
            let found = slots.get(at)?.addr;
            if found == addr || found == 0 {
                return slots.get_mut(at).map(|slot| (at, slot));
            }
            at = (at + 1) & mask;
        }
    }

    fn insert(&mut self, new: Slot) -> Result<Option<Slot>, Full> {
        // Before the search, as growing moves everything. An address that is there already may find
        // no room to grow and yet be replaced.
        let room = (self.len + 1) * 4 <= self.slots().len() * 3 || self.grow().is_ok();
        let (_, slot) = self.find(new.addr).ok_or(Full)?;
        if slot.addr == new.addr {
            return Ok(Some(core::mem::replace(slot, new)));
        }
        if !room {
            return Err(Full);
        }
        *slot = new;
        self.len += 1;
        Ok(None)
    }

    fn remove(&mut self, addr: usize) -> Option<Slot> {
        let (at, slot) = self.find(addr)?;
        let taken = *slot;
        if taken.addr == 0 {
            return None;
        }
        self.len -= 1;
        self.close_hole(at);
        Some(taken)
    }

    /// Moves records back over the hole at `hole`, as long as that brings them no farther than
    /// their home.
    fn close_hole(&mut self, mut hole: usize) {
        let mask = self.slots().len().wrapping_sub(1);
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let Some(next) = self.slots().get(at).copied().filter(|slot| slot.addr != 0) else {
                break;
            };
            // How far `next` is from home, and from the hole: it may move if its home is not
            // between them.
            let from_home = at.wrapping_sub(self.home(next.addr)) & mask;
            let from_hole = at.wrapping_sub(hole) & mask;
            if from_home >= from_hole {
                self.put(hole, next);
                hole = at;
            }
        }
        self.put(hole, EMPTY);
    }

    fn put(&mut self, at: usize, slot: Slot) {
        if let Some(place) = self.slots().get_mut(at) {
            *place = slot;
        }
    }

    fn grow(&mut self) -> Result<(), Full> {
        let lg_slots = if self.slots.is_some() {
            self.lg_slots + 1
        } else {
            LG_FIRST
        };
        let region = arena::map(size_of::<Slot>() << lg_slots).ok_or(Full)?;
        let mut old = core::mem::replace(
            self,
            Map {
                slots: Some(region.cast()),
                lg_slots,
                len: self.len,
            },
        );
        for &record in old.slots().iter().filter(|slot| slot.addr != 0) {
            if let Some((_, slot)) = self.find(record.addr) {
                *slot = record;
            }
        }
        if let Some(slots) = old.slots {
            // SAFETY: mapped by an earlier `grow` with this very length; `old` ends here.
            unsafe { arena::unmap(slots.cast(), size_of::<Slot>() << old.lg_slots) };
        }
        Ok(())
    }
}
