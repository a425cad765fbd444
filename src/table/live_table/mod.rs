//! The live samples by address, and the question that every free asks: "certainly not sampled?"
//!
//! `recorder` inserts when a sample was taken and removes when its block is freed; the dump scans.
//! 64 shards, each an open-addressing table of its own under its own lock, keep threads out of each
//! other's way. A free asks in three steps, each rarer and dearer than the one before: the count of
//! its page (`pages`, read by the hook itself), the addresses of its shard without a lock
//! ([`LiveTable::may_contain`]), and the record under the lock. Only the frees of samples, and the
//! few that meet a shard in motion, take a lock. It is the only one held here, and growing one
//! shard is the only time the kernel is called. Zero-initialised is empty.
//!
//! # Why the owner of a pointer always finds it
//!
//! [`LiveTable::insert`] runs in the thread that got the block, before the block's address is
//! returned to the program. Whoever frees it learned the address from that thread, so the insert
//! (page count and key included, and although they are relaxed) happens before the free: in the
//! same thread by program order, in another by whatever the program used to pass the pointer.
//! Relaxed is enough then, because coherence forbids a load to see a value older than one that
//! happens before it. The newer values of the page count stay above zero: it falls only by
//! decrements that each belong to another record, and is counted anew only under the lock that
//! orders the records. The newer values of the keys are seen whole or not believed (`shard`). A
//! program that passes pointers by plain data races has no such order; on x86-64 stores become
//! visible in their order, and the lock's release stands between ours and the program's.
//!
//! For the same reason [`LiveTable::remove`] must run before the real free: afterwards another
//! thread may get the address, and it would lose its record.

use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU64, AtomicUsize};

pub mod pages;
mod region;
mod sample;
mod shard;

use pages::PageFilter;
pub use sample::{Before, Drawn, Sample};
use shard::Shard;

const LG_SHARDS: u32 = 6;

/// There was no memory to grow into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Full;

/// What became of an insertion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Insert {
    /// The address was not known.
    New,
    /// The address was known by a record that its free had gone around; this is that record.
    Replaced(Sample),
    /// There is no memory for it: the sample is not recorded.
    Full,
}

/// Slots that are thinned under one hold of a lock: a fifth of a millisecond.
const PART: usize = 1 << 11;

/// How far the records are thinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    shard: usize,
    slot: usize,
}

impl Place {
    /// The place at slot `slot` of a shard.
    pub fn at(shard: u64, slot: u64) -> Place {
        Place {
            shard: shard as usize,
            slot: slot as usize,
        }
    }

    /// Shard and slot.
    pub fn parts(self) -> (u64, u64) {
        (self.shard as u64, self.slot as u64)
    }

    /// At the beginning, or at the end again?
    pub fn is_start(self) -> bool {
        self == Place::default()
    }
}

/// The table of live samples.
#[derive(Debug)]
pub struct LiveTable {
    shards: [Shard; 1 << LG_SHARDS],
    /// Where the hooks look; none for samples that are no blocks.
    pages: Option<&'static PageFilter>,
    /// Records in all shards. Written with each insertion and removal, read by anybody. Relaxed,
    /// as the next: a figure that publishes nothing.
    len: AtomicUsize,
    /// Weighted bytes of all records: what the high-water trigger watches.
    weighted_bytes: AtomicU64,
}

