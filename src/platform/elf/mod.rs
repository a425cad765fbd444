//! Symbols of the loaded objects, found without `dlsym`.
//!
//! `dlsym` allocates for its error text, takes the loader lock and binds to `GLIBC_2.34`; this file needs none of that: it walks the
//! loader's public list (`_r_debug.r_map`, symbol version `GLIBC_2.2.5`) and reads the hash tables of the objects as the loader does.
//!
//! Called by `next` and `boot` at start-up, by `unwind` for weak symbols and for its list of modules, by `process`; never on a sampled path.
//! It does not allocate, lock, or panic.
//!
//! Assumes glibc: the five public fields of `struct link_map` (`<link.h>`), and a dynamic section whose addresses are relocated in place,
//! except where the section is read-only (the vdso).
//!
//! # Safety
//! An object can vanish while it is read: `dlclose` in another thread unlinks and unmaps it. Who calls before the program's first thread
//! exists is safe. Later callers look only at objects that are never closed (libc, the loader, the program, what was preloaded), or run
//! inside the hook of `dlclose` itself. The walk survives a list that changes under it (nodes are probed, their back links compared); the
//! tables of an object that is unmapped during the look-up are not. During the start a page of the list is probed once ([`Start`]).
//!
//! Source: System V ABI (gABI) chapter 5, `elf/dl-lookup.c` and `elf/link.h` of glibc 2.36 for `DT_GNU_HASH` and the version bits.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicUsize};

use libc::{Elf64_Ehdr, Elf64_Phdr, Elf64_Sym};

use crate::platform::sys;

/// Public head of glibc's `struct link_map`.
#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const c_char,
    dynamic: *const Dyn,
    next: *const LinkMap,
    prev: *const LinkMap,
}

/// Public head of `struct r_debug`.
#[repr(C)]
struct RDebug {
    version: i32,
    map: *const LinkMap,
}

/// One entry of a dynamic section.
#[repr(C)]
struct Dyn {
    tag: i64,
    value: usize,
}

unsafe extern "C" {
    /// Written by the loader alone, before the first constructor runs and around every `dlopen` and `dlclose`.
    static _r_debug: RDebug;
    /// The dynamic section of the object this code was linked into; defined by the linker.
    static _DYNAMIC: Dyn;
}

const DT_HASH: i64 = 4;
const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_STRSZ: i64 = 10;
const DT_GNU_HASH: i64 = 0x6fff_fef5;
const DT_VERSYM: i64 = 0x6fff_fff0;
const STT_TLS: u8 = 6;
const STT_GNU_IFUNC: u8 = 10;
const SHN_UNDEF: u16 = 0;
const SHN_ABS: u16 = 0xfff1;
const VERSION_HIDDEN: u16 = 0x8000;
/// More objects than any program loads, more symbols than one bucket holds, more entries than a dynamic section has: what is longer is damaged.
const MOST_OBJECTS: usize = 1 << 16;
const MOST_CHAIN: usize = 1 << 16;
const MOST_DYNAMIC: usize = 1 << 10;
/// Program headers are looked for this far into a file: 71 of them fit, where linkers make a dozen.
const FIRST_PAGE: usize = 4096;

/// A loaded object: a copy of what the loader publishes about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Object {
    base: usize,
    dynamic: *const Dyn,
    name: *const c_char,
}

/// A defined symbol of a loaded object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Where it is. Of an indirect function: what its resolver answered.
    pub addr: usize,
    /// Whether the address came from a resolver.
    pub is_ifunc: bool,
    /// Size in bytes as the symbol table states it; 0 where it does not.
    pub size: usize,
}

/// While it lives, a page of the loader's list is asked for once, not at each of a dozen walks.
pub struct Start(());

/// Is there a [`Start`]? Written by it. Relaxed, as the next: what a page was found to be stands for itself.
static STARTING: AtomicBool = AtomicBool::new(false);

/// Pages that were found readable meanwhile; 0: none. Written by [`is_readable`] and, at its end, [`Start`].
static READABLE: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

impl Start {
    /// For the constructor, on the program's first thread.
    pub fn begin() -> Start {
        STARTING.store(true, Relaxed);
        Start(())
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        STARTING.store(false, Relaxed);
        for page in &READABLE {
            page.store(0, Relaxed);
        }
    }
}

fn is_readable(at: usize) -> bool {
    if !STARTING.load(Relaxed) {
        return sys::readable(at & !7);
    }
    let page = at & !(sys::PAGE - 1);
    let is_known = READABLE.iter().any(|known| known.load(Relaxed) == page);
    let is_readable = is_known || sys::readable(at & !7);
    if is_readable
        && !is_known
        && let Some(free) = READABLE.iter().find(|known| known.load(Relaxed) == 0)
    {
        free.store(page, Relaxed);
    }
    is_readable
}

