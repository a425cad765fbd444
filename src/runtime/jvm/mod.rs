//! HotSpot: Java frames without an agent, a flag, or anything attached to the JVM.
//!
//! A JVM becomes known in one of two ways: the hook of `dlsym` sees its creation ([`created`]), or a
//! sample is taken whose stack leads through libjvm (`look`; this also finds a JVM that a program
//! is linked to). From then on each sample asks `GetEnv` which Java thread this is, and walks its
//! Java frames by the tables in which HotSpot describes itself; `GetEnv` reads a thread-local
//! variable and nothing else. Everything further is reading memory, and every page is asked for.
//!
//! Where the tables do not tell enough that is said in one line, and `AsyncGetCallTrace` is asked
//! instead, if the creation was seen; else the Java frames stand as one `[java]`.
//!
//! # Safety
//! `GetEnv` is called while libjvm is loaded: samples count themselves in before they look at the
//! JVM, and `dlclose` takes one that was destroyed away and waits for those inside before it goes on.
#![allow(unsafe_code)]

mod asgct;
pub mod class_name;
pub mod code;
mod heap_range;
pub mod layout;
mod marker;
mod method;
mod stack;
pub mod structs;
mod thread;
pub mod walk;

use core::alloc::Layout as Size;
use core::ffi::c_void;
use core::mem::transmute;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64};

use crate::config::{Config, Detection};
use crate::platform::elf::{self, Object};
use crate::unwind::{managed, modules};
use crate::{platform::sys, remark, table::arena};
pub use asgct::Room;
use asgct::Traces;
pub use heap_range::java_heap;
use layout::Layout;
pub use method::Names;
use structs::Tables;

use super::{ROOMS, Runtime};

/// The JVM of OpenJDK and what is made of it.
pub struct HotSpot;

/// What a walk knows from the last one.
pub struct State {
    names: Names,
    traces: Room,
}

// SAFETY: zeroed memory is empty names and no room made.
unsafe impl Runtime for HotSpot {
    const NAME: &'static str = "JVM";

    type State = State;

    fn start(config: &Config) {
        CHECKED.store(config.prof_java_check, Relaxed);
        WATCHED.store(config.prof_java == Detection::Auto, Relaxed);
        WANTED.store(config.prof_java != Detection::Off, Relaxed);
    }

    /// While no JVM is known and the time of the next look has not come a sample need not count itself in:
    /// a word that all threads write.
    #[inline]
    fn is_wanted(now_ms: u64) -> bool {
        let is_due = || now_ms >= NEXT_LOOK.load(Relaxed);
        WANTED.load(Relaxed) && (!CURRENT.load(Relaxed).is_null() || is_due())
    }

    fn complete(stack: &mut super::Stack<'_>) {
        stack::complete(stack);
    }

    fn before_close() {
        before_close();
    }

    fn after_close() {
        after_close();
    }
}

/// A JVM.
pub struct Jvm {
    vm: *mut c_void,
    /// `None`: its tables do not tell enough.
    layout: Option<Layout>,
    /// Where it is needed, or its agreement is to be checked.
    traces: Option<Traces>,
    /// Distance of a thread's `JNIEnv` from its `JavaThread`; 0 while unknown. Written by the first
    /// sample that finds it, the same value each time.
    env_offset: AtomicU64,
    /// An address in its library.
    library: usize,
    /// JNI_GetCreatedJavaVMs of its library, or 0.
    created: usize,
}

/// Samples look for and at JVMs. Written by [`HotSpot`], before sampling begins.
static WANTED: AtomicBool = AtomicBool::new(false);

/// The hook of `dlsym` looks for their creation. Written by [`HotSpot`].
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Compare each stack with what `AsyncGetCallTrace` says. Written by [`HotSpot`].
static CHECKED: AtomicBool = AtomicBool::new(false);

/// The JVM, or null. Published with SeqCst by whoever learns of it, taken away by [`before_close`];
/// SeqCst, for it and [`INSIDE`] are each other's signal: who enters counts first and then looks.
static CURRENT: AtomicPtr<Jvm> = AtomicPtr::new(null_mut());

