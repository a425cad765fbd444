//! The memory of one shard: linear probing, deletion by shifting back, growth by doubling. Called
//! by `shard` alone, under the shard's lock but for [`Region::may_contain`].
//!
//! A region is a head, the addresses, and behind them what is known of each. The addresses stand by
//! themselves because readers without the lock look at nothing else, eight of them to a cache line.
//! Address 0 is "empty", as the arena delivers it. Small regions are pieces of the arena, so that a
//! few samples do not take a page for each shard. Source: Knuth, TAOCP 3, 6.4, algorithm R.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::Relaxed;

use super::{Full, Sample, hash};
use crate::table::{arena, stack_table::StackId};

/// The first region of a shard has 16 slots, in 1040 bytes.
const LG_FIRST: u32 = 4;
/// A region of fewer slots grows fourfold: what it leaves behind in the arena stays there.
const LG_LEAVE: u32 = 6;
/// Regions of so many slots and more are mapped by themselves.
const LG_MAPPED: u32 = 7;

/// What is known of a sample beside its address.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Record {
    size: usize,
    weighted_bytes: u64,
    /// The birth in the upper 56 bits, the period in the lower 8.
    birth_and_lg: u64,
    first_size: usize,
    resized_ms: u64,
    first_weight: f32,
    variance: f32,
    stack: u32,
    thread: u32,
}

const _: () = assert!(size_of::<Record>() == 56);

impl Record {
    fn pack(sample: &Sample) -> Self {
        Self {
            size: sample.size,
            weighted_bytes: sample.weighted_bytes,
            birth_and_lg: sample.birth_ms << 8 | u64::from(sample.lg_period),
            first_size: sample.first_size,
            resized_ms: sample.resized_ms,
            first_weight: sample.first_weight,
            variance: sample.variance,
            stack: sample.stack.0,
            thread: sample.thread,
        }
    }

    fn unpack(&self, addr: usize) -> Sample {
        Sample {
            addr,
            size: self.size,
            weighted_bytes: self.weighted_bytes,
            variance: self.variance,
            birth_ms: self.birth_and_lg >> 8,
            first_size: self.first_size,
            first_weight: self.first_weight,
            resized_ms: self.resized_ms,
            lg_period: self.birth_and_lg as u8,
            stack: StackId(self.stack),
            thread: self.thread,
        }
    }
}

/// The head of a region; the addresses begin behind it.
#[derive(Debug)]
#[repr(C, align(16))]
pub(super) struct Region {
    /// How many slots follow, as a logarithm. Written before the region is published; zero again
    /// when the region was retired, which makes its first address, also zero, the only one.
    lg_slots: AtomicUsize,
}

impl Region {
    const fn layout(lg_slots: u32) -> Layout {
        let slots = (size_of::<AtomicUsize>() + size_of::<Record>()) << lg_slots;
        // SAFETY: 16 is a power of two, and a shard of 2^40 slots does not come to be.
        unsafe { Layout::from_size_align_unchecked(size_of::<Region>() + slots, 16) }
    }

    fn make(lg_slots: u32) -> Option<NonNull<Region>> {
        let layout = Self::layout(lg_slots);
        let memory = match lg_slots {
            LG_MAPPED.. => arena::map(layout.size())?,
            _ => arena::alloc(layout)?,
        };
        let region = memory.cast::<Region>();
        // SAFETY: fresh zeroed memory of the right layout, ours alone.
        unsafe { region.as_ref() }
            .lg_slots
            .store(lg_slots as usize, Relaxed);
        Some(region)
    }

    #[inline(always)]
    fn keys(&self) -> &[AtomicUsize] {
        let lg_slots = self.lg_slots.load(Relaxed);
        let first = core::ptr::from_ref(self)
            .wrapping_add(1)
            .cast::<AtomicUsize>();
        // SAFETY: a region has so many addresses behind its head (`make`), and of a retired one the
        // first is still mapped.
        unsafe { core::slice::from_raw_parts(first, 1 << lg_slots) }
    }

    /// Where the search for `addr` starts.
    #[inline(always)]
    fn home(addr: usize, slots: usize) -> usize {
        (hash(addr) >> 32) as usize & slots.wrapping_sub(1)
    }

    /// `false`: is not there, as far as these keys say. At any moment, by any thread.
    #[inline]
    pub(super) fn may_contain(&self, addr: usize) -> bool {
        let keys = self.keys();
        let mut at = Self::home(addr, keys.len());
        // Bounded, as keys that move may never show the empty slot that is always there.
        for _ in 0..keys.len() {
            match keys.get(at).map_or(0, |key| key.load(Relaxed)) {
                0 => return false,
                key if key == addr => return true,
                _ => at = (at + 1) & (keys.len() - 1),
            }
        }
        true
    }
}

/// The region in use. At least a quarter of its slots is empty.
#[derive(Debug)]
pub(super) struct Map {
    region: Option<NonNull<Region>>,
    len: usize,
    /// Samples that left pages which had lost count; `shard`'s.
    pub(super) uncounted: u32,
}

impl Map {
    pub(super) const fn new() -> Self {
        Self {
            region: None,
            len: 0,
            uncounted: 0,
        }
    }

