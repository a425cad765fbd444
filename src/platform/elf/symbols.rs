//! The symbol table of one object, looked up by its hash tables as the loader does.
//!
//! # Safety
//! As `elf`: the object is not closed meanwhile.
//!
//! Source: System V ABI (gABI) chapter 5; `elf/dl-lookup.c` of glibc 2.36 for `DT_GNU_HASH` and the
//! version bits.
#![allow(unsafe_code)]

use core::ptr;

use libc::Elf64_Sym;

use super::gnu_hash::{GnuHash, MOST_CHAIN};
use super::object::Object;

const DT_HASH: i64 = 4;
const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_STRSZ: i64 = 10;
const DT_GNU_HASH: i64 = 0x6fff_fef5;
const DT_VERSYM: i64 = 0x6fff_fff0;
const STT_FUNC: u8 = 2;
const STT_TLS: u8 = 6;
const STT_GNU_IFUNC: u8 = 10;
const SHN_UNDEF: u16 = 0;
const SHN_ABS: u16 = 0xfff1;
const VERSION_HIDDEN: u16 = 0x8000;

/// No object exports more.
const MOST_SYMBOLS: usize = 1 << 20;

/// A defined symbol of a loaded object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Where it is. For an indirect function: the address that its resolver returned.
    pub addr: usize,
    /// Whether the address came from a resolver.
    pub is_ifunc: bool,
    /// Size in bytes by the symbol table; 0 where the table has none.
    pub size: usize,
}

impl Object {
    /// The definition of `name`; its default version if there are several. The resolver of an
    /// indirect function is called, so its object must be relocated already. That holds for every
    /// object once the constructors run.
    pub fn symbol(&self, name: &[u8]) -> Option<Symbol> {
        let tables = Tables::read(self)?;
        let hash = gnu_hash(name);
        match tables.may_have(hash) {
            true => self.symbol_of(tables.lookup(name, hash)?),
            false => None,
        }
    }

    /// The name of the function that holds `addr`, by the table of symbols that others may bind to.
    /// Every symbol is looked at: for cold paths. `None` also where the table's end is not known,
    /// because its strings do not follow it.
    pub fn function_at(&self, addr: usize) -> Option<&[u8]> {
        let tables = Tables::read(self)?;
        let bytes = (tables.strings as usize).checked_sub(tables.symbols as usize)?;
        let count = Some(bytes / size_of::<Elf64_Sym>()).filter(|count| *count <= MOST_SYMBOLS)?;
        // SAFETY: linkers put the strings behind the table; the object is loaded, so what lies
        // between its two tables is mapped.
        let symbols = unsafe { core::slice::from_raw_parts(tables.symbols, count) };
        let offset = addr.wrapping_sub(self.base) as u64;
        let found = symbols.iter().find(|symbol| {
            symbol.st_info & 0xf == STT_FUNC
                && symbol.st_shndx != SHN_UNDEF
                && offset.wrapping_sub(symbol.st_value) < symbol.st_size
        })?;
        let start = found.st_name as usize;
        (start < tables.strings_len).then(|| {
            // SAFETY: a terminated name in the table of strings.
            unsafe { core::ffi::CStr::from_ptr(tables.strings.add(start).cast()) }.to_bytes()
        })
    }

    pub(super) fn symbol_of(&self, symbol: &Elf64_Sym) -> Option<Symbol> {
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
}

/// Calls the resolver of an indirect function.
fn resolve(resolver: usize) -> usize {
    // SAFETY: a defined STT_GNU_IFUNC symbol of a loaded object is a function without arguments
    // that returns an address (x86-64 psABI).
    unsafe {
        let resolver: extern "C" fn() -> usize = core::mem::transmute(resolver);
        resolver()
    }
}

/// The tables of one object that a look-up reads.
pub(super) struct Tables {
    pub(super) symbols: *const Elf64_Sym,
    pub(super) strings: *const u8,
    strings_len: usize,
    versions: *const u16,
    pub(super) gnu_hash: Option<GnuHash>,
    pub(super) hash: *const u32,
}

impl Tables {
    pub(super) fn read(object: &Object) -> Option<Tables> {
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
    pub(super) fn may_have(&self, hash: u32) -> bool {
        self.gnu_hash.is_none_or(|table| table.may_have(hash))
    }

    /// `hash` is [`gnu_hash`] of the name.
    pub(super) fn lookup(&self, name: &[u8], hash: u32) -> Option<&Elf64_Sym> {
        let mut best = Best {
            tables: self,
            name,
            any: None,
        };
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
    /// The first hidden version: only a program that was linked long ago would bind to it.
    any: Option<&'a Elf64_Sym>,
}

impl<'a> Best<'a, '_> {
    /// Looks at the symbol `index`; returns the symbol if the search is over.
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

pub(super) fn sysv_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, byte| {
        let sum = (hash << 4).wrapping_add(u32::from(*byte));
        let high = sum & 0xf000_0000;
        (sum ^ (high >> 24)) & !high
    })
}
