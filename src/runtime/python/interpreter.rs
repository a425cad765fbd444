//! An interpreter that was found: its version, its functions and types, and where its structures have their
//! fields.
//!
//! # Safety
//! What is called here is said in the head of the folder, and why it may be.
#![allow(unsafe_code)]

use core::mem::transmute;
use core::ops::Range;

use super::code::Code;
use super::layout::{self, Entry, Layout};
use crate::platform::elf::Object;
use crate::platform::tls;
use crate::runtime::memory::Memory;
use crate::unwind::modules;

/// The function that runs Python code; no other program has one of this name.
pub const EVALUATION: &[u8] = b"_PyEval_EvalFrameDefault";

/// The first version that states whether it is free-threaded.
const FIRST_STATED: u8 = 13;

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
pub struct Types {
    /// `PyCode_Type`.
    pub code: u64,
    /// `PyUnicode_Type`.
    pub text: u64,
    /// `PyBytes_Type`.
    pub bytes: u64,
}

/// An interpreter.
pub struct Interpreter {
    /// Where its fields are.
    pub layout: Layout,
    /// Its types.
    pub types: Types,
    /// Its code.
    pub code: Code,
    /// `PyGILState_GetThisThreadState`.
    pub state: extern "C" fn() -> u64,
    /// `_PyThreadState_UncheckedGet`, until 3.11: the thread state that runs, of whatever thread.
    pub running: Option<extern "C" fn() -> u64>,
    /// The same since 3.12: the thread state that this thread has the interpreter's lock with.
    pub attached: Option<extern "C" fn() -> u64>,
    /// `None`: without the lock (free-threaded), where objects are mimalloc's.
    pub allocators: Option<Allocators>,
    /// `Py_IsInitialized`.
    pub is_initialized: extern "C" fn() -> i32,
    /// An address in its library.
    pub library: usize,
}

impl Interpreter {
    /// Has this thread the interpreter's lock? In a process of several interpreters, that of one.
    pub fn has_lock(&self, memory: &mut Memory) -> bool {
        match self.attached {
            Some(attached) => attached() != 0,
            None => self.running_here(memory).is_some(),
        }
    }

    /// The thread state that runs, if it is of this thread: that of an interpreter within an interpreter
    /// is not the one that the C library keeps.
    pub fn running_here(&self, memory: &mut Memory) -> Option<u64> {
        let running = self.running?();
        let thread = memory.word(running.wrapping_add(self.layout.thread_id));
        (running != 0 && thread == Some(tls::thread_pointer() as u64)).then_some(running)
    }
}

/// The interpreter in `library`. An error has its version, 3.`n`; 0 if that is not known.
pub fn find(library: &Object, memory: &mut Memory) -> Result<Interpreter, u8> {
    let address = |name: &[u8]| library.symbol(name).map(|symbol| symbol.addr);
    let minor = version(library, memory).ok_or(0)?;
    let word = |name: &[u8]| address(name).map(|addr| addr as u64).ok_or(minor);
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

