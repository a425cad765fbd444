//! The program headers of a loaded object: from its ELF header in memory or, for the program, from
//! the kernel.
//!
//! # Safety
//! As `elf`: the object is not closed meanwhile.
//!
//! Source: System V ABI (gABI) chapter 5, getauxval(3).
#![allow(unsafe_code)]

use core::ops::Range;

use libc::{Elf64_Ehdr, Elf64_Phdr};

use crate::platform::sys;

/// The most bytes of program headers: 73 fit, and linkers make about twelve. Nearly always they stand on the first page.
const PAGE: usize = 4096;

/// The program headers of the object loaded at `base`, while it is loaded; empty where they cannot be found.
pub fn program_headers(base: usize) -> &'static [Elf64_Phdr] {
    if base == 0 {
        return program_headers_of_program();
    }
    if !sys::readable(base) {
        return &[];
    }
    // SAFETY: found readable just now.
    unsafe { program_headers_at(base) }.unwrap_or_default()
}

/// The same, without asking the kernel whether there is memory at `base`; it is asked where the headers stand elsewhere.
///
/// # Safety
/// The page at `base` can be read.
pub unsafe fn program_headers_at(base: usize) -> Option<&'static [Elf64_Phdr]> {
    let header = base as *const Elf64_Ehdr;
    if !header.is_aligned() {
        return None;
    }
    // SAFETY: aligned, and the caller knows the page; a page holds the 64 bytes of the header.
    let header = unsafe { &*header };
    let is_elf = header.e_ident.starts_with(b"\x7fELF")
        && usize::from(header.e_phentsize) == size_of::<Elf64_Phdr>();
    let length = usize::from(header.e_phnum) * size_of::<Elf64_Phdr>();
    let offset = header.e_phoff as usize;
    let end = offset.checked_add(length)?;
    let first = base.checked_add(offset)? as *const Elf64_Phdr;
    if !is_elf || !first.is_aligned() || length == 0 || length > PAGE {
        return None;
    }
    if end > PAGE {
        return moved(first, offset..end);
    }
    // SAFETY: linkers put the program headers after the ELF header, and they end on the same page.
    Some(unsafe { core::slice::from_raw_parts(first, usize::from(header.e_phnum)) })
}

/// The headers at `first`, which stand so far into the file. BOLT and patchelf move them behind all else. An offset in the
/// file is an address only where a segment says so: what was read there is no table of headers without one.
#[cold]
#[inline(never)]
fn moved(first: *const Elf64_Phdr, file: Range<usize>) -> Option<&'static [Elf64_Phdr]> {
    let last = (first as usize).checked_add(file.len() - size_of::<u64>())?;
    if !sys::readable(first as usize) || !sys::readable(last) {
        return None;
    }
    // SAFETY: both ends were found readable just now, and there is no third page between them.
    let headers =
        unsafe { core::slice::from_raw_parts(first, file.len() / size_of::<Elf64_Phdr>()) };
    let holds_them = |segment: &Elf64_Phdr| {
        let (start, size) = (segment.p_offset as usize, segment.p_filesz as usize);
        segment.p_type == libc::PT_LOAD
            && segment.p_vaddr == segment.p_offset
            && start <= file.start
            && start.checked_add(size).is_some_and(|end| file.end <= end)
    };
    headers.iter().any(holds_them).then_some(headers)
}

/// The headers of the program. One that is not position-independent has base 0; the kernel knows
/// where its headers are.
fn program_headers_of_program() -> &'static [Elf64_Phdr] {
    // SAFETY: getauxval reads a vector that the kernel made at exec; it has no precondition.
    // GLIBC_2.16.
    let (first, count) = unsafe {
        (
            libc::getauxval(libc::AT_PHDR),
            libc::getauxval(libc::AT_PHNUM),
        )
    };
    let first = first as *const Elf64_Phdr;
    if first.is_null() || !first.is_aligned() || count > 0xffff {
        return &[];
    }
    // SAFETY: AT_PHDR and AT_PHNUM describe the program's headers, which are never unmapped (getauxval(3)).
    unsafe { core::slice::from_raw_parts(first, count as usize) }
}