/// The objects of the loader's list, in its order: the program, what was preloaded, the rest.
pub fn all() -> impl Iterator<Item = Object> {
    // SAFETY: `_r_debug` is defined by ld.so and filled in before any constructor runs; the pointer is read once.
    let first = unsafe { ptr::read_volatile(&raw const _r_debug.map) };
    Objects {
        next: first,
        prev: ptr::null(),
        left: MOST_OBJECTS,
        page: 0,
    }
}

/// The object this code is part of.
pub fn own() -> Option<Object> {
    all().find(Object::is_own)
}

/// The objects that stand behind ours in the loader's order (what `RTLD_NEXT` searches).
pub fn objects_after_own() -> impl Iterator<Item = Object> {
    all().skip_while(|object| !object.is_own()).skip(1)
}

/// The object behind a node of the loader's list.
///
/// # Safety
/// `map` is the `struct link_map` of an object that is not being closed.
pub unsafe fn object_of(map: *const usize) -> Object {
    // SAFETY: as the caller promises.
    let map = unsafe { ptr::read_volatile(map.cast::<LinkMap>()) };
    Object {
        base: map.base,
        dynamic: map.dynamic,
        name: map.name,
    }
}

/// The object one of whose segments holds `addr`.
pub fn find_by_address(addr: usize) -> Option<Object> {
    all().find(|object| object.contains(addr))
}

/// The first definition of `name` behind ourselves or, where nothing stands there, before us. Ours is never the answer.
pub fn next_symbol(name: &[u8]) -> Option<(Symbol, Object)> {
    let name = Name::new(name);
    let find = |object: Object| Some((object.table()?.symbol(name)?, object));
    let before = || all().take_while(|object| !object.is_own()).find_map(find);
    objects_after_own().find_map(find).or_else(before)
}

/// A definition of `name` outside ourselves, found under the loader's own lock: for cold paths that
/// may run while another thread closes libraries. The lock may be held by a thread that waits for
/// the caller's: not to be called but where the alternative is worse.
pub fn symbol_under_lock(name: &[u8]) -> Option<usize> {
    let mut search = Search { name, found: None };
    // SAFETY: `visit` takes what dl_iterate_phdr(3) hands it, and `search` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
    search.found
}

struct Search<'a> {
    name: &'a [u8],
    found: Option<usize>,
}

unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    search: *mut c_void,
) -> c_int {
    // SAFETY: `symbol_under_lock` passes its variable, and the loader one object after the other,
    // with its headers, which stand while its lock is held.
    let (search, info, segments) = unsafe {
        let info = &*info;
        let segments = core::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum));
        (&mut *search.cast::<Search<'_>>(), info, segments)
    };
    let base = info.dlpi_addr as usize;
    let dynamic = segments
        .iter()
        .find(|segment| segment.p_type == libc::PT_DYNAMIC);
    let object = dynamic.map(|segment| Object {
        base,
        dynamic: base.wrapping_add(segment.p_vaddr as usize) as *const Dyn,
        name: info.dlpi_name,
    });
    search.found = object
        .filter(|object| !object.is_own())
        .and_then(|object| object.symbol(search.name))
        .map(|symbol| symbol.addr);
    c_int::from(search.found.is_some())
}

struct Objects {
    next: *const LinkMap,
    prev: *const LinkMap,
    left: usize,
    /// The last one that was found readable.
    page: usize,
}

impl Iterator for Objects {
    type Item = Object;

    fn next(&mut self) -> Option<Object> {
        let node = self.next;
        if node.is_null() || !node.is_aligned() || self.left == 0 {
            return None;
        }
        let last_byte = (node as usize).checked_add(size_of::<LinkMap>() - 1)?;
        // Each page is asked for once: neighbours in the list are often neighbours in memory.
        for at in [node as usize, last_byte] {
            if at / sys::PAGE != self.page && !is_readable(at) {
                return None;
            }
            self.page = at / sys::PAGE;
        }
        // SAFETY: the pages of the node were just found readable; every bit pattern is a valid `LinkMap`. A node freed meanwhile by
        // `dlclose` shows by its back link.
        let map = unsafe { ptr::read_volatile(node) };
        if map.prev != self.prev {
            return None;
        }
        self.prev = node;
        self.next = map.next;
        self.left -= 1;
        Some(Object {
            base: map.base,
            dynamic: map.dynamic,
            name: map.name,
        })
    }
}

impl Object {
    /// What has to be added to the addresses stated in the file.
    pub fn base(&self) -> usize {
        self.base
    }

    /// The path the loader opened; empty for the program itself.
    pub fn name(&self) -> &[u8] {
        if self.name.is_null() {
            return &[];
        }
        // SAFETY: the loader's names are NUL-terminated strings that live as long as the object (head of this file).
        unsafe { CStr::from_ptr(self.name) }.to_bytes()
    }

