//! The sampled mappings that exist: ranges of addresses that may lose a part at either end, in the
//! middle, or all at once.
//!
//! Mappings are added, and what is unmapped is cut out; the dump scans. The ranges are sorted
//! (`pieces`) under one lock: a mapping costs a system call, and compared with that a search and a
//! short move cost little. Zero-initialised is empty.
//!
//! # The rest of a sampled range after a cut
//!
//! By the marks of `sampler` a range of S bytes is sampled when it covers at least one mark, with
//! p(S) = 1 - exp(-S/N). The rest of it after a cut, L bytes, must count as sampled when *it*
//! covers a mark, with p(L). If no mark lies in L, the marks elsewhere are not affected. So given
//! that the whole was sampled, the rest is sampled with probability p(L)/p(S). It is kept with that
//! probability, and from then on weighs L/p(L), like any sample of its size. Its bytes are
//! estimated without bias, whatever was cut.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::Relaxed;

use crate::sampler;
use crate::table::live_table::{Drawn, Sample};
pub use crate::table::pieces::Full;
use crate::table::pieces::{Pieces, Range};
use crate::table::sync::SpinLock;

/// The most parts that one call removes and can be asked to put back.
const REMOVED: usize = 8;

/// What [`RangeTable::cut`] removed, for the case that the kernel refuses the unmapping.
#[derive(Debug, Default)]
pub struct Removed {
    parts: [Option<Sample>; REMOVED],
    /// Parts that were removed and not kept here.
    pub lost: usize,
}

impl Removed {
    /// The parts.
    pub fn iter(&self) -> impl Iterator<Item = &Sample> {
        self.parts.iter().flatten()
    }

    fn push(&mut self, part: Sample) {
        match self.parts.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = Some(part),
            None => self.lost += 1,
        }
    }
}

/// Returns true with the given probability.
pub type Chance<'a> = &'a mut dyn FnMut(f64) -> bool;

// SAFETY: a sample consists of numbers.
unsafe impl Range for Sample {
    fn start(&self) -> usize {
        self.addr
    }

    fn end(&self) -> usize {
        end_of(self)
    }
}

/// The table. [`Sample::addr`] and [`Sample::size`] are the range.
#[derive(Debug)]
pub struct RangeTable {
    /// Guards `pieces`. Nothing else is locked under it.
    lock: SpinLock,
    pieces: UnsafeCell<Pieces<Sample>>,
    /// Ranges stored. Written under the lock; read without it as a mere figure.
    len: AtomicUsize,
}

// SAFETY: `pieces` is reached only under `lock`, see `with`.
unsafe impl Sync for RangeTable {}

impl Default for RangeTable {
    fn default() -> Self {
        Self::new()
    }
}

impl RangeTable {
    /// An empty table, all zero.
    pub const fn new() -> Self {
        Self {
            lock: SpinLock::new(),
            pieces: UnsafeCell::new(Pieces::EMPTY),
            len: AtomicUsize::new(0),
        }
    }

    fn with<R>(&self, f: impl FnOnce(&mut Pieces<Sample>) -> R) -> R {
        let _held = self.lock.lock();
        // SAFETY: the lock is held until the end of this function, and nothing in this file calls
        // `with` within `with`.
        let pieces = unsafe { &mut *self.pieces.get() };
        let result = f(pieces);
        self.len.store(pieces.len(), Relaxed);
        result
    }

    /// Ranges stored.
    pub fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Whether there are no ranges.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a range, in place of whatever was recorded there. Its size must not be 0.
    pub fn insert(&self, range: &Sample, chance: Chance<'_>) -> Result<(), Full> {
        self.with(|pieces| {
            let mut stale = Removed::default();
            let done = cut(pieces, range.addr, end_of(range), chance, &mut stale);
            done.and_then(|()| pieces.put(*range))
        })
    }