    /// For readers without the lock.
    pub(super) fn region(&self) -> *mut Region {
        self.region.map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    fn keys(&self) -> &[AtomicUsize] {
        match &self.region {
            None => &[],
            // SAFETY: made by `make`, in use until another takes its place.
            Some(region) => unsafe { region.as_ref() }.keys(),
        }
    }

    fn key(&self, at: usize) -> usize {
        self.keys().get(at).map_or(0, |key| key.load(Relaxed))
    }

    /// The record of slot `at`, which is below the number of slots.
    fn record(&self, at: usize) -> *mut Record {
        self.keys()
            .as_ptr_range()
            .end
            .cast::<Record>()
            .cast_mut()
            .wrapping_add(at)
    }

    /// Would another sample leave too few slots empty?
    pub(super) fn is_crowded(&self) -> bool {
        (self.len + 1) * 4 > self.keys().len() * 3
    }

    /// The slot that holds `addr`.
    pub(super) fn find(&self, addr: usize) -> Option<usize> {
        let at = self.search(addr)?;
        (self.key(at) == addr).then_some(at)
    }

    /// The slot of `addr`, or the empty one where it would go. Ends, because a quarter of the slots
    /// is empty.
    fn search(&self, addr: usize) -> Option<usize> {
        let keys = self.keys();
        let mask = keys.len().checked_sub(1)?;
        let mut at = Region::home(addr, keys.len());
        loop {
            let key = keys.get(at)?.load(Relaxed);
            if key == addr || key == 0 {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
    }

    pub(super) fn sample(&self, at: usize) -> Option<Sample> {
        let addr = self.key(at);
        // SAFETY: a slot with an address has a record, and the lock is held.
        (addr != 0).then(|| unsafe { self.record(at).read() }.unpack(addr))
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.keys().len()
    }

    /// Makes the sample of slot `at` one of period `2^lg_period`; by how much its weighted bytes grow.
    pub(super) fn renew(&mut self, at: usize, sample: &Sample, lg_period: u8) -> i64 {
        let renewed = sample.thinned(lg_period);
        self.put(at, sample.addr, Record::pack(&renewed));
        let grown = renewed.weighted_bytes.wrapping_sub(sample.weighted_bytes);
        grown.cast_signed()
    }

    /// All samples.
    pub(super) fn samples(&self) -> impl Iterator<Item = Sample> {
        (0..self.keys().len()).filter_map(|at| self.sample(at))
    }

    /// Their addresses.
    pub(super) fn addresses(&self) -> impl Iterator<Item = usize> {
        let keys = self.keys().iter().map(|key| key.load(Relaxed));
        keys.filter(|addr| *addr != 0)
    }

    /// Stores a sample; the one that had its address comes back.
    pub(super) fn insert(&mut self, sample: &Sample) -> Result<Option<Sample>, Full> {
        let at = self.search(sample.addr).ok_or(Full)?;
        let old = self.sample(at);
        // An address that is there already may find no room to grow and yet be replaced.
        if old.is_none() && self.is_crowded() {
            return Err(Full);
        }
        self.put(at, sample.addr, Record::pack(sample));
        self.len += usize::from(old.is_none());
        Ok(old)
    }

    fn put(&mut self, at: usize, addr: usize, record: Record) {
        let Some(key) = self.keys().get(at) else {
            return;
        };
        // SAFETY: `at` is below the number of slots; the lock is held.
        unsafe { self.record(at).write(record) };
        key.store(addr, Relaxed);
    }

    /// Takes the sample of slot `at` out. Moves records back over the hole, as long as that brings
    /// them no farther than their home.
    #[inline(always)]
    pub(super) fn take(&mut self, at: usize) -> Option<Sample> {
        let taken = self.sample(at)?;
        self.len -= 1;
        let slots = self.keys().len();
        let (mut hole, mut at) = (at, at);
        loop {
            at = (at + 1) & (slots - 1);
            let addr = self.key(at);
            if addr == 0 {
                break;
            }
            // How far it is from home, and from the hole: it may move if its home is not between
            // them.
            let from_home = at.wrapping_sub(Region::home(addr, slots)) & (slots - 1);
            let from_hole = at.wrapping_sub(hole) & (slots - 1);
            if from_home >= from_hole {
                // SAFETY: below the number of slots; the lock is held.
                self.put(hole, addr, unsafe { self.record(at).read() });
                hole = at;
            }
        }
        self.empty(hole);
        Some(taken)
    }

    fn empty(&self, at: usize) {
        if let Some(key) = self.keys().get(at) {
            key.store(0, Relaxed);
        }
    }

    /// Empties all slots.
    pub(super) fn clear(&mut self) {
        (0..self.keys().len()).for_each(|at| self.empty(at));
        self.len = 0;
    }

    /// Moves everything to a larger region, if there is memory; the old one comes back.
    pub(super) fn grow(&mut self) -> Option<NonNull<Region>> {
        let lg_slots = match self.keys().len().checked_ilog2() {
            None => LG_FIRST,
            Some(lg_slots) if lg_slots < LG_LEAVE => lg_slots + 2,
            Some(lg_slots) => lg_slots + 1,
        };
        let mut grown = Map {
            region: Some(Region::make(lg_slots)?),
            ..*self
        };
        for sample in self.samples() {
            if let Some(at) = grown.search(sample.addr) {
                grown.put(at, sample.addr, Record::pack(&sample));
            }
        }
        core::mem::replace(self, grown).region
    }

    /// Gives the pages of a region back that nobody but late readers looks at.
    pub(super) fn retire(outgrown: Option<NonNull<Region>>) {
        let Some(region) = outgrown else {
            return;
        };
        // SAFETY: made by `make`, never unmapped.
        let lg_slots = unsafe { region.as_ref() }.keys().len().ilog2();
        if lg_slots >= LG_MAPPED {
            // SAFETY: mapped by `make` with this length; the records moved, and readers of the
            // addresses take zeros for "look again".
            unsafe { arena::retire(region.cast(), Region::layout(lg_slots).size()) };
        }
    }
}
