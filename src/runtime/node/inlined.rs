//! Which functions an optimizing compiler has put into the code of another one.
//!
//! In optimized code a call of a function leaves no frame; V8 knows it from tables at the code
//! object. They are read when V8 tells of the code (`event`), outside malloc, through the probe. The
//! objects are V8's own and have no public layout, so nothing is believed but what fits together:
//! the code object leads back to the code, the list of inlined functions has the length that its
//! numbers say, and each function leads to code that V8 told of before, which has a name. Where
//! something does not fit, the code has its own name alone.
//!
//! Sources: V8 11.3, 12.4 and 13.6: `code.h`, `deoptimization-data.h`, `source-position.h`,
//! `source-position-table.cc` (two VLQ numbers a row: code offset, position).
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use crate::runtime::memory::Memory;
use crate::table::arena;

/// The most inlined functions of a piece of code.
pub const MOST_INLINED: usize = 64;
/// The most rows of its positions that are kept.
pub const MOST_ROWS: usize = 1024;

/// The most bytes that all tables may use: code that is made anew again and again has some each
/// time.
const MOST_BYTES: u64 = 16 << 20;

/// Bytes used by tables. Any thread that makes one adds.
static USED: AtomicU64 = AtomicU64::new(0);

/// An inlined function: its pseudo-address, and in which other it is inlined (its place plus one), 0:
/// in the code's own function.
#[derive(Clone, Copy, Default)]
pub struct Inlined {
    /// What stands for it in stacks; 0: nothing.
    pub frame: u64,
    /// Into which it is inlined.
    pub caller: u32,
}

/// From this offset on the code is of this inlined function (its place plus one), or of its own: 0.
#[derive(Clone, Copy, Default)]
pub struct Row {
    offset: u32,
    function: u32,
}

/// Room for what is read of one piece of code.
pub struct Room {
    functions: [Inlined; MOST_INLINED],
    rows: [Row; MOST_ROWS],
}

/// A piece of optimized code with inlined functions. In the arena, never freed, never changed.
pub struct Optimized {
    start: u64,
    frame: u64,
    functions: &'static [Inlined],
    rows: &'static [Row],
}

impl Optimized {
    /// The functions at `pc`, innermost first, and the code's own at last.
    pub fn at(&self, pc: u64, found: &mut dyn FnMut(u64)) {
        let offset = pc.wrapping_sub(self.start);
        let row = self.rows.partition_point(|row| u64::from(row.offset) <= offset);
        let row = row.checked_sub(1).and_then(|row| self.rows.get(row));
        let mut function = row.map_or(0, |row| row.function);
        for _ in 0..MOST_INLINED {
            let Some(place) = (function as usize).checked_sub(1) else {
                break;
            };
            let Some(inlined) = self.functions.get(place) else {
                break;
            };
            if inlined.frame != 0 {
                found(inlined.frame);
            }
            function = inlined.caller;
        }
        found(self.frame);
    }

    /// The same code at another place.
    pub fn moved(&self, start: u64) -> Option<&'static Optimized> {
        keep(Optimized {
            start,
            frame: self.frame,
            functions: self.functions,
            rows: self.rows,
        })
    }

    /// What is known of the code at `start`, whose own function is `frame`. `name_of` names the
    /// code that begins at an address. `None`: nothing is inlined, or it does not fit together.
    pub fn read(
        memory: &mut Memory,
        room: &mut Room,
        (start, length): (u64, u64),
        frame: u64,
        name_of: &dyn Fn(u64) -> Option<u64>,
    ) -> Option<&'static Optimized> {
        let objects = Objects::of(memory, start)?;
        let functions = objects.functions(memory, &mut room.functions, name_of)?;
        let rows = objects.rows(memory, &mut room.rows, functions, length)?;
        let functions = copy(room.functions.get(..functions)?)?;
        let rows = copy(room.rows.get(..rows)?)?;
        keep(Optimized {
            start,
            frame,
            functions,
            rows,
        })
    }
}

fn reserve(layout: Layout) -> Option<core::ptr::NonNull<u8>> {
    let bytes = layout.size() as u64;
    if USED.fetch_add(bytes, Relaxed) + bytes > MOST_BYTES {
        USED.fetch_sub(bytes, Relaxed);
        return None;
    }
    arena::alloc(layout)
}

fn keep(optimized: Optimized) -> Option<&'static Optimized> {
    let place = reserve(Layout::new::<Optimized>())?.cast::<Optimized>();
    // SAFETY: fresh memory of the right layout, never freed.
    unsafe {
        place.write(optimized);
        Some(place.as_ref())
    }
}

