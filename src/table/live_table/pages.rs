//! How many live samples begin in each page of the heap: what a free looks at first.
//!
//! A byte a page, found by bits 12 to 31 of the block's address. Zero means "certainly not
//! sampled". Neighbouring pages are neighbouring bytes: a cache line of the table covers 256 KiB of
//! heap, so it is warm where the heap is, and of the table itself only what belongs to used heap is
//! resident. Pages that are 4 GiB apart share a byte. That costs a look into the table of samples,
//! never an answer that is wrong.
//!
//! The counts are exact up to 254. A byte that has reached 255 has lost count; the shard of the
//! table that owns it counts anew from time to time. A byte is written under the lock of one shard
//! (`live_table` chooses the shard by `index`), so a load and a store do; hooks read it at any
//! moment. Why Relaxed is enough for them stands in `live_table`.
//!
//! Source: measured beside a mark in the address, which moves the block, and beside a hashed
//! filter, which costs a cache miss at every free; figures in docs/costs.md.

use core::ffi::c_void;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize};

/// A page of x86-64, as a logarithm.
pub const LG_PAGE: u32 = 12;

/// The hooks take the lower half of an address and shift it, so that no mask is needed.
const LG_COUNTS: u32 = u32::BITS - LG_PAGE;

/// A byte with this value stands for as many samples or more.
const FULL: u8 = u8::MAX;

/// Values of a byte.
const VALUES: usize = FULL as usize + 1;

/// The filter, and where a free goes by what it says. Zero is "no samples".
///
/// The layout is the hooks': they find the fields by their offsets.
#[derive(Debug)]
#[repr(C)]
pub struct PageFilter {
    /// Where every free goes: straight on while nothing has been sampled, else to the twin that
    /// reads the count of the block's page. Written by `hooks`.
    pub entry: AtomicPtr<c_void>,
    /// The first byte that [`PageFilter::hold`] has filled, and how many follow. Written by it.
    held: AtomicUsize,
    held_bytes: AtomicUsize,
    /// Where that twin goes by the count: on at zero, else to the sampled path. Written by `hooks`
    /// before `entry`.
    pub routes: [AtomicPtr<c_void>; VALUES],
    /// Written under the lock of the shard that owns the byte, and by [`PageFilter::hold`].
    pub counts: Counts,
}

/// On a cache line of their own.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Counts([AtomicU8; 1 << LG_COUNTS]);

/// Which byte counts the samples that begin in the page of `addr`.
#[inline(always)]
pub(super) fn index(addr: usize) -> usize {
    (addr >> LG_PAGE) & ((1 << LG_COUNTS) - 1)
}

impl Default for PageFilter {
    fn default() -> Self {
        Self::new()
    }
}

impl PageFilter {
    /// A filter that lets every free pass, all zero.
    pub const fn new() -> Self {
        Self {
            entry: AtomicPtr::new(core::ptr::null_mut()),
            routes: [const { AtomicPtr::new(core::ptr::null_mut()) }; VALUES],
            counts: Counts([const { AtomicU8::new(0) }; 1 << LG_COUNTS]),
            held: AtomicUsize::new(0),
            held_bytes: AtomicUsize::new(0),
        }
    }

    #[inline(always)]
    fn count(&self, addr: usize) -> Option<&AtomicU8> {
        // The index has as many bits as the array has places: the compiler drops the check.
        self.counts.0.get(index(addr))
    }

    /// `false` means that no sample begins in this page.
    #[inline(always)]
    pub fn may_begin_in_page_of(&self, addr: usize) -> bool {
        self.count(addr)
            .is_some_and(|count| count.load(Relaxed) != 0)
    }

    /// A sample at `addr` comes. Under the lock of the byte's shard, as the next three.
    pub(super) fn add(&self, addr: usize) {
        if let Some(count) = self.count(addr) {
            count.store(count.load(Relaxed).saturating_add(1), Relaxed);
        }
    }

    /// The sample at `addr` has gone. False: the byte has lost count, see [`PageFilter::recount`].
    #[must_use]
    pub(super) fn subtract(&self, addr: usize) -> bool {
        let Some(count) = self.count(addr) else {
            return true;
        };
        match count.load(Relaxed) {
            FULL => false,
            some => {
                count.store(some.saturating_sub(1), Relaxed);
                true
            }
        }
    }

    /// `samples` have the byte of `addr`, all of them counted.
    pub(super) fn recount(&self, addr: usize, samples: usize) {
        if let Some(count) = self.count(addr).filter(|_| !self.is_held(addr)) {
            count.store(u8::try_from(samples).unwrap_or(FULL), Relaxed);
        }
    }

    /// All samples of a shard are forgotten, one of them at `addr`.
    pub(super) fn forget(&self, addr: usize) {
        self.recount(addr, 0);
    }

    /// Frees in the `pages` pages from `addr` on take the sampled path for ever: blocks of another
    /// kind begin there. For one range, before the process has a second thread.
    pub fn hold(&self, addr: usize, pages: usize) {
        self.held.store(index(addr), Relaxed);
        self.held_bytes.store(pages, Relaxed);
        for page in 0..pages {
            if let Some(count) = self.count(addr + (page << LG_PAGE)) {
                count.store(FULL, Relaxed);
            }
        }
    }

    fn is_held(&self, addr: usize) -> bool {
        let behind = index(addr).wrapping_sub(self.held.load(Relaxed)) & ((1 << LG_COUNTS) - 1);
        behind < self.held_bytes.load(Relaxed)
    }

    /// Has [`PageFilter::hold`] been called?
    pub fn holds_any(&self) -> bool {
        self.held_bytes.load(Relaxed) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter() -> Box<PageFilter> {
        // SAFETY: all zero is a filter; on the stack it would be a megabyte.
        #[allow(unsafe_code)]
        unsafe {
            Box::<PageFilter>::new_zeroed().assume_init()
        }
    }

    #[test]
    fn counts_up_and_down_by_page() {
        let filter = filter();
        let addr = 0x7f12_3456_7010;
        filter.add(addr);
        filter.add(addr + 0x100);
        assert!(filter.subtract(addr));
        assert!(filter.may_begin_in_page_of(addr + 0xfe0));
        assert!(!filter.may_begin_in_page_of(addr + 0x1000));
        assert!(
            filter.may_begin_in_page_of(addr + (1 << 32)),
            "they share a byte"
        );
        assert!(filter.subtract(addr));
        assert!(!filter.may_begin_in_page_of(addr));
    }

    #[test]
    fn a_full_byte_is_counted_anew() {
        let filter = filter();
        (0..300).for_each(|_| filter.add(4096));
        assert!(
            (0..300).all(|_| !filter.subtract(4096)),
            "it has lost count"
        );
        filter.recount(4096, 2);
        assert!(filter.subtract(4096) && filter.subtract(4096));
        assert!(!filter.may_begin_in_page_of(4096));
        filter.recount(4096, 255);
        assert!(!filter.subtract(4096), "255 may be more");
    }

    #[test]
    fn held_pages_stay() {
        let filter = filter();
        let last = (1 << 32) - 4096;
        filter.hold(last, 2);
        assert!(filter.holds_any());
        for addr in [last, last + 4096] {
            filter.add(addr);
            assert!(!filter.subtract(addr));
            filter.recount(addr, 0);
            assert!(filter.may_begin_in_page_of(addr));
        }
        assert!(!filter.may_begin_in_page_of(last + 8192));
    }
}
