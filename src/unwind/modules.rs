//! Which loaded object holds an address, and where its unwind tables are.
//!
//! `unwind` asks on a sampled path, so no lock of the loader may be taken: glibc 2.35 and later answer by `_dl_find_object`, which takes
//! none, does not allocate and may be called in a signal handler. It is looked up at start ([`init`]), as we must load under older
//! glibc too. There the list comes from a table of our own, filled at start and after each `dlclose`; readers of the table compare
//! a version number before and after (a sequence lock). What is opened later is not in it until then, and is stepped over by frame pointer.
//!
//! # Safety
//! Tables are read where the loader mapped them. They go with `dlclose`, which must not be called while code of the object is still on
//! a stack; the hook of `dlclose` raises the generation, so that no rule is made of old addresses later.
//!
//! Sources: `dlfcn.h` and `elf/dl-find_object.c` of glibc 2.36; LSB core 5.0, 10.6.2 (`.eh_frame_hdr`).
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};
use core::mem;
use core::ops::Range;
use core::ptr;
use core::slice;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicUsize, fence};

use libc::Elf64_Phdr;

use crate::diag::{self, Counter};
use crate::platform::elf;
use crate::table::sync::{LockGuard, SpinLock};

/// `_dl_find_object`, or 0. Written once by `init`, before sampling begins; Relaxed, as code is there before its address is known.
static FIND_OBJECT: AtomicUsize = AtomicUsize::new(0);

/// More objects than this are not listed where the table is needed.
const MOST_MODULES: usize = 1024;
/// The table: start, end, base and header of each module, ended by zeros. Written by a `Listing` under `REFRESHING`. Relaxed: `VERSION` orders it.
static MODULES: [[AtomicUsize; 4]; MOST_MODULES] =
    [const { [const { AtomicUsize::new(0) }; 4] }; MOST_MODULES];
/// Odd while the table is being written. A `Listing` increments it before and after, with the fences of a sequence lock.
static VERSION: AtomicUsize = AtomicUsize::new(0);
/// Libraries that are being closed now: the table stays empty until the last is gone.
static CLOSING: AtomicUsize = AtomicUsize::new(0);
/// Held by the one thread that writes the table. `after_fork` frees it in a child whose writer did not come along.
static REFRESHING: SpinLock = SpinLock::new();
/// A reader that meets a writer this often gives up: it may have interrupted it.
const ATTEMPTS: usize = 8;

/// glibc's `struct dl_find_object` on x86-64 and aarch64; the reserved words end it.
#[repr(C)]
struct Found {
    flags: u64,
    start: usize,
    end: usize,
    link_map: *const usize,
    eh_frame_header: usize,
    reserved: [u64; 8],
}

/// A loaded object that holds some address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// Its addresses; where it has holes, those of the piece that was asked for.
    start: usize,
    end: usize,
    /// What has to be added to the addresses stated in the file.
    base: usize,
    /// `.eh_frame_hdr`, or 0.
    header: usize,
}

/// The unwind tables of one module.
pub struct Tables<'a> {
    /// `.eh_frame_hdr`, to the end of its segment.
    pub header: &'a [u8],
    /// Sorted by the first word: start of a function and its entry, both relative to the header.
    pub rows: &'a [[[u8; 4]; 2]],
    /// From `.eh_frame` to the end of its segment.
    pub eh_frame: &'a [u8],
    /// Where `.eh_frame` is.
    pub eh_frame_address: u64,
}

/// Finds `_dl_find_object`; without it, makes the table. Called once, from the constructor.
pub fn init() {
    let found = elf::next_symbol(b"_dl_find_object");
    FIND_OBJECT.store(found.map_or(0, |(symbol, _)| symbol.addr), Relaxed);
    if found.is_none() {
        list_modules();
    }
}

/// A library is about to be closed: where the table is in use it is emptied, so that nobody reads
/// tables that go.
pub fn before_close() {
    if FIND_OBJECT.load(Relaxed) != 0 {
        return;
    }
    // AcqRel: who lists after this, under the lock, sees that something is being closed.
    CLOSING.fetch_add(1, AcqRel);
    drop(Listing::begin());
}

/// A library was closed: the last of several at once fills the table again.
pub fn after_close() {
    if FIND_OBJECT.load(Relaxed) == 0 && CLOSING.fetch_sub(1, AcqRel) == 1 {
        list_modules();
    }
}

/// Puts the table right in a forked child: another thread may have been writing it.
///
/// # Safety
/// The caller is the only thread of its process.
pub unsafe fn after_fork() {
    // SAFETY: whoever held it is not in this process, and does not hold it here (contract above).
    unsafe { REFRESHING.force_unlock() };
    CLOSING.store(0, Relaxed);
    let version = VERSION.load(Relaxed);
    if !version.is_multiple_of(2) {
        VERSION.store(version.wrapping_add(1), Relaxed);
        drop(Listing::begin());
    }
}

