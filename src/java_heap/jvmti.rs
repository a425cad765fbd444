//! The few functions of JVMTI that the heap needs, and the table of its events.
//!
//! For this room alone. The specification numbers functions from 1 and events from 50; the numbers
//! below are from there. Source: JVM Tool Interface 11, "Function Index", "Event Index",
//! "Capability"; JEP 331 for the sampled allocations.
//!
//! # Safety
//! A [`Jvmti`] is alive from GetEnv to the end of the process. Its functions are called on attached
//! threads in native code, in the live phase.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::transmute;
use core::ptr::{null, null_mut};

use super::jni::{Interface, Object, function};

/// The first version with sampled allocations (JDK 11).
pub const VERSION_11: c_int = 0x300b_0000;

/// A method, as JVMTI names it: a number or an address, which is never dereferenced.
pub type Method = *mut c_void;

/// `jvmtiFrameInfo`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct FrameInfo {
    /// The method.
    pub method: Method,
    /// Index of the bytecode; -1 in a native method.
    pub location: i64,
}

/// `jvmtiLineNumberEntry`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Line {
    start: i64,
    number: c_int,
}

const SET_EVENT_NOTIFICATION_MODE: usize = 2;
const DEALLOCATE: usize = 47;
const GET_CLASS_SIGNATURE: usize = 48;
const GET_SOURCE_FILE_NAME: usize = 50;
const GET_METHOD_NAME: usize = 64;
const GET_METHOD_DECLARING_CLASS: usize = 65;
const GET_LINE_NUMBER_TABLE: usize = 70;
const GET_STACK_TRACE: usize = 104;
const FORCE_GARBAGE_COLLECTION: usize = 108;
const SET_EVENT_CALLBACKS: usize = 122;
const DISPOSE_ENVIRONMENT: usize = 127;
const GET_PHASE: usize = 133;
const ADD_CAPABILITIES: usize = 142;
const SET_HEAP_SAMPLING_INTERVAL: usize = 156;

/// Capabilities by the place of their bit in `jvmtiCapabilities`.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Capability {
    /// `can_get_source_file_name`
    SourceFileName = 11,
    /// `can_get_line_numbers`
    LineNumbers = 12,
    /// `can_generate_garbage_collection_events`
    GarbageCollectionEvents = 31,
    /// `can_generate_sampled_object_alloc_events`
    SampledObjectAllocEvents = 43,
}

/// Events by number.
#[derive(Clone, Copy)]
#[repr(i32)]
pub enum Event {
    /// A thread begins. The event comes on that thread.
    ThreadStart = 52,
    /// The JVM is about to end; the last moment for JNI.
    VmDeath = 51,
    /// A pause for collection ends. The event comes on a thread that may not call JNI.
    GarbageCollectionFinish = 82,
    /// An object was sampled. The event comes on the thread that allocated it.
    SampledObjectAlloc = 86,
}

/// `JVMTI_PHASE_LIVE`
const LIVE_PHASE: c_int = 4;

const FIRST_EVENT: usize = 50;
const EVENTS: usize = 37;

/// `jvmtiEventCallbacks` as of JDK 11; the JVM is told its length.
#[repr(C)]
pub struct Callbacks([*const c_void; EVENTS]);

/// What the JVM calls for [`Event::ThreadStart`].
pub type OnThreadStart = unsafe extern "C" fn(Interface, Interface, Object);
/// What the JVM calls for [`Event::VmDeath`].
pub type OnVmDeath = unsafe extern "C" fn(Interface, Interface);
/// What the JVM calls for [`Event::GarbageCollectionFinish`].
pub type OnCollection = unsafe extern "C" fn(Interface);
/// What the JVM calls for [`Event::SampledObjectAlloc`]: environments, thread, object, class, size.
pub type OnSample = unsafe extern "C" fn(Interface, Interface, Object, Object, Object, i64);

impl Callbacks {
    /// A table with these four.
    pub fn new(
        start: OnThreadStart,
        death: OnVmDeath,
        collection: OnCollection,
        sample: OnSample,
    ) -> Callbacks {
        let mut table = [null(); EVENTS];
        for (event, callback) in [
            (Event::ThreadStart, start as *const c_void),
            (Event::VmDeath, death as *const c_void),
            (Event::GarbageCollectionFinish, collection as *const c_void),
            (Event::SampledObjectAlloc, sample as *const c_void),
        ] {
            if let Some(slot) = table.get_mut(event as usize - FIRST_EVENT) {
                *slot = callback;
            }
        }
        Callbacks(table)
    }
}

