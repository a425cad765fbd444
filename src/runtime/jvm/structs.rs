//! The tables in which HotSpot describes itself: which field of which of its classes is where.
//!
//! Read once per JVM. The tables (`gHotSpotVMStructs` and similar ones) are exported for the
//! serviceability agent, and further symbols tell how their rows are laid out. So nothing is
//! assumed here. Source: `vmStructs.hpp` of OpenJDK 11 to 25.

use crate::platform::elf::Object;
use crate::runtime::memory::Memory;

/// Longest name that is of interest.
const NAME: usize = 96;

/// More rows than any JVM has.
const MOST: usize = 1 << 14;

/// Where a field is: its offset in its class, or the address of a static field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Offset or address.
    pub at: u64,
    /// Its size in bytes, by the name of its type.
    pub width: u8,
}

/// Takes the name of an entry and the address of its value; `None` ends the table.
type Row<'a> = dyn FnMut(&mut Memory, &[u8], u64) -> Option<()> + 'a;

/// The tables of one JVM.
pub struct Tables<'a> {
    library: Object,
    memory: &'a mut Memory,
}

impl Tables<'_> {
    /// The tables of `library`, if it has any.
    pub fn of(library: Object, memory: &mut Memory) -> Option<Tables<'_>> {
        library.symbol(b"gHotSpotVMStructs")?;
        Some(Tables { library, memory })
    }

    /// The word that a symbol names.
    fn global(&mut self, name: &[u8]) -> Option<u64> {
        let at = self.library.symbol(name)?.addr;
        self.memory.word(at as u64)
    }

    /// A static field of 32 bits.
    pub fn value(&mut self, at: u64) -> Option<u32> {
        self.memory.half(at)
    }

    /// Passes class, field and place of every field to `row`.
    pub fn fields(&mut self, row: &mut dyn FnMut([&[u8]; 2], Place)) -> Option<()> {
        let first = self.global(b"gHotSpotVMStructs")?;
        let stride = self.global(b"gHotSpotVMStructEntryArrayStride")?;
        let class_at = self.global(b"gHotSpotVMStructEntryTypeNameOffset")?;
        let field_at = self.global(b"gHotSpotVMStructEntryFieldNameOffset")?;
        let type_at = self.global(b"gHotSpotVMStructEntryTypeStringOffset")?;
        let static_at = self.global(b"gHotSpotVMStructEntryIsStaticOffset")?;
        let offset_at = self.global(b"gHotSpotVMStructEntryOffsetOffset")?;
        let address_at = self.global(b"gHotSpotVMStructEntryAddressOffset")?;
        let (mut class, mut field, mut kind) = ([0; NAME], [0; NAME], [0; NAME]);
        for at in (0..MOST).map(|index| first.wrapping_add(index as u64 * stride)) {
            let name = self.memory.word(at.wrapping_add(class_at))?;
            if name == 0 {
                return Some(());
            }
            let class = self.memory.string(name, &mut class)?;
            let name = self.memory.word(at.wrapping_add(field_at))?;
            let field = self.memory.string(name, &mut field)?;
            let name = self.memory.word(at.wrapping_add(type_at))?;
            let kind = match name {
                0 => &[],
                _ => self.memory.string(name, &mut kind)?,
            };
            let is_static = self.memory.half(at.wrapping_add(static_at))? != 0;
            let value = if is_static { address_at } else { offset_at };
            let place = Place {
                at: self.memory.word(at.wrapping_add(value))?,
                width: width(kind),
            };
            row([class, field], place);
        }
        None
    }

    /// Passes name and size of every class to `row`.
    pub fn types(&mut self, row: &mut dyn FnMut(&[u8], u64)) -> Option<()> {
        let symbols: [&[u8]; 4] = [
            b"gHotSpotVMTypes",
            b"gHotSpotVMTypeEntryArrayStride",
            b"gHotSpotVMTypeEntryTypeNameOffset",
            b"gHotSpotVMTypeEntrySizeOffset",
        ];
        self.table(symbols, &mut |memory, name, size_at| {
            row(name, memory.word(size_at)?);
            Some(())
        })
    }

    /// Passes name and value of every constant to `row`.
    pub fn constants(&mut self, row: &mut dyn FnMut(&[u8], i32)) -> Option<()> {
        let symbols: [&[u8]; 4] = [
            b"gHotSpotVMIntConstants",
            b"gHotSpotVMIntConstantEntryArrayStride",
            b"gHotSpotVMIntConstantEntryNameOffset",
            b"gHotSpotVMIntConstantEntryValueOffset",
        ];
        self.table(symbols, &mut |memory, name, value_at| {
            row(name, memory.half(value_at)? as i32);
            Some(())
        })
    }

    /// A table whose first entry, stride, and offsets of name and value are in these symbols.
    /// Passes the name of every entry, and the address of its value, to `row`.
    fn table(&mut self, symbols: [&[u8]; 4], row: &mut Row<'_>) -> Option<()> {
        let [first, stride, name_at, value_at] = symbols;
        let (first, stride) = (self.global(first)?, self.global(stride)?);
        let (name_at, value_at) = (self.global(name_at)?, self.global(value_at)?);
        let mut name = [0; NAME];
        for at in (0..MOST).map(|index| first.wrapping_add(index as u64 * stride)) {
            let text = self.memory.word(at.wrapping_add(name_at))?;
            if text == 0 {
                return Some(());
            }
            let name = self.memory.string(text, &mut name)?;
            row(self.memory, name, at.wrapping_add(value_at))?;
        }
        None
    }
}

/// The size of a type by its name; a type that is not known by name is a pointer or as large as
/// one.
fn width(kind: &[u8]) -> u8 {
    match kind.strip_prefix(b"const ").unwrap_or(kind) {
        b"int" | b"uint" | b"jint" | b"juint" | b"u4" | b"int32_t" | b"uint32_t" | b"CompLevel"
        | b"unsigned int" => 4,
        b"u2" | b"short" | b"unsigned short" | b"jushort" | b"uint16_t" | b"int16_t" => 2,
        b"u1" | b"bool" | b"jbyte" | b"uint8_t" | b"CodeBlobKind" => 1,
        _ => 8,
    }
}
