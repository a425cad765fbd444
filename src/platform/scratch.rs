//! Memory from the kernel for a while: mapped, used, unmapped when dropped.
//!
//! Source: mmap(2).
#![allow(unsafe_code)]

use core::ptr::NonNull;

use super::sys;

/// Memory for the duration of one piece of work.
pub struct Scratch {
    region: NonNull<u8>,
    bytes: usize,
}

impl Scratch {
    /// `bytes` zeroed bytes, in whole pages.
    pub fn map(bytes: usize) -> Option<Scratch> {
        let bytes = bytes.next_multiple_of(sys::PAGE);
        Some(Scratch {
            region: sys::mmap_anon(bytes)?,
            bytes,
        })
    }

    /// Where it begins, on a page.
    pub fn start(&self) -> NonNull<u8> {
        self.region
    }

    /// The memory.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: mapped by `map` with this length, and borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.region.as_ptr(), self.bytes) }
    }

    /// The memory as words.
    pub fn words(&mut self) -> &mut [u64] {
        let words = self.bytes / size_of::<u64>();
        // SAFETY: as in `bytes`; mapped memory begins on a page.
        unsafe { core::slice::from_raw_parts_mut(self.region.as_ptr().cast(), words) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length; every borrow of it borrows from `self`.
        unsafe { sys::munmap(self.region, self.bytes) };
    }
}
