//! One shard of the live table: its lock, the page counts that it owns, and the question "is this
//! address here?" without the lock. `live_table` picks the shard.
//!
//! # Asking without the lock
//!
//! Whoever moves keys announces it: `moves` is odd meanwhile, and another number afterwards. A
//! reader that found it even, and the same before and after, has read keys that stood still (a
//! sequence lock; Boehm, "Can seqlocks get along with programming language memory models?", 2012).
//! Any other reader is told "maybe", and asks under the lock. A region that the keys have outgrown
//! stays mapped for such readers, without its pages (`arena::retire`).
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU32, fence};

use super::pages::{PageFilter, index};
use super::region::{Map, Region};
use super::{Full, Sample};
use crate::sampler::is_kept;
use crate::table::sync::{LockGuard, SpinLock};

/// Samples that leave pages whose count is lost, between two counts of such a page. A page loses
/// count at 255, so nearly each is counted before it is empty; one in sixty is not (measured), and
/// its frees look at the keys for nothing until a count falls to it.
const RECOUNT: u32 = 64;

/// A lock and the map it guards. On a cache line of its own, so that two threads in two shards do
/// not meet.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Shard {
    lock: SpinLock,
    /// Odd while keys move. Written under the lock; pairs as said at the head of the file.
    moves: AtomicU32,
    /// The keys, for readers without the lock. Written under it with Release, read with Acquire.
    region: AtomicPtr<Region>,
    map: UnsafeCell<Map>,
}

// SAFETY: `map` is reached through `Shard::with` alone, which holds the lock, and through
// `abandon`, whose contract is that there is one thread.
unsafe impl Sync for Shard {}

// SAFETY: the memory behind the map belongs to the shard and to no thread.
unsafe impl Send for Shard {}

/// What thinning did.
#[derive(Default)]
pub(super) struct Thinned {
    /// Records that gave way.
    pub(super) gone: usize,
    /// By how much the weighted bytes changed.
    pub(super) bytes: i64,
    /// Where to go on; `None` at the end of the shard.
    pub(super) next: Option<usize>,
}

/// Keys move as long as this lives.
struct Moving<'a>(&'a Shard);

impl Moving<'_> {
    /// The lock is held.
    fn begin<'a>(shard: &'a Shard, _held: &LockGuard<'_>) -> Moving<'a> {
        let moves = shard.moves.load(Relaxed);
        shard.moves.store(moves.wrapping_add(1), Relaxed);
        // Pairs with the Acquire fence in `may_contain`: who sees a key that was moved sees the odd
        // number too.
        fence(Release);
        Moving(shard)
    }
}

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        let moves = self.0.moves.load(Relaxed);
        // Release: pairs with the first load of `may_contain`, which then sees all keys in place.
        self.0.moves.store(moves.wrapping_add(1), Release);
    }
}

impl Shard {
    pub(super) const fn new() -> Self {
        Self {
            lock: SpinLock::new(),
            moves: AtomicU32::new(0),
            region: AtomicPtr::new(core::ptr::null_mut()),
            map: UnsafeCell::new(Map::new()),
        }
    }

