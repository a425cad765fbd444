//! Reads of a runtime's memory that cannot fault: the kernel is asked about a page before it is
//! touched.
//!
//! The walkers read through this alone. Their pointers come from the runtime's own structures, and
//! are right in every version that we know. In an unknown version a pointer may be wrong, and that
//! must not become a fault inside the program's malloc. A page that was found readable is believed
//! for a second, so that a hot walk seldom asks the kernel. The memory that a live frame refers to
//! cannot be given back meanwhile. Only a garbage pointer could name a page that was unmapped
//! within that second.
//!
//! # Safety
//! Plain bytes are read, volatile and aligned, from pages that the kernel called readable.
#![allow(unsafe_code)]

use core::ptr::read_volatile;

use crate::platform::sys;

/// Pages remembered; a walk of thirty frames touches about a hundred.
const PAGES: usize = 256;

/// Places where a page may be remembered. With one place, two pages that each frame of a recursion
/// needs could drive each other out, and every frame would ask the kernel twice.
const WAYS: usize = 2;

/// How long a page is believed.
const BELIEF_MS: u64 = 1000;

/// All addresses of user space are below.
const HIGHEST: u64 = 1 << 47;

/// What one thread knows of its process' memory. All zero: nothing is known.
pub struct Memory {
    /// Page numbers; 0 means no page.
    known: [u64; PAGES],
    since_ms: u64,
}

impl Memory {
    /// Nothing known.
    pub const fn new() -> Memory {
        Memory {
            known: [0; PAGES],
            since_ms: 0,
        }
    }

    /// Begins a walk at the time `now_ms`.
    pub fn begin(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.since_ms) > BELIEF_MS {
            self.known = [0; PAGES];
            self.since_ms = now_ms;
        }
    }

    /// Forgets all pages: the next reads rest on less proof than usual.
    pub fn forget(&mut self) {
        self.known = [0; PAGES];
    }

    #[inline]
    fn is_readable(&mut self, at: u64) -> bool {
        let page = at / sys::PAGE as u64;
        // Fibonacci hashing, as in `live_table`: pages in steps of any size spread evenly.
        let set = (page.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % (PAGES / WAYS);
        let (sets, _) = self.known.as_chunks_mut::<WAYS>();
        let Some([newest, older]) = sets.get_mut(set) else {
            return false;
        };
        if page != 0 && (*newest == page || *older == page) {
            return true;
        }
        let answer = at < HIGHEST && page != 0 && sys::readable(page as usize * sys::PAGE);
        if answer {
            *older = core::mem::replace(newest, page);
        }
        answer
    }

    /// The word at `at`.
    #[inline]
    pub fn word(&mut self, at: u64) -> Option<u64> {
        // SAFETY: aligned, so within one page, which can be read.
        (at.is_multiple_of(8) && self.is_readable(at))
            .then(|| unsafe { read_volatile(at as *const u64) })
    }

    /// The 32 bits at `at`.
    #[inline]
    pub fn half(&mut self, at: u64) -> Option<u32> {
        // SAFETY: as in `word`.
        (at.is_multiple_of(4) && self.is_readable(at))
            .then(|| unsafe { read_volatile(at as *const u32) })
    }

    /// The 16 bits at `at`.
    #[inline]
    pub fn quarter(&mut self, at: u64) -> Option<u16> {
        // SAFETY: as in `word`.
        (at.is_multiple_of(2) && self.is_readable(at))
            .then(|| unsafe { read_volatile(at as *const u16) })
    }

    /// The byte at `at`.
    #[inline]
    pub fn byte(&mut self, at: u64) -> Option<u8> {
        // SAFETY: as in `word`.
        self.is_readable(at)
            .then(|| unsafe { read_volatile(at as *const u8) })
    }

    /// Copies what is at `at` until `to` is full.
    pub fn copy(&mut self, at: u64, to: &mut [u8]) -> Option<()> {
        let last = at.checked_add((to.len() as u64).checked_sub(1)?)?;
        let page = sys::PAGE as u64;
        for page in at / page..=last / page {
            if !self.is_readable(page * sys::PAGE as u64) {
                return None;
            }
        }
        for (at, byte) in (at..).zip(to) {
            // SAFETY: every page from the first byte to the last can be read.
            *byte = unsafe { read_volatile(at as *const u8) };
        }
        Some(())
    }

    /// Copies the terminated string at `at`, as much of it as `to` holds.
    pub fn string<'a>(&mut self, at: u64, to: &'a mut [u8]) -> Option<&'a [u8]> {
        let mut length = 0;
        for (at, slot) in (at..).zip(to.iter_mut()) {
            match self.byte(at)? {
                0 => break,
                byte => *slot = byte,
            }
            length += 1;
        }
        to.get(..length)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_read_and_the_rest_is_not() {
        let region = sys::mmap_anon(2 * sys::PAGE).expect("memory");
        let end = region.as_ptr() as u64 + sys::PAGE as u64;
        // SAFETY: two fresh pages; the second is unmapped at once.
        unsafe {
            region
                .add(sys::PAGE - 8)
                .cast::<u64>()
                .write(0x11_0062_6104);
            sys::munmap(region.add(sys::PAGE), sys::PAGE);
        }
        let mut memory = Memory::new();
        memory.begin(5);
        assert_eq!(memory.word(end - 8), Some(0x11_0062_6104));
        assert_eq!(memory.half(end - 4), Some(0x11));
        assert_eq!(memory.quarter(end - 8), Some(0x6104));
        assert_eq!(memory.byte(end - 7), Some(0x61));
        let mut text = [0; 8];
        assert_eq!(memory.string(end - 7, &mut text), Some(&b"ab"[..]));
        assert_eq!(memory.copy(end - 8, &mut text), Some(()));
        assert_eq!(
            memory.copy(end - 7, &mut text),
            None,
            "ends behind the page"
        );
        for wrong in [0, 8, end, end + 8, end - 7, u64::MAX - 7, 1 << 47] {
            assert_eq!(memory.word(wrong), None, "{wrong:#x}");
        }
    }

    #[test]
    fn a_page_is_believed_for_a_second() {
        let region = sys::mmap_anon(sys::PAGE).expect("memory");
        let at = region.as_ptr() as u64;
        let mut memory = Memory::new();
        memory.begin(10);
        assert_eq!(memory.byte(at), Some(0));
        // SAFETY: the page is ours, and not read again while it is believed.
        unsafe { sys::munmap(region, sys::PAGE) };
        memory.begin(10 + BELIEF_MS + 1);
        assert_eq!(memory.byte(at), None);
    }
}