    /// The definition of `name`, its default version if there are several. The resolver of an indirect function is called, so its object
    /// must be relocated already: true of everything once the constructors run.
    pub fn symbol(&self, name: &[u8]) -> Option<Symbol> {
        self.table()?.symbol(Name::new(name))
    }

    fn symbol_of(&self, symbol: &Elf64_Sym) -> Option<Symbol> {
        let value = usize::try_from(symbol.st_value).ok()?;
        let stated = if symbol.st_shndx == SHN_ABS {
            value
        } else {
            self.base.wrapping_add(value)
        };
        let is_ifunc = symbol.st_info & 0xf == STT_GNU_IFUNC;
        let addr = if is_ifunc { resolve(stated) } else { stated };
        Some(Symbol {
            addr,
            is_ifunc,
            size: usize::try_from(symbol.st_size).ok()?,
        })
    }

    /// Whether one of the object's loaded segments holds `addr`.
    pub fn contains(&self, addr: usize) -> bool {
        self.program_headers().iter().any(|segment| {
            let offset = (addr.wrapping_sub(self.base) as u64).wrapping_sub(segment.p_vaddr);
            segment.p_type == libc::PT_LOAD && offset < segment.p_memsz
        })
    }

    /// The object's program headers; empty where they cannot be found (a prelinked library that is not linked at 0).
    pub fn program_headers(&self) -> &[Elf64_Phdr] {
        program_headers(self.base)
    }

    /// Tag, value and, where the value is one, address of each entry of the object's dynamic section.
    fn dynamic_entries(&self) -> impl Iterator<Item = (i64, usize, usize)> {
        let most = if self.dynamic.is_null() {
            0
        } else {
            MOST_DYNAMIC
        };
        let entries = (0..most).map(|index| {
            // SAFETY: a dynamic section ends with a zero tag, at which the iteration ends; it is mapped while its object is.
            unsafe { &*self.dynamic.add(index) }
        });
        entries.take_while(|entry| entry.tag != 0).map(|entry| {
            // The loader relocates these in place, unless the section is read-only: then the value is still an offset.
            let address = if entry.value < self.base {
                self.base.wrapping_add(entry.value)
            } else {
                entry.value
            };
            (entry.tag, entry.value, address)
        })
    }

    fn is_own(&self) -> bool {
        ptr::eq(self.dynamic, &raw const _DYNAMIC)
    }
}

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

/// The same without asking the kernel whether there is memory at `base`.
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
    let end = (header.e_phoff as usize).checked_add(length)?;
    let first = base.checked_add(header.e_phoff as usize)? as *const Elf64_Phdr;
    if !is_elf || !first.is_aligned() || end > FIRST_PAGE {
        return None;
    }
    // SAFETY: linkers put the program headers behind the ELF header, and these end on the same page.
    Some(unsafe { core::slice::from_raw_parts(first, usize::from(header.e_phnum)) })
}

/// A program that is not position-independent has base 0; the kernel tells where its headers are.
fn program_headers_of_program() -> &'static [Elf64_Phdr] {
    // SAFETY: getauxval reads a vector the kernel laid down at exec; it has no precondition. GLIBC_2.16.
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

/// Calls the resolver of an indirect function.
fn resolve(resolver: usize) -> usize {
    // SAFETY: a defined STT_GNU_IFUNC symbol of a loaded object is a function without arguments that returns an address (x86-64 psABI).
    unsafe {
        let resolver: extern "C" fn() -> usize = core::mem::transmute(resolver);
        resolver()
    }
}

/// The tables of one object that a look-up reads.
struct Tables {
    symbols: *const Elf64_Sym,
    strings: *const u8,
    strings_len: usize,
    versions: *const u16,
    gnu_hash: Option<GnuHash>,
    hash: *const u32,
}

