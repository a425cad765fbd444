//! Managed frames: the stack of a sample with the methods of a language runtime in it, where the
//! native walk alone would end at code nobody has a name for.
//!
//! `recorder` calls [`stack`] for each sample, inside `fork_gate::TABLES` (names are interned); `boot`
//! says what is to be looked for; `hooks` tells of a JVM that was created. A runtime is asked on the
//! thread whose stack it is, synchronously, and nothing is called in it that allocates, locks or
//! waits. What it cannot tell is left as the native walk had it.
//!
//! A runtime fits in here by the range of its generated code, at which the native walk ends
//! (`unwind::set_managed`), and by a function that goes on from there and back into native code.

#![allow(unsafe_code)]

pub mod jvm;
pub mod memory;

use crate::table::pool::Pool;
use crate::unwind::{self, End, Registers, ThreadUnwinder};

/// What a walk through managed frames needs, and knows from the last one.
pub struct State {
    pub(crate) memory: memory::Memory,
    pub(crate) names: jvm::Names,
    pub(crate) traces: jvm::Room,
}

/// One for each walk that is under way, none in a process without a runtime.
// SAFETY: zeroed memory is one: nothing known, empty names, no room made. It has no ties to a thread.
pub(crate) static STATES: Pool<State> = unsafe { Pool::new() };

/// The stack of the calling thread from `registers` up, leaf first: how many frames, and why no
/// more. `now_ms` is the time by the recorder's clock.
pub fn stack(
    unwinder: &mut ThreadUnwinder,
    registers: Registers,
    out: &mut [u64],
    now_ms: u64,
) -> (usize, End) {
    let (length, end) = unwind::unwind(unwinder, registers, out);
    if !jvm::is_wanted(now_ms) {
        return (length, end);
    }
    jvm::complete(unwinder, out, (length, end), registers.sp, now_ms)
}

/// Forgets what lay in the arena: for a child of a fork that ran no handlers.
///
/// # Safety
/// As `arena::abandon`, with which it is called.
pub unsafe fn abandon() {
    // SAFETY: the same contract.
    unsafe { STATES.abandon() };
}

/// A library is about to be closed: no runtime is asked until [`after_close`].
pub fn before_close() {
    jvm::before_close();
}

/// A library was closed; if it was that of a runtime, this one is gone.
pub fn after_close() {
    jvm::after_close();
}