    fn with<R>(&self, f: impl FnOnce(&mut Map, &LockGuard<'_>) -> R) -> R {
        let held = self.lock.lock();
        // SAFETY: the lock is held until the end of this function, and nothing in this file calls
        // `with` within `with`.
        f(unsafe { &mut *self.map.get() }, &held)
    }

    /// `false` means that `addr` is certainly not here. Takes no lock.
    #[inline]
    pub(super) fn may_contain(&self, addr: usize) -> bool {
        let before = self.moves.load(Acquire);
        // Acquire: pairs with the Release in `insert`, so that the region is seen filled in.
        let region = self.region.load(Acquire);
        // SAFETY: null, or a region that stays mapped for ever.
        let Some(region) = (unsafe { region.as_ref() }) else {
            return false;
        };
        if !before.is_multiple_of(2) || region.may_contain(addr) {
            return true;
        }
        fence(Acquire);
        self.moves.load(Relaxed) != before
    }

    /// Stores `sample`; the record that had its address comes back.
    pub(super) fn insert(
        &self,
        sample: &Sample,
        pages: Option<&PageFilter>,
    ) -> Result<Option<Sample>, Full> {
        self.with(|map, held| {
            if map.is_crowded() {
                let moving = Moving::begin(self, held);
                let outgrown = map.grow();
                self.region.store(map.region(), Release);
                drop(moving);
                // Readers that come from now on look at the new one.
                Map::retire(outgrown);
            }
            let old = map.insert(sample)?;
            if let (None, Some(pages)) = (&old, pages) {
                pages.add(sample.addr);
            }
            Ok(old)
        })
    }

    /// Takes the record of `addr` out.
    pub(super) fn remove(&self, addr: usize, pages: Option<&PageFilter>) -> Option<Sample> {
        self.with(|map, held| {
            let at = map.find(addr)?;
            let moving = Moving::begin(self, held);
            let sample = map.take(at);
            drop(moving);
            if let Some(pages) = pages
                && !pages.subtract(addr)
            {
                recount(map, pages, addr);
            }
            sample
        })
    }

    /// A copy of the record of `addr`, if there is one.
    pub(super) fn get(&self, addr: usize) -> Option<Sample> {
        self.with(|map, _| map.find(addr).and_then(|at| map.sample(at)))
    }

    /// Thins `count` slots from `first` on, see `LiveTable::thin`.
    pub(super) fn thin(
        &self,
        first: usize,
        count: usize,
        lg_period: u8,
        pages: Option<&PageFilter>,
        random: &mut dyn FnMut() -> u64,
    ) -> Thinned {
        self.with(|map, held| {
            let _moving = Moving::begin(self, held);
            let mut thinned = Thinned::default();
            let (mut at, last) = (first, first.saturating_add(count));
            while at < last.min(map.slots()) {
                let Some(sample) = map.sample(at).filter(|sample| sample.lg_period < lg_period)
                else {
                    at += 1;
                    continue;
                };
                if is_kept(sample.size, sample.lg_period, lg_period, random()) {
                    thinned.bytes += map.renew(at, &sample, lg_period);
                    at += 1;
                    continue;
                }
                // Another record may stand in this slot now.
                take_out(map, at);
                thinned.gone += 1;
                thinned.bytes -= sample.weighted_bytes.cast_signed();
                if let Some(pages) = pages
                    && !pages.subtract(sample.addr)
                {
                    recount(map, pages, sample.addr);
                }
            }
            thinned.next = (at < map.slots()).then_some(at);
            thinned
        })
    }

    /// Calls `f` for each record, under the lock.
    pub(super) fn for_each(&self, f: &mut dyn FnMut(&Sample)) {
        self.with(|map, _| map.samples().for_each(|sample| f(&sample)));
    }

    /// Takes all records out and keeps the memory; `on_found` runs for each, under the lock.
    pub(super) fn clear(&self, pages: Option<&PageFilter>, on_found: &mut dyn FnMut(&Sample)) {
        self.with(|map, held| {
            let _moving = Moving::begin(self, held);
            for sample in map.samples() {
                on_found(&sample);
                if let Some(pages) = pages {
                    pages.forget(sample.addr);
                }
            }
            map.clear();
        });
    }

    /// Empties the shard, without giving memory back, and frees its lock.
    ///
    /// # Safety
    /// The caller is the only thread of its process.
    pub(super) unsafe fn abandon(&self, pages: Option<&PageFilter>) {
        // SAFETY: one thread, which is not within `with`, as it is here. The records may stand
        // half-written; the addresses, words of their own, do not.
        unsafe {
            if let Some(pages) = pages {
                (*self.map.get())
                    .addresses()
                    .for_each(|addr| pages.forget(addr));
            }
            *self.map.get() = Map::new();
            self.region.store(core::ptr::null_mut(), Relaxed);
            self.moves.store(0, Relaxed);
            self.lock.force_unlock();
        }
    }
}

/// As [`Map::take`], by itself: the frees have it inline.
#[cold]
#[inline(never)]
fn take_out(map: &mut Map, at: usize) {
    map.take(at);
}

/// A sample has left a page whose byte has lost count: counts it anew, one time in [`RECOUNT`]. All
/// samples of the byte are in this shard.
fn recount(map: &mut Map, pages: &PageFilter, addr: usize) {
    map.uncounted += 1;
    if map.uncounted.is_multiple_of(RECOUNT) {
        let same = map.addresses().filter(|other| index(*other) == index(addr));
        pages.recount(addr, same.count());
    }
}