/// The parts of a `DT_GNU_HASH` table.
#[derive(Clone, Copy)]
struct GnuHash {
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
    fn at(table: *const u32) -> Option<GnuHash> {
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
    fn may_have(&self, hash: u32) -> bool {
        let at = (hash / u64::BITS) & self.mask;
        // SAFETY: one of the filter's words.
        let word = unsafe { self.filter.add(at as usize).read_unaligned() };
        let second = hash.wrapping_shr(self.shift);
        (word >> (hash % u64::BITS)) & (word >> (second % u64::BITS)) & 1 != 0
    }

    /// Shows the symbols of this hash, until `see` has an answer.
    fn walk<T>(&self, hash: u32, see: &mut impl FnMut(usize) -> Option<T>) -> Option<T> {
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

impl Tables {
    fn read(object: &Object) -> Option<Tables> {
        let mut tables = Tables {
            symbols: ptr::null(),
            strings: ptr::null(),
            strings_len: 0,
            versions: ptr::null(),
            gnu_hash: None,
            hash: ptr::null(),
        };
        for (tag, value, address) in object.dynamic_entries() {
            match tag {
                DT_SYMTAB => tables.symbols = address as *const Elf64_Sym,
                DT_STRTAB => tables.strings = address as *const u8,
                DT_STRSZ => tables.strings_len = value,
                DT_VERSYM => tables.versions = address as *const u16,
                DT_GNU_HASH => tables.gnu_hash = GnuHash::at(address as *const u32),
                DT_HASH => tables.hash = address as *const u32,
                _ => {}
            }
        }
        (!tables.symbols.is_null() && !tables.strings.is_null()).then_some(tables)
    }

    /// False: no symbol with this hash, by [`gnu_hash`], is here.
    #[inline(always)]
    fn may_have(&self, hash: u32) -> bool {
        self.gnu_hash.is_none_or(|table| table.may_have(hash))
    }

    /// `hash` is the name's by [`gnu_hash`].
    fn lookup(&self, name: &[u8], hash: u32) -> Option<&Elf64_Sym> {
        let mut best = Best {
            tables: self,
            name,
            any: None,
        };
        // Source of the first: glibc `elf/dl-lookup.c`, `do_lookup_x`.
        let default = if let Some(table) = &self.gnu_hash {
            table.walk(hash, &mut |index| best.offer(index))
        } else if !self.hash.is_null() {
            self.walk_hash(sysv_hash(name), &mut best)
        } else {
            None
        };
        default.or(best.any)
    }

    /// Source: gABI, "Hash Table".
    fn walk_hash<'a>(&'a self, hash: u32, best: &mut Best<'a, '_>) -> Option<&'a Elf64_Sym> {
        // SAFETY: DT_HASH begins with the numbers of buckets and of symbols.
        let (buckets, symbols) = unsafe { (*self.hash, *self.hash.add(1)) };
        if buckets == 0 {
            return None;
        }
        // SAFETY: the buckets follow the two numbers; the index is below their number.
        let mut index = unsafe { *self.hash.add(2 + (hash % buckets) as usize) };
        for _ in 0..MOST_CHAIN {
            if index == 0 || index >= symbols {
                break;
            }
            if let Some(found) = best.offer(index as usize) {
                return Some(found);
            }
            // SAFETY: one chain word per symbol follows the buckets; `index` is below the number of symbols.
            index = unsafe { *self.hash.add(2 + buckets as usize + index as usize) };
        }
        None
    }

    fn is_named(&self, symbol: &Elf64_Sym, name: &[u8]) -> bool {
        let start = symbol.st_name as usize;
        if start.saturating_add(name.len()) >= self.strings_len {
            return false;
        }
        // SAFETY: the name and its NUL lie within DT_STRSZ bytes of the string table.
        let stored =
            unsafe { core::slice::from_raw_parts(self.strings.add(start), name.len() + 1) };
        stored.split_last() == Some((&0, name))
    }
}

/// The choice between several definitions of one name.
struct Best<'a, 'n> {
    tables: &'a Tables,
    name: &'n [u8],
    /// The first that only a program linked long ago would bind to.
    any: Option<&'a Elf64_Sym>,
}

impl<'a> Best<'a, '_> {
    /// Looks at the symbol `index`; the answer is the symbol if the search is over.
    fn offer(&mut self, index: usize) -> Option<&'a Elf64_Sym> {
        // SAFETY: the hash tables only hold indices of the symbol table.
        let symbol = unsafe { &*self.tables.symbols.add(index) };
        let kind = symbol.st_info & 0xf;
        if symbol.st_shndx == SHN_UNDEF
            || kind == STT_TLS
            || !self.tables.is_named(symbol, self.name)
        {
            return None;
        }
        // SAFETY: DT_VERSYM runs parallel to the symbol table.
        let is_hidden = !self.tables.versions.is_null()
            && unsafe { *self.tables.versions.add(index) } & VERSION_HIDDEN != 0;
        if is_hidden {
            self.any = self.any.or(Some(symbol));
            return None;
        }
        Some(symbol)
    }
}

/// The hash of `DT_GNU_HASH`.
pub const fn gnu_hash(mut name: &[u8]) -> u32 {
    let mut hash: u32 = 5381;
    while let [byte, rest @ ..] = name {
        hash = hash.wrapping_mul(33).wrapping_add(*byte as u32);
        name = rest;
    }
    hash
}

fn sysv_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, byte| {
        let sum = (hash << 4).wrapping_add(u32::from(*byte));
        let high = sum & 0xf000_0000;
        (sum ^ (high >> 24)) & !high
    })
}

mod many;
mod slots;

pub use many::{Name, Place, Table, for_each_but_own};
pub use slots::{Kind, Slot};

#[cfg(test)]
mod tests;