/// What [`before_close`] takes away, told before it is gone from [`CURRENT`]: samples that miss it
/// there do not look for it meanwhile, since what they find has no [`Traces`]. SeqCst, as that is.
/// Written by it and [`after_close`].
static CLOSING: AtomicPtr<Jvm> = AtomicPtr::new(null_mut());

/// Samples that are looking at [`CURRENT`].
static INSIDE: AtomicU32 = AtomicU32::new(0);

/// Creations that the hook is in: what they make is half made until they return, and is then told.
/// Written by [`creation`]; samples read it before they look, on whatever thread, and publish nothing.
static CREATIONS: AtomicU32 = AtomicU32::new(0);

/// When samples next look for a JVM, in milliseconds of the recorder's clock. Any thread writes.
static NEXT_LOOK: AtomicU64 = AtomicU64::new(0);

const GET_CREATED: &[u8] = b"JNI_GetCreatedJavaVMs";

/// Time between two looks.
const LOOK_MS: u64 = 50;

/// Longest wait of a `dlclose` for samples inside: each needs microseconds.
const PATIENCE_MS: u64 = 100;

/// Shall the hook of `dlsym` look for a JVM's creation?
pub fn is_watched() -> bool {
    WATCHED.load(Relaxed)
}

/// Runs a creation, during which samples do not look for the JVM.
pub fn creation<T>(create: impl FnOnce() -> T) -> T {
    CREATIONS.fetch_add(1, SeqCst);
    let made = create();
    CREATIONS.fetch_sub(1, SeqCst);
    made
}

/// A JVM was created: `vm` is its `JavaVM`, `env` the calling thread's `JNIEnv`, `function` an
/// address in its library.
pub fn created(vm: *mut c_void, env: *mut c_void, function: usize) {
    if let Some(library) = elf::find_by_address(function) {
        publish(library, vm, env);
    }
}

/// Does the caller at `pc` belong to the library of the JVM that is known?
pub fn is_in_library(pc: usize) -> bool {
    let inside = Inside::enter();
    inside
        .jvm()
        .and_then(|jvm| elf::find_by_address(jvm.library))
        .is_some_and(|library| library.contains(pc))
}

/// Looks whether one of `frames`, which are on this thread's stack, is in a libjvm that has a JVM.
fn look(frames: &[u64], now_ms: u64) {
    let due = NEXT_LOOK.load(Relaxed);
    let next = now_ms.saturating_add(LOOK_MS);
    if now_ms < due
        || CREATIONS.load(SeqCst) != 0
        || !CLOSING.load(SeqCst).is_null()
        || NEXT_LOOK
            .compare_exchange(due, next, Relaxed, Relaxed)
            .is_err()
    {
        return;
    }
    let is_libjvm = |object: &Object| object.name().ends_with(b"/libjvm.so");
    let objects = frames.iter().filter_map(|pc| modules::object(*pc));
    let Some(library) = objects.into_iter().find(is_libjvm) else {
        return;
    };
    let Some(created) = library.symbol(GET_CREATED) else {
        return;
    };
    // SAFETY: of a library that is in use.
    if let Some(vm) = unsafe { living(created.addr) } {
        publish(library, vm, null_mut());
    }
}

/// The JVM that was created and not destroyed since.
///
/// # Safety
/// `created` is JNI_GetCreatedJavaVMs of a library that is loaded.
unsafe fn living(created: usize) -> Option<*mut c_void> {
    let (mut vm, mut count) = (null_mut::<c_void>(), 0_i32);
    // SAFETY: as promised; it writes at most one pointer and the count, and reads nothing but its
    // own flag and pointer.
    let answer = unsafe {
        let created: extern "C" fn(*mut *mut c_void, i32, *mut i32) -> i32 = transmute(created);
        created(&raw mut vm, 1, &raw mut count)
    };
    (answer == 0 && count > 0 && !vm.is_null()).then_some(vm)
}

