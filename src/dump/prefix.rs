//! The beginning of the dumps' names, which the program may change: jemalloc's `prof.prefix`.
//!
//! # Safety
//! Read and written only by the thread that has the right to write a dump, so by one at a time.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;

use crate::config::Config;

/// Longest prefix, as that of the option.
const MOST: usize = 4095;

struct Prefix {
    /// `None`: the program has set none.
    length: Option<usize>,
    bytes: [u8; MOST],
}

/// For the one thread that may write a dump.
struct Held(UnsafeCell<Prefix>);

// SAFETY: see the head.
unsafe impl Sync for Held {}

/// What the program has set. Pages that are never touched cost nothing.
static PREFIX: Held = Held(UnsafeCell::new(Prefix {
    length: None,
    bytes: [0; MOST],
}));

/// The beginning of the dumps' names now.
///
/// # Safety
/// The caller may write a dump, and no other thread may meanwhile.
pub unsafe fn current(config: &'static Config) -> &'static [u8] {
    // SAFETY: as the caller promises; it keeps its right until the dump is written.
    let prefix = unsafe { &*PREFIX.0.get() };
    match prefix.length {
        Some(length) => prefix.bytes.get(..length).unwrap_or_default(),
        None => config.prof_prefix.as_bytes(),
    }
}

/// Changes it; what is longer than a path can be is cut off.
///
/// # Safety
/// As [`current`].
pub unsafe fn set(text: &[u8]) {
    // SAFETY: as the caller promises.
    let prefix = unsafe { &mut *PREFIX.0.get() };
    for (place, byte) in prefix.bytes.iter_mut().zip(text) {
        *place = *byte;
    }
    prefix.length = Some(text.len().min(MOST));
}
