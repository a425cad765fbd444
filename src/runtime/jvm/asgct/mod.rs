//! Java frames by `AsyncGetCallTrace`: used where the JVM's tables are not complete enough for a
//! walk of our own, and to compare with that walk when `prof_java_check` asks for it.
//!
//! [`Traces::start`] runs on the thread that created the JVM; samples ask afterwards. The function
//! returns method ids, and only while class loading is watched, which makes each class cost
//! something. So none of this runs without need. Names are asked of JVMTI when a class is prepared
//! (`classes`) and kept by id (`names`). Files and lines are not asked for.
//!
//! # Safety
//! JVMTI functions are called by their place in the JVMTI table, in native code of an attached
//! thread: on the creating thread, and in the events themselves. `AsyncGetCallTrace` is made for
//! signal handlers: it takes no lock and allocates nothing.
//!
//! Source: `jvmti.h` (numbers and prototypes of the functions), `forte.cpp` of OpenJDK.
#![allow(unsafe_code)]

mod classes;
mod jvmti;
mod names;
mod room;

use core::ffi::c_void;
use core::mem::transmute;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;

use super::layout::Layout;
use super::method::are_versions;
use crate::platform::elf::Object;
use crate::runtime::memory::Memory;
use crate::table::stack_table::MAX_FRAMES;
use classes::{PURPOSE, note_class};
use jvmti::Jvmti;
use names::frame_of;
pub use room::Room;

/// The tracing of one JVM.
pub struct Traces {
    function: usize,
}

/// `ASGCT_CallFrame`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Call {
    bytecode: i32,
    method: u64,
}

/// `ASGCT_CallTrace`.
#[repr(C)]
struct Trace {
    env: u64,
    count: i32,
    calls: *mut Call,
}

impl Traces {
    /// Begins to trace the JVM `vm` of `library`, whose creating thread has the environment `env`.
    /// `is_named`: names are wanted; else ids are enough.
    pub fn start(
        library: Object,
        vm: *mut c_void,
        env: *mut c_void,
        is_named: bool,
    ) -> Option<Traces> {
        let function = library.symbol(b"AsyncGetCallTrace")?.addr;
        let jvmti = Jvmti::of(vm)?;
        PURPOSE.store(if is_named { 2 } else { 1 }, Relaxed);
        jvmti.watch()?;
        jvmti.each_loaded_class(env, &|class| note_class(&jvmti, class));
        Some(Traces { function })
    }

    /// The calls of the thread with the environment `env`, leaf first; empty when the function has
    /// no answer.
    fn calls<'a>(&self, env: u64, room: &'a mut Room) -> &'a [Call] {
        let Some(calls) = room.calls() else {
            return &[];
        };
        let mut trace = Trace {
            env,
            count: 0,
            calls: calls.as_mut_ptr(),
        };
        // SAFETY: AsyncGetCallTrace of a JVM whose library is loaded, on the thread that it is
        // asked about. It writes at most as many calls as there is room for. Without a context it
        // starts at the anchor.
        unsafe {
            let trace_calls: extern "C" fn(*mut Trace, i32, *mut c_void) = transmute(self.function);
            trace_calls(&raw mut trace, MAX_FRAMES as i32, null_mut());
        }
        let count = usize::try_from(trace.count).unwrap_or(0);
        calls.get(..count).unwrap_or_default()
    }

    /// Fills `out` with the Java frames of the calling thread; returns how many there are.
    pub fn frames(&self, env: u64, room: &mut Room, out: &mut [u64]) -> usize {
        let calls = self.calls(env, room);
        let mut length = 0;
        for (slot, call) in out.iter_mut().zip(calls) {
            *slot = match frame_of(call.method).or_else(unnamed) {
                Some(frame) => frame,
                None => break,
            };
            length += 1;
        }
        length
    }

    /// Whether the calling thread's calls are those that `room` has seen; `None` when the function
    /// has no answer. An id leads to its method; for a redefined class it leads to the newest
    /// version of the method, except for methods that have no new version.
    pub fn agrees(
        &self,
        layout: &Layout,
        env: u64,
        room: &mut Room,
        memory: &mut Memory,
    ) -> Option<bool> {
        let seen = room.seen;
        let count = self.calls(env, room).len();
        let calls = room.calls?;
        let methods = room.methods?;
        // SAFETY: two pieces of the arena that belong to this thread; nothing else has them
        // borrowed.
        let (calls, methods) = unsafe { (calls.as_ref(), methods.as_ref()) };
        let mut pairs = calls.get(..count)?.iter().zip(methods.get(..seen)?);
        let is_same = |(call, method): (&Call, &u64)| {
            let Some(newest) = memory.word(call.method).filter(|_| call.method != 0) else {
                return call.method == 0;
            };
            newest == *method || are_versions(layout, memory, newest, *method)
        };
        (count != 0).then(|| count == seen && pairs.all(is_same))
    }
}

fn unnamed() -> Option<u64> {
    super::marker::frame(super::marker::JAVA)
}