/// Fibonacci hashing (Knuth, TAOCP 3, 6.4): addresses in steps of any size spread evenly over the
/// high bits of the product.
#[inline(always)]
fn hash(addr: usize) -> u64 {
    (addr as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl LiveTable {
    /// An empty table; memory is taken as it fills. `pages` counts for the hooks.
    pub const fn new(pages: Option<&'static PageFilter>) -> Self {
        Self {
            shards: [const { Shard::new() }; 1 << LG_SHARDS],
            pages,
            len: AtomicUsize::new(0),
            weighted_bytes: AtomicU64::new(0),
        }
    }

    /// The shard of an address. What shares a byte of `pages` shares a shard, and so a lock.
    #[inline]
    fn shard(&self, addr: usize) -> Option<&Shard> {
        let key = match self.pages {
            Some(_) => pages::index(addr),
            None => addr,
        };
        self.shards.get((hash(key) >> (64 - LG_SHARDS)) as usize)
    }

    /// `false` means that `addr` is certainly not in the table. Takes no lock.
    #[inline]
    pub fn may_contain(&self, addr: usize) -> bool {
        self.shard(addr)
            .is_some_and(|shard| shard.may_contain(addr))
    }

    /// Records `sample`. Its address must not be 0.
    pub fn insert(&self, sample: Sample) -> Insert {
        let Some(shard) = self.shard(sample.addr).filter(|_| sample.addr != 0) else {
            return Insert::Full;
        };
        let Ok(old) = shard.insert(&sample, self.pages) else {
            return Insert::Full;
        };
        match &old {
            None => {
                self.len.fetch_add(1, Relaxed);
            }
            Some(old) => {
                self.weighted_bytes.fetch_sub(old.weighted_bytes, Relaxed);
            }
        }
        self.weighted_bytes
            .fetch_add(sample.weighted_bytes, Relaxed);
        old.map_or(Insert::New, Insert::Replaced)
    }

    /// A copy of the record of `addr`, if there is one.
    pub fn get(&self, addr: usize) -> Option<Sample> {
        self.shard(addr)?.get(addr)
    }

    /// Takes the record of `addr` out, if there is one.
    pub fn remove(&self, addr: usize) -> Option<Sample> {
        let sample = self.shard(addr)?.remove(addr, self.pages)?;
        self.len.fetch_sub(1, Relaxed);
        self.weighted_bytes
            .fetch_sub(sample.weighted_bytes, Relaxed);
        Some(sample)
    }

    /// Calls `f` for each record, shard by shard, under that shard's lock: `f` may take no lock,
    /// and not call this table. Each shard is seen as of one moment, the whole is not.
    pub fn for_each(&self, f: &mut dyn FnMut(&Sample)) {
        for shard in &self.shards {
            shard.for_each(f);
        }
    }

    /// Takes all records out, shard by shard. Their blocks live on as blocks that nobody sampled.
    pub fn clear(&self) {
        for shard in &self.shards {
            shard.clear(self.pages, &mut |sample| {
                self.len.fetch_sub(1, Relaxed);
                self.weighted_bytes
                    .fetch_sub(sample.weighted_bytes, Relaxed);
            });
        }
    }

    /// Thins a part of the records: those drawn with a denser period than `2^lg_period` become samples of
    /// that one, or give way. `place` says where to go on, and is zero again at the end of the table. The
    /// lock of a shard is held for 2,048 slots at most. Returns how many gave way.
    pub fn thin(&self, place: &mut Place, lg_period: u8, random: &mut dyn FnMut() -> u64) -> usize {
        let Some(shard) = self.shards.get(place.shard) else {
            return 0;
        };
        let thinned = shard.thin(place.slot, PART, lg_period, self.pages, random);
        self.len.fetch_sub(thinned.gone, Relaxed);
        self.weighted_bytes
            .fetch_add(thinned.bytes.cast_unsigned(), Relaxed);
        *place = match thinned.next {
            Some(slot) => Place { slot, ..*place },
            None => Place {
                shard: (place.shard + 1) % self.shards.len(),
                slot: 0,
            },
        };
        thinned.gone
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that all records stand for: the estimate of live memory.
    pub fn total_weighted_bytes(&self) -> u64 {
        self.weighted_bytes.load(Relaxed)
    }
}

#[allow(unsafe_code)]
impl LiveTable {
    /// Empties the table without giving memory back.
    ///
    /// # Safety
    /// The caller is the only thread of its process; goes with `arena::abandon`.
    pub unsafe fn abandon(&self) {
        for shard in &self.shards {
            // SAFETY: the contract above is that of the shard.
            unsafe { shard.abandon(self.pages) };
        }
        self.len.store(0, Relaxed);
        self.weighted_bytes.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests;
