//! The live samples by address, and the "certainly not sampled" test that free's fast path asks.
//!
//! `recorder` inserts when a sample was taken and removes when its block is freed; the dump scans.
//! 64 shards, each an open-addressing table of its own under its own lock, keep threads out of each
//! other's way; the filter answers most frees without any lock. Its own lock is the only one held
//! here, and growing one shard is the only time it calls the kernel. Zero-initialised is empty.
//!
//! # Why the owner of a pointer always finds it
//!
//! [`LiveTable::insert`] runs in the thread that got the block, before the block's address is
//! returned to the program. Whoever frees it learned the address from that thread, so the insert
//! (filter counter included, and although it is relaxed) happens before the free: in the same
//! thread by program order, in another by whatever the program used to pass the pointer. Relaxed is
//! enough for the filter then, because coherence forbids a load to see a value older than one that
//! happens before it, and the values newer than our increment stay above zero: a counter falls only
//! by decrements that each belong to another record's own increment. A program that passes pointers
//! by plain data races has no such order; on x86-64 the increment, a locked instruction, is still
//! visible before the pointer is.
//!
//! For the same reason [`LiveTable::remove`] must run before the real free: afterwards another
//! thread may get the address, and it would lose its record.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU64, AtomicUsize};

use crate::stack_table::StackId;

mod filter;
mod shard;

use filter::Filter;
use shard::{Full, Shard};

const LG_SHARDS: u32 = 6;

/// One sampled block that lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Where the block is.
    pub addr: usize,
    /// How many bytes were asked for.
    pub size: usize,
    /// How many bytes it stands for.
    pub weighted_bytes: u64,
    /// When it was allocated, in milliseconds since our start. 56 bits are kept.
    pub birth_ms: u64,
    /// The period it was drawn with.
    pub lg_period: u8,
    /// Who allocated it.
    pub stack: StackId,
    /// The thread that did, by whatever number the recorder gives threads.
    pub thread: u32,
}

/// What became of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insert {
    /// The address was not known.
    New,
    /// The address was known by a record that its free had gone around; this is that record.
    Replaced(Sample),
    /// There is no memory for it: the sample is not recorded.
    Full,
}

/// The table of live samples.
#[derive(Debug)]
pub struct LiveTable {
    shards: [Shard; 1 << LG_SHARDS],
    filter: Filter,
    /// Records in all shards. Written with each insertion and removal, read by anybody. Relaxed,
    /// as the next: a figure that publishes nothing.
    len: AtomicUsize,
    /// Weighted bytes of all records: what the high-water trigger watches.
    weighted_bytes: AtomicU64,
}

impl Default for LiveTable {
    fn default() -> Self {
        Self::new()
    }
}

/// Fibonacci hashing (Knuth, TAOCP 3, 6.4): page-aligned addresses in steps of any size spread
/// evenly over the high bits of the product.
#[inline(always)]
fn hash(addr: usize) -> u64 {
    (addr as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl LiveTable {
    /// An empty table, all zero; memory is taken as it fills.
    pub const fn new() -> Self {
        Self {
            shards: [const { Shard::new() }; 1 << LG_SHARDS],
            filter: Filter::new(),
            len: AtomicUsize::new(0),
            weighted_bytes: AtomicU64::new(0),
        }
    }

    fn shard(&self, hash: u64) -> Option<&Shard> {
        self.shards.get((hash >> (64 - LG_SHARDS)) as usize)
    }

    /// `false` means that `addr` is certainly not in the table. One relaxed load, no lock.
    #[inline(always)]
    pub fn maybe_contains(&self, addr: usize) -> bool {
        self.filter.maybe_contains(hash(addr))
    }

    /// Records `sample`. Its address must not be 0.
    pub fn insert(&self, sample: Sample) -> Insert {
        let hash = hash(sample.addr);
        let Some(shard) = self.shard(hash).filter(|_| sample.addr != 0) else {
            return Insert::Full;
        };
        // Within the shard's lock, so that nobody can remove the record before it was counted.
        let outcome = shard.insert(&sample, || self.filter.add(hash));
        match outcome {
            Err(Full) => return Insert::Full,
            Ok(None) => {
                self.len.fetch_add(1, Relaxed);
            }
            Ok(Some(old)) => {
                self.weighted_bytes.fetch_sub(old.weighted_bytes, Relaxed);
            }
        }
        self.weighted_bytes
            .fetch_add(sample.weighted_bytes, Relaxed);
        outcome.ok().flatten().map_or(Insert::New, Insert::Replaced)
    }

    /// A copy of the record of `addr`, if there is one.
    pub fn get(&self, addr: usize) -> Option<Sample> {
        self.shard(hash(addr))?.get(addr)
    }

    /// Takes the record of `addr` out, if there is one.
    pub fn remove(&self, addr: usize) -> Option<Sample> {
        let hash = hash(addr);
        let sample = self
            .shard(hash)?
            .remove(addr, || self.filter.subtract(hash))?;
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
            shard.clear(&mut |sample| {
                self.filter.subtract(hash(sample.addr));
                self.len.fetch_sub(1, Relaxed);
                self.weighted_bytes
                    .fetch_sub(sample.weighted_bytes, Relaxed);
            });
        }
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
            unsafe { shard.abandon() };
        }
        self.filter.clear();
        self.len.store(0, Relaxed);
        self.weighted_bytes.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests;
