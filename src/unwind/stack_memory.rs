//! Which memory is stack, and reads that cannot fault.
//!
//! `unwind` makes one [`StackMemory`] per unwind, and another at each signal frame; the walk reads through it alone. The bounds come
//! without a call: glibc puts the thread control block on top of a thread's stack, so its own stack is `[sp, fs:0)`; the main thread's is
//! `[sp, __libc_stack_end)`. `pthread_getattr_np` is forbidden: it holds a lock of the thread while it allocates.
//!
//! That the pages in between are there is asked of the kernel once per page and kept for the thread ([`StackBounds`]): a stack that was
//! used to some depth stays mapped to that depth. Any other stack (a fiber, `sigaltstack`, a coroutine of a JIT) may be gone at the
//! next unwind, so its pages are probed in each, one at a time, as the walk comes to them.
//!
//! # Safety
//! A page that was found readable can only vanish under the walk if another thread unmaps a stack that is in use.
#![allow(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use core::ptr;
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::Relaxed;

use crate::sys;
use crate::unwind::arch;

const PAGE: usize = 4096;
const WORD: usize = 8;
/// Pages of a thread's own stack that one unwind may probe: deeper stacks become known over several.
const PROBES: usize = 64;
/// The kernel keeps this much clear below the main stack, so what lies nearer to its end is the stack.
const MAIN_STACK: usize = 128 << 20;
/// Pages that a frame without unwind information may cover on a stack whose end is not known.
const WIDEST_GUESS: usize = 16;
/// A frame this far up is taken to be garbage on a stack whose end is not known.
const FOREIGN_STACK: usize = 64 << 20;

/// Thread control block of the main thread, whose stack is the kernel's. Written once by `init`, on that thread, before others are
/// started; Relaxed, as it stands for itself.
static MAIN_THREAD: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    /// The stack pointer the program started with. Written by ld.so before any constructor; GLIBC_2.2.5.
    static __libc_stack_end: usize;
}

/// Remembers that the calling thread is the one whose stack the kernel made.
pub fn record_main_thread() {
    MAIN_THREAD.store(arch::thread_pointer(), Relaxed);
}

/// What is known of a thread's own stack. All zero: nothing.
pub struct StackBounds {
    thread: usize,
    /// The pages from here to `high` are known to be readable.
    low: usize,
    high: usize,
}

impl StackBounds {
    /// Nothing known.
    pub const fn new() -> StackBounds {
        StackBounds {
            thread: 0,
            low: 0,
            high: 0,
        }
    }

    /// The memory a walk from `sp` may read. `red_zone`: bytes below `sp` that count as well.
    #[inline]
    pub fn memory(&mut self, sp: usize, red_zone: usize) -> StackMemory {
        let floor = sp.saturating_sub(red_zone);
        if self.thread == arch::thread_pointer() && floor >= self.low && floor < self.high {
            return StackMemory::known(floor, self.high);
        }
        self.explore(floor)
    }

    #[cold]
    #[inline(never)]
    fn explore(&mut self, floor: usize) -> StackMemory {
        let thread = arch::thread_pointer();
        if self.thread != thread {
            *self = StackBounds::of(thread);
        }
        if self.extend_to(floor) {
            StackMemory::known(floor, self.high)
        } else {
            StackMemory::foreign(floor)
        }
    }

    fn of(thread: usize) -> StackBounds {
        let top = if thread == MAIN_THREAD.load(Relaxed) {
            // SAFETY: an aligned word of ld.so, constant since before the first constructor.
            unsafe { ptr::read(&raw const __libc_stack_end) }
        } else {
            thread
        };
        let high = top & !(WORD - 1);
        // The page of the top itself holds the control block, or the program's arguments.
        StackBounds {
            thread,
            low: high & !(PAGE - 1),
            high,
        }
    }

    /// Probes downwards until the page of `floor` is known; says whether it is.
    fn extend_to(&mut self, floor: usize) -> bool {
        let is_main = self.thread == MAIN_THREAD.load(Relaxed);
        if floor >= self.high || is_main && self.high - floor > MAIN_STACK {
            return false;
        }
        for _ in 0..PROBES {
            if self.low <= floor {
                return true;
            }
            let below = self.low - PAGE;
            if !sys::readable(below) {
                return false;
            }
            self.low = below;
        }
        self.low <= floor
    }
}

/// The stack memory of one walk.
pub struct StackMemory {
    /// `[start, start + length)` is readable.
    start: usize,
    length: usize,
    /// What may be asked for at all.
    floor: usize,
    limit: usize,
}

impl StackMemory {
    fn known(floor: usize, high: usize) -> StackMemory {
        StackMemory {
            start: floor,
            length: high - floor,
            floor,
            limit: high,
        }
    }

    fn foreign(floor: usize) -> StackMemory {
        StackMemory {
            start: floor,
            length: 0,
            floor,
            limit: floor.saturating_add(FOREIGN_STACK),
        }
    }

    /// The word at `addr`, which must be aligned and within the stack.
    #[inline(always)]
    pub fn read(&mut self, addr: usize) -> Option<u64> {
        let is_known = addr.wrapping_sub(self.start) < self.length && addr.is_multiple_of(WORD);
        if !is_known && !self.probe(addr) {
            return None;
        }
        // SAFETY: aligned, and its page was found readable: by `extend_to` for this thread's own stack, else just now.
        Some(unsafe { ptr::read_volatile(addr as *const u64) })
    }

    /// Whether `addr` is on the same stack as what was read so far: no hole in between, and not too far. For steps that rest on a guess.
    pub fn reaches(&mut self, addr: usize) -> bool {
        let is_own = self.length == self.limit - self.floor;
        for _ in 0..WIDEST_GUESS {
            let end = self.start + self.length;
            if addr < end {
                return true;
            }
            if is_own || !sys::readable(end) {
                return false;
            }
            self.length = (end & !(PAGE - 1)) + PAGE - self.start;
        }
        false
    }

    /// Whether the word at `addr` can be read after all, on a page not met yet.
    #[cold]
    #[inline(never)]
    fn probe(&mut self, addr: usize) -> bool {
        let allowed = addr >= self.floor && addr < self.limit && addr.is_multiple_of(WORD);
        // What is known of one's own stack is all there is of it.
        let is_own = self.length == self.limit - self.floor;
        if !allowed || is_own || !sys::readable(addr) {
            return false;
        }
        let page = addr & !(PAGE - 1);
        let end = page + PAGE;
        // A walk goes upwards: the page that follows widens the known part, a jump begins a new one.
        if page != self.start + self.length {
            self.start = page.max(self.floor);
        }
        self.length = end - self.start;
        true
    }
}
