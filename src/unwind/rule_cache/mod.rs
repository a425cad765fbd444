//! Rules by address: one table for the process, read by all threads without a lock.
//!
//! Every frame of a walk is looked up here. A rule that is missing is worked out from `.eh_frame`
//! and stored here. An entry is two words, `key ^ rule` and `rule`. A torn read (one word of an old
//! entry, one of a new entry) fails the comparison with the key: it is a miss, nothing worse. The
//! key consists of the return address (47 bits), bit 47 for an address that a signal interrupted
//! (it is looked up as it is, not one byte before), and the generation in bits 48 to 63. Closing a
//! library raises the generation before and after, so that rules of code that is gone, or just
//! going, are never found again. When the numbers begin anew the table is wiped.
//!
//! # Dense
//! Address space for the largest table is mapped once. A table of one page lies at its beginning
//! and doubles when a third of it is full, so that pages are touched only as rules need them. A
//! rule is in one of the eight entries that begin at the home of its address. In a table of twice
//! the size the home has one bit more: a rule stays, or moves up by the old size. Any entry may
//! hold any rule. So a reader that still uses an old size, or reads while rules move, can only
//! miss.
//!
//! One thread at a time writes. A thread that finds another one writing continues without storing,
//! and the rule is worked out again at the next sample. No thread waits here, above all not a
//! signal handler that interrupted the writer.
#![allow(unsafe_code)]

use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize};

use crate::table::arena;
use crate::unwind::rule::Rule;

/// Homes of the first table, which fills a page, and of the largest, which fills a mebibyte.
const FIRST: usize = 1 << 8;
const MOST: usize = 1 << 16;
/// A rule may be in any of this many entries from its home on.
const WINDOW: usize = 8;
const LG_ENTRY: u32 = size_of::<Entry>().trailing_zeros();
/// Set in an address that was interrupted, not returned to.
pub const INTERRUPTED: u64 = 1 << 47;
/// A key has room for the address bits below this one: the user half of a four-level address space.
pub const ADDRESS_BITS: u32 = 47;
/// A key can hold this many different generations.
const GENERATIONS: u64 = (1 << 16) - 1;

/// All entries that there can be: the windows of the last homes end beyond them. Zeroed memory is
/// empty.
type Entries = [Entry; MOST + WINDOW - 1];

/// Null until the first unwind. Written by the thread that maps the table first, and by `abandon`.
static TABLE: AtomicPtr<Entries> = AtomicPtr::new(ptr::null_mut());
/// How often the table was doubled. Written by `Writer` and `abandon`. Relaxed: readers may believe any size.
static DOUBLED: AtomicUsize = AtomicUsize::new(0);
/// Entries filled, and rules driven out of full windows since room was made. Used by `Writer`
/// alone, so Relaxed.
static FILLED: AtomicUsize = AtomicUsize::new(0);
/// Is a thread writing? Set with Acquire and cleared with Release: a writer sees all that the last
/// writer wrote.
static WRITING: AtomicBool = AtomicBool::new(false);
/// Raised by `bump_generation` around `dlclose`. A thread that worked a rule out of the old code
/// stores it under the number that it read before (Acquire at the start of an unwind, pairing with
/// the Release of the increment). No reader looks there any more.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The table as a walk sees it.
#[derive(Clone, Copy)]
pub struct RuleCache {
    entries: &'static Entries,
    /// The last home, as an offset in bytes.
    mask: u64,
    /// In the bits where keys carry it.
    generation: u64,
}

/// Both words Relaxed everywhere: they are believed only when they fit each other and the key, and
/// a rule refers to nothing else.
struct Entry {
    check: AtomicU64,
    rule: AtomicU64,
}

/// The table; it is mapped first if it was not yet. `None`: no memory.
#[inline]
pub fn get() -> Option<RuleCache> {
    let entries = entries().or_else(map)?;
    Some(RuleCache {
        entries,
        mask: mask(FIRST << DOUBLED.load(Relaxed)),
        // Acquire: pairs with the Release in `bump_generation`.
        generation: in_key(GENERATION.load(Acquire)),
    })
}

#[inline]
fn entries() -> Option<&'static Entries> {
    // Acquire: pairs with the Release in `map`, though zeroed pages need no more than the pointer.
    let table = TABLE.load(Acquire);
    // SAFETY: null, or published by `map` and never unmapped.
    unsafe { table.as_ref() }
}

#[cold]
fn map() -> Option<&'static Entries> {
    let fresh = arena::map(size_of::<Entries>())?;
    let table = fresh.cast::<Entries>().as_ptr();
    let published = match TABLE.compare_exchange(ptr::null_mut(), table, AcqRel, Acquire) {
        Ok(_) => table,
        Err(other) => {
            // SAFETY: mapped above and seen by no other thread.
            unsafe { arena::unmap(fresh, size_of::<Entries>()) };
            other
        }
    };
    // SAFETY: page-aligned zeroed memory of this size, which is a valid table, mapped for ever.
    unsafe { published.as_ref() }
}

/// The offset of the last of `homes` homes.
fn mask(homes: usize) -> u64 {
    ((homes - 1) << LG_ENTRY) as u64
}

/// Never 0, so that no key is 0: an empty entry would match it.
fn in_key(count: u64) -> u64 {
    (count % GENERATIONS + 1) << (ADDRESS_BITS + 1)
}