    /// Removes `[start, end)` from every range that overlaps it. The head of this file describes
    /// what stays.
    pub fn cut(&self, start: usize, end: usize, chance: Chance<'_>) -> Removed {
        let mut removed = Removed::default();
        if !self.is_empty() {
            // Without memory for the second half of a range that is split, that half is lost.
            let cut = self.with(|pieces| cut(pieces, start, end, chance, &mut removed));
            removed.lost += usize::from(cut.is_err());
        }
        removed
    }

    /// Calls `f` for each range, under the lock.
    pub fn for_each(&self, f: &mut dyn FnMut(&Sample)) {
        self.with(|pieces| pieces.for_each(f));
    }

    /// Empties the table and gives its memory back.
    pub fn clear(&self) {
        self.with(Pieces::clear);
    }

    /// Empties the table, without giving memory back.
    ///
    /// # Safety
    /// The caller is the only thread of its process.
    pub unsafe fn abandon(&self) {
        // SAFETY: one thread, which is here and so not within `with`.
        unsafe {
            *self.pieces.get() = Pieces::EMPTY;
            self.lock.force_unlock();
        }
        self.len.store(0, Relaxed);
    }
}

/// Removes `[start, end)` from `pieces`; the rest of a range is put back. An error when there is no
/// memory for that.
fn cut(
    pieces: &mut Pieces<Sample>,
    start: usize,
    end: usize,
    chance: Chance<'_>,
    removed: &mut Removed,
) -> Result<(), Full> {
    let mut result = Ok(());
    while let Some(range) = pieces.take_first(start, end) {
        let inner = (range.addr.max(start), end_of(&range).min(end));
        if let Some(part) = part(&range, inner.0, inner.1, chance) {
            removed.push(part);
        }
        for (from, to) in [(range.addr, inner.0), (inner.1, end_of(&range))] {
            if let Some(left) = part(&range, from, to, chance) {
                result = pieces.put(left).and(result);
            }
        }
    }
    result
}

fn end_of(range: &Sample) -> usize {
    range.addr.saturating_add(range.size)
}

