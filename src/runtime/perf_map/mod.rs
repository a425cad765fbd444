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
//! The state is reached only under its lock. The arena keeps the names for ever.
#![allow(unsafe_code)]

mod areas;
mod codes;
mod jitdump;
mod line;
mod log;
mod name;

use core::cell::UnsafeCell;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use profile_format::maps;

use super::{Runtime, Stack};
use crate::config::Config;
use crate::platform::decimal::Decimal;
use crate::platform::process::{self, lineage};
use crate::platform::sys;
use crate::remark;
use crate::table::frame_table::{FRAMES, Kind};
use crate::table::sync::SpinLock;
use crate::unwind::{foreign, managed, modules};
use areas::Areas;
use codes::{Code, Codes, Full};
use jitdump::Record;
use log::{BUFFER, Log, Reading};

/// Whatever writes a map of its code.
pub struct PerfMap;

/// Most bytes of a map that one sample reads.
const AT_A_SAMPLE: u64 = 64 << 10;

/// Most bytes that a dump reads before it lets samples pass.
const AT_A_DUMP: u64 = 1 << 20;

/// Time between the first two looks for a jitdump. Each further look waits twice as long, up to the
/// second figure.
const LOOK_MS: u64 = 1000;
const LONGEST_MS: u64 = 64_000;

/// Longest file name in a jitdump's debug info that is kept.
const FILE: usize = 512;

// SAFETY: no state of a walk.
unsafe impl Runtime for PerfMap {
    const NAME: &'static str = "perf map";

    type State = ();

    fn start(_config: &Config) {}

    #[inline]
    fn is_wanted(_now_ms: u64) -> bool {
        foreign::is_any()
    }

    fn complete(stack: &mut Stack<'_>) {
        let now_ms = stack.now_ms;
        let frames = stack.frames.get_mut(..stack.length).unwrap_or_default();
        name_frames(frames, now_ms);
    }

    fn before_close() {}

    fn after_close() {}
}

/// What is known of this process's generated code.
struct State {
    /// Whose map it is.
    pid: u32,
    codes: Codes,
    map: Log,
    dump: Log,
    /// No more names are taken.
    is_full: bool,
    /// When to look for a jitdump again, by the recorder's clock.
    next_look_ms: u64,
    /// The time between the last look and that one.
    patience_ms: u64,
    buffer: [u8; BUFFER],
    source: Source,
    /// Where generated code is, as of the last dump.
    areas: Areas,
}

/// The last debug info of a jitdump: what comes behind the name of the code that it belongs to.
struct Source {
    code: u64,
    text: [u8; FILE],
    length: usize,
}

impl Source {
    const NONE: Source = Source {
        code: 0,
        text: [0; FILE],
        length: 0,
    };
}

/// Guards [`STATE`]. While it is held the arena and the file system are asked, and nothing else is
/// locked.
static LOCK: SpinLock = SpinLock::new();

struct Shared(UnsafeCell<State>);

// SAFETY: reached only by `with`, under `LOCK`.
unsafe impl Sync for Shared {}

/// Written under [`LOCK`].
static STATE: Shared = Shared(UnsafeCell::new(State::EMPTY));

/// Did a dump have an address in generated code without a name? Written by the thread that writes it.
static IS_NAMELESS: AtomicBool = AtomicBool::new(false);

/// Was that said? Written by the same thread.
static IS_TOLD: AtomicBool = AtomicBool::new(false);

fn with<T>(work: impl FnOnce(&mut State) -> T) -> T {
    let _held = LOCK.lock();
    // SAFETY: the lock is held, and no caller of `with` is within `with`.
    work(unsafe { &mut *STATE.0.get() })
}

/// Forgets all. For a child of a fork that ran no handlers.
///
/// # Safety
/// As for `arena::abandon`, which is called with it.
pub(super) unsafe fn abandon() {
    // SAFETY: one thread, by the contract; what the lock guards is replaced.
    unsafe {
        LOCK.force_unlock();
        (*STATE.0.get()).forget();
    }
}

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
    let code: Code = with(|state| state.codes.find(at).map(|code| *code))?;
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
    if !foreign::is_any() {
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

/// What would name the code that has no name, if the dump has some and nobody was told yet.
pub fn advise() -> Option<&'static str> {
    const ADVICE: &str = "stacks lead through generated code without names ([jit]); a perf map names it: \
        node --perf-basic-prof, python -X perf, DOTNET_PerfMapEnabled=1, erl +JPperf true";
    let has_map = || with(|state| state.map.is_open() || state.dump.is_open());
    if !IS_NAMELESS.load(Relaxed) || has_map() || IS_TOLD.swap(true, Relaxed) {
        return None;
    }
    remark::note(&[ADVICE]);
    Some(ADVICE)
}

impl State {
    const EMPTY: State = State {
        pid: 0,
        codes: Codes::EMPTY,
        map: Log::NONE,
        dump: Log::NONE,
        is_full: false,
        next_look_ms: 0,
        patience_ms: 0,
        buffer: [0; BUFFER],
        source: Source::NONE,
        areas: Areas::NONE,
    };

    fn forget(&mut self) {
        self.pid = 0;
        self.codes = Codes::EMPTY;
        self.is_full = false;
    }

