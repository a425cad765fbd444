//! The name of a method, its class, source file and line, copied while the method is on the stack.
//!
//! Asked for each Java frame. `Method` leads to its constant part, the constant part leads to the
//! constant pool, and both lead to the symbols; the line table follows the bytecodes. If the parts
//! do not fit together (a wild pointer), the method has no name, and the walk ends.
//!
//! Sources: OpenJDK `constMethod.hpp` (the order of its variable parts), `method.cpp`
//! (`line_number_from_bci`), `symbol.hpp`.

use super::class_name::without_numbers;
use super::code::{Stream, bias, number};
use super::layout::{Layout, Source};
use crate::runtime::memory::Memory;
use crate::table::frame_table::{FRAMES, Kind};

/// Longest name that is kept.
const LONGEST: usize = 512;

/// No line table of a method has more pairs.
const MOST_LINES: usize = 1 << 16;

/// Room for the names of one frame, in the thread's block.
pub struct Names {
    class: [u8; LONGEST],
    name: [u8; LONGEST],
    file: [u8; LONGEST],
}

impl Names {
    /// Empty.
    pub const fn new() -> Names {
        Names {
            class: [0; LONGEST],
            name: [0; LONGEST],
            file: [0; LONGEST],
        }
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a frame is in its method.
#[derive(Clone, Copy, Debug)]
pub enum Position {
    /// At the bytecode of this index.
    Index(u32),
    /// At the bytecode of this address.
    Address(u64),
    /// At no bytecode: in a native method, or in code behind the code of the bytecodes.
    None,
}

/// A method while it is read: what its constant part leads to.
struct Parts {
    constant: u64,
    pool: u64,
    holder: u64,
}

/// The pseudo-address of a frame of `method`. The outer `None`: this is no method. The inner
/// `None`: there is no room for the name.
pub fn frame(
    layout: &Layout,
    memory: &mut Memory,
    names: &mut Names,
    method: u64,
    position: Position,
) -> Option<Option<u64>> {
    let parts = Parts::of(layout, memory, method)?;
    let klass = memory.word(parts.holder.checked_add(layout.klass_name)?)?;
    let class = symbol(layout, memory, klass, &mut names.class)?;
    let name = memory.quarter(parts.constant.checked_add(layout.name_index)?)?;
    let name = pooled(layout, memory, &parts, name, &mut names.name)?;
    if class.is_empty() || name.is_empty() {
        return None;
    }
    let line = line(layout, memory, &parts, position).unwrap_or(0);
    let file = source(layout, memory, &parts, &mut names.file).unwrap_or_default();
    let class = java_name(class);
    Some(FRAMES.intern(Kind::Java, class, name, file, line))
}

impl Parts {
    fn of(layout: &Layout, memory: &mut Memory, method: u64) -> Option<Parts> {
        let constant = memory.word(method.checked_add(layout.const_method)?)?;
        let pool = memory.word(constant.checked_add(layout.constants)?)?;
        let holder = memory.word(pool.checked_add(layout.pool_holder)?)?;
        Some(Parts {
            constant,
            pool,
            holder,
        })
    }

    /// Where the constant of this index is.
    fn slot(&self, layout: &Layout, index: u16) -> Option<u64> {
        let slot = layout.pool_size.wrapping_add(8 * u64::from(index));
        self.pool.checked_add(slot)
    }
}

/// Whether two methods are versions of one method: a class that was redefined keeps the old version
/// of a method while that runs. Symbols are interned, so both versions have the symbols of class,
/// name and signature in common.
pub(super) fn are_versions(layout: &Layout, memory: &mut Memory, one: u64, other: u64) -> bool {
    let mut symbols = |method| {
        let parts = Parts::of(layout, memory, method)?;
        let mut pooled = |offset: u64| {
            let index = memory.quarter(parts.constant.checked_add(offset)?)?;
            memory.word(parts.slot(layout, index)?)
        };
        let name = pooled(layout.name_index)?;
        let signature = pooled(layout.fields.signature_index?.at)?;
        let class = memory.word(parts.holder.checked_add(layout.klass_name)?)?;
        Some((class, name, signature))
    };
    symbols(one).is_some_and(|known| symbols(other) == Some(known))
}

fn symbol<'a>(
    layout: &Layout,
    memory: &mut Memory,
    at: u64,
    to: &'a mut [u8; LONGEST],
) -> Option<&'a mut [u8]> {
    let length = memory.quarter(at.checked_add(layout.symbol_length)?)?;
    let to = to.get_mut(..usize::from(length).min(LONGEST))?;
    if !to.is_empty() {
        memory.copy(at.checked_add(layout.symbol_body)?, to)?;
    }
    Some(to)
}

