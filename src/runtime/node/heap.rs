//! V8's own sampler of its heap: the functions, and what it returns.
//!
//! On an isolate's thread, outside malloc, between two steps of JavaScript. What V8 returns are C++
//! objects; they are read through the probe, and their virtual functions must be the program's own.
//! No collection is forced.
//!
//! Source: `v8-profiler.h` (`AllocationProfile`), `v8-isolate.h`, `v8-primitive.h` of Node 20, 22
//! and 24; Itanium C++ ABI (virtual tables); libstdc++ (`std::vector` is begin, end, capacity).
#![allow(unsafe_code)]

use core::ffi::{c_char, c_int, c_void};
use core::mem::transmute;

use super::functions::functions;
use super::isolates::Isolate;
use crate::platform::elf::Object;
use crate::runtime::memory::Memory;

/// Runs after a collection: the isolate, the kind of collection, flags, data.
pub type AfterCollection = extern "C" fn(u64, c_int, c_int, *mut c_void);

/// A collection of the whole heap, `kGCTypeMarkSweepCompact`.
pub const WHOLE: c_int = 4;

/// One of young objects alone: `kGCTypeScavenge`, and the bit of `kGCTypeMinorMarkSweep`.
const YOUNG: c_int = 1 | 2;

functions! {
    Functions:
    profiler: extern "C" fn(u64) -> u64 = "_ZN2v87Isolate15GetHeapProfilerEv";
    start: extern "C" fn(u64, u64, c_int, c_int) -> bool
        = "_ZN2v812HeapProfiler25StartSamplingHeapProfilerEmiNS0_13SamplingFlagsE";
    stop: extern "C" fn(u64) = "_ZN2v812HeapProfiler24StopSamplingHeapProfilerEv";
    profile: extern "C" fn(u64) -> u64 = "_ZN2v812HeapProfiler20GetAllocationProfileEv";
    write: extern "C" fn(u64, u64, *mut c_char, c_int, *mut c_int, c_int) -> c_int
        = "_ZNK2v86String9WriteUtf8EPNS_7IsolateEPciPii";
    after_collection: extern "C" fn(u64, AfterCollection, *mut c_void, c_int)
        = "_ZN2v87Isolate21AddGCEpilogueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallbackFlagsEPvES4_S2_";
}

/// The sampler.
#[derive(Clone, Copy)]
pub struct Heap(Functions);

impl Heap {
    /// `Err`: the name of the first function that is missing.
    pub(super) fn of(object: Object) -> Result<Heap, &'static str> {
        Functions::of(object).map(Heap)
    }

    /// Starts it, with a mean of `period` bytes between samples. False when one runs already.
    pub fn start(&self, isolate: u64, period: u64, most_frames: u32) -> bool {
        let depth = c_int::try_from(most_frames).unwrap_or(c_int::MAX);
        (self.0.start)((self.0.profiler)(isolate), period, depth, 0)
    }

    /// Stops it.
    pub fn stop(&self, isolate: u64) {
        (self.0.stop)((self.0.profiler)(isolate));
    }

    /// Has `told` called after each collection, with the address of `place`.
    pub fn tell_collections(&self, isolate: u64, told: AfterCollection, place: &'static Isolate) {
        let data = core::ptr::from_ref(place).cast_mut().cast();
        (self.0.after_collection)(isolate, told, data, WHOLE | YOUNG);
    }

    /// What lives. In a scope; `None` when no sampler runs.
    pub fn profile(&self, isolate: u64) -> Option<u64> {
        let profile = (self.0.profile)((self.0.profiler)(isolate));
        (profile != 0).then_some(profile)
    }

    /// The text of a `Local<String>`, as much as `to` holds. In the scope in which it was made.
    pub fn text<'a>(&self, isolate: u64, string: u64, to: &'a mut [u8]) -> &'a [u8] {
        /// NO_NULL_TERMINATION and REPLACE_INVALID_UTF8.
        const OPTIONS: c_int = 2 | 8;
        if string == 0 {
            return &[];
        }
        let room = c_int::try_from(to.len()).unwrap_or(c_int::MAX);
        let at = to.as_mut_ptr().cast();
        let length = (self.0.write)(string, isolate, at, room, core::ptr::null_mut(), OPTIONS);
        to.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default()
    }
}

