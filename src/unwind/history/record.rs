//! One module as it was met: in the arena, never moved, never freed.
//!
//! Made while the module's own code is on the stack of the calling thread, so that all of it can be
//! read. The fingerprint is of the file's first page, which holds headers, notes and the beginning of
//! its symbols: a library that was built anew under the same name has another one.
//!
//! Source: System V ABI (gABI) chapter 5 on program headers and notes.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ops::Range;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32};

use libc::Elf64_Phdr;

use crate::platform::elf;
use crate::platform::process::BUILD_ID;
use crate::table::arena;

/// Loaded parts that are kept of a module; linkers make four or five.
const MOST_SEGMENTS: usize = 12;

/// Longest path that is kept.
const LONGEST: usize = 4096;

/// The page of a file that holds its headers.
const FIRST_PAGE: usize = 4096;

/// A loaded part of a module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// First address, on a page.
    pub start: usize,
    /// One past the last address, on a page.
    pub end: usize,
    /// Where it lies in the file.
    pub offset: u64,
    /// `PF_R`, `PF_W`, `PF_X`.
    pub flags: u32,
}

/// A module.
pub struct Record {
    extent: Range<usize>,
    segments: [Segment; MOST_SEGMENTS],
    print: u64,
    /// Its place among all modules.
    number: u32,
    /// Did another one lie at its addresses before it?
    is_later: bool,
    build_id: [u8; BUILD_ID],
    /// The path by which the loader opened it; empty for the program.
    name: &'static [u8],
    /// The path that the kernel gives it, where the loader's leads nowhere without its working directory.
    path: AtomicPtr<&'static [u8]>,
    is_gone: AtomicBool,
    /// How often a library had been closed when it was last met.
    met: AtomicU32,
    /// Does the dump that is being written refer to it?
    is_wanted: AtomicBool,
}

impl Record {
    /// Does it hold this address?
    pub fn holds(&self, address: u64) -> bool {
        self.extent.contains(&(address as usize))
    }

    /// Is this the beginning of the file that was loaded?
    pub fn is_file(&self, base: usize, page: &[u8]) -> bool {
        page.len() >= FIRST_PAGE && self.print == print_of(base, page)
    }

    /// All of its addresses.
    pub fn extent(&self) -> &Range<usize> {
        &self.extent
    }

    pub(super) fn overlaps(&self, other: &Range<usize>) -> bool {
        self.extent.start < other.end && other.start < self.extent.end
    }

    pub(super) fn is(&self, extent: &Range<usize>, print: u64) -> bool {
        self.extent == *extent && self.print == print
    }

    pub(in crate::unwind) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn is_later(&self) -> bool {
        self.is_later
    }

    /// Was it closed?
    pub fn is_gone(&self) -> bool {
        self.is_gone.load(Relaxed)
    }

    pub(super) fn bury(&self) {
        self.is_gone.store(true, Relaxed);
    }

    /// It is there, after so many closings.
    pub(super) fn meet(&self, closings: u32) {
        self.met.store(closings, Relaxed);
        self.is_gone.store(false, Relaxed);
    }

    /// Was it met since the last closing?
    pub(super) fn met(&self, closings: u32) -> bool {
        self.met.load(Relaxed) == closings
    }

    pub(super) fn want(&self, wanted: bool) {
        self.is_wanted.store(wanted, Relaxed);
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Relaxed)
    }

    /// Its loaded parts, from the lowest address up.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(|segment| segment.end != 0)
    }

    /// Its build id; empty: it has none.
    pub fn build_id(&self) -> &[u8] {
        let length = self.build_id.last().copied().unwrap_or(0);
        self.build_id.get(..usize::from(length)).unwrap_or_default()
    }

    /// Its path, as far as it is known; empty for the program.
    pub fn path(&self) -> &'static [u8] {
        // SAFETY: null, or what `set_path` stored with Release: in the arena, never freed.
        let path = unsafe { self.path.load(Acquire).as_ref() };
        path.copied().unwrap_or(self.name)
    }

    /// Does its path lead nowhere without the working directory of the program at that time?
    pub(super) fn is_relative(&self) -> bool {
        let path = self.path();
        !path.is_empty() && !path.starts_with(b"/") && !path.starts_with(b"linux-vdso")
    }

    /// The kernel's path of it.
    pub(super) fn set_path(&self, path: &[u8]) {
        if let Some(place) = keep(path).and_then(place_of) {
            self.path.store(place.as_ptr(), Release);
        }
    }
}

fn place_of(text: &'static [u8]) -> Option<NonNull<&'static [u8]>> {
    let place = arena::alloc(Layout::new::<&[u8]>())?.cast::<&'static [u8]>();
    // SAFETY: a fresh piece of the arena with this layout.
    unsafe { place.write(text) };
    Some(place)
}

/// A copy of `text` in the arena.
fn keep(text: &[u8]) -> Option<&'static [u8]> {
    let text = text.get(..LONGEST).unwrap_or(text);
    if text.is_empty() {
        return Some(&[]);
    }
    let place = arena::alloc(Layout::array::<u8>(text.len()).ok()?)?;
    // SAFETY: a fresh piece of that many bytes, which is never freed.
    unsafe {
        place.copy_from_nonoverlapping(NonNull::from(text).cast(), text.len());
        Some(core::slice::from_raw_parts(place.as_ptr(), text.len()))
    }
}

fn loaded(object: &elf::Object) -> impl Iterator<Item = (usize, &Elf64_Phdr)> {
    let base = object.base();
    let headers = object.program_headers().iter();
    let loaded = headers.filter(|segment| segment.p_type == libc::PT_LOAD);
    loaded.map(move |segment| (base.wrapping_add(segment.p_vaddr as usize), segment))
}

