//! CPython: the line of Python in every stack, without an agent or a flag.
//!
//! An interpreter becomes known when a sample's stack leads through it (`look`), whatever its file is
//! called: `libpython`, an executable that has it linked in, a program that embeds it. From then on each
//! sample asks `PyGILState_GetThisThreadState` for the thread's state, and reads its frames from there.
//! That function reads a thread-specific value of the C library. Until 3.11
//! `_PyThreadState_UncheckedGet` is asked too, which reads a variable. Nothing else of the interpreter is
//! called, and only memory that the kernel calls readable is read. The thread need not hold the
//! interpreter's lock.
//!
//! The first structure that is not what it should be turns this off for good: one remark says so, and the
//! counter `python_odd`.
//!
//! # Safety
//! The functions are called only while their library is loaded: samples count themselves in before they
//! look, and `dlclose` waits for them.
#![allow(unsafe_code)]

mod code;
mod frames;
mod interpreter;
mod layout;
mod line;
mod merge;
mod text;

use core::alloc::Layout as Size;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64};

use once_cell::race::OnceRef;

use super::memory::Memory;
use super::search::{self, Search};
use super::{ROOMS, Room, Runtime, Stack};
use crate::config::Config;
use crate::diag::{self, Counter};
use crate::platform::decimal::Decimal;
use crate::platform::elf::{self, Object};
use crate::platform::sys;
use crate::remark;
use crate::table::arena;
use crate::unwind::End;
use frames::Frames;
pub use interpreter::Allocators;
use interpreter::{EVALUATION, Interpreter};
use merge::{Out, merge};

/// The interpreter of python.org.
pub struct CPython;

/// What a walk needs beside the room of a frame.
pub struct State {
    frame: frames::Room,
    merged: [u64; crate::table::stack_table::MAX_FRAMES],
}

// SAFETY: zeroed memory is empty room; it is written before it is read.
unsafe impl Runtime for CPython {
    const NAME: &'static str = "CPython";

    type State = State;

    fn start(config: &Config) {
        WANTED.store(config.prof_python, Relaxed);
        if !config.prof_python {
            SEARCH.stop();
        }
    }

    /// While no interpreter is known and the next look is not due, a sample need not count itself in.
    #[inline]
    fn is_wanted(now_ms: u64) -> bool {
        let is_found = !CURRENT.load(Relaxed).is_null();
        is_found && WANTED.load(Relaxed) || SEARCH.is_due(now_ms)
    }

    fn complete(stack: &mut Stack<'_>) {
        complete(stack);
    }

    fn before_close() {
        before_close();
    }

    fn after_close() {
        after_close();
    }
}

/// Do samples look at an interpreter that was found? Written by [`CPython`] before sampling begins, and by
/// [`turn_off`].
static WANTED: AtomicBool = AtomicBool::new(false);

/// The interpreter, or null. Published with SeqCst by the thread that finds it, removed by
/// [`before_close`]. SeqCst, because it and [`INSIDE`] signal each other: a sample that enters counts
/// first and then looks.
static CURRENT: AtomicPtr<Interpreter> = AtomicPtr::new(null_mut());

/// What [`before_close`] removes, until [`after_close`]. Samples look for no interpreter meanwhile.
/// SeqCst, like [`CURRENT`].
static CLOSING: AtomicPtr<Interpreter> = AtomicPtr::new(null_mut());

/// Number of samples that are looking at [`CURRENT`].
static INSIDE: AtomicU32 = AtomicU32::new(0);

/// When samples look for an interpreter.
static SEARCH: Search = Search::new();

/// Who looks at the allocators. Written by [`let_visit`].
static VISITOR: OnceRef<'static, fn(&Allocators)> = OnceRef::new();

/// When it looks next, in milliseconds of the recorder's clock. Any thread writes.
static NEXT_VISIT: AtomicU64 = AtomicU64::new(0);

/// Time between two looks at the allocators.
const VISIT_MS: u64 = 1000;

/// Longest wait of a `dlclose` for samples inside: each needs microseconds.
const PATIENCE_MS: u64 = 100;

/// Puts the Python frames into a stack whose native walk has ended.
#[inline(never)]
fn complete(stack: &mut Stack<'_>) {
    let inside = Inside::enter();
    let known = inside.interpreter().or_else(|| {
        look(stack.frames.get(..stack.length)?, stack.now_ms);
        inside.interpreter()
    });
    let Some(interpreter) = known else {
        return;
    };
    let state = (interpreter.state)();
    if state == 0 || matches!(stack.end, End::Managed(..)) {
        return;
    }
    let Some(mut room) = ROOMS.take() else {
        return;
    };
    match completed(interpreter, &mut room, stack, state) {
        Ok(()) => visit(interpreter, &mut room.memory, stack.now_ms),
        Err(frames::Odd) => turn_off(),
    }
}

/// Lets another room look at the allocators, from time to time, when this thread has the interpreter's
/// lock.
fn visit(interpreter: &Interpreter, memory: &mut Memory, now_ms: u64) {
    let (Some(visitor), Some(allocators)) = (VISITOR.get(), &interpreter.allocators) else {
        return;
    };
    let due = NEXT_VISIT.load(Relaxed);
    let next = now_ms.saturating_add(VISIT_MS);
    if now_ms >= due
        && interpreter.has_lock(memory)
        && NEXT_VISIT
            .compare_exchange(due, next, Relaxed, Relaxed)
            .is_ok()
    {
        visitor(allocators);
    }
}

