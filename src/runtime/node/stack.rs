//! One sample's stack with the names of its JavaScript functions.
//!
//! The native walk has gone through generated code by its frame pointers, which all of V8's code
//! keeps. Here the addresses become functions; V8's own code (builtins, the interpreter) is left
//! out. The map is that of this moment, on the isolate's own thread, so code that was replaced or
//! moved since cannot be meant. Code of an isolate that is not known yet becomes one `[js]`.

use super::code_map::{CODE, Code};
use super::isolates::Isolate;
use super::{Engine, event, isolates};
use crate::runtime::{ROOMS, Stack};
use crate::table::frame_table::{FRAMES, Kind};
use crate::unwind::modules;

/// Names the JavaScript frames of a stack of the isolate at `isolate`.
pub fn complete(stack: &mut Stack<'_>, engine: &Engine, isolate: u64) {
    let Some(frames) = stack.frames.get_mut(..stack.length) else {
        return;
    };
    if isolates::is_new(isolate, stack.now_ms) && frames.iter().any(|pc| is_generated(engine, *pc))
    {
        isolates::notice(isolate, stack.now_ms);
    }
    if !event::is_sound() {
        return;
    }
    let Some(mut room) = ROOMS.take() else {
        return;
    };
    let isolate = isolates::known(isolate);
    let Some(native) = room.node.frames.get_mut(..frames.len()) else {
        return;
    };
    native.copy_from_slice(frames);
    let mut named = Named {
        frames: stack.frames,
        length: 0,
    };
    for pc in native {
        named.push_all(engine, isolate, *pc);
    }
    stack.length = named.length;
}

/// The most frames of a stack.
pub const MOST: usize = 1024;

/// The frames of a stack with names.
struct Named<'a> {
    frames: &'a mut [u64],
    length: usize,
}

impl Named<'_> {
    fn push(&mut self, frame: u64) {
        if let Some(slot) = self.frames.get_mut(self.length) {
            *slot = frame;
            self.length += 1;
        }
    }

    /// What stands for the return address `pc`.
    fn push_all(&mut self, engine: &Engine, isolate: Option<&Isolate>, pc: u64) {
        let call = pc.wrapping_sub(1);
        if isolate.is_some_and(|isolate| isolate.is_builtin(call)) {
            return;
        }
        if engine.is_compiled_in(call) {
            return self.push(pc);
        }
        match isolate.and_then(|isolate| CODE.find(isolate.owner(), call)) {
            Some(Code::Frame(frame)) => self.push(frame),
            Some(Code::Optimized(code)) => code.at(call, &mut |frame| self.push(frame)),
            Some(Code::Internal) => {}
            None if modules::find(call).is_some() => self.push(pc),
            // All code of functions is known: this is a copy of the builtins, as some versions make.
            None if isolate.is_some() => {}
            None => self.push_unnamed(),
        }
    }

    /// One marker for a run of code without names.
    fn push_unnamed(&mut self) {
        let unnamed = FRAMES.intern(Kind::JavaScript, b"", b"[js]", b"", 0);
        let before = self.length.checked_sub(1);
        let before = before.and_then(|place| self.frames.get(place)).copied();
        if let Some(unnamed) = unnamed.filter(|unnamed| Some(*unnamed) != before) {
            self.push(unnamed);
        }
    }
}

/// Code that V8 made while the program ran is in no module.
fn is_generated(engine: &Engine, pc: u64) -> bool {
    let call = pc.wrapping_sub(1);
    !engine.is_compiled_in(call) && modules::find(call).is_none()
}
