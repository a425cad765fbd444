//! Managed frames: the stack of a sample with the methods of a language runtime in it, where the
//! native walk alone would end at code nobody has a name for.
//!
//! A runtime is a folder here, a type that is a [`Runtime`], and one line in the table at the end. It is
//! asked on the thread whose stack it is, synchronously, inside `fork_gate::TABLES` (names are interned),
//! and nothing is called in it that allocates, locks or waits. What it cannot tell is left as the native
//! walk had it. Several may be in one process: each has a range of generated code of its own, at which the
//! native walk ends (`unwind::managed`), and goes on from there and back into native code.
#![allow(unsafe_code)]

pub mod memory;

use crate::config::Config;
use crate::table::pool::Pool;
use crate::unwind::managed::Owner;
use crate::unwind::{self, End, Registers, ThreadUnwinder};
use memory::Memory;

/// A language runtime. The types have no values: a process has one of each, whose state lies in statics.
///
/// # Safety
/// Zeroed memory is a [`State`](Runtime::State), and that has no ties to a thread.
pub unsafe trait Runtime {
    /// As messages say it.
    const NAME: &'static str;

    /// What a walk needs, and knows from the last one.
    type State;

    /// Notes what is to be looked for. Before sampling begins.
    fn start(config: &Config);

    /// Shall a sample ask for its frames? `now_ms` is the time by the recorder's clock. For each sample, so
    /// it reads a word or two.
    fn is_wanted(now_ms: u64) -> bool;

    /// Puts the managed frames into a stack whose native walk has ended so.
    fn complete(stack: &mut Stack<'_>);

    /// A library is about to be closed: the runtime in it is asked nothing until [`Runtime::after_close`].
    fn before_close();

    /// A library was closed; if it was that of the runtime, this one is gone.
    fn after_close();
}

/// A stack in the making, leaf first.
pub struct Stack<'a> {
    /// Walks native frames.
    pub unwinder: &'a mut ThreadUnwinder,
    /// Room for all frames.
    pub frames: &'a mut [u64],
    /// How many there are.
    pub length: usize,
    /// Why no more.
    pub end: End,
    /// The stack pointer where it began.
    pub sp: u64,
    /// The time by the recorder's clock.
    pub now_ms: u64,
}

macro_rules! runtimes {
    ($($module:ident::$runtime:ident = $owner:literal;)+) => {
        $(pub mod $module;)+

        /// What walks through managed frames need, and know from the last one.
        pub struct Room {
            pub(crate) memory: Memory,
            $(pub(crate) $module: <$module::$runtime as Runtime>::State,)+
        }

        $(impl $module::$runtime {
            /// Whose code its range is.
            pub const OWNER: Owner = Owner($owner);
        })+

        /// Notes what is to be looked for. Before sampling begins.
        pub fn start(config: &Config) {
            $($module::$runtime::start(config);)+
        }

        /// The stack of the calling thread from `registers` up, leaf first: how many frames, and why no
        /// more. `now_ms` is the time by the recorder's clock.
        pub fn stack(
            unwinder: &mut ThreadUnwinder,
            registers: Registers,
            frames: &mut [u64],
            now_ms: u64,
        ) -> (usize, End) {
            let (length, end) = unwind::unwind(unwinder, registers, frames);
            let sp = registers.sp;
            let mut stack = Stack { unwinder, frames, length, end, sp, now_ms };
            $(if $module::$runtime::is_wanted(now_ms) {
                $module::$runtime::complete(&mut stack);
            })+
            (stack.length, stack.end)
        }

        /// A library is about to be closed: no runtime is asked until [`after_close`].
        pub fn before_close() {
            $($module::$runtime::before_close();)+
        }

        /// A library was closed; if it was that of a runtime, this one is gone.
        pub fn after_close() {
            $($module::$runtime::after_close();)+
        }
    };
}

/// One for each walk that is under way, none in a process without a runtime.
// SAFETY: zeroed memory is one: nothing known, and each runtime's state as the trait promises.
pub(crate) static ROOMS: Pool<Room> = unsafe { Pool::new() };

/// Forgets what lay in the arena: for a child of a fork that ran no handlers.
///
/// # Safety
/// As `arena::abandon`, with which it is called.
pub unsafe fn abandon() {
    // SAFETY: the same contract.
    unsafe { ROOMS.abandon() };
}

// The numbers are places among `managed::MOST_OWNERS`, no two alike.
runtimes! {
    jvm::HotSpot = 0;
}
