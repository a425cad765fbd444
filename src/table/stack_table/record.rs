//! One stack as it stands in the arena: a head and, behind it, the frames. For `stack_table`
//! alone.
//!
//! Hash, depth and frames are written before the record is published and never again; the sums are
//! relaxed atomics that stand for themselves.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use profile_format::heap_v2::Weighed;

use super::lifetimes::Lifetimes;
use crate::sampler::Weight;
use crate::table::arena;

/// The sums of one stack, copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StackTotals {
    /// Objects allocated since the start, as estimated, in units of 1/256.
    pub objects_fx: u64,
    /// Bytes allocated since the start, as estimated.
    pub bytes: u64,
    /// Real samples behind these.
    pub samples: u64,
}

/// What stands in the arena; the frames follow it.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Head {
    hash: u64,
    depth: usize,
    objects_fx: AtomicU64,
    bytes: AtomicU64,
    samples: AtomicU64,
    freed: Lifetimes,
}

// The frames follow the head without a gap.
const _: () = assert!(size_of::<Head>().is_multiple_of(align_of::<u64>()));

/// A stored stack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    head: &'a Head,
    /// The frames, leaf first.
    pub(super) frames: &'a [u64],
}

/// Folds the 128-bit product: each bit of either factor reaches all of the result.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Hash of a stack, two frames a multiplication (after wyhash, Wang Yi, public domain). Nobody
/// chooses our return addresses to collide, so there is no seed.
pub(super) fn hash(frames: &[u64]) -> u64 {
    const FIRST: u64 = 0xa076_1d64_78bd_642f;
    const SECOND: u64 = 0xe703_7ed1_a0b4_28db;
    let (pairs, rest) = frames.as_chunks::<2>();
    let start = FIRST ^ frames.len() as u64;
    let h = pairs
        .iter()
        .fold(start, |h, &[a, b]| fold(a ^ SECOND, b ^ h));
    rest.iter().fold(h, |h, &a| fold(a ^ SECOND, h))
}

/// Writes a stack into fresh arena memory; `None` when there is none.
pub(super) fn create(hash: u64, frames: &[u64]) -> Option<NonNull<Head>> {
    let size = size_of::<Head>() + size_of_val(frames);
    let layout = Layout::from_size_align(size, align_of::<Head>()).ok()?;
    let head = arena::alloc(layout)?.cast::<Head>();
    // SAFETY: a fresh piece, ours alone, with room for the head and the frames behind it. It comes
    // zeroed, which is a valid head with all sums zero.
    unsafe {
        (*head.as_ptr()).hash = hash;
        (*head.as_ptr()).depth = frames.len();
        let behind = head.add(1).cast::<u64>();
        behind.copy_from_nonoverlapping(NonNull::from(frames).cast(), frames.len());
    }
    Some(head)
}

impl<'a> Record<'a> {
    /// The record at `head`.
    ///
    /// # Safety
    /// [`create`] returned `head`, and what it wrote is visible to this thread.
    pub(super) unsafe fn at(head: NonNull<Head>) -> Self {
        // SAFETY: `create` filled the head and `depth` frames behind it, in one piece of the arena,
        // and the parts that are no atomics never change.
        unsafe {
            let depth = head.as_ref().depth;
            let frames = head.add(1).cast::<u64>();
            Self {
                head: head.as_ref(),
                frames: core::slice::from_raw_parts(frames.as_ptr(), depth),
            }
        }
    }

    /// Whether this is the stack `frames`.
    pub(super) fn is(self, hash: u64, frames: &[u64]) -> bool {
        self.head.hash == hash && self.frames == frames
    }

    pub(super) fn note_alloc(self, weight: &Weight) {
        self.head.objects_fx.fetch_add(weight.objects_fx, Relaxed);
        self.head.bytes.fetch_add(weight.bytes, Relaxed);
        self.head.samples.fetch_add(1, Relaxed);
    }

    /// All sums zero again.
    pub(super) fn clear(&self) {
        for sum in [&self.head.objects_fx, &self.head.bytes, &self.head.samples] {
            sum.store(0, Relaxed);
        }
        self.head.freed.clear();
    }

    #[inline]
    pub(super) fn note_free(self, lifetime_ms: u64, bytes: u64) {
        self.head.freed.note(lifetime_ms, bytes);
    }

    /// Freed samples by the bucket of their lifetime.
    pub(super) fn freed(self) -> impl Iterator<Item = (usize, Weighed)> {
        self.head.freed.iter()
    }

    pub(super) fn totals(self) -> StackTotals {
        StackTotals {
            objects_fx: self.head.objects_fx.load(Relaxed),
            bytes: self.head.bytes.load(Relaxed),
            samples: self.head.samples.load(Relaxed),
        }
    }
}
