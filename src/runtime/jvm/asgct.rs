//! Java frames by `AsyncGetCallTrace`: where the JVM's tables do not tell enough for a walk of our
//! own, and to compare this with when `prof_java_check` asks for it.
//!
//! Made in [`Traces::start`] on the thread that created the JVM; then asked by samples. The function
//! answers with method ids, and only once class loading is watched, which makes each class cost
//! something; so none of this runs without need. Names are asked of JVMTI when a class is prepared
//! and kept by id, which is not reused while the JVM runs (JDK 11 to 25). Files and lines are not asked for.
//!
//! # Safety
//! The functions of JVMTI are called by their place in its table, in native code of an attached
//! thread: on the creating thread, and in the events themselves. `AsyncGetCallTrace` is made for
//! signal handlers: it takes no lock and allocates nothing.
//!
//! Source: `jvmti.h` (numbers and prototypes of the functions), `forte.cpp` of OpenJDK.
#![allow(unsafe_code)]

use core::alloc::Layout as Size;
use core::ffi::{CStr, c_char, c_void};
use core::mem::transmute;
use core::ptr::{NonNull, null, null_mut};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU64};

use super::layout::Layout;
use super::method::{are_versions, java_name};
use crate::platform::elf::Object;
use crate::runtime::memory::Memory;
use crate::table::frame_table::{FRAMES, Kind};
use crate::table::{stack_table::MAX_FRAMES, sync::SpinLock};
use crate::{
    platform::tls,
    table::{arena, fork_gate},
};

/// Numbers of the functions of JVMTI.
mod number {
    pub const SET_EVENT_NOTIFICATION_MODE: usize = 2;
    pub const DEALLOCATE: usize = 47;
    pub const GET_CLASS_SIGNATURE: usize = 48;
    pub const GET_CLASS_METHODS: usize = 52;
    pub const GET_METHOD_NAME: usize = 64;
    pub const GET_LOADED_CLASSES: usize = 78;
    pub const SET_EVENT_CALLBACKS: usize = 122;
}

const JVMTI_VERSION_1_2: i32 = 0x3001_0200;
const CLASS_LOAD: i32 = 55;
const CLASS_PREPARE: i32 = 56;
/// Place of GetEnv in a `JavaVM`, of DeleteLocalRef in a `JNIEnv`.
const GET_ENV: usize = 6;
const DELETE_LOCAL_REF: usize = 23;

/// Chains of method ids.
const BUCKETS: usize = 1 << 12;
/// Longest name that is kept.
const LONGEST: usize = 512;

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

/// Room for one trace, and for the methods it is compared with; in the arena, made when it is first
/// needed.
pub struct Room {
    calls: Option<NonNull<[Call; MAX_FRAMES]>>,
    methods: Option<NonNull<[u64; MAX_FRAMES]>>,
    seen: usize,
}

impl Room {
    /// None yet.
    pub const fn new() -> Room {
        Room {
            calls: None,
            methods: None,
            seen: 0,
        }
    }

    fn calls(&mut self) -> Option<&mut [Call; MAX_FRAMES]> {
        if self.calls.is_none() {
            self.calls = arena::alloc(Size::new::<[Call; MAX_FRAMES]>()).map(NonNull::cast);
        }
        // SAFETY: zeroed memory of the right layout, this walk's alone, never freed.
        self.calls.map(|mut room| unsafe { room.as_mut() })
    }

    fn methods(&mut self) -> Option<&mut [u64; MAX_FRAMES]> {
        if self.methods.is_none() {
            self.methods = arena::alloc(Size::new::<[u64; MAX_FRAMES]>()).map(NonNull::cast);
        }
        // SAFETY: as above.
        self.methods.map(|mut room| unsafe { room.as_mut() })
    }

    /// Begins a walk that shall be compared.
    pub fn begin(&mut self) {
        self.seen = 0;
    }

    /// The walk has come to a frame of `method`.
    pub fn see(&mut self, method: u64) {
        let at = self.seen;
        if let Some(slot) = self.methods().and_then(|methods| methods.get_mut(at)) {
            *slot = method;
            self.seen += 1;
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::new()
    }
}

/// A method whose name is known.
struct Named {
    id: u64,
    frame: u64,
    next: *mut Named,
}

/// Names by method id. Heads are written under [`NAMING`] with Release, after the entry; Acquire
/// in [`frame_of`].
static NAMES: [AtomicPtr<Named>; BUCKETS] = [const { AtomicPtr::new(null_mut()) }; BUCKETS];

/// Held while a name is added.
static NAMING: SpinLock = SpinLock::new();

/// What prepared classes are asked for: 1 the ids alone, 2 the names too. Written by `start`,
/// before events are switched on.
static PURPOSE: AtomicU64 = AtomicU64::new(0);

impl Traces {
    /// Begins to trace the JVM `vm` of `library`, whose creating thread has the environment `env`.
    /// `is_named`: names are wanted, else ids are enough.
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

