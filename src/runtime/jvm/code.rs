//! HotSpot's generated code: which blob holds an address, what its frames look like, and which
//! methods, inlined ones included, are at a return address.
//!
//! Code of a live frame is not freed; all reads go through `Memory` nevertheless.
//!
//! Sources: OpenJDK `codeBlob.hpp`, `heap.cpp` (the segment map), `pcDesc.hpp`, `scopeDesc.cpp`,
//! `compressedStream.hpp` and `unsigned5.hpp`.

use super::layout::{Layout, Parts, Within};
use super::structs::Place;
use crate::runtime::memory::Memory;

/// No JVM has more code heaps.
const MOST_HEAPS: u64 = 16;
/// Longest chain in a segment map.
const MOST_HOPS: usize = 1 << 12;
/// The value of a free segment.
const FREE: u8 = 0xff;
/// Most methods inlined into each other.
pub const MOST_INLINED: usize = 256;
/// No piece of code refers to more methods.
const MOST_METADATA: u64 = 1 << 16;
/// From this version on a packed number has no byte 0.
const WITHOUT_ZERO: u32 = 20;

/// What kind of code it is, by the name of its blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The interpreter.
    Interpreter,
    /// A compiled method, with the methods that are inlined into it.
    Compiled,
    /// The wrapper of a native method.
    Native,
    /// Where a frozen part of a virtual thread's stack would continue.
    Continuation,
    /// Turns a compiled frame into interpreted ones.
    Deoptimization,
    /// Any other.
    Stub,
}

/// A piece of generated code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    at: u64,
    /// What it is.
    pub kind: Kind,
    /// Bytes of its frames; 0 where they have no fixed size.
    pub frame_size: u64,
}

/// A number of 2, 4 or 8 bytes.
pub fn number(memory: &mut Memory, at: u64, width: u8) -> Option<u64> {
    match width {
        1 => memory.byte(at).map(u64::from),
        2 => memory.quarter(at).map(u64::from),
        4 => memory.half(at).map(u64::from),
        _ => memory.word(at),
    }
}

fn field(memory: &mut Memory, object: u64, place: Place) -> Option<u64> {
    number(memory, object.wrapping_add(place.at), place.width)
}

fn within(memory: &mut Memory, blob: u64, place: Within) -> Option<u64> {
    match place {
        Within::Address(at) => memory.word(blob.wrapping_add(at)),
        Within::Offset(place) => Some(blob.wrapping_add(field(memory, blob, place)?)),
    }
}

/// The blob that holds `pc`.
pub fn find(layout: &Layout, memory: &mut Memory, pc: u64) -> Option<Blob> {
    let heaps = memory.word(layout.heaps)?;
    let length = memory.half(heaps.wrapping_add(layout.array_length))?;
    let heaps = memory.word(heaps.wrapping_add(layout.array_data))?;
    for index in 0..u64::from(length).min(MOST_HEAPS) {
        let heap = memory.word(heaps.wrapping_add(8 * index))?;
        let low = memory.word(heap.wrapping_add(layout.heap_low))?;
        let high = memory.word(heap.wrapping_add(layout.heap_high))?;
        if (low..high).contains(&pc) {
            let at = block(layout, memory, heap, pc - low)?.wrapping_add(low);
            return describe(layout, memory, at);
        }
    }
    None
}

/// The offset of the blob in its heap, from the offset of an address in the blob.
fn block(layout: &Layout, memory: &mut Memory, heap: u64, offset: u64) -> Option<u64> {
    let map = memory.word(heap.wrapping_add(layout.heap_segments))?;
    let low = memory.word(heap.wrapping_add(layout.heap_low))?;
    let lg = memory.half(heap.wrapping_add(layout.heap_lg_segment))?;
    let mut segment = offset.checked_shr(lg)?;
    for _ in 0..MOST_HOPS {
        match memory.byte(map.wrapping_add(segment))? {
            FREE => return None,
            0 => {
                let block = segment.checked_shl(lg)?;
                let used = low.wrapping_add(block).wrapping_add(layout.block_used);
                let is_used = memory.byte(used)? != 0;
                return is_used.then(|| block.wrapping_add(layout.block_size));
            }
            back => segment = segment.checked_sub(u64::from(back))?,
        }
    }
    None
}

