//! Managed frames: the stack of a sample with the methods of a language runtime in it, where the
//! native walk alone would end at code nobody has a name for.
//!
//! `recorder` calls [`stack`] for each sample, inside `gate::TABLES` (names are interned); `boot`
//! says what is to be looked for; `hooks` tells of a JVM that was created. A runtime is asked on the
//! thread whose stack it is, synchronously, and nothing is called in it that allocates, locks or
//! waits. What it cannot tell is left as the native walk had it.
//!
//! A runtime fits in here by the range of its generated code, at which the native walk ends
//! (`unwind::set_managed`), and by a function that goes on from there and back into native code.

pub mod jvm;
pub mod memory;

use crate::unwind::{self, End, Registers, ThreadUnwinder};

/// What a thread keeps for this room. Zeroed memory is a valid one.
pub struct State {
    pub(crate) memory: memory::Memory,
    pub(crate) names: jvm::Names,
    pub(crate) traces: jvm::Room,
}

impl State {
    /// What zeroed memory is.
    pub const fn new() -> State {
        State {
            memory: memory::Memory::new(),
            names: jvm::Names::new(),
            traces: jvm::Room::new(),
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

/// The stack of the calling thread from `registers` up, leaf first: how many frames, and why no
/// more. `now_ms` is the time by the recorder's clock.
pub fn stack(
    state: &mut State,
    unwinder: &mut ThreadUnwinder,
    registers: Registers,
    out: &mut [u64],
    now_ms: u64,
) -> (usize, End) {
    let (length, end) = unwind::unwind(unwinder, registers, out);
    if !jvm::is_wanted(now_ms) {
        return (length, end);
    }
    state.memory.begin(now_ms);
    jvm::complete(state, unwinder, out, (length, end), registers.sp, now_ms)
}

/// A library is about to be closed: no runtime is asked until [`after_close`].
pub fn before_close() {
    jvm::before_close();
}

/// A library was closed; if it was that of a runtime, this one is gone.
pub fn after_close() {
    jvm::after_close();
}
