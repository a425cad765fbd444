//! The words of an object that the loader fills with addresses of symbols, and the names in its
//! symbol table. For the start.
//!
//! # Safety
//! As `elf`: the object is not closed meanwhile.
//!
//! Source: System V ABI (gABI) chapter 5 and the psABI of the architecture, table of relocations.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char};
use core::ptr::NonNull;

use libc::{Elf64_Rela, Elf64_Sym};

use super::object::Object;
use super::symbols::{Tables, gnu_hash};

const DT_PLTRELSZ: i64 = 2;
const DT_RELA: i64 = 7;
const DT_RELASZ: i64 = 8;
const DT_JMPREL: i64 = 23;

#[cfg(target_arch = "x86_64")]
const ABSOLUTE: u32 = 1;
#[cfg(target_arch = "x86_64")]
const GLOBAL: u32 = 6;
#[cfg(target_arch = "x86_64")]
const JUMP: u32 = 7;
#[cfg(target_arch = "aarch64")]
const ABSOLUTE: u32 = 257;
#[cfg(target_arch = "aarch64")]
const GLOBAL: u32 = 1025;
#[cfg(target_arch = "aarch64")]
const JUMP: u32 = 1026;

/// How a slot is filled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// When the object is loaded.
    Eager,
    /// When the object is loaded, or at the first call through it. Until then it leads to the code
    /// that looks the symbol up.
    Jump,
}

/// A word that holds the address of a symbol.
pub struct Slot<'a> {
    /// Where it is.
    pub address: NonNull<usize>,
    /// How it is filled.
    pub kind: Kind,
    symbol: u32,
    tables: &'a Tables,
}

impl Slot<'_> {
    /// The name of the symbol.
    pub fn name(&self) -> &[u8] {
        // SAFETY: relocations refer to symbols of the object's table, and each symbol to a string;
        // both exist as long as the object.
        unsafe {
            let symbol = &*self.tables.symbols.add(self.symbol as usize);
            let name = self.tables.strings.add(symbol.st_name as usize);
            CStr::from_ptr(name.cast::<c_char>()).to_bytes()
        }
    }
}

/// A table of relocations.
#[derive(Clone, Copy, Default)]
struct Part {
    address: usize,
    bytes: usize,
}

impl Object {
    /// Shows every word of this object that holds the address of a symbol.
    pub fn for_each_slot(&self, see: &mut dyn FnMut(&Slot<'_>)) {
        let Some(tables) = Tables::read(self) else {
            return;
        };
        let (mut data, mut jumps) = (Part::default(), Part::default());
        for (tag, value, address) in self.dynamic_entries() {
            match tag {
                DT_RELA => data.address = address,
                DT_RELASZ => data.bytes = value,
                DT_JMPREL => jumps.address = address,
                DT_PLTRELSZ => jumps.bytes = value,
                _ => {}
            }
        }
        for part in [data, jumps] {
            for relocation in part.relocations() {
                let kind = match relocation.r_info as u32 {
                    ABSOLUTE | GLOBAL => Kind::Eager,
                    JUMP => Kind::Jump,
                    _ => continue,
                };
                let address = self.base.wrapping_add(relocation.r_offset as usize) as *mut usize;
                let Some(address) = NonNull::new(address).filter(|address| address.is_aligned())
                else {
                    continue;
                };
                if relocation.r_addend == 0 {
                    see(&Slot {
                        address,
                        kind,
                        symbol: (relocation.r_info >> 32) as u32,
                        tables: &tables,
                    });
                }
            }
        }
    }

    /// The address of the string by which this object's symbol table refers to its symbol `name`.
    pub fn name_of_symbol(&self, name: &[u8]) -> Option<NonNull<u8>> {
        let tables = Tables::read(self)?;
        let symbol: &Elf64_Sym = tables.lookup(name, gnu_hash(name))?;
        // SAFETY: `lookup` found the name there.
        NonNull::new(unsafe { tables.strings.add(symbol.st_name as usize) }.cast_mut())
    }
}

impl Part {
    fn relocations(&self) -> &[Elf64_Rela] {
        let first = self.address as *const Elf64_Rela;
        if first.is_null() || !first.is_aligned() {
            return &[];
        }
        // SAFETY: the dynamic section states where the table is and how long; it is mapped while
        // its object is, and never written.
        unsafe { core::slice::from_raw_parts(first, self.bytes / size_of::<Elf64_Rela>()) }
    }
}
