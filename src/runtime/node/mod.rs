//! Node: JavaScript functions with file and line, without a flag or anything loaded by the program.
//!
//! V8 tells of the code that it generates, if it is asked on the thread of the isolate. That cannot
//! be done inside malloc. So a sample that sees an isolate for the first time has a thread of ours
//! (`helper`) request an interrupt of it; in the interrupt V8 is asked (`interrupt`), and from then
//! on calls `event`, which keeps in `code_map` what is where. Samples only read that map (`stack`).
//!
//! ```text
//! constructor -> engine: names, version; flags; helper
//! sample -> isolates -> helper -> V8 -> interrupt -> V8 -> event -> code_map -> samples
//! ```
//!
//! V8's C++ interface is private. Its names, its version and the first hundred names of code are
//! checked. If something is odd, JavaScript has no names, and one remark says so.
//!
//! # Safety
//! The hook calls nothing of V8. What is called elsewhere runs on a thread and at a time at which V8
//! allows it; each file says why.
#![allow(unsafe_code)]

mod ask;
pub mod code_map;
pub mod engine;
pub mod event;
mod frozen;
mod functions;
pub mod heap;
mod helper;
pub mod inlined;
mod interrupt;
pub mod isolates;
pub mod name;
mod stack;

use core::alloc::Layout;
use core::ptr::null_mut;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering::{Acquire, Release};

use super::Runtime;
use crate::config::Config;
use crate::{remark, table::arena};
use engine::Engine;
pub use interrupt::{Observer, ask_for_look, observe, set_at_end};

/// V8, as Node has it.
pub struct V8;

/// Room for the name of a piece of code and what is inlined in it, and for a stack.
pub struct State {
    name: [u8; event::LONGEST_NAME],
    inlined: inlined::Room,
    frames: [u64; stack::MOST],
}

// SAFETY: zeroed memory is empty names, tables and stacks.
unsafe impl Runtime for V8 {
    const NAME: &'static str = "Node";

    type State = State;

    fn start(config: &Config) {
        if config.prof_js {
            start();
        }
    }

    #[inline]
    fn is_wanted(_now_ms: u64) -> bool {
        engine().is_some_and(|engine| engine.isolate() != 0)
    }

    fn complete(stack: &mut super::Stack<'_>) {
        if let Some(engine) = engine() {
            stack::complete(stack, engine, engine.isolate());
        }
    }

    /// V8 is in an object that was there at the start, and such an object is never closed.
    fn before_close() {}

    fn after_close() {}
}

/// The engine, or null. Written by [`start`] with Release, before the program's first thread; by
/// [`abandon`].
static ENGINE: AtomicPtr<Engine> = AtomicPtr::new(null_mut());

/// V8, where it is known.
pub fn engine() -> Option<&'static Engine> {
    // SAFETY: null, or an engine that was written whole and is never freed. Acquire: pairs with
    // Release in `start`.
    unsafe { ENGINE.load(Acquire).as_ref() }
}

fn start() {
    match Engine::find() {
        None => {}
        Some(Err(missing)) => {
            remark::note(&["JavaScript frames have no names: this program has not ", missing]);
        }
        Some(Ok(engine)) => begin(engine),
    }
}

#[cold]
#[inline(never)]
fn begin(engine: Engine) {
    if frozen::is_frozen(engine.object()) {
        remark::note(&["JavaScript frames have no names: this Node is bound to its flags by a snapshot or as a single executable"]);
        return;
    }
    let Some(place) = arena::alloc(Layout::new::<Engine>()) else {
        return;
    };
    let place = place.cast::<Engine>();
    // SAFETY: fresh memory of the right layout, never freed.
    unsafe { place.write(engine) };
    engine.set_flags();
    helper::start();
    ENGINE.store(place.as_ptr(), Release);
}

/// Is there something to find out about the isolate of the calling thread? Then a look at its stack
/// is worth its cost.
pub fn wants_look(now_ms: u64) -> bool {
    engine().is_some_and(|engine| match engine.isolate() {
        0 => false,
        isolate => event::is_sound() && isolates::is_new(isolate, now_ms),
    })
}

/// Is there an engine?
pub fn is_found() -> bool {
    engine().is_some()
}

fn is_compiled_in(at: u64) -> bool {
    engine().is_some_and(|engine| engine.is_compiled_in(at))
}

/// Forgets what was stored in the arena.
///
/// # Safety
/// As `arena::abandon`, which is called with it.
pub unsafe fn abandon() {
    ENGINE.store(null_mut(), Release);
    isolates::abandon();
    // SAFETY: the same contract.
    unsafe { code_map::CODE.abandon() };
}