/// Makes every rule known so far unknown.
pub fn bump_generation() {
    // Release: pairs with the Acquire in `get`.
    let before = GENERATION.fetch_add(1, AcqRel);
    if (before + 1).is_multiple_of(GENERATIONS) {
        let all = entries().into_iter().flatten();
        all.filter(|entry| !entry.is_empty()).for_each(Entry::clear);
    }
}

/// In a forked child: the thread that was writing is not in this process. Its half-written entry is
/// not believed.
pub fn after_fork() {
    // A write would copy the page in every child.
    if WRITING.load(Relaxed) {
        WRITING.store(false, Release);
    }
}

/// Forgets the table, whose memory went with the arena.
///
/// # Safety
/// As `arena::abandon`.
pub unsafe fn abandon() {
    TABLE.store(ptr::null_mut(), Release);
    DOUBLED.store(0, Relaxed);
    FILLED.store(0, Relaxed);
    after_fork();
}

impl RuleCache {
    /// The rule of this address.
    #[inline(always)]
    pub fn find(&self, address: u64) -> Option<Rule> {
        let home = ptr::from_ref(self.entries).cast::<Entry>();
        // SAFETY: the mask leaves a multiple of the size of an entry, at most that of the last
        // home, and a window lies behind that.
        let window = unsafe { &*home.byte_add(self.home(address)).cast::<[Entry; WINDOW]>() };
        for entry in window {
            let rule = entry.rule.load(Relaxed);
            if entry.check.load(Relaxed) ^ rule ^ self.generation == address {
                return Some(Rule::from_bits(rule));
            }
        }
        None
    }

    /// Stores the rule of this address, if no other thread is storing one.
    pub fn insert(&self, address: u64, rule: Rule) {
        if let Some(mut writer) = Writer::begin(*self) {
            writer.insert(address, rule);
        }
    }

    /// Offset of the home of an address.
    #[inline(always)]
    fn home(&self, address: u64) -> usize {
        // Multiplicative hashing: bits 27 to 42 of the product depend on all lower bits of the
        // address. (A multiplier of 32 bits is part of the instruction; bytes instead of an index save
        // one more on the way from frame to frame.)
        (address.wrapping_mul(0x61c8_8647) >> (27 - LG_ENTRY) & self.mask) as usize
    }
}

/// The one thread that writes.
struct Writer {
    table: RuleCache,
}

impl Writer {
    /// `None` when another thread is writing, or when this thread was interrupted while it wrote.
    /// The generation is that of `table`; the size is read anew.
    fn begin(table: RuleCache) -> Option<Writer> {
        if WRITING.swap(true, Acquire) {
            return None;
        }
        let mask = mask(FIRST << DOUBLED.load(Relaxed));
        Some(Writer {
            table: RuleCache { mask, ..table },
        })
    }

    fn insert(&mut self, address: u64, rule: Rule) {
        let key = address ^ self.table.generation;
        self.put(key, rule.bits());
        if FILLED.load(Relaxed) > self.homes() / 3 {
            self.make_room();
        }
    }

    fn homes(&self) -> usize {
        (self.table.mask as usize >> LG_ENTRY) + 1
    }

    fn is_current(&self, key: u64) -> bool {
        (key ^ self.table.generation) >> (ADDRESS_BITS + 1) == 0
    }

    /// In the place of the same key; else in an empty entry or one of another generation; else in
    /// any entry of the window.
    fn put(&self, key: u64, rule: u64) {
        let first = self.table.home(key) >> LG_ENTRY;
        let window = self.table.entries.get(first..first + WINDOW);
        let window = window.unwrap_or_default();
        let is_free = |entry: &&Entry| !self.is_current(entry.key());
        let same = window.iter().find(|entry| entry.key() == key);
        let free = || window.iter().find(is_free);
        let filled = FILLED.load(Relaxed);
        let place = same.or_else(free).or(window.get(filled % WINDOW));
        if let Some(entry) = place {
            let is_one_more = entry.is_empty() || same.is_none() && free().is_none();
            FILLED.store(filled + usize::from(is_one_more), Relaxed);
            entry.put(key, rule);
        }
    }

    /// Doubles the table, unless most of what fills it is of old generations, and stores what is
    /// left anew. It begins at the top, because rules of the last homes move up past the end of the
    /// old table.
    fn make_room(&mut self) {
        let old = self.homes();
        if old == MOST {
            return;
        }
        let all = self.table.entries.get(..old + WINDOW - 1);
        let filled = || all.into_iter().flatten().filter(|entry| !entry.is_empty());
        let current = filled().filter(|entry| self.is_current(entry.key()));
        let homes = if current.count() > old / 6 {
            old * 2
        } else {
            old
        };
        self.table.mask = mask(homes);
        FILLED.store(0, Relaxed);
        for entry in filled().rev() {
            let (key, rule) = (entry.key(), entry.rule.load(Relaxed));
            entry.clear();
            if self.is_current(key) {
                self.put(key, rule);
            }
        }
        DOUBLED.store((homes / FIRST).ilog2() as usize, Relaxed);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        WRITING.store(false, Release);
    }
}

impl Entry {
    fn key(&self) -> u64 {
        self.check.load(Relaxed) ^ self.rule.load(Relaxed)
    }

    fn is_empty(&self) -> bool {
        self.check.load(Relaxed) | self.rule.load(Relaxed) == 0
    }

    fn put(&self, key: u64, rule: u64) {
        self.check.store(key ^ rule, Relaxed);
        self.rule.store(rule, Relaxed);
    }

    fn clear(&self) {
        self.put(0, 0);
    }
}

#[cfg(test)]
mod tests;
