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

mod frames;
mod layout;
mod line;
mod merge;
mod text;

use core::alloc::Layout as Size;
use core::mem::transmute;
use core::ops::Range;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64};

use once_cell::race::OnceRef;

use super::memory::Memory;
use super::{ROOMS, Room, Runtime, Stack};
use crate::config::{Config, Switch};
use crate::diag::{self, Counter};
use crate::platform::decimal::Decimal;
use crate::platform::elf::{self, Object};
use crate::platform::{sys, tls};
use crate::remark;
use crate::table::arena;
use crate::unwind::{End, modules};
use frames::Frames;
use layout::{Entry, Layout};
use merge::{Code, Out, merge};

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
        WANTED.store(config.prof_python != Switch::Off, Relaxed);
    }

    /// While no interpreter is known and the next look is not due, a sample need not count itself in.
    #[inline]
    fn is_wanted(now_ms: u64) -> bool {
        let is_due = || now_ms >= NEXT_LOOK.load(Relaxed);
        WANTED.load(Relaxed) && (!CURRENT.load(Relaxed).is_null() || is_due())
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

/// `PyMem_GetAllocator` and `PyMem_SetAllocator`, by address.
#[derive(Clone, Debug)]
pub struct Allocators {
    /// Reads the functions of a domain.
    pub get: usize,
    /// Sets them.
    pub set: usize,
    /// The interpreter's library.
    pub library: Range<u64>,
}

/// The types that are recognised, by address.
#[derive(Clone, Copy)]
struct Types {
    code: u64,
    text: u64,
    bytes: u64,
}

/// An interpreter.
pub struct Interpreter {
    layout: Layout,
    types: Types,
    code: Code,
    /// `PyGILState_GetThisThreadState`.
    state: extern "C" fn() -> u64,
    /// `_PyThreadState_UncheckedGet`, until 3.11: the thread state that runs, of whatever thread.
    running: Option<extern "C" fn() -> u64>,
    /// The same since 3.12: the thread state that this thread has the interpreter's lock with.
    attached: Option<extern "C" fn() -> u64>,
    /// `None`: without the lock (free-threaded), where objects are mimalloc's.
    allocators: Option<Allocators>,
    /// `Py_IsInitialized`.
    is_initialized: extern "C" fn() -> i32,
    /// An address in its library.
    library: usize,
}

/// Do samples look for interpreters, and at them? Written by [`CPython`] before sampling begins, and by
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

/// When samples next look for an interpreter, in milliseconds of the recorder's clock. Any thread writes.
static NEXT_LOOK: AtomicU64 = AtomicU64::new(0);

/// Who looks at the allocators. Written by [`let_visit`].
static VISITOR: OnceRef<'static, fn(&Allocators)> = OnceRef::new();

/// When it looks next, in milliseconds of the recorder's clock. Any thread writes.
static NEXT_VISIT: AtomicU64 = AtomicU64::new(0);

/// Time between two looks at the allocators.
const VISIT_MS: u64 = 1000;

/// Time between two looks.
const LOOK_MS: u64 = 50;

/// Longest wait of a `dlclose` for samples inside: each needs microseconds.
const PATIENCE_MS: u64 = 100;

/// The first version that states whether it is free-threaded.
const FIRST_STATED: u8 = 13;

/// The function that runs Python code; no other program has one of this name.
const EVALUATION: &[u8] = b"_PyEval_EvalFrameDefault";

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

impl Interpreter {
    /// Has this thread the interpreter's lock? In a process of several interpreters, that of one.
    fn has_lock(&self, memory: &mut Memory) -> bool {
        match self.attached {
            Some(attached) => attached() != 0,
            None => self.running_here(memory).is_some(),
        }
    }

    /// The thread state that runs, if it is of this thread: that of an interpreter within an interpreter
    /// is not the one that the C library keeps.
    fn running_here(&self, memory: &mut Memory) -> Option<u64> {
        let running = self.running?();
        let thread = memory.word(running.wrapping_add(self.layout.thread_id));
        (running != 0 && thread == Some(tls::thread_pointer() as u64)).then_some(running)
    }
}

/// Checks whether one of `frames`, which are on this thread's stack, is in an interpreter.
fn look(frames: &[u64], now_ms: u64) {
    let due = NEXT_LOOK.load(Relaxed);
    let next = now_ms.saturating_add(LOOK_MS);
    if now_ms < due
        || !CLOSING.load(SeqCst).is_null()
        || NEXT_LOOK
            .compare_exchange(due, next, Relaxed, Relaxed)
            .is_err()
    {
        return;
    }
    let mut last = None;
    for object in frames.iter().filter_map(|pc| modules::object(*pc)) {
        if last.replace(object) == Some(object) {
            continue;
        }
        if object.symbol(EVALUATION).is_some() {
            return publish(&object);
        }
    }
}

fn publish(library: &Object) {
    let Some(mut room) = ROOMS.take() else {
        return;
    };
    room.memory.forget();
    let found = match find(library, &mut room.memory) {
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

/// The interpreter in `library`. An error has its version, 3.`n`; 0 if that is not known.
fn find(library: &Object, memory: &mut Memory) -> Result<Interpreter, u8> {
    let address = |name: &[u8]| library.symbol(name).map(|symbol| symbol.addr);
    let word = |name: &[u8]| address(name).map(|addr| addr as u64).ok_or(0);
    let minor = version(library, memory).ok_or(0)?;
    let layout = layout::of_version(minor)
        .or_else(|| layout::stated(memory, word(b"_PyRuntime").ok()?, minor))
        .ok_or(minor)?;
    let evaluation = library.symbol(EVALUATION).ok_or(minor)?;
    let library_range = range(library);
    let libc = modules::object(libc::getauxval as *const () as u64);
    let function = |name| {
        // SAFETY: this function of CPython takes nothing and returns a pointer.
        address(name).map(|addr| unsafe { transmute::<usize, extern "C" fn() -> u64>(addr) })
    };
    let is_initialized = address(b"Py_IsInitialized").ok_or(minor)?;
    let allocators = address(b"PyMem_GetAllocator").zip(address(b"PyMem_SetAllocator"));
    let allocators = allocators.map(|(get, set)| Allocators {
        get,
        set,
        library: library_range.clone(),
    });
    let is_free_threaded = minor >= FIRST_STATED
        && memory.word(word(b"_PyRuntime")?.wrapping_add(layout::FREE_THREADED)) != Some(0);
    let is_global = !matches!(layout.entry, Entry::Owner(_));
    Ok(Interpreter {
        layout,
        types: Types {
            code: word(b"PyCode_Type")?,
            text: word(b"PyUnicode_Type")?,
            bytes: word(b"PyBytes_Type")?,
        },
        code: Code {
            evaluation: evaluation.addr as u64..(evaluation.addr + evaluation.size) as u64,
            glue: [library_range, libc.as_ref().map_or(0..0, range)],
        },
        state: function(b"PyGILState_GetThisThreadState").ok_or(minor)?,
        running: function(b"_PyThreadState_UncheckedGet").filter(|_| is_global),
        attached: function(b"PyThreadState_GetUnchecked")
            .or_else(|| function(b"_PyThreadState_UncheckedGet"))
            .filter(|_| !is_global),
        allocators: allocators.filter(|_| !is_free_threaded),
        // SAFETY: it takes nothing, and returns what a variable of the interpreter says.
        is_initialized: unsafe {
            transmute::<usize, extern "C" fn() -> i32>(is_initialized)
        },
        library: evaluation.addr,
    })
}

/// The second number of the version. Before 3.11, which states it, the functions tell that each version
/// has added.
fn version(library: &Object, memory: &mut Memory) -> Option<u8> {
    if let Some(stated) = library.symbol(b"Py_Version") {
        let version = memory.word(stated.addr as u64)?;
        return (version >> 24 == 3).then_some((version >> 16) as u8);
    }
    const ADDED: [(&[u8], u8); 3] = [
        (b"Py_NewRef", 10),
        (b"PyFrame_GetCode", 9),
        (b"PyCode_NewWithPosOnlyArgs", 8),
    ];
    let added = ADDED.iter().find(|(name, _)| library.symbol(name).is_some());
    added.map(|(_, minor)| *minor)
}

/// The addresses of an object.
fn range(object: &Object) -> Range<u64> {
    let segments = object.program_headers().iter();
    let loaded = segments.filter(|segment| segment.p_type == libc::PT_LOAD);
    let base = object.base() as u64;
    let (mut low, mut high) = (u64::MAX, 0);
    for segment in loaded {
        let start = base.wrapping_add(segment.p_vaddr);
        low = low.min(start);
        high = high.max(start.wrapping_add(segment.p_memsz));
    }
    low.min(high)..high
}

/// An interpreter that we do not know.
#[cold]
fn refuse(minor: u8) {
    WANTED.store(false, Relaxed);
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
