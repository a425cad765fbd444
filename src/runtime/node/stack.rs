//! One sample's stack with the names of its JavaScript functions.
//!
//! The native walk has gone through generated code by its frame pointers, which all of V8's code
//! keeps. Here the addresses become functions; V8's own code (builtins, the interpreter) is left
//! out. The map is that of this moment, on the isolate's own thread, so code that was replaced or
//! moved since cannot be meant. Code without a name becomes one `[js]`.

use super::code_map::{CODE, Code};
use super::{Engine, event, isolates};
use crate::runtime::Stack;
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
    let owner = isolates::owner(isolate);
    let mut kept = 0;
    let mut before = 0;
    for index in 0..frames.len() {
        let pc = frames.get(index).copied().unwrap_or(0);
        let Some(frame) = frame(engine, owner, pc, before) else {
            continue;
        };
        before = frame;
        if let Some(slot) = frames.get_mut(kept) {
            *slot = frame;
            kept += 1;
        }
    }
    stack.length = kept;
}

/// What stands for the return address `pc`, whose callee is `before`; `None`: nothing.
fn frame(engine: &Engine, owner: Option<u32>, pc: u64, before: u64) -> Option<u64> {
    let call = pc.wrapping_sub(1);
    if event::is_builtin(call) {
        return None;
    }
    if engine.is_compiled_in(call) {
        return Some(pc);
    }
    match owner.and_then(|owner| CODE.find(owner, call)) {
        Some(Code::Frame(frame)) => Some(frame),
        Some(Code::Internal) => None,
        None if modules::find(call).is_some() => Some(pc),
        None => unnamed().filter(|unnamed| *unnamed != before),
    }
}

/// Code that V8 made while the program ran is in no module.
fn is_generated(engine: &Engine, pc: u64) -> bool {
    let call = pc.wrapping_sub(1);
    !engine.is_compiled_in(call) && modules::find(call).is_none()
}

fn unnamed() -> Option<u64> {
    FRAMES.intern(Kind::JavaScript, b"", b"[js]", b"", 0)
}
