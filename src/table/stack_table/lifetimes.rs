//! How long the freed samples of one stack lived, in the buckets of `profile_format::lifetimes`.
//!
//! A stack frees what it frees within a few octaves, or nothing at all. So the buckets of an octave
//! come into being together, in the arena, with the first sample that needs them; all that are there
//! hang on a list. A piece is written before it is published and is never taken off. Failure means
//! that the lifetime is not counted, and the counter of samples not stored.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64};

use profile_format::heap_v2::Weighed;
use profile_format::lifetimes;

use crate::diag::{self, Counter};
use crate::table::arena;

/// Buckets of a piece.
const WIDTH: usize = 4;

/// The head of the list. Zeroed it is empty.
#[derive(Debug)]
pub(super) struct Lifetimes(AtomicPtr<Octave>);

/// Four neighbouring buckets. The sums are relaxed atomics that stand for themselves.
#[derive(Debug)]
struct Octave {
    /// The first of them. As `next`: written before the piece is published, and never again.
    first: usize,
    next: *mut Octave,
    samples: [AtomicU32; WIDTH],
    bytes: [AtomicU64; WIDTH],
    /// Sums of squares: the bits of a float, which is large enough.
    squares: [AtomicU64; WIDTH],
}

impl Lifetimes {
    /// Adds a sample.
    #[inline]
    pub(super) fn note(&self, lifetime_ms: u64, bytes: u64) {
        let bucket = lifetimes::bucket(lifetime_ms);
        let (first, place) = (bucket - bucket % WIDTH, bucket % WIDTH);
        match self.find(first).or_else(|| self.add(first)) {
            Some(octave) => octave.note(place, bytes),
            None => diag::count(Counter::SampleNotStored),
        }
    }

    fn octaves(&self) -> impl Iterator<Item = &Octave> {
        // Acquire: pairs with the exchange in `add`, so that a piece is seen whole, and those
        // behind it too.
        let mut at = self.0.load(Acquire);
        core::iter::from_fn(move || {
            // SAFETY: null, or a published piece, which stays for ever.
            let octave = unsafe { at.as_ref() }?;
            at = octave.next;
            Some(octave)
        })
    }

    fn find(&self, first: usize) -> Option<&Octave> {
        self.octaves().find(|octave| octave.first == first)
    }

    /// Publishes another piece, unless another thread did so meanwhile.
    #[cold]
    fn add(&self, first: usize) -> Option<&Octave> {
        let fresh = arena::alloc(Layout::new::<Octave>())?.cast::<Octave>();
        loop {
            let next = self.0.load(Acquire);
            if let Some(octave) = self.find(first) {
                return Some(octave);
            }
            // SAFETY: zeroed memory of the right layout, ours alone until it is published.
            unsafe {
                (*fresh.as_ptr()).first = first;
                (*fresh.as_ptr()).next = next;
            }
            let published = self
                .0
                .compare_exchange(next, fresh.as_ptr(), AcqRel, Acquire);
            if published.is_ok() {
                // SAFETY: as above, published now.
                return Some(unsafe { fresh.as_ref() });
            }
        }
    }

    /// The buckets that have samples.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, Weighed)> {
        self.octaves().flat_map(Octave::iter)
    }

    /// All sums zero again.
    pub(super) fn clear(&self) {
        for octave in self.octaves() {
            octave.samples.iter().for_each(|sum| sum.store(0, Relaxed));
            let wide = octave.bytes.iter().chain(&octave.squares);
            wide.for_each(|sum| sum.store(0, Relaxed));
        }
    }
}

impl Octave {
    fn note(&self, place: usize, bytes: u64) {
        if let Some(samples) = self.samples.get(place) {
            samples.fetch_add(1, Relaxed);
        }
        if let Some(sum) = self.bytes.get(place) {
            sum.fetch_add(bytes, Relaxed);
        }
        if let Some(sum) = self.squares.get(place) {
            // Through a signed number, which is one instruction to convert.
            let bytes = bytes.min(i64::MAX as u64) as i64 as f64;
            let mut before = sum.load(Relaxed);
            loop {
                let after = (f64::from_bits(before) + bytes * bytes).to_bits();
                match sum.compare_exchange_weak(before, after, Relaxed, Relaxed) {
                    Ok(_) => break,
                    Err(now) => before = now,
                }
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, Weighed)> {
        let sums = self
            .samples
            .iter()
            .zip(self.bytes.iter().zip(&self.squares));
        let buckets = (self.first..).zip(sums);
        buckets.filter_map(|(bucket, (samples, (bytes, squares)))| {
            let part = Weighed {
                samples: samples.load(Relaxed).into(),
                bytes: bytes.load(Relaxed),
                squares: f64::from_bits(squares.load(Relaxed)) as u128,
            };
            (part.samples != 0).then_some((bucket, part))
        })
    }
}
