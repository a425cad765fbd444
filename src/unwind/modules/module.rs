//! One loaded object: its addresses and its unwind tables.
//!
//! # Safety
//! As in `modules`: tables are read where the loader mapped them, and the object is not being
//! closed.
//!
//! Source: LSB core 5.0, 10.6.2 (`.eh_frame_hdr`).
#![allow(unsafe_code)]

use core::ops::Range;
use core::slice;
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::Relaxed;

use libc::Elf64_Phdr;

use crate::platform::elf;

/// A loaded object that holds some address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// Its addresses. Where it has holes, the addresses of the piece that was asked for.
    pub(super) start: usize,
    pub(super) end: usize,
    /// What must be added to the addresses stated in the file.
    pub(super) base: usize,
    /// `.eh_frame_hdr`, or 0.
    pub(super) header: usize,
}

/// The unwind tables of one module.
pub struct Tables<'a> {
    /// `.eh_frame_hdr`, to the end of its segment.
    pub header: &'a [u8],
    /// Sorted by the first word. A row has the start of a function and its entry, both relative to
    /// the header.
    pub rows: &'a [[[u8; 4]; 2]],
    /// From `.eh_frame` to the end of its segment.
    pub eh_frame: &'a [u8],
    /// Where `.eh_frame` is.
    pub eh_frame_address: u64,
}

impl Module {
    /// What the loader's list says of `object`.
    pub fn of(object: &elf::Object) -> Option<Module> {
        Module::from_segments(object.base(), object.program_headers())
    }

    pub(super) fn from_segments(base: usize, segments: &[Elf64_Phdr]) -> Option<Module> {
        let address = |segment: &Elf64_Phdr| base.wrapping_add(segment.p_vaddr as usize);
        let loaded = || {
            segments
                .iter()
                .filter(|segment| segment.p_type == libc::PT_LOAD)
        };
        let header = segments
            .iter()
            .find(|segment| segment.p_type == libc::PT_GNU_EH_FRAME);
        Some(Module {
            start: loaded().map(address).min()? & !0xfff,
            end: loaded()
                .map(|segment| address(segment).wrapping_add(segment.p_memsz as usize))
                .max()?,
            base,
            header: header.map_or(0, address),
        })
    }

    pub(super) fn store(&self, [start, end, base, header]: &[AtomicUsize; 4]) {
        start.store(self.start, Relaxed);
        end.store(self.end, Relaxed);
        base.store(self.base, Relaxed);
        header.store(self.header, Relaxed);
    }

    pub(super) fn load([start, end, base, header]: &[AtomicUsize; 4]) -> Module {
        Module {
            start: start.load(Relaxed),
            end: end.load(Relaxed),
            base: base.load(Relaxed),
            header: header.load(Relaxed),
        }
    }

    /// What must be added to the addresses stated in the file.
    pub fn base(&self) -> usize {
        self.base
    }

    /// Where it is loaded.
    pub fn addresses(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Its unwind tables, in the one encoding that linkers write: `.eh_frame` relative to the
    /// header, sorted rows of 32-bit offsets.
    pub fn tables(&self) -> Option<Tables<'static>> {
        let header = self.from(self.header)?;
        Tables::parse(header, |address| self.from(address))
    }

    /// The bytes from `address` to the end of the file-backed segment that holds it.
    fn from(&self, address: usize) -> Option<&'static [u8]> {
        let end_of = |segment: &Elf64_Phdr| {
            let start = self.base.wrapping_add(segment.p_vaddr as usize);
            let end = start.checked_add(segment.p_filesz as usize)?;
            let is_readable = segment.p_type == libc::PT_LOAD && segment.p_flags & libc::PF_R != 0;
            (is_readable && (start..end).contains(&address)).then_some(end)
        };
        let end = self.segments().iter().find_map(end_of)?;
        // SAFETY: the range lies within a readable segment of an object that is loaded (head of
        // this file). Unwind tables are not written once they are relocated.
        Some(unsafe { slice::from_raw_parts(address as *const u8, end - address) })
    }

    fn segments(&self) -> &'static [Elf64_Phdr] {
        // Nearly always the object is in one piece, which then begins with the ELF header, at the base.
        if self.base != 0 && self.base == self.start {
            // SAFETY: the loader says that the object is mapped from there on.
            unsafe { elf::program_headers_at(self.base) }.unwrap_or_default()
        } else {
            elf::program_headers(self.base)
        }
    }
}

impl<'a> Tables<'a> {
    /// Where `.eh_frame_hdr` is.
    pub fn header_address(&self) -> u64 {
        self.header.as_ptr() as u64
    }

    /// Reads `.eh_frame_hdr`. `section` gives the bytes from an address to the end of its segment.
    pub fn parse(
        header: &'a [u8],
        section: impl Fn(usize) -> Option<&'a [u8]>,
    ) -> Option<Tables<'a>> {
        /// Version 1; pcrel and sdata4; udata4; datarel and sdata4.
        const ENCODING: [u8; 4] = [1, 0x1b, 0x03, 0x3b];
        let header_address = header.as_ptr() as usize;
        let (encoding, rest) = header.split_first_chunk::<4>()?;
        let (offset, rest) = rest.split_first_chunk::<4>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        if *encoding != ENCODING {
            return None;
        }
        let eh_frame_address =
            (header_address + 4).wrapping_add_signed(i32::from_le_bytes(*offset) as isize);
        let (words, _) = rest.as_chunks::<4>();
        let (rows, _) = words.as_chunks::<2>();
        Some(Tables {
            rows: rows.get(..u32::from_le_bytes(*count) as usize)?,
            eh_frame: section(eh_frame_address)?,
            header,
            eh_frame_address: eh_frame_address as u64,
        })
    }
}
