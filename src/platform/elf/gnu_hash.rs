//! `DT_GNU_HASH`: which symbols of an object have a hash.
//!
//! # Safety
//! As `elf`: the object is not closed meanwhile.
//!
//! Source: `elf/dl-lookup.c` of glibc 2.36, `do_lookup_x`.
#![allow(unsafe_code)]

/// No bucket holds more symbols: one that seems to is damaged.
pub(super) const MOST_CHAIN: usize = 1 << 16;

/// The parts of a `DT_GNU_HASH` table.
#[derive(Clone, Copy)]
pub(super) struct GnuHash {
    /// A Bloom filter, of `mask + 1` words.
    filter: *const u64,
    mask: u32,
    shift: u32,
    buckets: *const u32,
    /// How many buckets, and the first symbol that is in one.
    count: u32,
    first: u32,
    chains: *const u32,
}

impl GnuHash {
    /// `None` when it is empty.
    pub(super) fn at(table: *const u32) -> Option<GnuHash> {
        if table.is_null() {
            return None;
        }
        // SAFETY: DT_GNU_HASH begins with four words: buckets, first symbol, words of the filter, shift.
        let [count, first, words, shift] = unsafe { table.cast::<[u32; 4]>().read() };
        let filter = table.wrapping_add(4);
        // The filter's words are of 64 bits; the buckets follow, then the chains.
        let buckets = filter.wrapping_add(2 * words as usize);
        (count != 0 && words != 0).then_some(GnuHash {
            filter: filter.cast(),
            // The number of words is a power of two.
            mask: words - 1,
            shift,
            buckets,
            count,
            first,
            chains: buckets.wrapping_add(count as usize),
        })
    }

    /// What the Bloom filter says: false for most names that are not here.
    #[inline(always)]
    pub(super) fn may_have(&self, hash: u32) -> bool {
        let at = (hash / u64::BITS) & self.mask;
        // SAFETY: one of the filter's words.
        let word = unsafe { self.filter.add(at as usize).read_unaligned() };
        let second = hash.wrapping_shr(self.shift);
        (word >> (hash % u64::BITS)) & (word >> (second % u64::BITS)) & 1 != 0
    }

    /// Shows the symbols of this hash, until `see` has an answer.
    pub(super) fn walk<T>(&self, hash: u32, see: &mut impl FnMut(usize) -> Option<T>) -> Option<T> {
        // SAFETY: the index is below the number of buckets.
        let bucket = unsafe { *self.buckets.add((hash % self.count) as usize) };
        if bucket < self.first {
            return None;
        }
        for index in bucket as usize..bucket as usize + MOST_CHAIN {
            // SAFETY: from `first` on every symbol has a word here; bit 0 marks the last one of a bucket, where the loop ends.
            let word = unsafe { *self.chains.add(index - self.first as usize) };
            if word | 1 == hash | 1
                && let Some(found) = see(index)
            {
                return Some(found);
            }
            if word & 1 != 0 {
                break;
            }
        }
        None
    }
}
