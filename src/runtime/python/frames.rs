//! The Python frames of the calling thread, from the innermost outwards.
//!
//! They are a list from the thread's state. Each has a code object, whose names and lines are read
//! and copied at once. The thread is inside an allocation, so its frames hold their code objects,
//! and it does not need the lock of the interpreter to read them.
//!
//! Each step is checked: what should be code or a string must be of that type. Anything else ends
//! the walk.

use super::interpreter::Interpreter;
use super::layout::{Entry, Layout, Position};
use super::{line, text};
use crate::runtime::memory::Memory;
use crate::table::frame_table::{FRAMES, Kind};

/// Longest table of lines that is read. Later instructions have the first line of their function.
const LONGEST_TABLE: usize = 1 << 14;

/// More frames than this are not read: a list that is longer is a circle.
const MOST: u32 = 1 << 16;

/// The first byte of a frame's owner that means: not a frame of Python.
const OWNED_BY_C: u8 = 3;

/// Room for what is read of one frame.
pub struct Room {
    name: text::Room,
    file: text::Room,
    table: [u8; LONGEST_TABLE],
}

/// Something that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Odd;

/// The frames that are left to read.
pub struct Frames<'a> {
    /// The interpreter.
    pub interpreter: &'a Interpreter,
    /// How its memory is read.
    pub memory: &'a mut Memory,
    /// Room for a frame.
    pub room: &'a mut Room,
    /// Thread states whose frames follow one another; 0 for none.
    states: [u64; 2],
    /// The next frame; 0: the next thread state has it.
    next: u64,
    left: u32,
}

/// What a step has met.
enum Step {
    /// A frame, and whether it is the first of a call of the evaluation function.
    Frame(Option<u64>, bool),
    /// Something that is in the list to mark where such a call began.
    Mark,
    End,
}

