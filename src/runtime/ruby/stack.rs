//! One sample's stack with its Ruby frames: may they be asked for, and what takes their place where
//! they may not.
#![allow(unsafe_code)]

use super::cut::{self, Function};
use super::{Inside, Ruby, job, look, walk};
use crate::diag::{self, Counter};
use crate::runtime::{ROOMS, Stack};
use crate::table::frame_table::{FRAMES, Kind};
use crate::unwind::End;

/// The collector runs, on this thread or another.
const COLLECTION: &[u8] = b"[garbage collection]";

/// Ruby 3.1 moves the elements of young arrays, hashes and structs into malloc's memory later, in
/// whatever runs then.
const TRANSIENT: &[u8] = b"[transient heap]";

/// The thread is in a region in which other threads may run Ruby code, and the collector.
const WITHOUT_LOCK: &[u8] = b"[without the GVL]";

/// There are Ruby frames, and they could not be read.
const UNREADABLE: &[u8] = b"[ruby]";

/// Puts the Ruby frames into a stack whose native walk has ended.
#[inline(never)]
pub fn complete(sample: &mut Stack<'_>) {
    let inside = Inside::enter();
    let Some(ruby) = inside.ruby() else {
        let frames = sample.frames.get(..sample.length).unwrap_or_default();
        return look(frames, sample.now_ms);
    };
    if ruby.is_off() {
        return;
    }
    let frames = sample.frames.get(..sample.length).unwrap_or_default();
    let Some(length) = ruby_part(ruby, frames) else {
        return;
    };
    // SAFETY: the stack leads through the interpreter.
    let Some(added) = (unsafe { added(ruby, sample, length) }) else {
        return;
    };
    sample.length = added;
    sample.end = End::Complete;
}

/// The cut of a stack that leads through the interpreter's loop.
fn ruby_part(ruby: &Ruby, frames: &[u64]) -> Option<cut::Cut> {
    let runs_code = |pc: &u64| ruby.vm_exec.contains(&pc.wrapping_sub(1));
    if !ruby.vm_exec.is_empty() && !frames.iter().any(runs_code) {
        return None;
    }
    let mut function = |pc: u64| match ruby.contains(pc) {
        true => cut::of_library(&ruby.library, pc),
        false => Function::Other,
    };
    let (cut, is_ruby) = cut::cut(frames, &mut function);
    is_ruby.then_some(cut)
}

/// The length of the stack with the frames that belong behind its cut; `None`: it stays as it is.
///
/// # Safety
/// The stack of the calling thread leads through the interpreter.
unsafe fn added(ruby: &Ruby, sample: &mut Stack<'_>, cut: cut::Cut) -> Option<usize> {
    // SAFETY: the variable of the class of all objects: zero until there is one, so until the
    // interpreter can be asked anything. The functions read what the thread has of its own.
    unsafe {
        if core::ptr::read_volatile(ruby.first_class as *const u64) == 0
            || (ruby.functions.is_ruby_thread)() == 0
        {
            return None;
        }
        let is_moving = ruby.is_moving();
        if (ruby.functions.is_collecting)() != 0 || is_moving {
            return mark(sample, cut.length, COLLECTION);
        }
        // The collector may begin to move objects at any moment. In a program in which it never
        // did, it will not: that is asked for by calls at the start.
        if ruby.has_moved() && !ruby.has_lock() {
            return mark(sample, cut.length, WITHOUT_LOCK);
        }
    }
    if cut.is_deferred {
        return mark(sample, cut.length, TRANSIENT);
    }
    let mut room = ROOMS.take()?;
    let room = &mut *room;
    room.memory.begin(sample.now_ms);
    let out = sample.frames.get_mut(cut.length..)?;
    // SAFETY: Ruby's thread, which has run code, and no collection.
    let walked = unsafe { walk::walk(ruby, &mut room.memory, &mut room.ruby.names, out) };
    // SAFETY: a thread of Ruby's.
    unsafe { job::ask(ruby, sample.now_ms) };
    match walked {
        Ok(0) => None,
        Ok(count) => Some(cut.length + count),
        Err(walk::Odd) => {
            diag::count(Counter::RubyLost);
            // Without the lock the collector may have begun meanwhile, and have moved something.
            if ruby.has_lock() {
                ruby.give_up();
            }
            mark(sample, cut.length, UNREADABLE)
        }
    }
}

fn mark(sample: &mut Stack<'_>, length: usize, name: &[u8]) -> Option<usize> {
    let marker = FRAMES.intern(Kind::Ruby, b"", name, b"", 0)?;
    *sample.frames.get_mut(length)? = marker;
    Some(length + 1)
}
