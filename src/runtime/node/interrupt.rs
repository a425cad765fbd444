//! What is done on an isolate's own thread: V8 is asked to tell of its code, until the environment
//! ends.
//!
//! V8 calls [`on_interrupt`] between two steps of JavaScript, outside malloc; it may call V8, but
//! run no JavaScript. No lock of ours is held, and the thread does not count as inside our code:
//! what V8 allocates meanwhile is an allocation like any other.
#![allow(unsafe_code)]

use core::ffi::c_void;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use once_cell::race::OnceRef;

use super::engine::Engine;
use super::event;
use super::isolates::Isolate;
use crate::platform::sys;

/// Asks V8 for an interrupt of the isolate at `at`, which lives. On the helper's thread.
pub fn request(at: u64, place: &'static Isolate) {
    if let Some(engine) = super::engine() {
        let data = core::ptr::from_ref(place).cast_mut().cast();
        engine.request(at, on_interrupt, data);
    }
}

/// Asks V8 for an interrupt in which the observer looks at the open isolate at `at`. On the
/// helper's thread.
pub fn request_look(at: u64, place: &'static Isolate) {
    if let Some(engine) = super::engine() {
        ask_for_look(engine, at, place);
    }
}

/// Asks V8 for an interrupt in which the observer looks at the open isolate at `at`. On a thread on
/// which the isolate cannot end meanwhile.
pub fn ask_for_look(engine: &Engine, at: u64, place: &'static Isolate) {
    let data = core::ptr::from_ref(place).cast_mut().cast();
    engine.request(at, on_look, data);
}

/// # Safety
/// `data` is what [`request`] passed.
unsafe fn place(data: *mut c_void) -> &'static Isolate {
    // SAFETY: a place in the static list, by the contract above.
    unsafe { &*data.cast_const().cast() }
}

extern "C" fn on_interrupt(at: u64, data: *mut c_void) {
    // SAFETY: V8 passes on what it got from `request`.
    let place = unsafe { place(data) };
    let Some(engine) = super::engine() else {
        return;
    };
    // An interrupt may be served after it was asked for again.
    if !place.is_asked(at) || !event::is_sound() {
        return;
    }
    // Without an environment there would be no hook at its end. While Node starts there is none.
    let Some(environment) = engine.environment(at) else {
        return place.not_yet();
    };
    engine.at_end(at, on_end, data);
    if is_main_thread() {
        engine.at_exit(environment, on_exit, data);
    }
    place.open(&engine.builtins(at));
    engine.set_handler(at, Some(event::on_event));
    if !event::is_proven() {
        event::give_up();
        engine.set_handler(at, None);
    } else if let Some(observer) = OBSERVER.get() {
        (observer.open)(engine, at, place);
    }
}

extern "C" fn on_look(at: u64, data: *mut c_void) {
    // SAFETY: V8 passes on what it got from `ask_for_look`.
    let place = unsafe { place(data) };
    if let (Some(engine), Some(observer)) = (super::engine(), OBSERVER.get())
        && place.is_open(at)
    {
        (observer.look)(engine, at, place);
    }
}

/// What another room does with an isolate, each on the isolate's thread, outside malloc.
pub struct Observer {
    /// It is open now.
    pub open: fn(&Engine, u64, &'static Isolate),
    /// A look was asked for, or its program is about to exit.
    pub look: fn(&Engine, u64, &'static Isolate),
    /// Its environment ends. The last is true on the main thread.
    pub end: fn(&Engine, u64, &'static Isolate, bool),
}

/// Who observes. Set in the constructor.
static OBSERVER: OnceRef<'static, Observer> = OnceRef::new();

/// Has `observer` told of isolates.
pub fn observe(observer: &'static Observer) {
    // There is one caller.
    let _ = OBSERVER.set(observer);
}

/// The environment ends, on the isolate's thread; the isolate ends next.
extern "C" fn on_end(data: *mut c_void) {
    // SAFETY: what `on_interrupt` passed on.
    let place = unsafe { place(data) };
    let at = place.at();
    if let Some(engine) = super::engine().filter(|_| place.end()) {
        engine.set_handler(at, None);
        if let Some(observer) = OBSERVER.get() {
            (observer.end)(engine, at, place, is_main_thread());
        }
        if is_main_thread() {
            end_of_program();
        }
    }
}

/// `process.exit` was called on the main thread. Workers still run.
extern "C" fn on_exit(data: *mut c_void) {
    // SAFETY: what `on_interrupt` passed on.
    let place = unsafe { place(data) };
    on_look(place.at(), data);
    end_of_program();
}

fn is_main_thread() -> bool {
    sys::gettid() == sys::getpid()
}

/// Does the work once: at an end without `process.exit`, Node calls both hooks.
fn end_of_program() {
    let is_first = !IS_AT_END.swap(true, Relaxed);
    if let Some(work) = AT_END.get().filter(|_| is_first) {
        work();
    }
}

/// Has the end of the program begun? Written by the main thread.
static IS_AT_END: AtomicBool = AtomicBool::new(false);

/// Runs before the main thread's environment ends. Set in the constructor.
static AT_END: OnceRef<'static, fn()> = OnceRef::new();

/// Stores what runs before the main thread's environment is taken down, with all that it still
/// holds.
pub fn set_at_end(work: &'static fn()) {
    // There is one caller.
    let _ = AT_END.set(work);
}