/// A text that JVMTI allocated; it is freed when dropped.
pub struct Text {
    jvmti: Jvmti,
    text: *mut c_char,
}

impl Text {
    /// The bytes, modified UTF-8.
    pub fn bytes(&self) -> &[u8] {
        if self.text.is_null() {
            return &[];
        }
        // SAFETY: JVMTI returns terminated strings, which belong to us until they are deallocated.
        unsafe { CStr::from_ptr(self.text) }.to_bytes()
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        self.jvmti.deallocate(self.text.cast());
    }
}

/// The tool environment.
#[derive(Clone, Copy)]
pub struct Jvmti(Interface);

/// Calls the function with this number of the specification, with the environment and some
/// arguments; true when it returns JVMTI_ERROR_NONE.
macro_rules! call {
    ($jvmti:expr, $number:expr, $($argument:expr => $type:ty),*) => {{
        // SAFETY: the specification gives the function of this number these arguments.
        unsafe {
            let call: unsafe extern "C" fn(Interface $(, $type)*) -> c_int =
                transmute(function($jvmti.0, $number - 1));
            call($jvmti.0 $(, $argument)*) == 0
        }
    }};
}

impl Jvmti {
    /// # Safety
    /// `interface` is a `jvmtiEnv*` of version 11 or later.
    pub unsafe fn new(interface: Interface) -> Jvmti {
        Jvmti(interface)
    }

    /// Is the JVM between its creation and its end? May be called in any phase; in other phases the
    /// other functions return errors.
    pub fn is_live(self) -> bool {
        let mut phase = 0;
        call!(self, GET_PHASE, &raw mut phase => *mut c_int) && phase == LIVE_PHASE
    }

    /// Requests capabilities: all of them, or none and `false`.
    pub fn add_capabilities(self, wanted: &[Capability]) -> bool {
        let bits = wanted
            .iter()
            .fold(0_u128, |bits, wanted| bits | 1 << (*wanted as u8));
        let bits = bits.to_le_bytes();
        call!(self, ADD_CAPABILITIES, bits.as_ptr() => *const u8)
    }

    /// Sets the callbacks. The JVM copies the table.
    pub fn set_callbacks(self, callbacks: &Callbacks) -> bool {
        let size = size_of::<Callbacks>() as c_int;
        call!(self, SET_EVENT_CALLBACKS, callbacks => *const Callbacks, size => c_int)
    }

    /// Enables an event on all threads, or disables it.
    pub fn let_through(self, event: Event, on: bool) -> bool {
        // JVMTI_DISABLE and JVMTI_ENABLE.
        let mode = c_int::from(on);
        // SAFETY: the specification's prototype; it ends in "..." and no argument is passed there.
        unsafe {
            let set: unsafe extern "C" fn(Interface, c_int, c_int, Object, ...) -> c_int =
                transmute(function(self.0, SET_EVENT_NOTIFICATION_MODE - 1));
            set(self.0, mode, event as c_int, null_mut()) == 0
        }
    }

    /// The mean of bytes between two samples; the JVM draws the gaps from a geometric distribution.
    pub fn set_interval(self, bytes: u32) -> bool {
        let bytes = c_int::try_from(bytes).unwrap_or(c_int::MAX);
        call!(self, SET_HEAP_SAMPLING_INTERVAL, bytes => c_int)
    }

    /// The Java stack of the calling thread, leaf first, virtual threads in full.
    pub fn stack_trace(self, room: &mut [FrameInfo]) -> usize {
        let (most, mut count) = (c_int::try_from(room.len()).unwrap_or(c_int::MAX), 0);
        let done = call!(self, GET_STACK_TRACE,
            null_mut() => Object, 0 => c_int, most => c_int,
            room.as_mut_ptr() => *mut FrameInfo, &raw mut count => *mut c_int);
        if done {
            usize::try_from(count).unwrap_or(0)
        } else {
            0
        }
    }