    /// The calls of the thread with the environment `env`, leaf first; empty when it cannot tell.
    fn calls<'a>(&self, env: u64, room: &'a mut Room) -> &'a [Call] {
        let Some(calls) = room.calls() else {
            return &[];
        };
        let mut trace = Trace {
            env,
            count: 0,
            calls: calls.as_mut_ptr(),
        };
        // SAFETY: AsyncGetCallTrace of a JVM whose library is loaded, on the thread it is asked
        // for; it writes at most as many calls as there is room for. Without a context it starts
        // at the anchor.
        unsafe {
            let trace_calls: extern "C" fn(*mut Trace, i32, *mut c_void) = transmute(self.function);
            trace_calls(&raw mut trace, MAX_FRAMES as i32, null_mut());
        }
        let count = usize::try_from(trace.count).unwrap_or(0);
        calls.get(..count).unwrap_or_default()
    }

    /// Fills `out` with the Java frames of the calling thread; how many there are.
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

    /// Whether the calling thread's calls are those that `room` has seen; `None` when it cannot
    /// tell. An id leads to its method, of a redefined class to the newest version of it, but for
    /// methods that have none.
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
        // SAFETY: two pieces of the arena, this thread's alone; nobody else has them borrowed.
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

fn bucket(id: u64) -> Option<&'static AtomicPtr<Named>> {
    NAMES.get((id >> 3) as usize % BUCKETS)
}

fn frame_of(id: u64) -> Option<u64> {
    // Acquire: pairs with Release in `keep`.
    let mut at = bucket(id)?.load(Acquire);
    // SAFETY: null, or an entry that was whole when it was published, and never changes.
    while let Some(named) = unsafe { at.as_ref() } {
        if named.id == id {
            return Some(named.frame);
        }
        at = named.next;
    }
    None
}

/// Keeps the name of a method.
fn keep(id: u64, class: &[u8], name: &[u8]) -> Option<()> {
    let _inside = tls::current().enter()?;
    let _pass = fork_gate::TABLES.enter()?;
    let frame = FRAMES.intern(Kind::Java, class, name, b"", 0)?;
    let _held = NAMING.lock();
    let head = bucket(id)?;
    let place = arena::alloc(Size::new::<Named>())?.cast::<Named>().as_ptr();
    // SAFETY: fresh memory of the right layout.
    unsafe {
        place.write(Named {
            id,
            frame,
            next: head.load(Relaxed),
        });
    }
    // Release: pairs with Acquire in `frame_of`.
    head.store(place, Release);
    Some(())
}

/// A JVMTI environment: a pointer to a pointer to its functions.
struct Jvmti(*mut c_void);

/// The function at `place` of the table that `object` begins with a pointer to.
///
/// # Safety
/// `object` is a JNI or JVMTI interface with at least so many functions.
unsafe fn function(object: *mut c_void, place: usize) -> usize {
    // SAFETY: as promised.
    unsafe { *(*object.cast::<*const usize>()).add(place) }
}

impl Jvmti {
    fn of(vm: *mut c_void) -> Option<Jvmti> {
        let mut env = null_mut();
        // SAFETY: the JVM that was just created; GetEnv makes an environment for JVMTI.
        let answer = unsafe {
            let get_env: extern "C" fn(*mut c_void, *mut *mut c_void, i32) -> i32 =
                transmute(function(vm, GET_ENV));
            get_env(vm, &raw mut env, JVMTI_VERSION_1_2)
        };
        (answer == 0 && !env.is_null()).then_some(Jvmti(env))
    }

    /// The function of this number, whose first argument is the environment.
    fn function(&self, number: usize) -> usize {
        // SAFETY: numbers of JVMTI 1.2, counted from 1.
        unsafe { function(self.0, number - 1) }
    }

    /// Switches the events of classes on.
    fn watch(&self) -> Option<()> {
        let callbacks: [usize; 7] = [
            0,
            0,
            0,
            0,
            0,
            ignore_class as *const () as usize,
            prepared as *const () as usize,
        ];
        // SAFETY: the prototypes of `jvmti.h`; the callbacks are those of events 50 to 56.
        unsafe {
            let set: extern "C" fn(*mut c_void, *const usize, i32) -> i32 =
                transmute(self.function(number::SET_EVENT_CALLBACKS));
            let enable: extern "C" fn(*mut c_void, i32, i32, *mut c_void) -> i32 =
                transmute(self.function(number::SET_EVENT_NOTIFICATION_MODE));
            let size = size_of_val(&callbacks) as i32;
            let answers = [
                set(self.0, callbacks.as_ptr(), size),
                enable(self.0, 1, CLASS_LOAD, null_mut()),
                enable(self.0, 1, CLASS_PREPARE, null_mut()),
            ];
            (answers == [0; 3]).then_some(())
        }
    }

