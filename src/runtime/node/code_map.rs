//! Which function is at an address of generated code, now.
//!
//! V8 says when code appears and moves (`event`); samples ask on the thread to which the code
//! belongs. Code that appears takes the place of what was there. Code that was moved away is kept
//! until then: during a collection return addresses still lead to the old place. Each engine
//! instance (isolate) has pages of its own, known by a number that is used once. So what a dead
//! isolate left says nothing about code that another has at the same place.
//!
//! ```text
//! address -> region of 16 MiB -> page of 4 KiB -> the slot of 64 bytes in which the code begins
//! ```
//!
//! V8 aligns code to 64 bytes, so a slot has one beginning. Lookups take no lock. Changes are made
//! under one lock. Memory is the arena's and never given back: an eighth of the generated code.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64};

use super::inlined::Optimized;
use crate::table::frame_table::number_of;
use crate::table::{arena, sync::SpinLock};
use profile_format::heap_v2::{PSEUDO_FRAMES, PSEUDO_STEP};

const PAGE: u64 = 4096;
const SLOT: u64 = 64;
const SLOTS: usize = (PAGE / SLOT) as usize;
const REGION: u64 = 16 << 20;
const PAGES: usize = (REGION / PAGE) as usize;
/// Room for 8 GiB of generated code, wherever it is.
const REGIONS: usize = 512;
/// No piece of code is longer.
pub const LONGEST: u64 = 64 << 20;

/// What stands for a piece of code in stacks.
#[derive(Clone, Copy)]
pub enum Code {
    /// Nothing: it is the engine's own.
    Internal,
    /// This pseudo-address.
    Frame(u64),
    /// Those of several functions.
    Optimized(&'static Optimized),
}

/// The address of [`Code::Optimized`], and not a number.
const IS_ADDRESS: u64 = 1 << 44;

impl Code {
    /// A number below 2^45, not 0.
    fn number(self) -> u64 {
        match self {
            Code::Internal => 1,
            Code::Frame(address) => number_of(address).map_or(1, |number| u64::from(number) + 2),
            Code::Optimized(code) => IS_ADDRESS | (core::ptr::from_ref(code) as u64 >> 3),
        }
    }

    fn of(number: u64) -> Option<Code> {
        match number {
            0 => None,
            1 => Some(Code::Internal),
            IS_ADDRESS.. => {
                let at = ((number & !IS_ADDRESS) << 3) as *const Optimized;
                // SAFETY: made from a reference that lasts for ever, which is aligned to 8 bytes and
                // below 2^47.
                Some(Code::Optimized(unsafe { &*at }))
            }
            number => Some(Code::Frame(PSEUDO_FRAMES + (number - 2) * PSEUDO_STEP)),
        }
    }
}

/// A part of a piece of code in one page, in a word: which code, where in its slot it begins, and
/// where in the page it ends. Zero: none.
#[derive(Clone, Copy)]
struct Part(u64);

impl Part {
    fn new(code: Code, begin: u64, end: u64) -> Part {
        Part(code.number() << 19 | end << 6 | (begin % SLOT))
    }

    fn end(self) -> u64 {
        self.0 >> 6 & 0x1fff
    }

    fn begin(self) -> u64 {
        self.0 & 0x3f
    }

    fn code(self) -> Option<Code> {
        Code::of(self.0 >> 19)
    }
}

/// The code in one page. All zero: none. Written under the map's lock. Relaxed: each word is
/// complete in itself.
struct Page {
    /// The isolate whose code it is.
    owner: AtomicU32,
    /// The code that began in a page before.
    first: AtomicU64,
    slots: [AtomicU64; SLOTS],
}

struct Region {
    /// Address divided by [`REGION`], plus one; 0: free. Written under the lock, after `pages`.
    key: AtomicU64,
    /// [`PAGES`] pointers to pages. Written under the lock before `key`.
    pages: AtomicPtr<AtomicPtr<Page>>,
}

/// See the head of the file. Zero-initialised is empty.
pub struct CodeMap {
    regions: [Region; REGIONS],
    /// Held while the map is changed. Nothing else is locked under it.
    lock: SpinLock,
}

/// The generated code of this process.
pub static CODE: CodeMap = CodeMap::new();

impl CodeMap {
    /// An empty map.
    pub const fn new() -> CodeMap {
        CodeMap {
            regions: [const {
                Region {
                    key: AtomicU64::new(0),
                    pages: AtomicPtr::new(null_mut()),
                }
            }; REGIONS],
            lock: SpinLock::new(),
        }
    }

    /// The code at `pc` of the isolate `owner`.
    pub fn find(&self, owner: u32, pc: u64) -> Option<Code> {
        let page = self.page(pc)?;
        if page.owner.load(Relaxed) != owner {
            return None;
        }
        let offset = pc % PAGE;
        let slots = page.slots.get(..=(offset / SLOT) as usize)?;
        for (slot, place) in slots.iter().enumerate().rev() {
            let part = Part(place.load(Relaxed));
            let begin = slot as u64 * SLOT + part.begin();
            if part.0 != 0 && begin <= offset {
                return (offset < part.end()).then(|| part.code())?;
            }
        }
        let part = Part(page.first.load(Relaxed));
        (offset < part.end()).then(|| part.code())?
    }