fn copy<T: Copy>(from: &[T]) -> Option<&'static [T]> {
    let place = reserve(Layout::for_value(from))?.cast::<T>();
    // SAFETY: fresh memory for as many, never freed.
    unsafe {
        place.copy_from_nonoverlapping(core::ptr::NonNull::from(from).cast(), from.len());
        Some(core::slice::from_raw_parts(place.as_ptr(), from.len()))
    }
}

/// The objects at a piece of code.
struct Objects {
    /// Where a code object has the address of its code.
    start_at: u64,
    /// The functions that the code refers to.
    literals: u64,
    /// Where each inlined function is inlined: rows of a position and a place in `literals`.
    inlining: u64,
    inlined: u64,
    positions: u64,
}

/// Words before the code in which the code object may be, and words in it at which it may have the
/// address of the code.
const HEADER: u64 = 9;
const CODE_WORDS: u64 = 12;

/// Where arrays have their length and their elements.
const LENGTH: u64 = 8;
const ELEMENTS: u64 = 16;

/// The object behind a tagged pointer.
fn object(word: u64) -> Option<u64> {
    (word & 3 == 1 && word > 1 << 16 && word < 1 << 47).then(|| word - 1)
}

/// A small integer, which is in the upper half of its word.
fn small(word: u64) -> Option<u64> {
    (word & 0xffff_ffff == 0).then_some(word >> 32)
}

fn field(memory: &mut Memory, object: u64, at: u64) -> Option<u64> {
    memory.word(object.checked_add(at)?)
}

fn pointer(memory: &mut Memory, from: u64, at: u64) -> Option<u64> {
    object(field(memory, from, at)?)
}

fn length(memory: &mut Memory, array: u64) -> Option<u64> {
    small(field(memory, array, LENGTH)?)
}

impl Objects {
    fn of(memory: &mut Memory, start: u64) -> Option<Objects> {
        let (code, start_at) = code_object(memory, start)?;
        // The data of deoptimization and, after it, the positions: from the first word on since V8
        // 12, from the second before.
        let pairs = [(8, 16), (16, 24)];
        pairs.into_iter().find_map(|(data, positions)| {
            let data = pointer(memory, code, data)?;
            let positions = pointer(memory, code, positions)?;
            // Without and with an array of protected literals before the others.
            let places = [(2, 7), (3, 8)];
            places.into_iter().find_map(|(literals, inlining)| {
                let mut element = |number: u64| pointer(memory, data, ELEMENTS + 8 * number);
                let (translations, literals) = (element(0)?, element(literals)?);
                let inlining = element(inlining)?;
                let is_same_kind = memory.word(translations)? == memory.word(inlining)?;
                let bytes = length(memory, inlining)?;
                let fits = is_same_kind && bytes != 0 && bytes.is_multiple_of(INLINING);
                let inlined = bytes / INLINING;
                (fits && inlined <= MOST_INLINED as u64).then_some(Objects {
                    start_at,
                    literals,
                    inlining,
                    inlined,
                    positions,
                })
            })
        })
    }

    /// Reads the inlined functions; returns how many there are.
    fn functions(
        &self,
        memory: &mut Memory,
        room: &mut [Inlined; MOST_INLINED],
        name_of: &dyn Fn(u64) -> Option<u64>,
    ) -> Option<usize> {
        let count = self.inlined as usize;
        for (place, slot) in (0..).zip(room.get_mut(..count)?) {
            let at = self.inlining + ELEMENTS + INLINING * place;
            let caller = inlining_of(memory.word(at)?);
            let number = memory.half(at + 8)?;
            // One that is inlined later cannot be the caller.
            if u64::from(caller) > place {
                return None;
            }
            let frame = match number.cast_signed() {
                -1 => None,
                _ => self.function(memory, u64::from(number), name_of),
            };
            *slot = Inlined {
                frame: frame.unwrap_or(0),
                caller,
            };
        }
        Some(count)
    }

    /// The name of the function that is this literal: it leads to code of its own, interpreted (by
    /// way of an object with both its bytecodes and that code) or compiled.
    fn function(
        &self,
        memory: &mut Memory,
        number: u64,
        name_of: &dyn Fn(u64) -> Option<u64>,
    ) -> Option<u64> {
        if number >= length(memory, self.literals)? {
            return None;
        }
        let shared = pointer(memory, self.literals, ELEMENTS + 8 * number)?;
        let data = pointer(memory, shared, 8)?;
        let own = field(memory, data, self.start_at).and_then(name_of);
        own.or_else(|| {
            [8, 16].into_iter().find_map(|at| {
                let code = pointer(memory, data, at)?;
                field(memory, code, self.start_at).and_then(name_of)
            })
        })
    }