impl<'a> Frames<'a> {
    /// The frames of `states`, one after the other.
    pub fn new(
        interpreter: &'a Interpreter,
        memory: &'a mut Memory,
        room: &'a mut Room,
        states: [u64; 2],
    ) -> Frames<'a> {
        Frames {
            interpreter,
            memory,
            room,
            states,
            next: 0,
            left: MOST,
        }
    }

    /// Runs this thread no Python code?
    pub fn is_empty(&mut self) -> Result<bool, Odd> {
        self.begin()?;
        Ok(self.next == 0)
    }

    /// Reads the frames that one call of the evaluation function runs. False when `put` had no room for
    /// one.
    pub fn run(&mut self, put: &mut dyn FnMut(u64) -> bool) -> Result<bool, Odd> {
        loop {
            match self.step()? {
                Step::Frame(Some(frame), _) if !put(frame) => return Ok(false),
                Step::Frame(_, false) => {}
                Step::Frame(_, true) | Step::Mark | Step::End => return Ok(true),
            }
        }
    }

    /// Reads all frames that are left. False when `put` had no room for one.
    pub fn rest(&mut self, put: &mut dyn FnMut(u64) -> bool) -> Result<bool, Odd> {
        loop {
            match self.step()? {
                Step::Frame(Some(frame), _) if !put(frame) => return Ok(false),
                Step::Frame(..) | Step::Mark => {}
                Step::End => return Ok(true),
            }
        }
    }

    fn step(&mut self) -> Result<Step, Odd> {
        let layout = &self.interpreter.layout;
        self.begin()?;
        let at = self.next;
        if at == 0 {
            return Ok(Step::End);
        }
        self.left = self.left.checked_sub(1).ok_or(Odd)?;
        let mut word = |offset: u64| self.memory.word(at.wrapping_add(offset)).ok_or(Odd);
        let (previous, code) = (word(layout.previous)?, word(layout.code)?);
        self.next = previous;
        let is_first = match layout.entry {
            Entry::Each => true,
            Entry::Flag(offset) => self.byte(at, offset)? != 0,
            Entry::Owner(offset) if self.byte(at, offset)? >= OWNED_BY_C => return Ok(Step::Mark),
            Entry::Owner(_) => false,
        };
        let frame = self.frame(at, code)?;
        Ok(Step::Frame(frame, is_first))
    }

    fn byte(&mut self, at: u64, offset: u64) -> Result<u8, Odd> {
        self.memory.byte(at.wrapping_add(offset)).ok_or(Odd)
    }

    /// Goes to the next thread state that has frames, when those of the last one are read.
    fn begin(&mut self) -> Result<(), Odd> {
        let layout = &self.interpreter.layout;
        while self.next == 0 {
            let [state, second] = self.states;
            if state == 0 {
                return Ok(());
            }
            self.states = [second, 0];
            let mut word = |at: u64| self.memory.word(at).ok_or(Odd);
            let current = word(state.wrapping_add(layout.current))?;
            self.next = match layout.between {
                Some(_) if current == 0 => 0,
                Some(offset) => word(current.wrapping_add(offset))?,
                None => current,
            };
        }
        Ok(())
    }

    /// The pseudo-address of a frame; `None` when there is no room for its name.
    fn frame(&mut self, at: u64, code: u64) -> Result<Option<u64>, Odd> {
        let Interpreter { layout, types, .. } = self.interpreter;
        // The lowest bits of a reference are flags since 3.14.
        let code = code & !7;
        let kind = self.memory.word(code.wrapping_add(layout.kind));
        if code == 0 || kind != Some(types.code) {
            return Err(Odd);
        }
        let line = self.line(layout, at, code).ok_or(Odd)?;
        let [name, file] = [layout.name, layout.file];
        let name = self.memory.word(code.wrapping_add(name)).ok_or(Odd)?;
        let file = self.memory.word(code.wrapping_add(file)).ok_or(Odd)?;
        let (memory, room) = (&mut *self.memory, &mut *self.room);
        let name = text::read(layout, memory, types.text, name, &mut room.name).ok_or(Odd)?;
        let file = text::read(layout, memory, types.text, file, &mut room.file).ok_or(Odd)?;
        Ok(FRAMES.intern(Kind::Python, b"", name, file, line))
    }

    fn line(&mut self, layout: &Layout, at: u64, code: u64) -> Option<u32> {
        let at = at.wrapping_add(layout.at);
        let instruction = match layout.position {
            Position::Index(unit) => {
                let index = self.memory.half(at & !3)?.cast_signed();
                index.wrapping_mul(unit)
            }
            Position::Pointer(begin) => {
                let begin = code.wrapping_add(begin);
                let pointer = self.memory.word(at)?;
                i32::try_from(pointer.wrapping_sub(begin).cast_signed()).unwrap_or(0)
            }
        };
        let first = self.memory.half(code.wrapping_add(layout.first_line))?;
        let table = self.memory.word(code.wrapping_add(layout.table))?;
        let [size, bytes] = layout.bytes.map(|field| table.wrapping_add(field));
        if self.memory.word(table.wrapping_add(layout.kind))? != self.interpreter.types.bytes {
            return None;
        }
        let length = usize::try_from(self.memory.word(size)?).ok()?;
        let room = self.room.table.get_mut(..length.min(LONGEST_TABLE))?;
        if !room.is_empty() {
            self.memory.copy(bytes, room)?;
        }
        let line = line::of(layout.lines, room, first.cast_signed(), instruction);
        Some(u32::try_from(line).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::code::Code;
    use super::super::interpreter::Types;
    use super::super::layout::of_version;
    use super::*;
    use crate::table::frame_table::FRAMES as FRAMES_TABLE;

    extern "C" fn nothing() -> u64 {
        0
    }

    extern "C" fn no() -> i32 {
        0
    }

    const TYPES: Types = Types {
        code: 0xc0de,
        text: 0x7e87,
        bytes: 0xb17e,
    };

    fn interpreter(minor: u8) -> Interpreter {
        Interpreter {
            layout: of_version(minor).expect("a layout"),
            types: TYPES,
            code: Code {
                evaluation: 0..0,
                glue: [0..0, 0..0],
            },
            state: nothing,
            running: None,
            attached: None,
            allocators: None,
            is_initialized: no,
            library: 0,
        }
    }

    const STATE: usize = 0;
    const BETWEEN: usize = 64;
    const FRAMES: usize = 128;
    const CODE: usize = 256;
    const TABLE: usize = 320;
    const NAME: usize = 384;

    /// A thread in 3.12 with two frames of one function, and the mark of its call, in one piece of memory.
    fn thread() -> Box<[u64; 512]> {
        let mut memory = Box::new([0_u64; 512]);
        let base = memory.as_ptr() as u64;
        let at = |word: usize| base + 8 * word as u64;
        memory[STATE + 7] = at(BETWEEN);
        memory[BETWEEN] = at(FRAMES);
        for (number, owner) in [(0, 0_u64), (1, 1), (2, 3)] {
            let frame = FRAMES + 16 * number;
            memory[frame] = at(CODE);
            memory[frame + 1] = if number == 2 { 0 } else { at(frame + 16) };
            memory[frame + 7] = at(CODE) + 192 + 2 * number as u64;
            memory[frame + 8] = owner << 48;
        }
        memory[CODE + 1] = TYPES.code;
        memory[CODE + 8] = 40 << 32;
        memory[CODE + 14] = at(NAME);
        memory[CODE + 16] = at(NAME);
        memory[CODE + 17] = at(TABLE);
        memory[TABLE + 1] = TYPES.bytes;
        memory[TABLE + 2] = 6;
        // One instruction on the line after the first, and one two lines on.
        memory[TABLE + 4] = u64::from_le_bytes([0xd8, 1, 2, 0xe0, 1, 2, 0, 0]);
        memory[NAME + 1] = TYPES.text;
        memory[NAME + 2] = 4;
        memory[NAME + 4] = 1 << 2 | 1 << 5 | 1 << 6;
        memory[NAME + 5] = u64::from_le_bytes(*b"work\0\0\0\0");
        memory
    }

    /// The frames that are read, and how the reading ended.
    fn read(memory: &[u64; 512]) -> (usize, Result<bool, Odd>) {
        let interpreter = interpreter(12);
        let (mut known, mut count) = (Memory::new(), 0);
        // SAFETY: zeroed memory is an empty room.
        let mut room: Box<Room> = unsafe { Box::new(core::mem::zeroed()) };
        let states = [memory.as_ptr() as u64, 0];
        let mut frames = Frames::new(&interpreter, &mut known, &mut room, states);
        let end = frames.rest(&mut |_| {
            count += 1;
            count < 1000
        });
        (count, end)
    }

    #[test]
    fn frames_are_read_to_their_end() {
        let memory = thread();
        assert_eq!(read(&memory), (2, Ok(true)));
        let found = |line| FRAMES_TABLE.intern(Kind::Python, b"", b"work", b"work", line);
        let before = FRAMES_TABLE.len();
        assert!(found(41).is_some() && found(43).is_some());
        assert_eq!(FRAMES_TABLE.len(), before, "both lines are known already");
    }

    #[test]
    fn no_word_can_lead_to_a_fault() {
        let good = thread();
        let base = good.as_ptr() as u64;
        let wild = [
            0,
            1,
            7,
            base,
            base + 4,
            base + 8 * FRAMES as u64,
            base + 4096,
            0xdead_beef_0000,
            1 << 47,
            u64::MAX,
            u64::MAX - 7,
            1 << 63,
        ];
        let mut odd = 0;
        for word in 0..good.len() {
            for wrong in wild {
                let mut memory = good.clone();
                // What pointed into the first copy points into this one.
                let own = memory.as_ptr() as u64;
                for value in memory.iter_mut() {
                    if (base..base + 4096).contains(value) {
                        *value = *value - base + own;
                    }
                }
                memory[word] = if (base..=base + 4096).contains(&wrong) {
                    wrong - base + own
                } else {
                    wrong
                };
                odd += usize::from(read(&memory).1 == Err(Odd));
            }
        }
        assert!(odd > 50, "{odd}");
    }
}