/// The part `[from, to)` of a range as a sample of its own; `None` when it is empty or, by chance,
/// not sampled.
fn part(whole: &Sample, from: usize, to: usize, chance: Chance<'_>) -> Option<Sample> {
    let size = to.checked_sub(from).filter(|size| *size != 0)?;
    if size < whole.size {
        let of_whole = sampler::probability(whole.size, whole.lg_period);
        let of_part = sampler::probability(size, whole.lg_period);
        if !chance(of_part / of_whole) {
            return None;
        }
    }
    Some(Sample::new(&Drawn {
        addr: from,
        size,
        lg_period: whole.lg_period,
        now_ms: whole.birth_ms,
        stack: whole.stack,
        thread: whole.thread,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::stack_table::StackId;
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    fn range(addr: usize, size: usize, lg_period: u8) -> Sample {
        Sample::new(&Drawn {
            addr,
            size,
            lg_period,
            now_ms: 7,
            stack: StackId(3),
            thread: 1,
        })
    }

    fn all(table: &RangeTable) -> Vec<(usize, usize)> {
        let mut ranges = Vec::new();
        table.for_each(&mut |range| ranges.push((range.addr, range.size)));
        ranges
    }

    fn always(_probability: f64) -> bool {
        true
    }

    #[test]
    fn cuts_at_the_ends_in_the_middle_and_across() {
        let table = RangeTable::new();
        for addr in [300, 100, 200] {
            table
                .insert(&range(addr, 100, 0), &mut always)
                .expect("memory");
        }
        assert_eq!(all(&table), [(100, 100), (200, 100), (300, 100)]);
        assert_eq!(table.cut(120, 130, &mut always).iter().count(), 1);
        assert_eq!(all(&table)[..2], [(100, 20), (130, 70)]);
        let removed = table.cut(190, 350, &mut always);
        assert_eq!(
            removed
                .iter()
                .map(|part| (part.addr, part.size))
                .collect::<Vec<_>>(),
            [(190, 10), (200, 100), (300, 50)]
        );
        assert_eq!(all(&table), [(100, 20), (130, 60), (350, 50)]);
        table.cut(0, usize::MAX, &mut always);
        assert!(table.is_empty());
    }

    #[test]
    fn a_new_range_takes_the_place_of_what_was_there() {
        let table = RangeTable::new();
        table
            .insert(&range(1000, 1000, 0), &mut always)
            .expect("memory");
        table
            .insert(&range(1500, 100, 0), &mut always)
            .expect("memory");
        assert_eq!(all(&table), [(1000, 500), (1500, 100), (1600, 400)]);
        table
            .insert(&range(900, 2000, 0), &mut always)
            .expect("memory");
        assert_eq!(all(&table), [(900, 2000)]);
    }

    /// Against a map of every byte; enough ranges for several pieces.
    #[test]
    fn many_ranges_are_as_few() {
        let mut random = SmallRng::seed_from_u64(5);
        let table = RangeTable::new();
        let mut bytes = vec![false; 40_000];
        for round in 0..30_000 {
            let start = random.random_range(0..bytes.len() - 20);
            let end = start + random.random_range(1..if round % 500 == 0 { 10_000 } else { 20 });
            let end = end.min(bytes.len());
            let adds = random.random_range(0..3) != 0;
            if adds {
                table
                    .insert(&range(start, end - start, 0), &mut always)
                    .expect("memory");
            } else {
                table.cut(start, end, &mut always);
            }
            bytes[start..end].fill(adds);
        }
        let ranges = all(&table);
        assert!(ranges.len() > 1_000 && ranges.len() == table.len());
        assert!(ranges.is_sorted());
        let mut seen = vec![false; bytes.len()];
        for (addr, size) in ranges {
            assert!(!seen[addr..addr + size].contains(&true), "disjoint");
            seen[addr..addr + size].fill(true);
        }
        assert!(seen == bytes);
        table.clear();
        assert!(table.is_empty() && all(&table).is_empty());
    }

    #[test]
    fn what_was_taken_out_can_be_put_back_and_more_is_told() {
        let table = RangeTable::new();
        for i in 0..100 {
            table
                .insert(&range(i * 10, 10, 0), &mut always)
                .expect("memory");
        }
        assert_eq!(table.len(), 100, "it grows");
        let removed = table.cut(0, 1000, &mut always);
        assert_eq!((removed.iter().count(), removed.lost), (8, 92));
        for part in removed.iter() {
            table.insert(part, &mut always).expect("memory");
        }
        assert_eq!(table.len(), 8);
    }

    /// Each remaining byte must stand for as many as before, on average.
    #[test]
    fn cut_ranges_are_estimated_without_bias() {
        let mut random = SmallRng::seed_from_u64(11);
        let (lg, size) = (16, 100_000);
        let p = sampler::probability(size, lg);
        let mut estimate = [0.0; 2];
        const RUNS: usize = 20_000;
        for _ in 0..RUNS {
            if random.random::<f64>() >= p {
                continue;
            }
            let table = RangeTable::new();
            let mut chance = |probability: f64| random.random::<f64>() < probability;
            table
                .insert(&range(0x1000, size, lg), &mut chance)
                .expect("memory");
            table.cut(0x1000 + 20_000, 0x1000 + 50_000, &mut chance);
            table.cut(0x1000 + 90_000, 0x1000 + size, &mut chance);
            table.for_each(&mut |left| {
                estimate[usize::from(left.addr != 0x1000)] += left.weighted_bytes as f64;
            });
            table.clear();
        }
        for (estimate, size) in estimate.into_iter().zip([20_000.0, 40_000.0]) {
            let p = sampler::probability(size as usize, lg);
            let mean = estimate / RUNS as f64;
            let sigma = size * ((1.0 - p) / p / RUNS as f64).sqrt();
            assert!(
                (mean - size).abs() < 4.0 * sigma,
                "{mean} for {size}, sigma {sigma}"
            );
        }
    }
}
