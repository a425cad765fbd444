//! The right to sweep. One thread has it at a time, and the copy of the references with it.
//!
//! Only the thread that has it deletes weak references. So the references in its copy stay valid,
//! although no lock is held while the JVM is asked. Only the helper waits for the right.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32};

use super::{LIVE, inside};
use crate::platform::sys;
use crate::table::arena;

/// From this many references on, samples give way: each costs the collector a look at every
/// collection.
pub const CEILING: usize = 20_000;

/// Never more than this, even if a thread is kept from thinning.
pub const ROOM: usize = 2 * CEILING;

/// Is a sweep in progress? Acquire on taking pairs with Release on giving back.
static SWEEPING: AtomicBool = AtomicBool::new(false);

/// The references of the sweep in progress; null until the first. Written and read by the thread
/// that sweeps.
static COPY: AtomicPtr<usize> = AtomicPtr::new(null_mut());

/// The right to sweep.
pub struct Turn(());

impl Turn {
    pub fn take() -> Option<Turn> {
        // Made only when the right is ours, because dropping it gives the right back.
        (!SWEEPING.swap(true, Acquire)).then(|| Turn(()))
    }

    /// Waits for it. For the helper, which makes no other thread wait: the JVM does not wait for a
    /// thread in native code.
    pub fn wait() -> Turn {
        static NEVER: AtomicU32 = AtomicU32::new(0);
        loop {
            if let Some(turn) = Turn::take() {
                return turn;
            }
            sys::futex_wait_for(&NEVER, 0, 1);
        }
    }

    /// Copies the references that exist now; the next sweep handles those that come meanwhile.
    pub fn references(&mut self) -> &[usize] {
        let mut memory = COPY.load(Relaxed);
        if memory.is_null() {
            let room = Layout::array::<usize>(ROOM).ok();
            let Some(fresh) = room.and_then(arena::alloc) else {
                return &[];
            };
            memory = fresh.cast().as_ptr();
            COPY.store(memory, Relaxed);
        }
        // SAFETY: ROOM words of the arena, zeroed, which belong to this turn alone.
        let copy = unsafe { core::slice::from_raw_parts_mut(memory, ROOM) };
        let mut length = 0;
        let _ = inside(|| {
            LIVE.for_each(&mut |sample| {
                if let Some(slot) = copy.get_mut(length) {
                    *slot = sample.addr;
                    length += 1;
                }
            });
        });
        copy.get(..length).unwrap_or_default()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        SWEEPING.store(false, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_no_turn_leaves_that_of_the_other_alone() {
        let turn = Turn::take().expect("nobody sweeps");
        assert!(Turn::take().is_none());
        assert!(Turn::take().is_none(), "the refusal gave nothing back");
        drop(turn);
        assert!(Turn::take().is_some());
    }
}
