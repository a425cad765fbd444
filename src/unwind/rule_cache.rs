//! Rules by address: one table for the process, read and written by all threads without a lock.
//!
//! `unwind` looks every frame up here; what is missing it works out from `.eh_frame` and leaves here. 1 MiB from the arena, mapped at
//! the first use and touched as far as it is used. An entry is two words, `key ^ rule` and `rule`: a torn read (one word of an old entry,
//! one of a new) fails the comparison with the key and is a miss, nothing worse. Two entries make a set; a new rule takes the first
//! place and moves what stood there to the second.
//!
//! The key is the return address (47 bits), bit 47 for an address that a signal interrupted (it is looked up as it is, not one byte
//! before), and the generation in bits 48 to 63. Closing a library raises the generation before and after, so that rules of code that
//! is gone, or just going, are never found again; when the numbers begin anew the table is wiped.
#![allow(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU64};

use crate::arena;
use crate::unwind::rule::Rule;

const SETS: usize = 1 << 15;
const SET_SHIFT: u32 = size_of::<[Entry; 2]>().trailing_zeros();
const SET_MASK: u64 = ((SETS - 1) as u64) << SET_SHIFT;
/// Set in a key whose address was interrupted, not returned to.
pub const INTERRUPTED: u64 = 1 << 47;
/// A key has room for the address bits below this one: the user half of a four-level address space.
pub const ADDRESS_BITS: u32 = 47;
/// So many different generations fit a key.
const GENERATIONS: u64 = (1 << 16) - 1;

/// Null until the first unwind; written by whoever maps the table first, and by `abandon`.
static TABLE: AtomicPtr<RuleCache> = AtomicPtr::new(ptr::null_mut());
/// Raised by `bump_generation` around `dlclose`. A thread that worked a rule out of the old code stores it under the number it read
/// before (Acquire at the start of an unwind, pairing with the Release of the increment), where nobody looks any more.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The table. Zeroed memory is an empty one: key 0 is never asked for.
pub struct RuleCache {
    sets: [[Entry; 2]; SETS],
}

/// Both words Relaxed everywhere: they are only believed when they fit each other and the key, and a rule refers to nothing else.
struct Entry {
    check: AtomicU64,
    rule: AtomicU64,
}

/// The table, mapped if it was not yet. `None`: no memory.
#[inline]
pub fn get() -> Option<&'static RuleCache> {
    // Acquire: pairs with the Release in `map`, though zeroed pages need no more than the pointer.
    let table = TABLE.load(Acquire);
    // SAFETY: null, or published by `map` and never unmapped.
    unsafe { table.as_ref() }.or_else(map)
}

#[cold]
fn map() -> Option<&'static RuleCache> {
    let fresh = arena::map(size_of::<RuleCache>())?;
    let table = fresh.cast::<RuleCache>().as_ptr();
    let published = match TABLE.compare_exchange(ptr::null_mut(), table, AcqRel, Acquire) {
        Ok(_) => table,
        Err(other) => {
            // SAFETY: mapped above and seen by nobody else.
            unsafe { arena::unmap(fresh, size_of::<RuleCache>()) };
            other
        }
    };
    // SAFETY: page-aligned zeroed memory of this size, which is a valid table, mapped for ever.
    unsafe { published.as_ref() }
}

/// The generation in the bits where keys carry it.
#[inline]
pub fn generation() -> u64 {
    in_key(GENERATION.load(Acquire))
}

/// Never 0, so that no key is 0, which an empty entry would answer to.
fn in_key(count: u64) -> u64 {
    (count % GENERATIONS + 1) << (ADDRESS_BITS + 1)
}

/// Makes everything known so far unknown.
pub fn bump_generation() {
    // Release: pairs with the Acquire in `generation`.
    let before = GENERATION.fetch_add(1, AcqRel);
    if (before + 1).is_multiple_of(GENERATIONS) {
        // SAFETY: null, or published by `map` and never unmapped.
        if let Some(table) = unsafe { TABLE.load(Acquire).as_ref() } {
            table.wipe();
        }
    }
}

/// Forgets the table, whose memory went with the arena.
///
/// # Safety
/// As `arena::abandon`.
pub unsafe fn abandon() {
    TABLE.store(ptr::null_mut(), Release);
}

impl RuleCache {
    /// The rule filed under `key`.
    #[inline(always)]
    pub fn find(&self, key: u64) -> Option<Rule> {
        let [first, second] = self.set(key);
        first.rule_for(key).or_else(|| second.rule_for(key))
    }

    /// Files `rule` under `key`.
    pub fn insert(&self, key: u64, rule: Rule) {
        let [first, second] = self.set(key);
        let (check, old) = (first.check.load(Relaxed), first.rule.load(Relaxed));
        second.put(check, old);
        first.put(key ^ rule.bits(), rule.bits());
    }

    #[inline(always)]
    fn set(&self, key: u64) -> &[Entry; 2] {
        // Multiplicative hashing: bits 27 to 41 of the product depend on all lower bits of the key, hence on the address alone. (A
        // multiplier of 32 bits is part of the instruction; bytes instead of an index save one more on the way from frame to frame.)
        let offset = key.wrapping_mul(0x61c8_8647) >> (27 - SET_SHIFT) & SET_MASK;
        // SAFETY: the mask leaves a multiple of the size of a set, below that of the table.
        unsafe { &*self.sets.as_ptr().byte_add(offset as usize) }
    }

    fn wipe(&self) {
        for entry in self.sets.iter().flatten() {
            entry.put(0, 0);
        }
    }
}

impl Entry {
    #[inline(always)]
    fn rule_for(&self, key: u64) -> Option<Rule> {
        let rule = self.rule.load(Relaxed);
        (self.check.load(Relaxed) ^ rule == key).then_some(Rule::from_bits(rule))
    }

    fn put(&self, check: u64, rule: u64) {
        self.check.store(check, Relaxed);
        self.rule.store(rule, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unwind::rule::Step;

    #[test]
    fn found_until_the_generation_changes() {
        let table = get().expect("memory");
        let rule = Rule::pack(Step::Signal);
        let key = 0x7f00_1234_5678 ^ generation();
        assert_eq!(table.find(key), None);
        table.insert(key, rule);
        assert_eq!(table.find(key), Some(rule));
        assert_eq!(table.find(key ^ INTERRUPTED), None);
        bump_generation();
        assert_eq!(table.find(0x7f00_1234_5678 ^ generation()), None);
    }

    #[test]
    fn two_of_a_set_live_side_by_side() {
        let table = get().expect("memory");
        let tag = generation();
        let home = |pc: u64| table.set(pc ^ tag) as *const _;
        let first = 0x5555_0000_1000;
        let second = (first + 1..)
            .find(|pc| home(*pc) == home(first))
            .expect("another");
        let (a, b) = (Rule::pack(Step::End), Rule::pack(Step::FramePointer));
        table.insert(first ^ tag, a);
        table.insert(second ^ tag, b);
        assert_eq!(
            (table.find(first ^ tag), table.find(second ^ tag)),
            (Some(a), Some(b))
        );
    }

    #[test]
    fn no_key_is_zero() {
        assert_ne!(in_key(0), 0);
        assert_ne!(in_key(GENERATIONS - 1), in_key(GENERATIONS));
        assert_eq!(
            in_key(0),
            in_key(GENERATIONS),
            "after which the table is wiped"
        );
    }
}