/// A `v8::AllocationProfile`.
pub struct Profile {
    at: u64,
    functions: [u64; 4],
}

/// The places of its virtual functions.
const ROOT: usize = 0;
const SAMPLES: usize = 1;
const DELETE: usize = 3;

/// A node of the tree of calls, `v8::AllocationProfile::Node`.
pub struct Node {
    /// `Local<String>`: the function, or a state of V8 in parentheses.
    pub name: u64,
    /// `Local<String>`: the script.
    pub script: u64,
    /// Where the function begins in the script.
    pub start: u32,
    /// The line on which it begins, from 1.
    pub line: u32,
    /// Its number.
    pub id: u32,
    /// Addresses of the nodes below it: where the first is, and where they end.
    pub children: (u64, u64),
}

/// A live object that was sampled, `v8::AllocationProfile::Sample`.
#[derive(Clone, Copy)]
pub struct Sample {
    /// The number of its node.
    pub node: u32,
    /// Its size.
    pub size: u64,
    /// Its number, in the order in which objects were sampled.
    pub id: u64,
}

/// Bytes of a [`Sample`] in memory.
const SAMPLE: u64 = 32;

impl Profile {
    /// Takes what [`Heap::profile`] returned. `None`: that is no such object. `is_own`: is this the
    /// program's own code?
    pub fn of(at: u64, memory: &mut Memory, is_own: &dyn Fn(u64) -> bool) -> Option<Profile> {
        let table = memory.word(at)?;
        let mut functions = [0; 4];
        for (function, place) in functions.iter_mut().zip(0..) {
            *function = memory.word(table + 8 * place)?;
        }
        functions.iter().all(|function| is_own(*function)).then_some(Profile { at, functions })
    }

    fn call(&self, place: usize) -> u64 {
        let function = self.functions.get(place).copied().unwrap_or(0);
        // SAFETY: a virtual function without arguments of this object (checked in `of`).
        unsafe {
            let function: extern "C" fn(u64) -> u64 = transmute(function as usize);
            function(self.at)
        }
    }

    /// The address of the root of the tree.
    pub fn root(&self) -> u64 {
        self.call(ROOT)
    }

    /// The samples: where the first is, and how many there are.
    pub fn samples(&self, memory: &mut Memory) -> Option<(u64, u64)> {
        let vector = self.call(SAMPLES);
        let (begin, end) = (memory.word(vector)?, memory.word(vector + 8)?);
        let bytes = end.checked_sub(begin)?;
        bytes.is_multiple_of(SAMPLE).then_some((begin, bytes / SAMPLE))
    }

    /// Gives it back to V8.
    pub fn delete(self) {
        self.call(DELETE);
    }
}

impl Node {
    /// Reads a node.
    pub fn read(memory: &mut Memory, at: u64) -> Option<Node> {
        Some(Node {
            name: memory.word(at)?,
            script: memory.word(at + 8)?,
            start: memory.half(at + 20)?,
            line: memory.half(at + 24)?,
            id: memory.half(at + 32)?,
            children: (memory.word(at + 40)?, memory.word(at + 48)?),
        })
    }
}

impl Sample {
    /// Reads the sample of this number in the list that begins at `begin`.
    pub fn read(memory: &mut Memory, begin: u64, number: u64) -> Option<Sample> {
        let at = begin + SAMPLE * number;
        Some(Sample {
            node: memory.half(at)?,
            size: memory.word(at + 8)?,
            id: memory.word(at + 24)?,
        })
    }
}
