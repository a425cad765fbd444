//! Managed frames: the methods of a language runtime in the stack of a sample. Without them the
//! native walk would end at code that has no name.
//!
//! A runtime is a folder here, a type that implements [`Runtime`], and one line in the table at the
//! end. It runs on the thread to which the stack belongs, inside `fork_gate::TABLES` (names are
//! interned). It calls no function that allocates, locks or waits. Frames that it cannot name stay
//! as the native walk left them. A process may have several runtimes. Each has its own range of
//! generated code, at which the native walk ends (`unwind::managed`). From there the runtime walks
//! on until it is back in native code.
#![allow(unsafe_code)]

pub mod memory;
mod search;

use crate::config::Config;
use crate::table::pool::Pool;
use crate::unwind::managed::Owner;
use crate::unwind::{self, End, Registers, ThreadUnwinder};
use memory::Memory;

/// A language runtime. The types have no values: a process has at most one runtime of each type,
/// and its state is in statics.
///
/// # Safety
/// Zeroed memory is a valid [`State`](Runtime::State), and a state does not depend on a thread.
pub unsafe trait Runtime {
    /// Its name in messages.
    const NAME: &'static str;

    /// The data that a walk needs, and what it keeps for the next walk.
    type State;

    /// Notes what to look for. Runs before sampling begins.
    fn start(config: &Config);

    /// Must a sample ask for this runtime's frames? `now_ms` is the time by the recorder's clock.
    /// This runs for each sample, so it reads only a word or two.
    fn is_wanted(now_ms: u64) -> bool;

    /// Puts the managed frames into a stack whose native walk has ended.
    fn complete(stack: &mut Stack<'_>);

    /// A library is about to be closed: its runtime is not asked until [`Runtime::after_close`].
    fn before_close();

    /// A library was closed. If it was this runtime's library, the runtime no longer exists.
    fn after_close();
}

/// A stack that is being made, leaf first.
pub struct Stack<'a> {
    /// Walks native frames.
    pub unwinder: &'a mut ThreadUnwinder,
    /// Room for all frames.
    pub frames: &'a mut [u64],
    /// The number of frames so far.
    pub length: usize,
    /// Why the stack ends there.
    pub end: End,
    /// The stack pointer at which the walk began.
    pub sp: u64,
    /// The time by the recorder's clock.
    pub now_ms: u64,
}

macro_rules! runtimes {
    ($($module:ident::$runtime:ident = $owner:literal;)+) => {
        $(pub mod $module;)+

        /// The data that walks through managed frames need, and keep for the next walk.
        #[allow(dead_code, reason = "a runtime may keep nothing")]
        pub struct Room {
            pub(crate) memory: Memory,
            $(pub(crate) $module: <$module::$runtime as Runtime>::State,)+
        }

        $(impl $module::$runtime {
            /// The owner of this runtime's code range.
            pub const OWNER: Owner = Owner($owner);
        })+

        /// Notes what to look for. Runs before sampling begins.
        pub fn start(config: &Config) {
            $($module::$runtime::start(config);)+
        }

        /// The stack of the calling thread, from `registers` upwards, leaf first. Returns the
        /// number of frames, and why the stack ends there. `now_ms` is the time by the recorder's
        /// clock.
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

        /// A library was closed. If it was the library of a runtime, that runtime no longer exists.
        pub fn after_close() {
            $($module::$runtime::after_close();)+
        }
    };
}

/// One room for each walk in progress; no room in a process without a runtime.
// SAFETY: zeroed memory is a valid room: it knows nothing yet, and the trait promises that each
// runtime's zeroed state is valid.
pub(crate) static ROOMS: Pool<Room> = unsafe { Pool::new() };

/// Forgets what was stored in the arena. For a child of a fork that ran no handlers.
///
/// # Safety
/// As for `arena::abandon`, which is called with it.
pub unsafe fn abandon() {
    // SAFETY: the same contract.
    unsafe {
        ROOMS.abandon();
        perf_map::abandon();
        node::abandon();
    }
}

// The numbers are places below `managed::MOST_OWNERS`, and are all different.
runtimes! {
    jvm::HotSpot = 0;
    ruby::Mri = 1;
    python::CPython = 2;
    node::V8 = 3;
    perf_map::PerfMap = 4;
}
