//! One sample's stack with its Java frames: runs of native and of Java frames in turn, from the leaf
//! to where the thread began.
//!
//! It begins where the native walk has ended.

use super::layout::Layout;
use super::thread::JavaThread;
use super::walk::{Exit, Frame, Walk};
use super::{HotSpot, Inside, Jvm, look, marker};
use crate::diag::{self, Counter};
use crate::runtime::{ROOMS, Room, Stack as Sample};
use crate::unwind::{self, End, Registers, ThreadUnwinder, modules};

/// Runs of either kind that one stack may have.
const MOST_RUNS: usize = 256;

/// Puts the Java frames into a stack whose native walk has ended.
#[inline(never)]
pub fn complete(sample: &mut Sample<'_>) {
    let inside = Inside::enter();
    let Some(jvm) = inside.jvm() else {
        let frames = sample.frames.get(..sample.length).unwrap_or_default();
        return look(frames, sample.now_ms);
    };
    if sample.end == End::Truncated {
        return;
    }
    let Some(mut room) = ROOMS.take() else {
        return;
    };
    (sample.length, sample.end) = completed(jvm, &mut room, sample);
}

fn completed(jvm: &Jvm, room: &mut Room, sample: &mut Sample<'_>) -> (usize, End) {
    let end = sample.end;
    let mut stack = Stack {
        out: sample.frames,
        length: sample.length,
        is_checked: jvm.layout.is_some() && jvm.traces.is_some(),
        is_whole: true,
    };
    room.memory.begin(sample.now_ms);
    let Some(env) = jvm.env(&mut room.memory) else {
        stack.mark_thread(end);
        return (stack.length, end);
    };
    let Some(layout) = &jvm.layout else {
        stack.by_traces(jvm, env, room, end);
        return (stack.length, End::Complete);
    };
    let Some(thread) = jvm.thread(layout, &mut room.memory, env, sample.sp) else {
        stack.mark_thread(end);
        return (stack.length, end);
    };
    room.jvm.traces.begin();
    let walked = stack.walk(layout, thread, room, sample.unwinder, end, sample.sp);
    if stack.is_checked && stack.is_whole && walked.1 == End::Complete {
        check(jvm, layout, env, room);
    }
    walked
}

/// Counts whether the JVM itself reports the same frames.
fn check(jvm: &Jvm, layout: &Layout, env: u64, room: &mut Room) {
    let agreed = jvm
        .traces
        .as_ref()
        .and_then(|traces| traces.agrees(layout, env, &mut room.jvm.traces, &mut room.memory));
    if let Some(agreed) = agreed {
        diag::count(Counter::JavaChecked);
        if !agreed {
            diag::count(Counter::JavaDiffers);
        }
    }
}

/// A stack while it is made.
struct Stack<'a> {
    out: &'a mut [u64],
    length: usize,
    /// Must the methods be remembered, to be compared?
    is_checked: bool,
    /// Is every frame read? False when a marker stands in it for frames that could not be read.
    is_whole: bool,
}