    /// `Ljava/lang/String;`, `[B`
    pub fn class_signature(self, class: Object) -> Option<Text> {
        self.text(|text| {
            call!(self, GET_CLASS_SIGNATURE,
                class => Object, text => *mut *mut c_char, null_mut() => *mut *mut c_char)
        })
    }

    /// The file of a class, without directories.
    pub fn source_file(self, class: Object) -> Option<Text> {
        self.text(
            |text| call!(self, GET_SOURCE_FILE_NAME, class => Object, text => *mut *mut c_char),
        )
    }

    /// The name of a method.
    pub fn method_name(self, method: Method) -> Option<Text> {
        self.text(|text| {
            call!(self, GET_METHOD_NAME, method => Method, text => *mut *mut c_char,
                null_mut() => *mut *mut c_char, null_mut() => *mut *mut c_char)
        })
    }

    /// The class of a method, a new local reference.
    pub fn declaring_class(self, method: Method) -> Option<Object> {
        let mut class = null_mut();
        call!(self, GET_METHOD_DECLARING_CLASS,
            method => Method, &raw mut class => *mut Object)
        .then_some(class)
    }

    /// The line of a bytecode, 0 when not known.
    pub fn line(self, method: Method, location: i64) -> u32 {
        let (mut count, mut table) = (0, null_mut::<Line>());
        if !call!(self, GET_LINE_NUMBER_TABLE,
            method => Method, &raw mut count => *mut c_int, &raw mut table => *mut *mut Line)
        {
            return 0;
        }
        let length = usize::try_from(count).unwrap_or(0);
        let lines = if table.is_null() {
            &[]
        } else {
            // SAFETY: JVMTI allocated `count` entries for us.
            unsafe { core::slice::from_raw_parts(table, length) }
        };
        let line = line_of(lines, location);
        self.deallocate(table.cast());
        line
    }

    /// Collects the whole heap, and returns when that is done.
    pub fn force_collection(self) -> bool {
        call!(self, FORCE_GARBAGE_COLLECTION,)
    }

    /// Disposes of the environment and its capabilities.
    pub fn dispose(self) {
        let _ = call!(self, DISPOSE_ENVIRONMENT,);
    }

    fn text(self, get: impl FnOnce(*mut *mut c_char) -> bool) -> Option<Text> {
        let mut text = null_mut();
        get(&raw mut text).then_some(Text { jvmti: self, text })
    }

    fn deallocate(self, memory: *mut u8) {
        // It cannot fail, and nothing could be done if it did.
        let _ = call!(self, DEALLOCATE, memory => *mut u8);
    }
}

/// The line whose code begins last at or before `location`. The table need not be sorted.
fn line_of(lines: &[Line], location: i64) -> u32 {
    let begun = lines.iter().filter(|line| line.start <= location);
    let line = begun.max_by_key(|line| line.start);
    line.and_then(|line| u32::try_from(line.number).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_the_last_that_began() {
        let entry = |start, number| Line { start, number };
        let lines = [entry(0, 10), entry(8, 14), entry(4, 12)];
        assert_eq!(line_of(&lines, 0), 10);
        assert_eq!(line_of(&lines, 7), 12);
        assert_eq!(line_of(&lines, 100), 14);
        assert_eq!(line_of(&lines, -1), 0, "a native method");
        assert_eq!(line_of(&[], 3), 0);
    }

    #[test]
    fn the_table_of_callbacks_is_that_of_the_specification() {
        unsafe extern "C" fn start(_: Interface, _: Interface, _: Object) {}
        unsafe extern "C" fn death(_: Interface, _: Interface) {}
        unsafe extern "C" fn collection(_: Interface) {}
        unsafe extern "C" fn sample(
            _: Interface,
            _: Interface,
            _: Object,
            _: Object,
            _: Object,
            _: i64,
        ) {
        }
        let Callbacks(table) = Callbacks::new(start, death, collection, sample);
        let set: Vec<_> = (0..EVENTS).filter(|at| !table[*at].is_null()).collect();
        assert_eq!(set, [1, 2, 32, 36], "offsets in jvmti.h");
        assert_eq!(size_of::<Callbacks>(), 296, "as of JDK 11");
    }
}