/// From the first page of a module to its last.
pub(super) fn extent(object: &elf::Object) -> Option<Range<usize>> {
    let start = loaded(object).map(|(start, _)| start).min()? & !0xfff;
    let ends = loaded(object).map(|(start, segment)| start.checked_add(segment.p_memsz as usize));
    let end = ends.flatten().max()?;
    Some(start..end.checked_next_multiple_of(FIRST_PAGE)?)
}

/// FNV-1a over the first page of its file.
pub(super) fn fingerprint(object: &elf::Object) -> u64 {
    let first = loaded(object).find(|(_, segment)| segment.p_offset == 0);
    let bytes = first.map_or(&[][..], |(start, _)| {
        // SAFETY: a page of a module whose code is on the stack of this thread; files are mapped by pages.
        unsafe { core::slice::from_raw_parts((start & !0xfff) as *const u8, FIRST_PAGE) }
    });
    print_of(object.base(), bytes)
}

fn print_of(base: usize, bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ base as u64;
    let bytes = bytes.get(..FIRST_PAGE).unwrap_or(bytes);
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(start, |hash: u64, word| {
        (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn segments(object: &elf::Object) -> [Segment; MOST_SEGMENTS] {
    let mut segments = [Segment::default(); MOST_SEGMENTS];
    for (place, (start, segment)) in segments.iter_mut().zip(loaded(object)) {
        let end = start.saturating_add(segment.p_memsz as usize);
        *place = Segment {
            start: start & !0xfff,
            end: end.saturating_add(0xfff) & !0xfff,
            offset: segment.p_offset & !0xfff,
            flags: segment.p_flags,
        };
    }
    segments
}

/// The build id, with its length in the last byte.
fn build_id(object: &elf::Object) -> [u8; BUILD_ID] {
    let mut id = [0; BUILD_ID];
    let base = object.base();
    let headers = object.program_headers().iter();
    for segment in headers.filter(|segment| segment.p_type == libc::PT_NOTE) {
        let start = base.wrapping_add(segment.p_vaddr as usize);
        // SAFETY: notes lie within a loaded part of a module whose code is on the stack.
        let notes =
            unsafe { core::slice::from_raw_parts(start as *const u8, segment.p_memsz as usize) };
        if let Some(found) = build_id_in(notes) {
            let length = found.len().min(BUILD_ID - 1);
            for (place, byte) in id.iter_mut().zip(found.iter().take(length)) {
                *place = *byte;
            }
            if let Some(last) = id.last_mut() {
                *last = length as u8;
            }
            break;
        }
    }
    id
}

/// The GNU build id among `notes`.
fn build_id_in(mut notes: &[u8]) -> Option<&[u8]> {
    const NT_GNU_BUILD_ID: u32 = 3;
    loop {
        let (name, rest) = notes.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let [name, length, kind] = [name, length, kind].map(|word| u32::from_le_bytes(*word));
        let (named, rest) = rest.split_at_checked((name as usize).next_multiple_of(4))?;
        if kind == NT_GNU_BUILD_ID && named == b"GNU\0" {
            return rest.get(..length as usize);
        }
        notes = rest.get((length as usize).next_multiple_of(4)..)?;
    }
}

/// Copies a module; `None` when there is no memory.
pub(super) fn create(
    object: &elf::Object,
    extent: &Range<usize>,
    print: u64,
    number: u32,
    is_later: bool,
) -> Option<NonNull<Record>> {
    let name = keep(object.name())?;
    let place = arena::alloc(Layout::new::<Record>())?.cast::<Record>();
    let record = Record {
        extent: extent.clone(),
        segments: segments(object),
        print,
        number,
        is_later,
        build_id: build_id(object),
        name,
        path: AtomicPtr::new(null_mut()),
        is_gone: AtomicBool::new(false),
        met: AtomicU32::new(0),
        is_wanted: AtomicBool::new(false),
    };
    // SAFETY: a fresh piece of the arena with this layout.
    unsafe { place.write(record) };
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_id_is_found_behind_other_notes() {
        let other = b"\x04\0\0\0\x05\0\0\0\x01\0\0\0GNU\0abcde\0\0\0";
        let id = b"\x04\0\0\0\x03\0\0\0\x03\0\0\0GNU\0\x01\x02\x03\0";
        let both = [&other[..], &id[..]].concat();
        assert_eq!(build_id_in(&both), Some(&[1, 2, 3][..]));
        assert_eq!(build_id_in(other), None);
        for cut in 0..both.len() {
            let _no_panic = build_id_in(&both[..cut]);
        }
    }

    #[test]
    fn a_module_is_recorded_as_the_kernel_maps_it() {
        let inside = a_module_is_recorded_as_the_kernel_maps_it as fn() as usize;
        let object = elf::find_by_address(inside).expect("this program");
        let extent = extent(&object).expect("segments");
        let print = fingerprint(&object);
        let record = create(&object, &extent, print, 7, false).expect("memory");
        // SAFETY: just made.
        let record = unsafe { record.as_ref() };
        let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
        for segment in record.segments().filter(|s| s.flags & libc::PF_X != 0) {
            let line = format!(
                "{:x}-{:x} r-xp {:08x}",
                segment.start, segment.end, segment.offset
            );
            assert!(maps.contains(&line), "{line} in\n{maps}");
        }
        assert!(record.holds(inside as u64) && record.is(&extent, print));
        assert!(!record.is(&extent, print ^ 1));
        assert_eq!(record.path(), b"");
        record.set_path(b"/there/it/is");
        assert_eq!(record.path(), b"/there/it/is");
    }
}