/// `env` is null where the calling thread may be anywhere in the JVM: nothing is called in it then.
fn publish(library: Object, vm: *mut c_void, env: *mut c_void) {
    let Some(mut room) = ROOMS.take() else {
        return;
    };
    let memory = &mut room.memory;
    memory.forget();
    let layout = Tables::of(library, memory)
        .ok_or("gHotSpotVMStructs")
        .and_then(|mut tables| Layout::read(&mut tables));
    let is_needed = layout.is_err();
    let traces = (!env.is_null() && (is_needed || CHECKED.load(Relaxed)))
        .then(|| Traces::start(library, vm, env, is_needed))
        .flatten();
    if let Err(missing) = &layout {
        let instead = match traces {
            Some(_) => ": Java frames come from AsyncGetCallTrace",
            None => ": Java frames have no names",
        };
        remark::note(&["this ", HotSpot::NAME, " does not tell ", missing, instead]);
    }
    let range = layout.as_ref().ok().and_then(|layout| {
        let low = memory.word(layout.low_bound)?;
        Some((low, memory.word(layout.high_bound)?))
    });
    if let Ok(layout) = &layout {
        heap_range::note(&layout.fields, memory);
    }
    let Some(place) = arena::alloc(Size::new::<Jvm>()) else {
        return;
    };
    let place = place.cast::<Jvm>().as_ptr();
    let function = |name| library.symbol(name).map_or(0, |symbol| symbol.addr);
    // SAFETY: fresh memory of the right layout; it is never freed.
    unsafe {
        place.write(Jvm {
            vm,
            layout: layout.ok(),
            traces,
            env_offset: AtomicU64::new(0),
            library: function(b"JNI_CreateJavaVM"),
            created: function(GET_CREATED),
        });
    }
    if let Some((low, high)) = range {
        managed::set(HotSpot::OWNER, &(low..high));
    }
    CURRENT.store(place, SeqCst);
}

/// A sample that may look at the JVM.
struct Inside;

impl Inside {
    fn enter() -> Inside {
        INSIDE.fetch_add(1, SeqCst);
        Inside
    }

    fn jvm(&self) -> Option<&'static Jvm> {
        // SAFETY: null, or published whole and never freed.
        unsafe { CURRENT.load(SeqCst).as_ref() }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, SeqCst);
    }
}

/// Before a library is closed, which may be libjvm. Not while its JVM lives: that has threads of its
/// own in there, and whoever closes it then needs no harm from us.
fn before_close() {
    let jvm = CURRENT.load(SeqCst);
    // SAFETY: null, or a JVM that was published whole and is never freed.
    let known = unsafe { jvm.as_ref() };
    // SAFETY: its library is loaded, or it would have been taken away.
    let is_living = |jvm: &Jvm| jvm.created != 0 && unsafe { living(jvm.created) } == Some(jvm.vm);
    if known.is_none_or(is_living) {
        return;
    }
    CLOSING.store(jvm, SeqCst);
    // One that is created meanwhile stays.
    let _ = CURRENT.compare_exchange(jvm, null_mut(), SeqCst, Acquire);
    let deadline = sys::monotonic_ms() + PATIENCE_MS;
    while INSIDE.load(SeqCst) != 0 && sys::monotonic_ms() < deadline {
        core::hint::spin_loop();
    }
}

/// After it: the JVM is there again if its library is. A thread that closes meanwhile finds nothing
/// to take away, and the last one puts it back.
fn after_close() {
    let jvm = CLOSING.swap(null_mut(), SeqCst);
    // SAFETY: null, or a JVM that was published whole and is never freed.
    let is_loaded =
        unsafe { jvm.as_ref() }.is_some_and(|jvm| elf::find_by_address(jvm.library).is_some());
    if is_loaded {
        // One that was created meanwhile stays.
        let _ = CURRENT.compare_exchange(null_mut(), jvm, SeqCst, Acquire);
    } else if !jvm.is_null() {
        managed::set(HotSpot::OWNER, &(0..0));
    }
}

/// The code that the JVM generates.
pub fn java_code() -> core::ops::Range<u64> {
    managed::range(HotSpot::OWNER)
}
