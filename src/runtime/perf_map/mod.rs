//! Names of generated code, by the map that its runtime writes for `perf`: `/tmp/perf-PID.map`, or a
//! jitdump. .NET, LuaJIT, PHP, Erlang, Julia, wasmtime, Node and CPython have an option for it.
//!
//! The native walk steps through such code by frame pointer; here its addresses become names. A
//! runtime uses the memory of dead functions again, so that an address alone cannot be named later:
//! each sample whose stack has such an address asks how long the map is (one stat(2), by path), reads
//! what was appended since the last such sample, and takes the newest name of each address. So a stack
//! keeps the names that held when it was taken, and the dump has them. What a runtime wrote down only
//! after the sample is named at the dump ([`late`]), with what is known then; what nobody wrote down
//! becomes `[jit]`.
//!
//! Cost: a process whose stacks never led through code outside all modules reads one word a sample. One
//! with such code asks for the map at each such sample. Without a map it also looks for a jitdump in
//! `/proc/self/maps`, again after one second, two, four, and at last once a minute. These are the only
//! system calls of a sample beside the probe of `memory`; none is made in the program's sandbox.
//!
//! # Safety
//! Only the trait wants it: nothing here touches memory of others.
#![allow(unsafe_code)]

mod areas;
mod codes;
mod jitdump;
mod line;
mod log;
mod name;
mod state;

use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use super::{Runtime, Stack};
use crate::config::Config;
use crate::remark;
use crate::table::frame_table::{FRAMES, Kind};
use crate::unwind::{foreign, managed};
use codes::Code;
pub(super) use state::abandon;
use state::{State, with};

/// Whatever writes a map of its code.
pub struct PerfMap;

/// Most bytes of a map that one sample reads.
const AT_A_SAMPLE: u64 = 64 << 10;

/// Most bytes that a dump reads before it lets samples pass.
const AT_A_DUMP: u64 = 1 << 20;

// SAFETY: no state of a walk.
unsafe impl Runtime for PerfMap {
    const NAME: &'static str = "perf map";

    type State = ();

    fn start(config: &Config) {
        WANTED.store(config.prof_perf_map, Relaxed);
    }

    #[inline]
    fn is_wanted(_now_ms: u64) -> bool {
        foreign::is_any() && WANTED.load(Relaxed)
    }

    fn complete(stack: &mut Stack<'_>) {
        let now_ms = stack.now_ms;
        let frames = stack.frames.get_mut(..stack.length).unwrap_or_default();
        name_frames(frames, now_ms);
    }

    fn before_close() {}

    fn after_close() {}
}

/// Is generated code named? Written by [`PerfMap`], before sampling begins.
static WANTED: AtomicBool = AtomicBool::new(false);

/// Did a dump have an address in generated code without a name? Written by the thread that writes it.
static IS_NAMELESS: AtomicBool = AtomicBool::new(false);

/// Was that said? Written by the same thread.
static IS_TOLD: AtomicBool = AtomicBool::new(false);

/// Puts names in place of the addresses of generated code.
fn name_frames(frames: &mut [u64], now_ms: u64) {
    let foreign = foreign::range();
    let generated = frames.iter_mut().skip(1);
    let mut generated = generated.filter(|pc| foreign.contains(pc)).peekable();
    // What is not read yet may give an address another name.
    if generated.peek().is_none() || !with(|state| state.refresh(now_ms, AT_A_SAMPLE)) {
        return;
    }
    for pc in generated {
        if let Some(frame) = frame_of(*pc) {
            *pc = frame;
        }
    }
}

/// The pseudo-address of the code that was left by a call before `pc`. No lock is held while the name
/// is interned.
fn frame_of(pc: u64) -> Option<u64> {
    let at = pc.wrapping_sub(1);
    let code: Code = with(|state| state.codes.find(at).copied())?;
    if code.frame != 0 {
        return Some(code.frame);
    }
    let name = name::frame(code.text());
    let frame = FRAMES.intern(name.kind, name.class, name.name, name.file, name.line)?;
    with(|state| {
        let known = state.codes.find(at);
        if let Some(known) = known.filter(|known| known.is_same(&code)) {
            known.frame = frame;
        }
    });
    Some(frame)
}

/// What a dump makes of an address that a stack has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// No generated code.
    Native,
    /// Its name, as of now.
    Named(u64),
    /// The mark of code that nobody named.
    Nameless(u64),
}

/// Is there code that [`late`] must be asked about? Reads what the maps have by now. `pass` enters the
/// gate before the tables for as long as its result lives.
pub fn prepare<P>(now_ms: u64, pass: &dyn Fn() -> Option<P>) -> bool {
    if !PerfMap::is_wanted(now_ms) {
        return false;
    }
    IS_NAMELESS.store(false, Relaxed);
    with(State::look_around);
    while let Some(_inside) = pass() {
        if with(|state| state.refresh(now_ms, AT_A_DUMP)) {
            break;
        }
    }
    true
}

/// Is `pc` certainly not in generated code?
pub fn late_is_native(pc: u64) -> bool {
    !foreign::range().contains(&pc)
}

/// What stands at `pc`, a return address of a stack that was taken some time ago. Inside the gate.
pub fn late(pc: u64) -> Late {
    if late_is_native(pc) {
        return Late::Native;
    }
    if let Some(frame) = frame_of(pc) {
        return Late::Named(frame);
    }
    let at = pc.wrapping_sub(1);
    if managed::is_owned(at) || !with(|state| state.areas.hold(at)) {
        return Late::Native;
    }
    let mark = FRAMES.intern(Kind::Jit, b"", b"[jit]", b"", 0);
    mark.map_or(Late::Native, |mark| {
        IS_NAMELESS.store(true, Relaxed);
        Late::Nameless(mark)
    })
}

/// What would name the code that has no name, if the dump has some and nobody was told yet. Where a runtime
/// names its functions itself a nameless stub here and there is no reason to talk.
pub fn advise() -> Option<&'static str> {
    const ADVICE: &str = "stacks lead through generated code without names ([jit]); a perf map names it: \
        node --perf-basic-prof, python -X perf, DOTNET_PerfMapEnabled=1, erl +JPperf true";
    let has_map = || with(|state| state.has_map());
    let has_names = FRAMES.len() > 1;
    if !IS_NAMELESS.load(Relaxed) || has_names || has_map() || IS_TOLD.swap(true, Relaxed) {
        return None;
    }
    remark::note(&[ADVICE]);
    Some(ADVICE)
}
