//! The live samples at one moment, copied out of the live table and sorted, so that a dump can be
//! written stack by stack in one pass without holding a lock.
//!
//! Memory is mapped for the duration of one dump, beside the arena: the dump may have to report
//! that the arena's ceiling is reached, and it must not stop the sampling itself. The memory is
//! about as large as the live table. Shards are copied one after the other. So a block freed
//! meanwhile may still be listed, and a block allocated meanwhile may be missing, but no sample is
//! half copied.
//!
//! # Safety
//! The region holds plain `Sample`s, written before they are read.
#![allow(unsafe_code)]

use profile_format::epochs;
use profile_format::heap_v2::Weighed;

use crate::platform::scratch::Scratch;
use crate::table::live_table::{LiveTable, Sample};
use crate::table::{range_table::RangeTable, stack_table::StackId};

/// Birth times are told apart by at most this many epochs.
pub const EPOCHS: usize = epochs::MOST as usize;

/// Samples that may be added while the table is copied.
const SLACK: usize = 1024;

/// A table of live samples.
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
        let first = memory.start().cast::<Sample>();
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

    /// Samples that were added while the table was copied and found no room.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The samples, in the order of the last sort.
    pub fn samples(&self) -> &[Sample] {
        // SAFETY: `take` wrote `len` samples.
        unsafe { core::slice::from_raw_parts(self.memory.start().cast().as_ptr(), self.len) }
    }

    fn samples_mut(&mut self) -> &mut [Sample] {
        // SAFETY: as above, and the snapshot is borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.memory.start().cast().as_ptr(), self.len) }
    }

    /// Sorts so that samples of one thread are neighbours.
    pub fn sort_by_thread(&mut self) {
        self.samples_mut()
            .sort_unstable_by_key(|sample| sample.thread);
    }

    /// Sorts so that samples of one stack are neighbours, and in a stack those of one thread, by
    /// address.
    pub fn sort_by_stack(&mut self) {
        self.samples_mut()
            .sort_unstable_by_key(|sample| (sample.stack.0, sample.thread, sample.addr));
    }

    /// The smallest period with which any live sample was drawn, as a binary logarithm.
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

/// The samples of `stack` at the beginning of `rest`, which is sorted by stack; they are removed
/// from `rest`.
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
        // A block allocated after the dump began belongs to the last epoch.
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