    /// Code of `owner` appears at `start`. False when there is no memory to remember it.
    pub fn add(&self, owner: u32, start: u64, length: u64, code: Code) -> bool {
        let end = start.saturating_add(length.min(LONGEST));
        let _held = self.lock.lock();
        let mut at = start;
        while at < end {
            let base = at - at % PAGE;
            let Some(page) = self.page_or_make(at) else {
                return false;
            };
            page.belong_to(owner);
            let (from, to) = (at - base, (end - base).min(PAGE));
            page.put(from, to, code, at == start);
            at = base + PAGE;
        }
        true
    }

    /// The code of `owner` at `from` is at `to` from now on.
    pub fn moved(&self, owner: u32, from: u64, to: u64, length: u64) -> bool {
        match self.find(owner, from) {
            Some(Code::Optimized(code)) => code
                .moved(to)
                .is_some_and(|code| self.add(owner, to, length, Code::Optimized(code))),
            Some(code) => self.add(owner, to, length, code),
            None => true,
        }
    }

    /// The code of `owner` that begins at `start` is gone.
    pub fn remove(&self, owner: u32, start: u64, length: u64) {
        let end = start.saturating_add(length.min(LONGEST));
        let _held = self.lock.lock();
        let mut at = start;
        while at < end {
            let base = at - at % PAGE;
            let page = self.page(at);
            if let Some(page) = page.filter(|page| page.owner.load(Relaxed) == owner) {
                page.clear(at - base, (end - base).min(PAGE), at == start);
            }
            at = base + PAGE;
        }
    }

    fn page(&self, pc: u64) -> Option<&Page> {
        let place = self.region(pc / REGION + 1)?.place(pc)?;
        // SAFETY: null, or a page of the arena, published whole and never freed. Acquire: pairs
        // with Release in `page_or_make`.
        unsafe { place.load(Acquire).as_ref() }
    }

    fn region(&self, key: u64) -> Option<&Region> {
        for probe in 0..REGIONS {
            let region = self.regions.get(slot_of(key, probe))?;
            // Acquire: pairs with Release in `region_or_make`.
            match region.key.load(Acquire) {
                0 => return None,
                found if found == key => return Some(region),
                _ => {}
            }
        }
        None
    }

    /// Under the lock.
    fn region_or_make(&self, key: u64) -> Option<&Region> {
        if let Some(region) = self.region(key) {
            return Some(region);
        }
        let mut places = (0..REGIONS).filter_map(|probe| self.regions.get(slot_of(key, probe)));
        let free = places.find(|region| region.key.load(Relaxed) == 0)?;
        let pages = arena::alloc(Layout::array::<AtomicPtr<Page>>(PAGES).ok()?)?;
        free.pages.store(pages.cast().as_ptr(), Relaxed);
        // Release: pairs with Acquire in `region`.
        free.key.store(key, Release);
        Some(free)
    }

    /// Under the lock.
    fn page_or_make(&self, pc: u64) -> Option<&Page> {
        if let Some(page) = self.page(pc) {
            return Some(page);
        }
        let place = self.region_or_make(pc / REGION + 1)?.place(pc)?;
        let fresh = arena::alloc(Layout::new::<Page>())?.cast::<Page>();
        // Release: pairs with Acquire in `page`; the arena's memory is zeroed.
        place.store(fresh.as_ptr(), Release);
        // SAFETY: as in `page`.
        Some(unsafe { fresh.as_ref() })
    }

