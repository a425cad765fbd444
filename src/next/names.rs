//! The names of the next allocator's functions by their numbers, hashed by the compiler.
//!
//! Source: `DT_GNU_HASH` of glibc's `elf/dl-lookup.c`.

use super::{Entry, Functions, SYMBOLS};
use crate::platform::elf::{self, Name};

pub(super) const COUNT: usize = size_of::<Functions>() / size_of::<Entry>();

/// Where in [`SYMBOLS`] each symbol ends, and its hash.
#[expect(clippy::indexing_slicing, reason = "the compiler runs it")]
static HASHED: [(u16, u32); COUNT] = {
    let mut all = [(0, 0); COUNT];
    let (mut rest, mut at, mut start, mut end) = (SYMBOLS.as_slice(), 0, 0, 0);
    while let [byte, more @ ..] = rest {
        if *byte == b' ' {
            all[at] = (
                end as u16,
                elf::gnu_hash(SYMBOLS.as_slice().split_at(end).0.split_at(start).1),
            );
            (at, start) = (at + 1, end + 1);
        }
        (rest, end) = (more, end + 1);
    }
    all
};

/// The bits of all functions.
pub(super) const ALL: u64 = u64::MAX >> (u64::BITS as usize - COUNT);

/// The functions that are useful only when they belong to the next allocator.
pub(super) const EXTENSIONS: u64 = bits_of(&[
    b"mi_",
    b"tc_",
    b"mallctl",
    b"mallocx",
    b"rallocx",
    b"xallocx",
    b"sallocx",
    b"dallocx",
    b"sdallocx",
]);

/// The functions of libc that belong to no allocator.
pub(super) const SYSTEM: u64 = bits_of(&[
    b"mmap", b"munmap", b"mremap", b"brk", b"sbrk", b"prctl", b"syscall",
]);

/// The bits of the symbols that begin with one of `beginnings`.
const fn bits_of(beginnings: &[&[u8]]) -> u64 {
    let (mut bits, mut at) = (0, 0);
    while at < COUNT {
        let mut rest = beginnings;
        while let [beginning, more @ ..] = rest {
            if begins_with(text(at), beginning) {
                bits |= 1 << at;
            }
            rest = more;
        }
        at += 1;
    }
    bits
}

const fn begins_with(mut text: &[u8], mut beginning: &[u8]) -> bool {
    while let [wanted, rest @ ..] = beginning {
        match text {
            [byte, more @ ..] if *byte == *wanted => (text, beginning) = (more, rest),
            _ => return false,
        }
    }
    true
}

/// The name of the symbol with this number.
#[expect(clippy::indexing_slicing, reason = "the compiler runs it")]
pub(super) const fn text(at: usize) -> &'static [u8] {
    let start = match at {
        0 => 0,
        _ => HASHED[at - 1].0 as usize + 1,
    };
    SYMBOLS
        .as_slice()
        .split_at(HASHED[at].0 as usize)
        .0
        .split_at(start)
        .1
}

/// The symbols whose bits are set, with their numbers.
pub(super) fn symbols(mut wanted: u64) -> impl Iterator<Item = (usize, Name<'static>)> {
    core::iter::from_fn(move || {
        let at = wanted.trailing_zeros() as usize;
        wanted &= wanted.wrapping_sub(1);
        let (end, hash) = *HASHED.get(at)?;
        let start = at.checked_sub(1).and_then(|before| HASHED.get(before));
        let start = start.map_or(0, |(end, _)| usize::from(*end) + 1);
        let text = SYMBOLS.get(start..usize::from(end)).unwrap_or_default();
        Some((at, Name::hashed(text, hash)))
    })
}
