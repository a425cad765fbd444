//! One loaded object: where it is, its name, its segments, its dynamic section.
//!
//! # Safety
//! As `elf`: the object is not closed meanwhile.
//!
//! Source: System V ABI (gABI) chapter 5, `<link.h>` of glibc.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char};
use core::ptr;

use libc::Elf64_Phdr;

use super::headers::program_headers;

/// One entry of a dynamic section.
#[repr(C)]
pub(super) struct Dyn {
    pub(super) tag: i64,
    pub(super) value: usize,
}

unsafe extern "C" {
    /// The dynamic section of the object this code was linked into; defined by the linker.
    static _DYNAMIC: Dyn;
}

/// No dynamic section has more entries: one that seems to is damaged.
const MOST_DYNAMIC: usize = 1 << 10;

/// A loaded object: a copy of what the loader publishes about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Object {
    pub(super) base: usize,
    pub(super) dynamic: *const Dyn,
    pub(super) name: *const c_char,
}

impl Object {
    /// What must be added to the addresses stated in the file.
    pub fn base(&self) -> usize {
        self.base
    }

    /// The path that the loader opened; empty for the program itself.
    pub fn name(&self) -> &[u8] {
        if self.name.is_null() {
            return &[];
        }
        // SAFETY: the loader's names are NUL-terminated strings that live as long as the object
        // (head of this file).
        unsafe { CStr::from_ptr(self.name) }.to_bytes()
    }

    /// Whether one of the object's loaded segments holds `addr`.
    pub fn contains(&self, addr: usize) -> bool {
        self.program_headers().iter().any(|segment| {
            let offset = (addr.wrapping_sub(self.base) as u64).wrapping_sub(segment.p_vaddr);
            segment.p_type == libc::PT_LOAD && offset < segment.p_memsz
        })
    }

    /// The object's program headers; empty where they cannot be found (a prelinked library that is
    /// not linked at 0).
    pub fn program_headers(&self) -> &[Elf64_Phdr] {
        program_headers(self.base)
    }

    /// Each entry of the object's dynamic section: tag, value, and the address that the value
    /// stands for.
    pub(super) fn dynamic_entries(&self) -> impl Iterator<Item = (i64, usize, usize)> {
        let most = if self.dynamic.is_null() {
            0
        } else {
            MOST_DYNAMIC
        };
        let entries = (0..most).map(|index| {
            // SAFETY: a dynamic section ends with a zero tag, and the iteration ends there; it is
            // mapped while its object is.
            unsafe { &*self.dynamic.add(index) }
        });
        entries.take_while(|entry| entry.tag != 0).map(|entry| {
            // The loader relocates these in place, except in a read-only section: there the value
            // is still an offset.
            let address = if entry.value < self.base {
                self.base.wrapping_add(entry.value)
            } else {
                entry.value
            };
            (entry.tag, entry.value, address)
        })
    }

    pub(super) fn is_own(&self) -> bool {
        ptr::eq(self.dynamic, &raw const _DYNAMIC)
    }
}