/// A symbol of the constant pool, whose slots follow its head.
fn pooled<'a>(
    layout: &Layout,
    memory: &mut Memory,
    parts: &Parts,
    index: u16,
    to: &'a mut [u8; LONGEST],
) -> Option<&'a [u8]> {
    let at = memory.word(parts.slot(layout, index)?)?;
    symbol(layout, memory, at, to).map(|text| &*text)
}

fn source<'a>(
    layout: &Layout,
    memory: &mut Memory,
    parts: &Parts,
    to: &'a mut [u8; LONGEST],
) -> Option<&'a [u8]> {
    let at = match layout.source {
        Source::ConstantPool(offset) => parts.pool.checked_add(offset)?,
        Source::InstanceKlass(offset) => parts.holder.checked_add(offset)?,
    };
    let index = memory.quarter(at).filter(|index| *index != 0)?;
    pooled(layout, memory, parts, index, to)
}

/// The line of a bytecode: that of the last pair in the table that is not after the bytecode.
fn line(layout: &Layout, memory: &mut Memory, parts: &Parts, position: Position) -> Option<u32> {
    let code = parts.constant.checked_add(layout.const_method_size)?;
    let size = memory.quarter(parts.constant.checked_add(layout.code_size)?)?;
    let index = match position {
        Position::None => return None,
        Position::Index(index) => index,
        Position::Address(at) => u32::try_from(at.checked_sub(code)?).ok()?,
    };
    let at = parts.constant.checked_add(layout.flags.at)?;
    let flags = number(memory, at, layout.flags.width)?;
    if index >= u32::from(size) || flags & u64::from(layout.has_lines) == 0 {
        return None;
    }
    let mut stream = Stream {
        at: code.checked_add(u64::from(size))?,
        bias: bias(layout),
    };
    let (mut bytecode, mut line, mut best) = (0_i32, 0_i32, None);
    for _ in 0..MOST_LINES {
        match stream.byte(memory)? {
            0 => break,
            0xff => {
                bytecode = bytecode.wrapping_add(stream.next_signed(memory)?);
                line = line.wrapping_add(stream.next_signed(memory)?);
            }
            packed => {
                bytecode = bytecode.wrapping_add(i32::from(packed >> 3));
                line = line.wrapping_add(i32::from(packed & 7));
            }
        }
        let at = u32::try_from(bytecode).ok()?;
        if at <= index && best.is_none_or(|(before, _)| at >= before) {
            best = Some((at, line));
        }
    }
    best.and_then(|(_, line)| u32::try_from(line).ok())
}

/// A class in Java's spelling: dots for slashes, and without the numbers that [`without_numbers`]
/// removes.
pub(super) fn java_name(class: &mut [u8]) -> &[u8] {
    let end = without_numbers(class).len();
    let name = class.get_mut(..end).unwrap_or_default();
    for byte in name.iter_mut().filter(|byte| **byte == b'/') {
        *byte = b'.';
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_javas_and_have_no_address() {
        let name = |class: &str| {
            let mut class = class.as_bytes().to_vec();
            String::from_utf8(java_name(&mut class).to_vec()).expect("UTF-8")
        };
        assert_eq!(name("java/util/zip/Deflater"), "java.util.zip.Deflater");
        assert_eq!(
            name("a/Main$$Lambda$14+0x00007f2a00066840"),
            "a.Main$$Lambda"
        );
        assert_eq!(name("a/Main$$Lambda/0x0000000800c03000"), "a.Main$$Lambda");
        assert_eq!(
            name("java/lang/invoke/LambdaForm$MH.0x00"),
            "java.lang.invoke.LambdaForm$MH"
        );
        for kept in ["a/0xyz", "+0x", "a+0x", "0x12"] {
            assert_eq!(name(kept), kept.replace('/', "."));
        }
    }
}
