//! What V8 tells of generated code, made into entries of the code map.
//!
//! [`on_event`] is V8's `JitCodeEventHandler`. V8 calls it on an isolate's thread and on threads
//! that compile or collect for it, several at once, outside malloc. The events are a private
//! interface: they are read through the probe, and the first hundred names must look like names.
//! If they do not, nothing is believed any more, and one remark says so.
//!
//! Source: `v8-callbacks.h` (`JitCodeEvent`) of Node 20, 22 and 24, in which it is the same.
#![allow(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU32};

use super::code_map::{CODE, Code, LONGEST};
use super::inlined::{self, Optimized};
use super::name::{self, Name};
use super::{State, isolates};
use crate::diag::{self, Counter};
use crate::platform::tls;
use crate::remark;
use crate::runtime::ROOMS;
use crate::runtime::memory::Memory;
use crate::table::fork_gate;
use crate::table::frame_table::{FRAMES, Kind};

/// Longest name that is read.
pub const LONGEST_NAME: usize = 1024;

/// Names that are checked.
const CHECKED: u32 = 100;

/// Good names so far, up to [`CHECKED`]. Any thread adds.
static GOOD: AtomicU32 = AtomicU32::new(0);

/// Was there something that cannot be? Written by any thread, once.
static IS_BROKEN: AtomicBool = AtomicBool::new(false);

/// Node's own module for programs that inspect themselves.
const INSPECTOR: &[u8] = b"node:inspector";

/// Has the program loaded it? Written by any thread, once.
static IS_INSPECTED: AtomicBool = AtomicBool::new(false);

/// Where `JitCodeEvent` has its fields.
mod field {
    pub const TYPE: u64 = 0;
    pub const CODE_TYPE: u64 = 4;
    pub const START: u64 = 8;
    pub const LENGTH: u64 = 16;
    pub const NAME: u64 = 48;
    pub const NAME_LENGTH: u64 = 56;
    pub const NEW_START: u64 = 48;
    pub const ISOLATE: u64 = 72;
}

const ADDED: u32 = 0;
const MOVED: u32 = 1;
const REMOVED: u32 = 2;
const BYTE_CODE: u32 = 0;

/// Are events believed, as far as is known?
pub fn is_sound() -> bool {
    !IS_BROKEN.load(Relaxed)
}

/// Have enough names been good?
pub fn is_proven() -> bool {
    is_sound() && GOOD.load(Relaxed) >= CHECKED
}

/// May the program look at what V8 tells of itself?
pub fn is_inspected() -> bool {
    IS_INSPECTED.load(Relaxed)
}

/// V8's handler.
pub extern "C" fn on_event(event: u64) {
    if !is_sound() {
        return;
    }
    let Some(_guard) = tls::current().enter() else {
        return;
    };
    // Nothing is known of code whose event is lost here: it has no name.
    let Some(_pass) = fork_gate::TABLES.enter() else {
        return;
    };
    let Some(mut room) = ROOMS.take() else {
        return;
    };
    let room = &mut *room;
    room.memory.forget();
    if read(&mut room.memory, &mut room.node, event).is_none() {
        give_up();
    }
}

/// Nothing is believed any more.
pub fn give_up() {
    if !IS_BROKEN.swap(true, Relaxed) {
        diag::count(Counter::NodeOdd);
        remark::note(&["this Node describes its code in an unknown way: JavaScript frames have no names"]);
    }
}

/// `None`: it cannot be an event.
fn read(memory: &mut Memory, room: &mut State, event: u64) -> Option<()> {
    let kind = memory.half(event + field::TYPE)?;
    let code_type = memory.half(event + field::CODE_TYPE)?;
    let isolate = memory.word(event + field::ISOLATE)?;
    let start = memory.word(event + field::START)?;
    let length = memory.word(event + field::LENGTH)?;
    if kind > REMOVED || code_type == BYTE_CODE && kind == ADDED {
        return Some(());
    }
    let isolate = isolates::known(isolate)?;
    let owner = isolate.owner();
    match kind {
        ADDED => {
            let at = memory.word(event + field::NAME)?;
            let name_length = memory.word(event + field::NAME_LENGTH)?;
            let name = text(memory, &mut room.name, at, name_length)?;
            check(name, start, length)?;
            // Builtins are known by where they are.
            if !isolate.is_builtin(start) {
                add(memory, &mut room.inlined, owner, (start, length), name);
            }
        }
        MOVED => {
            let to = memory.word(event + field::NEW_START)?;
            if length <= LONGEST && !CODE.moved(owner, start, to, length) {
                diag::count(Counter::NodeUnnamed);
            }
        }
        _ => CODE.remove(owner, start, length),
    }
    Some(())
}

fn text<'a>(
    memory: &mut Memory,
    room: &'a mut [u8; LONGEST_NAME],
    at: u64,
    length: u64,
) -> Option<&'a [u8]> {
    let length = usize::try_from(length).ok()?.min(LONGEST_NAME);
    let room = room.get_mut(..length)?;
    if length != 0 {
        memory.copy(at, room)?;
    }
    Some(room)
}

/// `None`: these are not a name and a piece of code.
fn check(name: &[u8], start: u64, length: u64) -> Option<()> {
    if GOOD.load(Relaxed) >= CHECKED {
        return Some(());
    }
    let is_printable = |byte: &u8| *byte >= b' ' && *byte != 0x7f;
    let is_name = name.contains(&b':') && name.iter().all(is_printable);
    let is_code = start != 0 && start < 1 << 47 && length <= LONGEST;
    if !is_name || !is_code {
        return None;
    }
    GOOD.fetch_add(1, Relaxed);
    Some(())
}

fn add(memory: &mut Memory, room: &mut inlined::Room, owner: u32, at: (u64, u64), name: &[u8]) {
    let (start, length) = at;
    let code = match name::parse(name) {
        Name::Internal if super::is_compiled_in(start) => return,
        Name::Internal => Some(Code::Internal),
        Name::Function { name: called, file, line } => {
            if file == INSPECTOR {
                IS_INSPECTED.store(true, Relaxed);
            }
            let frame = FRAMES.intern(Kind::JavaScript, b"", called, file, line);
            let whole = frame.filter(|_| name::is_optimized(name)).and_then(|frame| {
                let name_of = |code| name_of(owner, code);
                Optimized::read(memory, room, at, frame, &name_of)
            });
            whole.map(Code::Optimized).or(frame.map(Code::Frame))
        }
    };
    if !code.is_some_and(|code| CODE.add(owner, start, length, code)) {
        diag::count(Counter::NodeUnnamed);
    }
}

/// What stands for the function whose code begins at `start`.
fn name_of(owner: u32, start: u64) -> Option<u64> {
    let mut own = None;
    match CODE.find(owner, start)? {
        Code::Internal => {}
        Code::Frame(frame) => own = Some(frame),
        // Its own function comes last.
        Code::Optimized(code) => code.at(start, &mut |frame| own = Some(frame)),
    }
    own
}