impl Stack<'_> {
    fn push(&mut self, name: &[u8]) {
        if let (Some(slot), Some(frame)) = (self.out.get_mut(self.length), marker::frame(name)) {
            *slot = frame;
            self.length += 1;
        }
    }

    /// The stack of a thread that is no Java thread: the JVM's own, or one that the JVM does not
    /// know.
    fn mark_thread(&mut self, end: End) {
        if let Some(name) = marker::of_thread() {
            self.push(name);
        } else if matches!(end, End::Managed(HotSpot::OWNER, _)) {
            self.push(marker::JAVA);
        }
    }

    /// The stack of a Java thread when our walk cannot read this JVM: code in no module is Java's.
    fn by_traces(&mut self, jvm: &Jvm, env: u64, room: &mut Room, end: End) {
        let frames = self.out.get(..self.length).unwrap_or_default();
        let native = frames
            .iter()
            .position(|pc| modules::find(pc.wrapping_sub(1)).is_none());
        if native.is_none() && end == End::Complete {
            return self.mark_thread(end);
        }
        self.length = native.unwrap_or(self.length);
        let rest = self.out.get_mut(self.length..).unwrap_or_default();
        let traces = jvm.traces.as_ref();
        match traces.map_or(0, |traces| traces.frames(env, &mut room.jvm.traces, rest)) {
            0 => self.push(marker::JAVA),
            count => self.length += count,
        }
    }

    fn walk(
        &mut self,
        layout: &Layout,
        thread: JavaThread,
        room: &mut Room,
        unwinder: &mut ThreadUnwinder,
        mut end: End,
        mut floor: u64,
    ) -> (usize, End) {
        let at = thread.at.wrapping_add(layout.anchor);
        let mut anchor = Walk::anchor(layout, &mut room.memory, at);
        let mut has_java = false;
        for _ in 0..MOST_RUNS {
            let from = match end {
                End::Managed(HotSpot::OWNER, registers) => anchor.or(Some(frame(registers))),
                End::NoInfo | End::BadMemory => anchor,
                End::Complete | End::Truncated | End::Managed(..) => None,
            };
            let Some(from) = from.filter(|from| from.sp >= floor) else {
                break;
            };
            let before = self.length;
            let exit = self.java(layout, thread, room, from);
            has_java |= self.length > before;
            let Exit::Native(registers, next) = exit else {
                return (self.length, self.finish(exit, has_java));
            };
            (anchor, floor) = (next, registers.sp);
            let rest = self.out.get_mut(self.length..).unwrap_or_default();
            let native = unwind::unwind(unwinder, registers, rest);
            (self.length, end) = (self.length + native.0, native.1);
        }
        if !has_java {
            self.mark_thread(end);
        }
        (self.length, end)
    }

    /// One run of Java frames.
    fn java(
        &mut self,
        layout: &Layout,
        thread: JavaThread,
        room: &mut Room,
        from: Frame,
    ) -> Exit {
        let word = |room: &mut Room, at: u64| room.memory.word(thread.at.wrapping_add(at));
        if word(room, layout.vframes).unwrap_or(1) != 0 {
            return Exit::Deoptimizing;
        }
        let mut walk = Walk {
            layout,
            memory: &mut room.memory,
            names: &mut room.jvm.names,
            out: self.out,
            length: self.length,
            stack_base: thread.stack_base,
            seen: self.is_checked.then_some(&mut room.jvm.traces),
        };
        let exit = walk.run(from);
        self.length = walk.length;
        if exit != Exit::Continuation {
            return exit;
        }
        self.is_whole = false;
        self.push(marker::CONTINUATION);
        self.carrier(layout, thread, room, from).unwrap_or(exit)
    }

    /// The frames of the carrier thread, below those of the continuation that is mounted on it, if
    /// this JVM tells where the continuation was entered (JDK 25 does).
    fn carrier(
        &mut self,
        layout: &Layout,
        thread: JavaThread,
        room: &mut Room,
        from: Frame,
    ) -> Option<Exit> {
        let entry = layout.fields.continuation?;
        let return_pc = layout.fields.continuation_return?;
        let sp = room.memory.word(thread.at.wrapping_add(entry.at))?;
        let pc = room.memory.word(return_pc.at)?;
        if sp <= from.sp {
            return None;
        }
        let mut walk = Walk {
            layout,
            memory: &mut room.memory,
            names: &mut room.jvm.names,
            out: self.out,
            length: self.length,
            stack_base: thread.stack_base,
            seen: self.is_checked.then_some(&mut room.jvm.traces),
        };
        let exit = walk.run(Frame { pc, sp, fp: sp });
        self.length = walk.length;
        (exit != Exit::Continuation).then_some(exit)
    }

    fn finish(&mut self, exit: Exit, has_java: bool) -> End {
        self.is_whole = false;
        match exit {
            Exit::Full => End::Truncated,
            Exit::Deoptimizing => {
                self.push(marker::DEOPTIMIZATION);
                End::Complete
            }
            Exit::Continuation | Exit::Native(..) => End::Complete,
            Exit::Lost => {
                diag::count(Counter::JavaLost);
                if !has_java {
                    self.push(marker::JAVA);
                }
                End::Complete
            }
        }
    }
}

fn frame(registers: Registers) -> Frame {
    Frame {
        pc: registers.pc,
        sp: registers.sp,
        fp: registers.bp,
    }
}