/// Fills the table from the loader's list, under the loader's own lock, which keeps objects from
/// going meanwhile. The lock of the table is taken inside it, never the other way round: the
/// loader holds its own while it runs destructors, and those may close libraries.
fn list_modules() {
    let mut listing: Option<Listing> = None;
    // SAFETY: `list` takes what dl_iterate_phdr(3) hands it, and `listing` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(list), (&raw mut listing).cast()) };
}

unsafe extern "C" fn list(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    listing: *mut c_void,
) -> c_int {
    // SAFETY: `list_modules` passes its variable, and the loader one object after the other.
    let (listing, info) = unsafe { (&mut *listing.cast::<Option<Listing>>(), &*info) };
    let listing = listing.get_or_insert_with(Listing::begin);
    if CLOSING.load(Acquire) != 0 {
        return 1;
    }
    // SAFETY: the loader's own copy of the object's headers, which stands while its lock is held.
    let segments = unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    if let Some(module) = Module::from_segments(info.dlpi_addr as usize, segments) {
        listing.add(module);
    }
    0
}

/// The table while it is written; empty at first. Readers see it when this is dropped.
struct Listing {
    _lock: LockGuard<'static>,
    len: usize,
}

impl Listing {
    fn begin() -> Listing {
        let lock = REFRESHING.lock();
        VERSION.fetch_add(1, Relaxed);
        // Pairs with the Acquire fence in `listed`: who saw a word written below sees the odd version too.
        fence(Release);
        for row in &MODULES {
            Module::default().store(row);
        }
        Listing {
            _lock: lock,
            len: 0,
        }
    }

    fn add(&mut self, module: Module) {
        match MODULES.get(self.len) {
            Some(row) => module.store(row),
            None => diag::count(Counter::ModuleNotListed),
        }
        self.len += 1;
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        // Release: pairs with the first load in `listed`.
        VERSION.fetch_add(1, Release);
    }
}

/// The module that holds `pc`.
pub fn find(pc: u64) -> Option<Module> {
    match FIND_OBJECT.load(Relaxed) {
        0 => (0..ATTEMPTS).find_map(|_| listed(pc)).flatten(),
        function => ask_loader(function, pc),
    }
}

/// The loaded object that holds `pc`, an address on the stack of this thread: so it is not being closed.
pub fn object(pc: u64) -> Option<elf::Object> {
    let function = FIND_OBJECT.load(Relaxed);
    if function == 0 {
        return elf::find_by_address(pc as usize);
    }
    let found = ask(function, pc)?;
    // SAFETY: the loader's own `struct link_map` of an object whose code is in use.
    Some(unsafe { elf::object_of(found.link_map) })
}

fn ask_loader(function: usize, pc: u64) -> Option<Module> {
    let found = ask(function, pc)?;
    // SAFETY: the object's `struct link_map`, whose first member is its base (link.h).
    let base = unsafe { ptr::read(found.link_map) };
    Some(Module {
        start: found.start,
        end: found.end,
        base,
        header: found.eh_frame_header,
    })
}

fn ask(function: usize, pc: u64) -> Option<Found> {
    let mut found = mem::MaybeUninit::<Found>::zeroed();
    // SAFETY: `function` is `_dl_find_object` of this process' ld.so, which has this signature (dlfcn.h) and fills `found` in if it
    // returns 0. `Found` is at least as large as glibc's.
    unsafe {
        let find: extern "C" fn(usize, *mut Found) -> i32 = mem::transmute(function);
        if find(pc as usize, found.as_mut_ptr()) != 0 {
            return None;
        }
        Some(found.assume_init())
    }
}

/// The answer of our table: the outer `None` if it was being written meanwhile.
fn listed(pc: u64) -> Option<Option<Module>> {
    // Acquire: pairs with the Release that ends a `Listing`.
    let before = VERSION.load(Acquire);
    let module = MODULES
        .iter()
        .map(Module::load)
        .take_while(|module| module.end != 0)
        .find(|module| (module.start..module.end).contains(&(pc as usize)));
    // Pairs with the Release fence in `Listing::begin`.
    fence(Acquire);
    (before.is_multiple_of(2) && VERSION.load(Relaxed) == before).then_some(module)
}

impl Module {
    /// What the loader's list says of `object`.
    pub fn of(object: &elf::Object) -> Option<Module> {
        Module::from_segments(object.base(), object.program_headers())
    }