fn describe(layout: &Layout, memory: &mut Memory, at: u64) -> Option<Blob> {
    let name = memory.word(at.wrapping_add(layout.blob_name))?;
    let mut text = [0; 48];
    let kind = match memory.string(name, &mut text)? {
        b"Interpreter" => Kind::Interpreter,
        b"nmethod" => Kind::Compiled,
        b"native nmethod" => Kind::Native,
        b"DeoptimizationBlob" => Kind::Deoptimization,
        text if text.windows(12).any(|part| part == b"continuation") => Kind::Continuation,
        _ => Kind::Stub,
    };
    let words = field(memory, at, layout.frame_size)?;
    // The field is a signed int; a negative or absurd value means "none".
    let frame_size = if words < 1 << 20 { words * 8 } else { 0 };
    Some(Blob {
        at,
        kind,
        frame_size,
    })
}

impl Blob {
    /// The method that this code was made of.
    pub fn method(&self, layout: &Layout, memory: &mut Memory) -> Option<u64> {
        memory.word(self.at.wrapping_add(layout.method_of_code))
    }

    /// The return address as it was before the frame was marked for deoptimization: the mark
    /// replaces the address. `sp` is the frame's stack pointer.
    pub fn original_pc(&self, layout: &Layout, memory: &mut Memory, pc: u64, sp: u64) -> u64 {
        let Some(place) = layout.original_pc else {
            return pc;
        };
        let mut handlers = layout.deopt.iter().flatten();
        if !handlers.any(|handler| within(memory, self.at, *handler) == Some(pc)) {
            return pc;
        }
        let original =
            field(memory, self.at, place).and_then(|offset| memory.word(sp.wrapping_add(offset)));
        original.unwrap_or(pc)
    }

    /// Whether `pc` is before the section of stubs. C2 has stubs of its own before that, behind
    /// everything that scopes describe.
    pub fn is_main(&self, layout: &Layout, memory: &mut Memory, pc: u64) -> bool {
        let begin = within(memory, self.at, layout.code_begin);
        let stubs = layout.stubs.and_then(|place| field(memory, self.at, place));
        let end = stubs.map(|offset| self.at.wrapping_add(offset));
        let code = begin.zip(end);
        code.is_some_and(|(begin, end)| (begin..end).contains(&pc))
    }

    /// Passes the methods at `pc` and their bytecode indexes to `visit`, innermost first; `visit`
    /// returns whether to go on. The result is whether `pc` itself is described. If it is not, the
    /// methods are those of the next place that is.
    pub fn scopes(
        &self,
        layout: &Layout,
        memory: &mut Memory,
        pc: u64,
        visit: &mut dyn FnMut(&mut Memory, u64, u32) -> bool,
    ) -> Option<bool> {
        let parts = Located::of(layout, memory, self.at)?;
        let begin = within(memory, self.at, layout.code_begin)?;
        let (scope, is_exact) = parts.scope_at(layout, memory, pc.checked_sub(begin)?)?;
        let bias = u32::from(layout.major >= WITHOUT_ZERO);
        let mut scope = u64::from(scope);
        for _ in 0..MOST_INLINED {
            let mut stream = Stream {
                at: parts.scopes.wrapping_add(scope),
                bias,
            };
            let sender = stream.next(memory)?;
            let method = stream.next(memory)?;
            let bytecode = stream.next(memory)?.wrapping_sub(1);
            let method = u64::from(method)
                .checked_sub(1)
                .filter(|index| *index < MOST_METADATA)?;
            let method = memory.word(parts.metadata.wrapping_add(8 * method))?;
            if !visit(memory, method, bytecode) || sender == 0 {
                return Some(is_exact);
            }
            scope = u64::from(sender);
        }
        None
    }
}

/// The addresses of a compiled method's tables.
struct Located {
    pcs: u64,
    pcs_end: u64,
    scopes: u64,
    metadata: u64,
}

impl Located {
    fn of(layout: &Layout, memory: &mut Memory, blob: u64) -> Option<Located> {
        match layout.parts {
            Parts::Whole {
                scopes_begin,
                scopes_pcs,
                pcs_end,
                metadata,
            } => Some(Located {
                pcs: blob.wrapping_add(field(memory, blob, scopes_pcs)?),
                pcs_end: blob.wrapping_add(field(memory, blob, pcs_end)?),
                scopes: memory.word(blob.wrapping_add(scopes_begin))?,
                metadata: blob.wrapping_add(field(memory, blob, metadata)?),
            }),
            Parts::Apart {
                immutable,
                scopes_pcs,
                scopes,
                mutable,
                relocation_size,
            } => {
                let immutable = memory.word(blob.wrapping_add(immutable))?;
                let mutable = memory.word(blob.wrapping_add(mutable))?;
                let scopes = immutable.wrapping_add(field(memory, blob, scopes)?);
                Some(Located {
                    pcs: immutable.wrapping_add(field(memory, blob, scopes_pcs)?),
                    pcs_end: scopes,
                    scopes,
                    metadata: mutable.wrapping_add(field(memory, blob, relocation_size)?),
                })
            }
        }
    }

