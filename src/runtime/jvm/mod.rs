//! HotSpot: Java frames without an agent, a flag, or anything attached to the JVM.
//!
//! A JVM becomes known in one of two ways. The hook of `dlsym` sees its creation ([`created`]). Or
//! a sample is taken whose stack leads through libjvm (`look`; this also finds a JVM that a program
//! is linked to). From then on each sample asks `GetEnv` which Java thread it runs on, and walks
//! the thread's Java frames by the tables in which HotSpot describes itself. `GetEnv` reads a
//! thread-local variable and does nothing else. All other steps only read memory, and only pages
//! that the kernel calls readable.
//!
//! Where the tables are not complete, one remark says so. Then `AsyncGetCallTrace` is asked
//! instead, if the creation was seen; else one `[java]` stands for the Java frames.
//!
//! # Safety
//! `GetEnv` is called only while libjvm is loaded. Samples count themselves in before they look at
//! the JVM. `dlclose` removes a JVM that was destroyed, and waits for the samples inside before it
//! goes on.
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

/// The JVM of OpenJDK.
pub struct HotSpot;

/// What a walk keeps for the next one.
pub struct State {
    names: Names,
    traces: Room,
}

// SAFETY: zeroed memory is empty names, and a room that is not made yet.
unsafe impl Runtime for HotSpot {
    const NAME: &'static str = "JVM";

    type State = State;

    fn start(config: &Config) {
        CHECKED.store(config.prof_java_check, Relaxed);
        WATCHED.store(config.prof_java == Detection::Auto, Relaxed);
        WANTED.store(config.prof_java != Detection::Off, Relaxed);
    }

    /// While no JVM is known and the next look is not due, a sample need not count itself in: that
    /// would write a word that all threads write.
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
    /// `None`: its tables are not complete.
    layout: Option<Layout>,
    /// Made where the layout is missing, or to check the walk against it.
    traces: Option<Traces>,
    /// Distance of a thread's `JNIEnv` from its `JavaThread`; 0 while unknown. Written by the first
    /// sample that finds it, the same value each time.
    env_offset: AtomicU64,
    /// An address in the JVM's library.
    library: usize,
    /// JNI_GetCreatedJavaVMs of the JVM's library, or 0.
    created: usize,
}

/// Do samples look for JVMs, and at them? Written by [`HotSpot`], before sampling begins.
static WANTED: AtomicBool = AtomicBool::new(false);

/// Does the hook of `dlsym` look for their creation? Written by [`HotSpot`].
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Is each stack compared with what `AsyncGetCallTrace` says? Written by [`HotSpot`].
static CHECKED: AtomicBool = AtomicBool::new(false);

/// The JVM, or null. Published with SeqCst by the thread that finds it, removed by
/// [`before_close`]. SeqCst, because it and [`INSIDE`] signal each other: a sample that enters
/// counts first and then looks.
static CURRENT: AtomicPtr<Jvm> = AtomicPtr::new(null_mut());

/// What [`before_close`] removes; written before it is gone from [`CURRENT`]. Samples that miss it
/// there do not look for it meanwhile, because a JVM that they found would have no [`Traces`].
/// SeqCst, like [`CURRENT`]. Written by [`before_close`] and [`after_close`].
static CLOSING: AtomicPtr<Jvm> = AtomicPtr::new(null_mut());

/// Number of samples that are looking at [`CURRENT`].
static INSIDE: AtomicU32 = AtomicU32::new(0);

/// Number of creations that run inside the hook. A JVM is half made until its creation returns;
/// then it is published. Written by [`creation`]. Samples on every thread read it before they look,
/// and publish nothing meanwhile.
static CREATIONS: AtomicU32 = AtomicU32::new(0);

/// When samples next look for a JVM, in milliseconds of the recorder's clock. Any thread writes.
static NEXT_LOOK: AtomicU64 = AtomicU64::new(0);

const GET_CREATED: &[u8] = b"JNI_GetCreatedJavaVMs";

/// Time between two looks.
const LOOK_MS: u64 = 50;

/// Longest wait of a `dlclose` for samples inside: each needs microseconds.
const PATIENCE_MS: u64 = 100;

/// Must the hook of `dlsym` look for the creation of a JVM?
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

/// Does the caller at `pc` belong to the library of the known JVM?
pub fn is_in_library(pc: usize) -> bool {
    let inside = Inside::enter();
    inside
        .jvm()
        .and_then(|jvm| elf::find_by_address(jvm.library))
        .is_some_and(|library| library.contains(pc))
}

/// Checks whether one of `frames`, which are on this thread's stack, is in a libjvm that has a JVM.
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
    // SAFETY: the function belongs to a library that is in use.
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

/// `env` is null where the calling thread may be anywhere in the JVM: then no function of the JVM
/// is called.
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
        remark::note(&["this ", HotSpot::NAME, " does not publish ", missing, instead]);
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

/// Runs before a library is closed, which may be libjvm. Nothing is removed while its JVM lives:
/// the JVM has threads of its own in there, so a program that closes the library then breaks by
/// itself.
fn before_close() {
    let jvm = CURRENT.load(SeqCst);
    // SAFETY: null, or a JVM that was published whole and is never freed.
    let known = unsafe { jvm.as_ref() };
    // SAFETY: its library is loaded, or it would have been removed.
    let is_living = |jvm: &Jvm| jvm.created != 0 && unsafe { living(jvm.created) } == Some(jvm.vm);
    if known.is_none_or(is_living) {
        return;
    }
    CLOSING.store(jvm, SeqCst);
    // A JVM that was created meanwhile stays.
    let _ = CURRENT.compare_exchange(jvm, null_mut(), SeqCst, Acquire);
    let deadline = sys::monotonic_ms() + PATIENCE_MS;
    while INSIDE.load(SeqCst) != 0 && sys::monotonic_ms() < deadline {
        core::hint::spin_loop();
    }
}

/// Runs after it: the JVM is published again if its library is still loaded. A thread that closes a
/// library meanwhile finds nothing to remove, and the last such thread puts the JVM back.
fn after_close() {
    let jvm = CLOSING.swap(null_mut(), SeqCst);
    // SAFETY: null, or a JVM that was published whole and is never freed.
    let is_loaded =
        unsafe { jvm.as_ref() }.is_some_and(|jvm| elf::find_by_address(jvm.library).is_some());
    if is_loaded {
        // A JVM that was created meanwhile stays.
        let _ = CURRENT.compare_exchange(null_mut(), jvm, SeqCst, Acquire);
    } else if !jvm.is_null() {
        managed::set(HotSpot::OWNER, &(0..0));
    }
}

/// The code that the JVM generates.
pub fn java_code() -> core::ops::Range<u64> {
    managed::range(HotSpot::OWNER)
}