    /// Reads about `most` bytes of what is new. False when there is more.
    fn refresh(&mut self, now_ms: u64, most: u64) -> bool {
        self.follow_fork();
        if self.is_full {
            return true;
        }
        let is_open = self.map.is_open() || self.dump.is_named();
        if !is_open && now_ms >= self.next_look_ms {
            self.look_around();
            self.patience_ms = (self.patience_ms * 2).clamp(LOOK_MS, LONGEST_MS);
            self.next_look_ms = now_ms.saturating_add(self.patience_ms);
        }
        let born_ms = sys::realtime_ms().saturating_sub(lineage::age_ms(now_ms));
        let map = self.read_map(born_ms, most);
        let dump = self.read_dump(born_ms, most);
        map != Reading::Part && dump != Reading::Part
    }

    /// A child has its own map, and the code that it inherited has the names in the parent's.
    fn follow_fork(&mut self) {
        let pid = lineage::pid();
        if self.pid != pid {
            self.pid = pid;
            let number = Decimal::new(u64::from(pid));
            self.map = Log::at(&[b"/tmp/perf-", number.as_str().as_bytes(), b".map"]);
            self.dump = Log::NONE;
            self.next_look_ms = 0;
            self.patience_ms = 0;
        }
    }

    fn read_map(&mut self, born_ms: u64, most: u64) -> Reading {
        let (codes, is_full) = (&mut self.codes, &mut self.is_full);
        let buffer = &mut self.buffer;
        self.map.read(born_ms, buffer, most, &mut |bytes, _left| {
            let end = bytes.iter().rposition(|byte| *byte == b'\n');
            let Some(whole) = end.and_then(|end| bytes.get(..end)) else {
                // A line that fills the buffer has no end worth waiting for.
                return if bytes.len() == BUFFER { BUFFER as u64 } else { 0 };
            };
            for line in whole.split(|byte| *byte == b'\n') {
                if let Some((code, name)) = line::parse(line) {
                    note_full(is_full, put(codes, code, [name, b""]));
                }
            }
            whole.len() as u64 + 1
        })
    }

    fn read_dump(&mut self, born_ms: u64, most: u64) -> Reading {
        if !self.dump.is_named() {
            return Reading::Absent;
        }
        let (codes, is_full) = (&mut self.codes, &mut self.is_full);
        let (buffer, source) = (&mut self.buffer, &mut self.source);
        self.dump.read(born_ms, buffer, most, &mut |bytes, left| {
            if let Some(header) = jitdump::header(bytes) {
                return header;
            }
            let mut done = 0;
            while let Some(rest) = bytes.get(done as usize..)
                && let Some((record, length)) = jitdump::record(rest, left.saturating_sub(done))
            {
                note_full(is_full, take(codes, source, &record));
                done += length;
            }
            done
        })
    }

    /// Finds the areas of generated code, and a jitdump. That lies anywhere; whoever writes it maps
    /// its first page executable, so that `perf` notices.
    fn look_around(&mut self) {
        self.follow_fork();
        self.areas.clear();
        let number = Decimal::new(u64::from(self.pid));
        let (dump, areas) = (&mut self.dump, &mut self.areas);
        process::lines(c"/proc/self/maps", &mut self.buffer, &mut |line| {
            let Some(mapping) = maps::parse(line).filter(|mapping| mapping.execute) else {
                return;
            };
            if !mapping.path.starts_with(b"/") || mapping.path.starts_with(b"/memfd:") {
                return areas.add(mapping.start..mapping.end);
            }
            let name = mapping.path.strip_suffix(b".dump");
            let name = name.and_then(|name| name.strip_suffix(number.as_str().as_bytes()));
            if !dump.is_named() && name.is_some_and(|name| name.ends_with(b"/jit-")) {
                *dump = Log::at(&[mapping.path]);
            }
        });
    }
}

/// Code inside a module has the name that the module gives it: V8 lists its builtins, too.
fn put(codes: &mut Codes, code: core::ops::Range<u64>, name: [&[u8]; 2]) -> Result<(), Full> {
    match modules::find(code.start) {
        Some(_) => Ok(()),
        None => codes.put(code, name),
    }
}

fn take(codes: &mut Codes, source: &mut Source, record: &Record<'_>) -> Result<(), Full> {
    match record {
        Record::Load(code, name) => {
            let known = source.text.get(..source.length).unwrap_or_default();
            let is_own = source.code == code.start;
            put(codes, code.clone(), [name, if is_own { known } else { b"" }])
        }
        Record::Move(from, to) => codes.move_to(*from, to.clone()),
        Record::Source(code, file, line) => {
            let number = Decimal::new(u64::from(*line));
            let text = [b"\t", *file, b"\t", number.as_str().as_bytes()];
            let text = text.into_iter().flatten();
            *source = Source::NONE;
            source.code = *code;
            for (place, byte) in source.text.iter_mut().zip(text) {
                *place = *byte;
                source.length += 1;
            }
            Ok(())
        }
        Record::Other => Ok(()),
    }
}

fn note_full(is_full: &mut bool, kept: Result<(), Full>) {
    if kept.is_err() && !*is_full {
        *is_full = true;
        remark::note(&["the map of generated code is too large: later code has no names"]);
    }
}