    /// Where the scope at the code offset `pc` is described, by the first row that is not below it,
    /// and whether that row has exactly this offset.
    fn scope_at(&self, layout: &Layout, memory: &mut Memory, pc: u64) -> Option<(u32, bool)> {
        let pc = i32::try_from(pc).ok()?;
        let rows = self.pcs_end.checked_sub(self.pcs)? / layout.pc_desc_size.max(1);
        let row = |index: u64| self.pcs.wrapping_add(index * layout.pc_desc_size);
        let (mut low, mut high, mut found) = (0, rows, None);
        while low < high {
            let middle = low + (high - low) / 2;
            let offset = memory.half(row(middle).wrapping_add(layout.pc_offset))? as i32;
            if offset < pc {
                low = middle + 1;
            } else {
                (high, found) = (middle, Some(offset));
            }
        }
        let offset = found?;
        let scope = memory.half(row(low).wrapping_add(layout.pc_scope))?;
        (scope != 0).then_some((scope, offset == pc))
    }
}

/// Packed numbers, one after the other (UNSIGNED5): up to five bytes of six bits, of which the last
/// is below 192. Since JDK 20 each byte is one more than its value.
pub struct Stream {
    /// Where the next number begins.
    pub at: u64,
    /// How much each byte is too large.
    pub bias: u32,
}

impl Stream {
    /// The next number.
    pub fn next(&mut self, memory: &mut Memory) -> Option<u32> {
        const LAST_BELOW: u32 = 192;
        let mut sum: u32 = 0;
        for place in 0..5 {
            let byte = u32::from(memory.byte(self.at)?);
            self.at = self.at.wrapping_add(1);
            let digit = byte.checked_sub(self.bias)?;
            sum = sum.wrapping_add(digit.wrapping_shl(6 * place));
            if byte < LAST_BELOW {
                break;
            }
        }
        Some(sum)
    }

    /// The next signed number: the sign is its lowest bit.
    pub fn next_signed(&mut self, memory: &mut Memory) -> Option<i32> {
        let packed = self.next(memory)?;
        Some((packed >> 1) as i32 ^ -((packed & 1) as i32))
    }

    /// The next byte.
    pub fn byte(&mut self, memory: &mut Memory) -> Option<u8> {
        let byte = memory.byte(self.at)?;
        self.at = self.at.wrapping_add(1);
        Some(byte)
    }
}

/// The numbers' bias in this JVM.
pub fn bias(layout: &Layout) -> u32 {
    u32::from(layout.major >= WITHOUT_ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(bytes: &[u8], bias: u32) -> Vec<Option<u32>> {
        let mut memory = Memory::new();
        let mut stream = Stream {
            at: bytes.as_ptr() as u64,
            bias,
        };
        let end = stream.at + bytes.len() as u64;
        std::iter::from_fn(|| (stream.at < end).then(|| stream.next(&mut memory))).collect()
    }

    #[test]
    fn packed_numbers_of_both_kinds() {
        let old = [0, 5, 191, 192, 0, 192, 1, 255, 255, 255, 255, 255];
        let read: Vec<_> = numbers(&old, 0).into_iter().flatten().collect();
        let large = [0, 6, 12, 18, 24]
            .iter()
            .fold(0u32, |sum, shift| sum.wrapping_add(255u32 << shift));
        assert_eq!(read, [0, 5, 191, 192, 256, large]);
        let new = [1, 6, 191, 192, 1, 192, 2];
        let read: Vec<_> = numbers(&new, 1).into_iter().flatten().collect();
        assert_eq!(read, [0, 5, 190, 191, 255]);
        assert_eq!(numbers(&[0], 1), [None], "a byte that cannot be there");
    }

    #[test]
    fn signs_are_the_lowest_bit() {
        let mut memory = Memory::new();
        let bytes = [0_u8, 1, 2, 3, 4];
        let mut stream = Stream {
            at: bytes.as_ptr() as u64,
            bias: 0,
        };
        let read: Vec<_> = (0..5)
            .filter_map(|_| stream.next_signed(&mut memory))
            .collect();
        assert_eq!(read, [0, -1, 1, -2, 2]);
    }
}
