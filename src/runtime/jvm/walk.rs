//! Walks a run of Java frames: from the anchor that the JVM left, or from where the native walk
//! ended, to the code that called into Java.
//!
//! It runs on the thread whose stack it is. That thread is inside malloc, so its frames are
//! complete; the repairs that a walk from a signal handler needs are not here. Only barriers of
//! collectors leave a frame that nothing describes, the first one: its caller must be proven. Every
//! step must lead up the stack and stay on it.
//!
//! Source: OpenJDK `frame_x86.cpp`: `sender_for_entry_frame`, `_interpreter_frame`,
//! `_compiled_frame`.

use super::asgct::Room;
use super::code::{self, Blob, Kind};
use super::layout::Layout;
use super::method::{self, Names, Position};
use crate::runtime::memory::Memory;
use crate::unwind::Registers;

/// A stub saves at most this many bytes: all registers at their widest, and some more.
const MOST_SAVED: u64 = 1 << 13;

/// The frame that a walk is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it continues.
    pub pc: u64,
    /// Its stack pointer.
    pub sp: u64,
    /// Its frame pointer.
    pub fp: u64,
}

/// Why a run of Java frames ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// At native code with these registers. Also the anchor of the Java frames above it, if the
    /// call into Java kept one.
    Native(Registers, Option<Frame>),
    /// There is no room for more frames.
    Full,
    /// The rest of a virtual thread's stack is in the heap.
    Continuation,
    /// In the middle of a deoptimization.
    Deoptimizing,
    /// At something that is not a Java frame.
    Lost,
}

/// One walk.
pub struct Walk<'a> {
    /// The JVM.
    pub layout: &'a Layout,
    /// How its memory is read.
    pub memory: &'a mut Memory,
    /// Room for names.
    pub names: &'a mut Names,
    /// Where the frames go.
    pub out: &'a mut [u64],
    /// How many there are.
    pub length: usize,
    /// End of the stack.
    pub stack_base: u64,
    /// Notes each frame's method, if the walk will be compared.
    pub seen: Option<&'a mut Room>,
}

/// What follows a frame.
enum Next {
    Caller(Frame),
    Exit(Exit),
}

