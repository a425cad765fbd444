//! The Python frames of the calling thread, from the innermost outwards.
//!
//! They are a list from the thread's state. Each has a code object, whose names and lines are read
//! and copied at once. The thread is inside an allocation, so its frames hold their code objects,
//! and it does not need the lock of the interpreter to read them.
//!
//! Each step is checked: what should be code or a string must be of that type. Anything else ends
//! the walk.

use super::Interpreter;
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
