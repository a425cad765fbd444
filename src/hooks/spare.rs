//! Freed sampled blocks, kept for the next samples of their size.
//!
//! Called by `marked` in the marked mode, behind glibc. A sampled block is page-aligned. Given back to the
//! allocator it would be handed out again as an ordinary block: each of its frees would then take
//! the slow path for nothing (the tcache makes it the hottest block of its size), and the
//! holes that aligned blocks leave behind would grow with every sample. Kept here, a block serves
//! sample after sample.
//!
//! Bounded by `BUDGET`. A slot is one atomic word, so there is no lock and no list to be torn by a
//! fork or a signal.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicUsize};

use crate::next::Block;

/// Up to here classes are 16 bytes apart, as the allocators' own.
const FINE: usize = 1024;
const FINE_CLASSES: usize = FINE / 16;
/// From there on, eight classes per doubling, up to the largest size kept.
const LARGEST: usize = 64 << 10;
const CLASSES: usize = FINE_CLASSES + 8 * 6;
const SLOTS: usize = 8;
/// Most bytes kept in all.
const BUDGET: usize = 2 << 20;
/// So many of them may keep their pages.
const WARM: usize = 512 << 10;

/// The blocks kept. Written by any thread: release when a block is put in, acquire when it is
/// taken out, so that what its last owner wrote is over.
static SPARES: [[AtomicPtr<u8>; SLOTS]; CLASSES] =
    [const { [const { AtomicPtr::new(core::ptr::null_mut()) }; SLOTS] }; CLASSES];

/// Bytes kept at the moment, by class. Also the hint that saves the look into empty slots; blocks
/// put in and taken out at once may pass the budget by a few.
static KEPT: AtomicUsize = AtomicUsize::new(0);

/// The class of a size and the bytes its blocks hold; `None` above [`LARGEST`].
fn class(size: usize) -> Option<(usize, usize)> {
    if size <= FINE {
        let index = size.saturating_sub(1) / 16;
        return Some((index, (index + 1) * 16));
    }
    if size > LARGEST {
        return None;
    }
    // 1025..=2048 is doubling 0; an eighth of its lower end is the step.
    let doubling = (size - 1).ilog2() - FINE.ilog2();
    let step = (FINE / 8) << doubling;
    let base = FINE << doubling;
    let eighth = (size - 1 - base) / step;
    let index = FINE_CLASSES + doubling as usize * 8 + eighth;
    Some((index, base + (eighth + 1) * step))
}

/// The bytes to ask for, so that the block can be kept when it is freed.
pub fn rounded(size: usize) -> usize {
    class(size).map_or(size, |(_, bytes)| bytes)
}

/// A kept block that holds `size` bytes.
pub fn take(size: usize) -> Option<Block> {
    if KEPT.load(Relaxed) == 0 {
        return None;
    }
    let (index, bytes) = class(size)?;
    let taken = SPARES
        .get(index)?
        .iter()
        .map(|slot| slot.swap(core::ptr::null_mut(), Acquire))
        .find(|block| !block.is_null())?;
    KEPT.fetch_sub(bytes, Relaxed);
    Some(taken)
}

/// Would [`keep`] have a place for it? Another thread may take it meanwhile.
pub fn has_room(size: usize, usable: usize) -> bool {
    let Some((index, bytes)) = class(size) else {
        return false;
    };
    let empty =
        |slots: &[AtomicPtr<u8>; SLOTS]| slots.iter().any(|slot| slot.load(Relaxed).is_null());
    usable >= bytes && KEPT.load(Relaxed) + bytes <= BUDGET && SPARES.get(index).is_some_and(empty)
}

/// Is the stock so large that a block of this size had better come without pages? A program that frees
/// and allocates in turn has a small one, and would pay for each page again at each sample.
pub fn is_ample(size: usize) -> bool {
    KEPT.load(Relaxed) + size > WARM
}

/// Keeps a freed block that was asked for with `size` bytes and holds `usable`, after [`has_room`].
/// False when it has no place here after all and goes back to the allocator.
pub fn keep(block: Block, size: usize, usable: usize) -> bool {
    let Some((index, bytes)) = class(size) else {
        return false;
    };
    let Some(slots) = SPARES.get(index).filter(|_| usable >= bytes) else {
        return false;
    };
    let kept = slots.iter().any(|slot| {
        slot.compare_exchange(core::ptr::null_mut(), block, Release, Relaxed)
            .is_ok()
    });
    if kept {
        KEPT.fetch_add(bytes, Relaxed);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_their_sizes_and_grow() {
        let mut before = (0, 0);
        for size in 1..=LARGEST {
            let (index, bytes) = class(size).expect("a class");
            assert!(
                index < CLASSES && bytes >= size,
                "size {size}: class {index} of {bytes}"
            );
            assert!(
                bytes - size < 16.max(size / 8 + 1),
                "size {size} wastes {}",
                bytes - size
            );
            assert!(index == before.0 && bytes == before.1 || bytes > before.1);
            assert_eq!(class(bytes), Some((index, bytes)), "rounding is stable");
            before = (index, bytes);
        }
        assert_eq!(before, (CLASSES - 1, LARGEST));
        assert_eq!(class(LARGEST + 1), None);
    }

    #[test]
    fn a_block_too_small_for_its_class_is_not_kept() {
        assert!(!keep(4096 as Block, 100, 104));
        assert!(!keep(4096 as Block, LARGEST + 1, 1 << 20));
    }
}