/// Sets who looks at the allocators, before sampling begins. It runs inside malloc, on a thread that has
/// the interpreter's lock, and calls nothing of the interpreter but these functions.
pub fn let_visit(visitor: &'static fn(&Allocators)) {
    // A second call would bring the same function.
    let _ = VISITOR.set(visitor);
}

fn completed(
    interpreter: &Interpreter,
    room: &mut Room,
    stack: &mut Stack<'_>,
    state: u64,
) -> Result<(), frames::Odd> {
    let Room { memory, python, .. } = room;
    memory.begin(stack.now_ms);
    let states = match interpreter.running_here(memory) {
        Some(running) if running != state => [running, state],
        _ => [state, 0],
    };
    let mut frames = Frames::new(interpreter, memory, &mut python.frame, states);
    if frames.is_empty()? {
        return Ok(());
    }
    let most = stack.frames.len().min(python.merged.len());
    let mut out = Out {
        frames: python.merged.get_mut(..most).unwrap_or_default(),
        length: 0,
    };
    let native = stack.frames.get(..stack.length).unwrap_or_default();
    stack.end = merge(&interpreter.code, native, stack.end, &mut frames, &mut out)?;
    let length = out.length;
    let merged = out.frames.get(..length).unwrap_or_default();
    if let Some(frames) = stack.frames.get_mut(..length) {
        frames.copy_from_slice(merged);
        stack.length = length;
    }
    Ok(())
}

/// Checks whether one of `frames`, which are on this thread's stack, is in an interpreter.
fn look(frames: &[u64], now_ms: u64) {
    if !CLOSING.load(SeqCst).is_null() || !SEARCH.begin(now_ms) {
        return;
    }
    if let Some((library, _)) = search::object_with(frames, EVALUATION) {
        publish(&library);
    }
}

fn publish(library: &Object) {
    let Some(mut room) = ROOMS.take() else {
        return;
    };
    room.memory.forget();
    let found = match interpreter::find(library, &mut room.memory) {
        Ok(found) => found,
        Err(version) => return refuse(version),
    };
    let Some(place) = arena::alloc(Size::new::<Interpreter>()) else {
        return;
    };
    let place = place.cast::<Interpreter>().as_ptr();
    // SAFETY: fresh memory of the right layout; it is never freed.
    unsafe { place.write(found) };
    CURRENT.store(place, SeqCst);
}

/// An interpreter that we do not know.
#[cold]
fn refuse(minor: u8) {
    SEARCH.stop();
    let number = Decimal::new(u64::from(minor));
    let version = if minor == 0 {
        ["of a version before 3.8", ""]
    } else {
        ["3.", number.as_str()]
    };
    remark::note(&["CPython ", version[0], version[1], ": its frames have no names"]);
}

/// Something is not what it should be.
#[cold]
fn turn_off() {
    diag::count(Counter::PythonOdd);
    SEARCH.stop();
    if WANTED.swap(false, Relaxed) {
        remark::note(&[
            "this ",
            CPython::NAME,
            " is not as its version says: its frames have no names from now on",
        ]);
    }
}

/// A sample that may look at the interpreter.
struct Inside;

impl Inside {
    fn enter() -> Inside {
        INSIDE.fetch_add(1, SeqCst);
        Inside
    }

    fn interpreter(&self) -> Option<&'static Interpreter> {
        // SAFETY: null, or published whole and never freed.
        unsafe { CURRENT.load(SeqCst).as_ref() }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, SeqCst);
    }
}

/// Runs before a library is closed, which may be the interpreter's. An interpreter that is in use is not
/// closed.
fn before_close() {
    let known = CURRENT.load(SeqCst);
    // SAFETY: null, or an interpreter that was published whole and is never freed.
    let interpreter = unsafe { known.as_ref() };
    // Its library is loaded, or it would have been removed.
    if interpreter.is_none_or(|known| (known.is_initialized)() != 0) {
        return;
    }
    CLOSING.store(known, SeqCst);
    // An interpreter that was found meanwhile stays.
    let _ = CURRENT.compare_exchange(known, null_mut(), SeqCst, Acquire);
    let deadline = sys::monotonic_ms() + PATIENCE_MS;
    while INSIDE.load(SeqCst) != 0 && sys::monotonic_ms() < deadline {
        core::hint::spin_loop();
    }
}

/// Runs after it: the interpreter is published again if its library is still loaded. A thread that
/// closes a library meanwhile finds nothing to remove, and the last such thread puts it back.
fn after_close() {
    let known = CLOSING.swap(null_mut(), SeqCst);
    // SAFETY: null, or an interpreter that was published whole and is never freed.
    let is_loaded = unsafe { known.as_ref() }
        .is_some_and(|known| elf::find_by_address(known.library).is_some());
    if is_loaded {
        // One that was found meanwhile stays.
        let _ = CURRENT.compare_exchange(null_mut(), known, SeqCst, Acquire);
    }
}