    /// Reads the positions, as far as they change the function; returns how many rows there are.
    fn rows(
        &self,
        memory: &mut Memory,
        room: &mut [Row; MOST_ROWS],
        functions: usize,
        code: u64,
    ) -> Option<usize> {
        let mut bytes = Bytes {
            at: self.positions + ELEMENTS,
            end: self.positions + ELEMENTS + length(memory, self.positions)?,
        };
        let (mut offset, mut position, mut last) = (0_i64, 0_i64, 0);
        let mut count = 0;
        while bytes.at < bytes.end {
            let step = bytes.next(memory)?;
            // A negative step is one to a place between statements.
            offset = offset.checked_add(if step < 0 { -(step + 1) } else { step })?;
            position = position.wrapping_add(bytes.next(memory)?);
            let function = inlining_of(position.cast_unsigned());
            if offset.cast_unsigned() > code || function as usize > functions {
                return None;
            }
            if function != last {
                *room.get_mut(count)? = Row {
                    offset: offset as u32,
                    function,
                };
                (count, last) = (count + 1, function);
            }
        }
        (count != 0).then_some(count)
    }
}

/// Bytes of a row of the list of inlined functions.
const INLINING: u64 = 16;

/// The place plus one of the inlined function of a position; 0: none.
fn inlining_of(position: u64) -> u32 {
    (position >> 31 & 0xffff) as u32
}

/// The object of the code at `start`, and where it has that address.
fn code_object(memory: &mut Memory, start: u64) -> Option<(u64, u64)> {
    (1..=HEADER).find_map(|back| {
        let code = object(memory.word(start.checked_sub(8 * back)?)?)?;
        let at = (3..CODE_WORDS).find(|word| field(memory, code, 8 * word) == Some(start))?;
        Some((code, 8 * at))
    })
}

/// Signed numbers of variable length: seven bits a byte, the lowest first, the sign in the lowest
/// bit of all.
struct Bytes {
    at: u64,
    end: u64,
}

impl Bytes {
    fn next(&mut self, memory: &mut Memory) -> Option<i64> {
        let (mut number, mut shift) = (0_u64, 0);
        loop {
            if self.at >= self.end || shift > 63 {
                return None;
            }
            let byte = u64::from(memory.byte(self.at)?);
            self.at += 1;
            number |= (byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_signed_and_of_any_length() {
        // The first row of a table of V8 13.6: 12 bytes on, position 0x292.
        let table = [0x19_u8, 0xa4, 0x0a, 0x01, 0x00, 0x80];
        let mut memory = Memory::new();
        let mut bytes = Bytes {
            at: table.as_ptr() as u64,
            end: table.as_ptr() as u64 + table.len() as u64,
        };
        let mut next = || bytes.next(&mut memory);
        assert_eq!((next(), next()), (Some(-13), Some(0x292)));
        assert_eq!((next(), next(), next()), (Some(-1), Some(0), None));
    }

    #[test]
    fn the_innermost_function_comes_first() {
        let functions = [(11, 0), (12, 1), (0, 1)].map(|(frame, caller)| Inlined { frame, caller });
        let rows = [(8, 1), (16, 2), (24, 3), (32, 0)].map(|(offset, function)| Row { offset, function });
        let code = Optimized {
            start: 1000,
            frame: 10,
            functions: functions.to_vec().leak(),
            rows: rows.to_vec().leak(),
        };
        let at = |pc| {
            let mut frames = Vec::new();
            code.at(pc, &mut |frame| frames.push(frame));
            frames
        };
        assert_eq!(at(1000), [10]);
        assert_eq!((at(1008), at(1015)), (vec![11, 10], vec![11, 10]));
        assert_eq!(at(1016), [12, 11, 10]);
        assert_eq!(at(1024), [11, 10], "one without a name");
        assert_eq!(at(1040), [10]);
    }

    #[test]
    fn a_position_says_which_function_it_is_in() {
        assert_eq!(inlining_of(0x24a), 0);
        assert_eq!(inlining_of(0x8000_01c0), 1);
        assert_eq!((small(7 << 32), small(7)), (Some(7), None));
        assert_eq!((object(0x2641_a046_1d31), object(0x40)), (Some(0x2641_a046_1d30), None));
    }
}
