//! The live samples at one moment, copied out of the live table and sorted, so that a dump can be
//! written stack by stack in one pass without holding a lock.
//!
//! Called by `dump`. Memory is mapped for the duration of one dump, beside the arena: that its
//! ceiling is reached may be just what the dump has to tell, and a dump must not stop the sampling.
//! It is about as large as the live table. Shards are copied one after the other, so a block freed
//! meanwhile may still be there and one born meanwhile may be missing; nothing is seen half.
//!
//! # Safety
//! The region holds plain `Sample`s, written before they are read.
#![allow(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use core::ptr::NonNull;

use profile_format::epochs;
use profile_format::heap_v2::Weighed;

use crate::live_table::{LiveTable, Sample};
use crate::range_table::RangeTable;
use crate::stack_table::StackId;
use crate::sys;

/// Births are told apart by at most this many epochs.
pub const EPOCHS: usize = epochs::MOST as usize;

/// Samples that may come up while the table is being copied.
const SLACK: usize = 1024;

/// Memory for the duration of one dump.
pub struct Scratch {
    region: NonNull<u8>,
    bytes: usize,
}

impl Scratch {
    /// `bytes` zeroed bytes, in whole pages.
    pub fn map(bytes: usize) -> Option<Scratch> {
        let bytes = bytes.next_multiple_of(sys::PAGE);
        Some(Scratch {
            region: sys::mmap_anon(bytes)?,
            bytes,
        })
    }

    /// The memory.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: mapped by `map` with this length, and borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.region.as_ptr(), self.bytes) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length; what was handed out borrows from `self`.
        unsafe { sys::munmap(self.region, self.bytes) };
    }
}

/// A table of samples that live.
pub trait Samples {
    /// About how many there are.
    fn len(&self) -> usize;
    /// Calls `f` for each, under the table's lock.
    fn for_each(&self, f: &mut dyn FnMut(&Sample));
}

impl Samples for LiveTable {
    fn len(&self) -> usize {
        LiveTable::len(self)
    }

    fn for_each(&self, f: &mut dyn FnMut(&Sample)) {
        LiveTable::for_each(self, f);
    }
}

impl Samples for RangeTable {
    fn len(&self) -> usize {
        RangeTable::len(self)
    }

    fn for_each(&self, f: &mut dyn FnMut(&Sample)) {
        RangeTable::for_each(self, f);
    }
}

/// A copy of the live samples.
pub struct Snapshot {
    memory: Scratch,
    len: usize,
    missed: u64,
}

impl Snapshot {
    /// Copies a table; `None` when there is no memory for it.
    pub fn take(live: &dyn Samples) -> Option<Snapshot> {
        let expected = live.len();
        let room = expected + expected / 8 + SLACK;
        let memory = Scratch::map(room * size_of::<Sample>())?;
        let first = memory.region.cast::<Sample>();
        let (mut len, mut missed) = (0, 0);
        live.for_each(&mut |sample| {
            if len < room {
                // SAFETY: `len` is below the number of samples the region holds; page-aligned.
                unsafe { first.add(len).write(*sample) };
                len += 1;
            } else {
                missed += 1;
            }
        });
        Some(Snapshot {
            memory,
            len,
            missed,
        })
    }

    /// Samples that came up while the table was copied and found no room.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The samples, in the order last sorted by.
    pub fn samples(&self) -> &[Sample] {
        // SAFETY: `len` samples were written by `take`.
        unsafe { core::slice::from_raw_parts(self.memory.region.cast().as_ptr(), self.len) }
    }

    fn samples_mut(&mut self) -> &mut [Sample] {
        // SAFETY: as above, and the snapshot is borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.memory.region.cast().as_ptr(), self.len) }
    }

    /// Samples of one thread stand together.
    pub fn sort_by_thread(&mut self) {
        self.samples_mut()
            .sort_unstable_by_key(|sample| sample.thread);
    }

    /// Samples of one stack stand together, within it those of one thread, by address.
    pub fn sort_by_stack(&mut self) {
        self.samples_mut()
            .sort_unstable_by_key(|sample| (sample.stack.0, sample.thread, sample.addr));
    }

    /// The smallest period any live sample was drawn with, as a binary logarithm.
    pub fn least_lg_period(&self) -> Option<u8> {
        self.samples().iter().map(|sample| sample.lg_period).min()
    }

    /// Runs of samples of one thread; sort by thread or stack first.
    pub fn by_thread(samples: &[Sample]) -> impl Iterator<Item = (u32, &[Sample])> {
        samples
            .chunk_by(|a, b| a.thread == b.thread)
            .filter_map(|run| Some((run.first()?.thread, run)))
    }
}

/// The samples of `stack` at the beginning of `rest`, which is sorted by stack; they are taken off.
pub fn take_stack<'a>(rest: &mut &'a [Sample], stack: StackId) -> &'a [Sample] {
    let length = rest
        .iter()
        .take_while(|sample| sample.stack == stack)
        .count();
    let (own, others) = rest.split_at_checked(length).unwrap_or_default();
    *rest = others;
    own
}

/// Sums of some samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// Real samples.
    pub samples: u64,
    /// Bytes of the samples themselves, not scaled.
    pub sampled_bytes: u64,
    /// Estimated blocks, in 1/256.
    pub objects_fx: u64,
    /// Estimated bytes.
    pub bytes: u64,
    /// Variance of the estimated bytes, in bytes squared: the sum of s^2 times the variance of the
    /// number of blocks that a sample of s bytes stands for. A block that was drawn once stands for
    /// 1/p with probability p, so that is (1-p)/p, seen only when it was sampled: without bias
    /// (1-p)/p^2.
    pub variance: f64,
    /// Smallest size.
    pub least: u64,
    /// Largest size.
    pub most: u64,
}

impl Sums {
    /// Adds up `samples`.
    pub fn of(samples: &[Sample]) -> Sums {
        let start = Sums {
            least: u64::MAX,
            ..Sums::default()
        };
        samples.iter().fold(start, |sums, sample| {
            let size = sample.size as u64;
            let weight = sample.weight();
            Sums {
                samples: sums.samples + 1,
                sampled_bytes: sums.sampled_bytes.saturating_add(size),
                objects_fx: sums.objects_fx.saturating_add(weight.objects_fx),
                bytes: sums.bytes.saturating_add(weight.bytes),
                variance: sums.variance + variance(sample),
                least: sums.least.min(size),
                most: sums.most.max(size),
            }
        })
    }
}

/// What one sample adds to the variance of the estimate.
fn variance(sample: &Sample) -> f64 {
    let size = sample.size as f64;
    size * size * f64::from(sample.weight().variance)
}

/// Live samples by birth epoch as they were at birth, `elapsed_ms` after the start.
pub fn births(samples: &[Sample], elapsed_ms: u64) -> [Weighed; EPOCHS] {
    let width_ms = epochs::width_ms(elapsed_ms);
    let mut births = [Weighed::default(); EPOCHS];
    for sample in samples {
        // One born after the dump began belongs to the last epoch.
        let epoch = sample.birth_ms.min(elapsed_ms) / width_ms;
        if let Some(born) = births.get_mut(epoch as usize) {
            let bytes = sample.first_bytes();
            let square = u128::from(bytes) * u128::from(bytes);
            born.samples += 1;
            born.bytes = born.bytes.saturating_add(bytes);
            born.squares = born.squares.saturating_add(square);
        }
    }
    births
}
