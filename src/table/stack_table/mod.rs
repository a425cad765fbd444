//! Interns stacks: the same frames always get the same [`StackId`], and each stack keeps its sums.
//!
//! `recorder` interns each sampled stack and notes allocations and frees; the dump reads by id. A
//! stack that is known is found without a lock; a new one is added under the one lock here. Records
//! stand in the arena, never move and are never freed, so a borrowed slice of frames is good for
//! ever; the table is bounded by the arena. Zero-initialised is empty.
//!
//! ```text
//! index ──▶ [ tag:32 | id+1:32 ] … ──▶ directory ──▶ record: hash, sums, lifetimes, frames
//!            hash slots, half full       by id         never moves
//! ```
#![allow(unsafe_code)]

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU8, AtomicU32};

use profile_format::heap_v2::Weighed;

use crate::diag::{self, Counter};
use crate::sampler::{MOST_LG_PERIOD, Weight};
use crate::table::sync::SpinLock;

mod directory;
mod index;
mod lifetimes;
mod record;

use directory::Directory;
use index::Index;
pub use record::StackTotals;
use record::{create, hash};

/// The deepest stack that is kept whole: the greatest `prof_bt_max` and the managed frames within
/// it.
pub const MAX_FRAMES: usize = 1024;

/// Stacks that are kept whole. Beyond, a new one is cut to its [`SHORT`] leaf frames: what it owns is still
/// counted, by who allocated, and the memory stays bounded.
const MOST_WHOLE: u32 = 1 << 16;

/// Frames of a stack that is cut.
const SHORT: usize = 8;

/// Above the logarithm of every period.
const NO_PERIOD: u8 = MOST_LG_PERIOD + 1;

/// The number of a stack, from 0, in the order in which they were first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackId(pub u32);

/// All stacks ever sampled.
#[derive(Debug)]
pub struct StackTable {
    /// Hash of the frames to id.
    index: Index,
    /// Id to record.
    directory: Directory,
    /// Stacks stored. Written under `lock`, with Release after the record is in place; Acquire in
    /// `len` makes every record below it readable.
    len: AtomicU32,
    /// By how much the smallest logarithm of a period that anything in the sums was drawn with is below
    /// [`NO_PERIOD`]; 0 before the first. Any thread raises it. Relaxed: a figure that publishes nothing.
    below: AtomicU8,
    /// Held while a stack is added. Nothing else is locked under it; the arena has no lock.
    lock: SpinLock,
}

impl Default for StackTable {
    fn default() -> Self {
        Self::new()
    }
}

impl StackTable {
    /// An empty table, all zero; memory is taken as it fills.
    pub const fn new() -> Self {
        Self {
            index: Index::new(),
            directory: Directory::new(),
            len: AtomicU32::new(0),
            below: AtomicU8::new(0),
            lock: SpinLock::new(),
        }
    }

    /// The id of the stack `frames`, leaf first, stored if it is new. Frames beyond [`MAX_FRAMES`]
    /// are dropped at the root. `None` when the arena is exhausted.
    pub fn intern(&self, frames: &[u64]) -> Option<StackId> {
        let frames = frames.get(..MAX_FRAMES).unwrap_or(frames);
        let hash = hash(frames);
        let known = self.find(hash, frames);
        known.or_else(|| self.intern_new(hash, frames))
    }

    #[cold]
    fn intern_new(&self, hash: u64, frames: &[u64]) -> Option<StackId> {
        match frames.get(..SHORT) {
            Some(leaf) if self.len() >= MOST_WHOLE && frames.len() > SHORT => {
                diag::count(Counter::StackCut);
                self.intern(leaf)
            }
            _ => self.add(hash, frames),
        }
    }

    fn find(&self, hash: u64, frames: &[u64]) -> Option<StackId> {
        self.index.find(hash, |id| {
            self.directory
                .get(id)
                .is_some_and(|record| record.is(hash, frames))
        })
    }

    fn add(&self, hash: u64, frames: &[u64]) -> Option<StackId> {
        let _held = self.lock.lock();
        // Another thread may have added it since we looked.
        if let Some(id) = self.find(hash, frames) {
            return Some(id);
        }
        // Relaxed: only the holder of the lock writes it.
        let id = StackId(self.len.load(Relaxed));
        self.index.make_room(id.0)?;
        let record = create(hash, frames)?;
        self.directory.put(id, record)?;
        // Release: pairs with Acquire in `len`.
        self.len.store(id.0.checked_add(1)?, Release);
        self.index.put(hash, id);
        Some(id)
    }

    /// The frames of a stack, leaf first; empty for an id that was never given out.
    pub fn frames(&self, id: StackId) -> &[u64] {
        self.directory.get(id).map_or(&[], |record| record.frames)
    }

    /// Adds one sample to the sums of its stack.
    pub fn note_alloc(&self, id: StackId, weight: &Weight, lg_period: u8) {
        if let Some(record) = self.directory.get(id) {
            record.note_alloc(weight);
        }
        let below = NO_PERIOD.saturating_sub(lg_period);
        if self.below.load(Relaxed) < below {
            self.below.fetch_max(below, Relaxed);
        }
    }

    /// Adds the lifetime of a freed sample, which stood for so many bytes when it was born, to the
    /// histogram of its stack.
    #[inline]
    pub fn note_free(&self, id: StackId, lifetime_ms: u64, bytes: u64) {
        if let Some(record) = self.directory.get(id) {
            record.note_free(lifetime_ms, bytes);
        }
    }

    /// The logarithm of the smallest period that anything in the sums was drawn with.
    pub fn least_lg_period(&self) -> Option<u8> {
        match self.below.load(Relaxed) {
            0 => None,
            below => NO_PERIOD.checked_sub(below),
        }
    }

    /// The freed samples of a stack by the bucket of their lifetime.
    pub fn freed(&self, id: StackId) -> impl Iterator<Item = (usize, Weighed)> + '_ {
        let record = self.directory.get(id).into_iter();
        record.flat_map(|record| record.freed())
    }

    /// The number of stacks: ids below it are good.
    pub fn len(&self) -> u32 {
        self.len.load(Acquire)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of the sums of a stack. Samples taken meanwhile may be in one sum and not in another.
    pub fn totals(&self, id: StackId) -> StackTotals {
        self.directory
            .get(id)
            .map(|record| record.totals())
            .unwrap_or_default()
    }

    /// Sets the sums of all stacks to zero. Samples taken meanwhile may be in one sum and not in
    /// another.
    pub fn clear_totals(&self) {
        self.below.store(0, Relaxed);
        for id in (0..self.len()).map(StackId) {
            if let Some(record) = self.directory.get(id) {
                record.clear();
            }
        }
    }

    /// Empties the table without giving memory back.
    ///
    /// # Safety
    /// The caller is the only thread of its process and drops every id and every slice it has from
    /// here; goes with `arena::abandon`.
    pub unsafe fn abandon(&self) {
        self.index.clear();
        self.directory.clear();
        self.len.store(0, Release);
        self.below.store(0, Relaxed);
        // SAFETY: one thread, by the contract above.
        unsafe { self.lock.force_unlock() };
    }
}

#[cfg(test)]
mod tests;