impl Walk<'_> {
    /// Reads an anchor; `None` when it is not set.
    pub fn anchor(layout: &Layout, memory: &mut Memory, at: u64) -> Option<Frame> {
        let sp = memory.word(at.wrapping_add(layout.anchor_sp))?;
        let pc = memory.word(at.wrapping_add(layout.anchor_pc))?;
        let fp = memory.word(at.wrapping_add(layout.anchor_fp))?;
        if sp == 0 {
            return None;
        }
        let pc = match pc {
            0 => memory.word(sp.wrapping_sub(8))?,
            pc => pc,
        };
        let fp = if fp == 0 { sp } else { fp };
        Some(Frame { pc, sp, fp })
    }

    /// Walks from `frame` on.
    pub fn run(&mut self, mut frame: Frame) -> Exit {
        let start = self.length;
        loop {
            let is_first = self.length == start;
            let next = self.step(frame, is_first).unwrap_or(Next::Exit(Exit::Lost));
            frame = match next {
                Next::Caller(caller) if self.leads_up(frame, caller) => caller,
                Next::Caller(_) => return Exit::Lost,
                Next::Exit(exit) => return exit,
            };
        }
    }

    fn leads_up(&self, frame: Frame, caller: Frame) -> bool {
        caller.sp > frame.sp && caller.sp <= self.stack_base && caller.sp.is_multiple_of(8)
    }

    fn step(&mut self, frame: Frame, is_first: bool) -> Option<Next> {
        if self.memory.word(self.layout.call_stub_return)? == frame.pc {
            return self.call_stub(frame).map(Next::Exit);
        }
        let Some(blob) = code::find(self.layout, self.memory, frame.pc) else {
            let exit = if self.is_code_cache(frame.pc)? {
                Exit::Lost
            } else {
                Exit::Native(registers(frame), None)
            };
            return Some(Next::Exit(exit));
        };
        match blob.kind {
            Kind::Interpreter => self.interpreted(frame),
            Kind::Compiled => self.compiled(frame, blob, is_first),
            Kind::Native => {
                let method = blob.method(self.layout, self.memory)?;
                self.push(method, Position::None)?;
                self.fixed(frame, blob)
            }
            // This barrier stands for the frames that stayed in the heap.
            Kind::Continuation => Some(Next::Exit(Exit::Continuation)),
            Kind::Deoptimization if blob.frame_size == 0 => Some(Next::Exit(Exit::Deoptimizing)),
            Kind::Stub if blob.frame_size == 0 => self.stub(frame, blob),
            Kind::Deoptimization | Kind::Stub => self.fixed(frame, blob),
        }
    }

    fn is_code_cache(&mut self, pc: u64) -> Option<bool> {
        let low = self.memory.word(self.layout.low_bound)?;
        let high = self.memory.word(self.layout.high_bound)?;
        Some((low..high).contains(&pc))
    }

    /// Native code called into Java here; the call's wrapper keeps the anchor of the frames above.
    fn call_stub(&mut self, frame: Frame) -> Option<Exit> {
        let at = frame.fp.wrapping_add_signed(self.layout.call_wrapper);
        let wrapper = self.memory.word(at)?;
        let anchor = wrapper.wrapping_add(self.layout.wrapper_anchor);
        let anchor = Walk::anchor(self.layout, self.memory, anchor);
        let caller = self.linked(frame)?;
        let is_above = self.leads_up(frame, caller);
        let anchor = anchor.filter(|anchor| self.leads_up(caller, *anchor));
        is_above.then_some(Exit::Native(registers(caller), anchor))
    }

    fn interpreted(&mut self, frame: Frame) -> Option<Next> {
        let at = |offset: i64| frame.fp.wrapping_add_signed(offset);
        let method = self.memory.word(at(self.layout.interpreted_method))?;
        let bytecode = self.memory.word(at(self.layout.bytecode))?;
        let caller = Frame {
            sp: self.memory.word(at(self.layout.sender_sp))?,
            pc: self.memory.word(at(8))?,
            fp: self.memory.word(at(0))?,
        };
        self.push(method, Position::Address(bytecode))?;
        Some(self.room_for(Next::Caller(caller)))
    }

    fn compiled(&mut self, frame: Frame, blob: Blob, is_first: bool) -> Option<Next> {
        let pc = blob.original_pc(self.layout, self.memory, frame.pc, frame.sp);
        let layout = self.layout;
        let mut all_named = true;
        let (names, seen) = (&mut *self.names, &mut self.seen);
        let (out, length) = (&mut *self.out, &mut self.length);
        let mut push = |memory: &mut Memory, method: u64, bytecode: u32| {
            let position = Position::Index(bytecode);
            let Some(named) = method::frame(layout, memory, names, method, position) else {
                all_named = false;
                return false;
            };
            if let Some(seen) = seen {
                seen.see(method);
            }
            put(out, length, named)
        };
        let found = blob.scopes(layout, self.memory, pc, &mut push);
        if !all_named {
            return None;
        }
        match found {
            Some(true) => self.fixed(frame, blob),
            // Code that calls a method is always described.
            _ if !is_first => None,
            // Within the code of the bytecodes the stack pointer does not move.
            Some(false) if blob.is_main(layout, self.memory, pc) => self.fixed(frame, blob),
            Some(false) => self.behind(frame, blob),
            None => {
                let method = blob.method(self.layout, self.memory)?;
                self.push(method, Position::None)?;
                self.behind(frame, blob)
            }
        }
    }

    /// Leaves a frame at a call behind the code of the bytecodes, as barriers of collectors make
    /// it. Registers may be on the stack there, and nothing says how many. The caller is where a
    /// call of this very code returns to.
    fn behind(&mut self, frame: Frame, blob: Blob) -> Option<Next> {
        let mut saved = (0..MOST_SAVED).step_by(8);
        saved.find_map(|saved| {
            let sp = frame.sp.wrapping_add(saved);
            let next = self.fixed(Frame { sp, ..frame }, blob)?;
            self.proven(next, blob)
        })
    }

    /// A stub whose frame has no fixed size links it by the frame pointer, if the stub calls at all
    /// (`c1_Runtime1_x86.cpp`, `StubGenerator::generate_method_entry_barrier`).
    fn stub(&mut self, frame: Frame, blob: Blob) -> Option<Next> {
        let caller = self.linked(frame)?;
        let next = self.room_for(Next::Caller(caller));
        let is_near = (frame.sp..frame.sp.saturating_add(MOST_SAVED)).contains(&frame.fp);
        is_near.then(|| self.proven(next, blob))?
    }

    /// The caller of a frame that is linked by the frame pointer.
    fn linked(&mut self, frame: Frame) -> Option<Frame> {
        Some(Frame {
            pc: self.memory.word(frame.fp.wrapping_add(8))?,
            sp: frame.fp.wrapping_add(16),
            fp: self.memory.word(frame.fp)?,
        })
    }

    /// `next`, if it has called this blob by a direct call. Nothing else is read before that is
    /// known: a word that an earlier call left on the stack may lead to memory that is gone.
    fn proven(&mut self, next: Next, blob: Blob) -> Option<Next> {
        if let Next::Caller(caller) = &next {
            self.called(caller.pc).filter(|called| *called == blob)?;
            self.memory.forget();
        }
        Some(next)
    }

    /// The blob that is called by the direct call before `pc`.
    fn called(&mut self, pc: u64) -> Option<Blob> {
        const CALL: u8 = 0xe8;
        let at = pc.checked_sub(5)?;
        if !self.is_code_cache(at)? || self.memory.byte(at)? != CALL {
            return None;
        }
        let mut distance = [0; 4];
        self.memory.copy(at + 1, &mut distance)?;
        let target = pc.wrapping_add_signed(i32::from_le_bytes(distance).into());
        code::find(self.layout, self.memory, target)
    }

    /// Leaves a frame of fixed size.
    fn fixed(&mut self, frame: Frame, blob: Blob) -> Option<Next> {
        if blob.frame_size == 0 {
            return None;
        }
        let sp = frame.sp.wrapping_add(blob.frame_size);
        let caller = Frame {
            sp,
            pc: self.memory.word(sp.wrapping_sub(8))?,
            fp: self.memory.word(sp.wrapping_sub(16))?,
        };
        Some(self.room_for(Next::Caller(caller)))
    }

    fn room_for(&self, next: Next) -> Next {
        if self.length < self.out.len() {
            next
        } else {
            Next::Exit(Exit::Full)
        }
    }

    fn push(&mut self, method: u64, position: Position) -> Option<()> {
        let frame = method::frame(self.layout, self.memory, self.names, method, position)?;
        if let Some(seen) = &mut self.seen {
            seen.see(method);
        }
        put(self.out, &mut self.length, frame);
        Some(())
    }
}

/// Adds a frame; returns whether there is room for another.
fn put(out: &mut [u64], length: &mut usize, frame: Option<u64>) -> bool {
    if let (Some(slot), Some(frame)) = (out.get_mut(*length), frame) {
        *slot = frame;
        *length += 1;
    }
    *length < out.len()
}

fn registers(frame: Frame) -> Registers {
    Registers {
        pc: frame.pc,
        sp: frame.sp,
        bp: frame.fp,
        // Not tracked here. Few rules use it, and what they read with it is checked.
        bx: 0,
    }
}