    /// Empties the map without giving memory back.
    ///
    /// # Safety
    /// The caller is the only thread of its process; called with `arena::abandon`.
    pub unsafe fn abandon(&self) {
        for region in &self.regions {
            region.key.store(0, Relaxed);
        }
        // SAFETY: one thread, by the contract above.
        unsafe { self.lock.force_unlock() };
    }
}

impl Default for CodeMap {
    fn default() -> Self {
        Self::new()
    }
}

/// Fibonacci hashing: neighbouring regions are far apart.
fn slot_of(key: u64, probe: usize) -> usize {
    ((key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize).wrapping_add(probe) % REGIONS
}

impl Region {
    fn place(&self, pc: u64) -> Option<&AtomicPtr<Page>> {
        let pages = self.pages.load(Relaxed);
        let index = (pc % REGION / PAGE) as usize;
        // SAFETY: an array of PAGES zeroed pointers, written before the key that led here; the
        // index is below that.
        (!pages.is_null()).then(|| unsafe { &*pages.add(index) })
    }
}

impl Page {
    fn belong_to(&self, owner: u32) {
        if self.owner.load(Relaxed) != owner {
            self.clear(0, PAGE, false);
            self.first.store(0, Relaxed);
            self.owner.store(owner, Relaxed);
        }
    }

    /// Puts code at `from..to`, which begins there or in a page before.
    fn put(&self, from: u64, to: u64, code: Code, begins: bool) {
        self.clear(from, to, begins);
        let part = Part::new(code, from, to).0;
        match self.slots.get((from / SLOT) as usize) {
            Some(slot) if begins => slot.store(part, Relaxed),
            _ => self.first.store(part, Relaxed),
        }
    }

    /// Nothing begins in `from..to`, and nothing from a page before reaches into it.
    fn clear(&self, from: u64, to: u64, begins: bool) {
        let slots = (from / SLOT) as usize..to.div_ceil(SLOT) as usize;
        for slot in self.slots.get(slots).unwrap_or_default() {
            slot.store(0, Relaxed);
        }
        if !begins || Part(self.first.load(Relaxed)).end() > from {
            self.first.store(0, Relaxed);
        }
    }
}

// SAFETY: the raw pointers inside lead to atomics in the arena that are never freed.
unsafe impl Sync for CodeMap {}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: u64 = 0x7f00_0000_0000;

    impl PartialEq for Code {
        fn eq(&self, other: &Code) -> bool {
            self.number() == other.number()
        }
    }

    impl core::fmt::Debug for Code {
        fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            write!(out, "{:#x}", self.number())
        }
    }

    fn frame(number: u64) -> Code {
        Code::Frame(PSEUDO_FRAMES + number * PSEUDO_STEP)
    }

    #[test]
    fn the_code_that_covers_an_address_is_found() {
        let map = CodeMap::new();
        assert_eq!(map.find(1, AT), None);
        assert!(map.add(1, AT + 64, 100, frame(5)));
        assert!(map.add(1, AT + 192, 8, Code::Internal));
        assert!(map.add(1, AT + PAGE - 64, 3 * PAGE, frame(6)));
        let found = |offset: u64| map.find(1, AT + offset);
        assert_eq!(found(63), None);
        assert_eq!((found(64), found(163)), (Some(frame(5)), Some(frame(5))));
        assert_eq!((found(164), found(191)), (None, None));
        assert_eq!((found(192), found(200)), (Some(Code::Internal), None));
        for offset in [PAGE - 64, PAGE, 2 * PAGE + 9, 4 * PAGE - 65] {
            assert_eq!(found(offset), Some(frame(6)), "{offset}");
        }
        assert_eq!(found(4 * PAGE - 64), None);
        assert_eq!(map.find(2, AT + 64), None, "another isolate's");
    }

    #[test]
    fn new_code_takes_the_place_of_old_code() {
        let map = CodeMap::new();
        assert!(map.add(1, AT, 2 * PAGE, frame(1)));
        assert!(map.add(1, AT + 128, 64, frame(2)));
        assert_eq!(map.find(1, AT + 64), Some(frame(1)));
        assert_eq!(map.find(1, AT + 130), Some(frame(2)));
        assert_eq!(map.find(1, AT + 192), None, "the rest of old code is gone");
        assert!(map.add(1, AT + PAGE, 64, frame(3)));
        assert_eq!(map.find(1, AT + PAGE), Some(frame(3)));
        assert_eq!(map.find(1, AT + PAGE + 64), None);
        assert!(map.add(2, AT + PAGE + 640, 64, frame(4)));
        assert_eq!(map.find(2, AT + PAGE), None, "the page is another isolate's");
        assert_eq!(map.find(1, AT + PAGE), None);
    }

    #[test]
    fn moved_code_is_at_both_places_until_the_old_one_is_used() {
        let map = CodeMap::new();
        assert!(map.add(1, AT, 96, frame(1)));
        assert!(map.moved(1, AT, AT + REGION, 96));
        assert!(map.moved(1, AT + 640, AT + 704, 96), "never seen");
        assert_eq!(map.find(1, AT + 95), Some(frame(1)));
        assert_eq!(map.find(1, AT + REGION + 95), Some(frame(1)));
        assert_eq!(map.find(1, AT + 704), None);
        assert!(map.add(1, AT, 96, frame(2)));
        assert_eq!(map.find(1, AT + 95), Some(frame(2)));
        map.remove(1, AT + REGION, 96);
        assert_eq!(map.find(1, AT + REGION), None);
        map.remove(2, AT, 96);
        assert_eq!(map.find(1, AT), Some(frame(2)), "not that isolate's");
    }

    #[test]
    fn there_is_an_end_of_regions() {
        let map = CodeMap::new();
        for region in 0..REGIONS as u64 {
            assert!(map.add(1, region * REGION, 64, frame(region)));
        }
        assert!(!map.add(1, REGIONS as u64 * REGION, 64, frame(1)));
        assert_eq!(map.find(1, 7 * REGION), Some(frame(7)));
    }
}
