//! Managed frames: the methods of a language runtime in the stack of a sample. The native walk
//! alone would end at code that has no name.
//!
//! A runtime is a folder here, a type that implements [`Runtime`], and one line in the table at the
//! end. It runs on the thread whose stack it is, inside `fork_gate::TABLES` (names are interned).
//! It calls nothing that allocates, locks or waits. Frames that it cannot name stay as the native
//! walk had them. Several runtimes may be in one process. Each has a range of generated code of its
//! own, at which the native walk ends (`unwind::managed`). The runtime walks on from there until it
//! is back in native code.
#![allow(unsafe_code)]

pub mod memory;

use crate::config::Config;
use crate::table::pool::Pool;
use crate::unwind::managed::Owner;
use crate::unwind::{self, End, Registers, ThreadUnwinder};
use memory::Memory;

/// A language runtime. The types have no values: a process has one of each, with its state in
/// statics.
///
/// # Safety
/// Zeroed memory is a valid [`State`](Runtime::State), and a state has no ties to a thread.
pub unsafe trait Runtime {
    /// Its name in messages.
    const NAME: &'static str;

    /// What a walk needs, and what it keeps for the next one.
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

    /// A library was closed; if it was the runtime's, the runtime is gone.
    fn after_close();
}

/// A stack while it is made, leaf first.
pub struct Stack<'a> {
    /// Walks native frames.
    pub unwinder: &'a mut ThreadUnwinder,
    /// Room for all frames.
    pub frames: &'a mut [u64],
    /// How many there are.
    pub length: usize,
    /// Why there are no more.
    pub end: End,
    /// The stack pointer where it began.
    pub sp: u64,
    /// The time by the recorder's clock.
    pub now_ms: u64,
}

macro_rules! runtimes {
    ($($module:ident::$runtime:ident = $owner:literal;)+) => {
        $(pub mod $module;)+

        /// What walks through managed frames need, and keep for the next walk.
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

        /// The stack of the calling thread from `registers` up, leaf first: how many frames, and
        /// why no more. `now_ms` is the time by the recorder's clock.
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

        /// A library was closed; if it was a runtime's, that runtime is gone.
        pub fn after_close() {
            $($module::$runtime::after_close();)+
        }
    };
}

/// One room for each walk in progress, no room in a process without a runtime.
// SAFETY: zeroed memory is a valid room: nothing known, and each runtime's state as the trait
// promises.
pub(crate) static ROOMS: Pool<Room> = unsafe { Pool::new() };

/// Forgets what lay in the arena: for a child of a fork that ran no handlers.
///
/// # Safety
/// As `arena::abandon`, which is called with it.
pub unsafe fn abandon() {
    // SAFETY: the same contract.
    unsafe { ROOMS.abandon() };
}

// The numbers are places below `managed::MOST_OWNERS`, and no two are the same.
runtimes! {
    jvm::HotSpot = 0;
}