    fn free(&self, memory: *mut c_void) {
        // SAFETY: what another function of this environment allocated, or null.
        unsafe {
            let free: extern "C" fn(*mut c_void, *mut c_void) -> i32 =
                transmute(self.function(number::DEALLOCATE));
            free(self.0, memory);
        }
    }

    fn each_loaded_class(&self, env: *mut c_void, visit: &dyn Fn(*mut c_void)) {
        let (mut count, mut classes) = (0_i32, null_mut::<*mut c_void>());
        // SAFETY: the prototypes of `jvmti.h` and `jni.h`; the references are this thread's own.
        unsafe {
            let get: extern "C" fn(*mut c_void, *mut i32, *mut *mut *mut c_void) -> i32 =
                transmute(self.function(number::GET_LOADED_CLASSES));
            let delete: extern "C" fn(*mut c_void, *mut c_void) =
                transmute(function(env, DELETE_LOCAL_REF));
            if get(self.0, &raw mut count, &raw mut classes) != 0 {
                return;
            }
            for place in 0..usize::try_from(count).unwrap_or(0) {
                let class = *classes.add(place);
                visit(class);
                delete(env, class);
            }
        }
        self.free(classes.cast());
    }

    fn class_signature<'a>(&self, class: *mut c_void, to: &'a mut [u8]) -> &'a mut [u8] {
        let mut text = null_mut::<c_char>();
        // SAFETY: the prototype of `jvmti.h`; the generic signature may be null.
        let answer = unsafe {
            let get: extern "C" fn(
                *mut c_void,
                *mut c_void,
                *mut *mut c_char,
                *mut *mut c_char,
            ) -> i32 = transmute(self.function(number::GET_CLASS_SIGNATURE));
            get(self.0, class, &raw mut text, null_mut())
        };
        if answer != 0 || text.is_null() {
            return &mut [];
        }
        let copied = copy(text, to);
        self.free(text.cast());
        copied
    }

    fn methods(&self, class: *mut c_void, visit: &dyn Fn(u64)) {
        let (mut count, mut methods) = (0_i32, null_mut::<u64>());
        // SAFETY: the prototype of `jvmti.h`.
        let answer = unsafe {
            let get: extern "C" fn(*mut c_void, *mut c_void, *mut i32, *mut *mut u64) -> i32 =
                transmute(self.function(number::GET_CLASS_METHODS));
            get(self.0, class, &raw mut count, &raw mut methods)
        };
        if answer == 0 {
            for place in 0..usize::try_from(count).unwrap_or(0) {
                // SAFETY: JVMTI stored so many ids.
                visit(unsafe { *methods.add(place) });
            }
            self.free(methods.cast());
        }
    }

    fn method_name<'a>(&self, method: u64, to: &'a mut [u8]) -> &'a mut [u8] {
        let mut text = null_mut::<c_char>();
        // SAFETY: the prototype of `jvmti.h`; the signatures may be null.
        let answer = unsafe {
            let get: extern "C" fn(
                *mut c_void,
                u64,
                *mut *mut c_char,
                *const c_void,
                *const c_void,
            ) -> i32 = transmute(self.function(number::GET_METHOD_NAME));
            get(self.0, method, &raw mut text, null(), null())
        };
        if answer != 0 || text.is_null() {
            return &mut [];
        }
        let copied = copy(text, to);
        self.free(text.cast());
        copied
    }
}

fn copy(text: *const c_char, to: &mut [u8]) -> &mut [u8] {
    // SAFETY: JVMTI answers with terminated strings.
    let text = unsafe { CStr::from_ptr(text) }.to_bytes();
    let length = text.len().min(to.len());
    for (to, from) in to.iter_mut().zip(text) {
        *to = *from;
    }
    to.get_mut(..length).unwrap_or_default()
}

/// Has the JVM make the ids of a class's methods, and keeps their names if these are wanted.
fn note_class(jvmti: &Jvmti, class: *mut c_void) {
    if PURPOSE.load(Relaxed) < 2 {
        return jvmti.methods(class, &|_| ());
    }
    let mut signature = [0; LONGEST];
    let signature = jvmti.class_signature(class, &mut signature);
    // `Ljava/lang/String;`
    let inner = signature.len().saturating_sub(1);
    let class_name = java_name(signature.get_mut(1..inner).unwrap_or_default());
    jvmti.methods(class, &|method| {
        let mut name = [0; LONGEST];
        let name = jvmti.method_name(method, &mut name);
        keep(method, class_name, name);
    });
}

/// The event of a class that is loaded: that it is watched is enough.
extern "C" fn ignore_class(_: *mut c_void, _: *mut c_void, _: *mut c_void, _: *mut c_void) {}

/// The event of a class that is prepared.
extern "C" fn prepared(
    jvmti: *mut c_void,
    _env: *mut c_void,
    _thread: *mut c_void,
    class: *mut c_void,
) {
    note_class(&Jvmti(jvmti), class);
}