    fn from_segments(base: usize, segments: &[Elf64_Phdr]) -> Option<Module> {
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

    fn store(&self, [start, end, base, header]: &[AtomicUsize; 4]) {
        start.store(self.start, Relaxed);
        end.store(self.end, Relaxed);
        base.store(self.base, Relaxed);
        header.store(self.header, Relaxed);
    }

    fn load([start, end, base, header]: &[AtomicUsize; 4]) -> Module {
        Module {
            start: start.load(Relaxed),
            end: end.load(Relaxed),
            base: base.load(Relaxed),
            header: header.load(Relaxed),
        }
    }

    /// Where it is loaded.
    pub fn addresses(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Its unwind tables, in the one encoding linkers write: `.eh_frame` relative to the header, sorted rows of 32-bit offsets.
    pub fn tables(&self) -> Option<Tables<'static>> {
        let header = self.from(self.header)?;
        Tables::parse(header, |address| self.from(address))
    }

    /// The bytes from `address` to the end of the file-backed segment it lies in.
    fn from(&self, address: usize) -> Option<&'static [u8]> {
        let end_of = |segment: &Elf64_Phdr| {
            let start = self.base.wrapping_add(segment.p_vaddr as usize);
            let end = start.checked_add(segment.p_filesz as usize)?;
            let is_readable = segment.p_type == libc::PT_LOAD && segment.p_flags & libc::PF_R != 0;
            (is_readable && (start..end).contains(&address)).then_some(end)
        };
        let end = self.segments().iter().find_map(end_of)?;
        // SAFETY: the range lies within a readable segment of an object that is loaded (head of this file); unwind tables are not
        // written once they are relocated.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// `_dl_find_object`, without telling the rest of the process.
    fn loaders_function() -> Option<usize> {
        let symbol = elf::all().find_map(|object| object.symbol(b"_dl_find_object"));
        symbol.map(|symbol| symbol.addr)
    }

    /// The first and last byte of each loaded object, the addresses around them, and some that are in none.
    fn addresses() -> Vec<u64> {
        let modules = elf::all().filter_map(|object| Module::of(&object));
        let edges = modules.flat_map(|module| {
            let Range { start, end } = module.addresses();
            [start - 1, start, start + 77, end - 1, end]
        });
        edges
            .chain([0, 1, usize::MAX])
            .map(|address| address as u64)
            .collect()
    }

    /// Other tests write the table meanwhile.
    fn listed_at_last(pc: u64) -> Option<Module> {
        std::iter::repeat_with(|| listed(pc)).flatten().next()?
    }

    #[test]
    fn our_table_answers_as_the_loader_does() {
        let Some(function) = loaders_function() else {
            return;
        };
        list_modules();
        for pc in addresses() {
            let (ours, loaders) = (listed_at_last(pc), ask_loader(function, pc));
            assert_eq!(
                ours.map(|module| (module.base, module.header)),
                loaders.map(|module| (module.base, module.header)),
                "{pc:#x}"
            );
        }
    }

    #[test]
    fn readers_of_the_table_see_all_of_a_module_or_nothing() {
        let inside = our_table_answers_as_the_loader_does as fn() as usize as u64;
        list_modules();
        let expected = listed_at_last(inside).expect("this program");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        while !stop.load(Relaxed) {
                            assert!(listed(inside).is_none_or(|module| module == Some(expected)));
                        }
                    })
                })
                .collect();
            (0..200).for_each(|_| list_modules());
            stop.store(true, Relaxed);
            readers
                .into_iter()
                .for_each(|reader| reader.join().expect("no half-written module"));
        });
    }

    #[test]
    fn tables_are_found_and_sorted() {
        list_modules();
        let inside = tables_are_found_and_sorted as fn() as usize as u64;
        let tables = listed(inside)
            .flatten()
            .expect("this program")
            .tables()
            .expect("tables");
        let starts: Vec<_> = tables
            .rows
            .iter()
            .map(|[start, _]| i32::from_le_bytes(*start))
            .collect();
        assert!(starts.len() > 1000 && starts.is_sorted());
    }

    #[test]
    fn an_object_in_pieces_is_read_like_one_in_one_piece() {
        list_modules();
        let inside = an_object_in_pieces_is_read_like_one_in_one_piece as fn() as usize;
        let whole = listed_at_last(inside as u64).expect("this program");
        // So the loader answers for a program with holes between its segments.
        let piece = Module {
            start: inside & !0xfff,
            end: (inside & !0xfff) + 0x1000,
            ..whole
        };
        let (expected, tables) = (
            whole.tables().expect("tables"),
            piece.tables().expect("tables"),
        );
        assert_eq!(tables.eh_frame_address, expected.eh_frame_address);
        assert_eq!(tables.rows.len(), expected.rows.len());
    }
}
