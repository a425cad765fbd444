//! Which memory is stack, and reads that cannot fault.
//!
//! Each unwind makes one [`StackMemory`], and another at each signal frame; the walk reads through
//! it alone. The bounds need no call: glibc puts the thread control block on top of a thread's
//! stack, so a thread's own stack is `[sp, fs:0)`, and the main thread's is `[sp,
//! __libc_stack_end)`. `pthread_getattr_np` is forbidden: it holds a lock of the thread while it
//! allocates.
//!
//! The kernel is asked once per page whether the pages in between are readable, and the answer is
//! kept for the thread ([`StackBounds`]): a stack that was used to some depth stays mapped to that
//! depth. Any other stack (a fiber, `sigaltstack`, a coroutine of a JIT) may be gone at the next
//! unwind. So its pages are probed in each unwind, one at a time, as the walk comes to them.
//!
//! # Safety
//! A page that was found readable can vanish under the walk only if another thread unmaps a stack
//! that is in use.
#![allow(unsafe_code)]

use core::ptr;
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::Relaxed;

use crate::platform::{glibc, sys};
use crate::unwind::arch;

const PAGE: usize = 4096;
const WORD: usize = 8;
/// Pages of a thread's own stack that one unwind may probe; several unwinds explore deeper stacks.
const PROBES: usize = 64;
/// The kernel keeps this much clear below the main stack, so an address nearer to its end is on the
/// stack.
const MAIN_STACK: usize = 128 << 20;
/// Pages that a frame without unwind information may cover on a stack whose end is not known.
const WIDEST_GUESS: usize = 16;
/// On a stack whose end is not known, a frame this far up is taken to be garbage.
const FOREIGN_STACK: usize = 64 << 20;

/// Thread control block of the main thread, whose stack is the kernel's. Written once by `init`, on
/// that thread, before others are started. Relaxed: the word refers to nothing else.
static MAIN_THREAD: AtomicUsize = AtomicUsize::new(0);

/// Remembers that the calling thread is the one whose stack the kernel made.
pub fn record_main_thread() {
    MAIN_THREAD.store(arch::thread_pointer(), Relaxed);
}

/// What is known of a thread's own stack. All zero: nothing is known.
pub struct StackBounds {
    thread: usize,
    /// The pages from here to `high` are known to be readable.
    low: usize,
    high: usize,
}

impl StackBounds {
    /// Nothing known.
    pub const UNKNOWN: StackBounds = StackBounds {
        thread: 0,
        low: 0,
        high: 0,
    };

    /// The memory that a walk from `sp` may read. `red_zone`: bytes below `sp` that count as well.
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
            glibc::stack_end()
        } else {
            thread
        };
        let high = top & !(WORD - 1);
        // The page of the top itself holds the control block, or the program's arguments.
        StackBounds {
            thread,
            low: page_of(high),
            high,
        }
    }

    /// Probes downwards until the page of `floor` is known; returns whether it is.
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
    /// Known to be readable: `[start, end)`. What lies between the stack pointer of the walk and
    /// `end` always belongs to it.
    start: usize,
    end: usize,
    /// The lowest address that may be asked for.
    floor: usize,
    limit: usize,
}

impl StackMemory {
    fn known(floor: usize, high: usize) -> StackMemory {
        StackMemory {
            start: floor,
            end: high,
            floor,
            limit: high,
        }
    }

    fn foreign(floor: usize) -> StackMemory {
        StackMemory {
            start: floor,
            end: floor,
            floor,
            limit: floor.saturating_add(FOREIGN_STACK),
        }
    }

    /// Everything from the stack pointer of the walk to here can be read.
    #[inline(always)]
    pub fn end(&self) -> usize {
        self.end
    }

    /// The word at `addr`, which must be aligned and within the stack.
    pub fn read(&mut self, addr: usize) -> Option<u64> {
        if !addr.is_multiple_of(WORD) || !(self.is_known(addr) || self.probe(addr)) {
            return None;
        }
        // SAFETY: aligned, and its page was found readable: by `extend_to` for this thread's own
        // stack, else just now.
        Some(unsafe { ptr::read_volatile(addr as *const u64) })
    }

    /// The walk has come to the stack pointer `sp`, and the word below it was read.
    pub fn advance(&mut self, sp: usize) {
        if sp > self.end {
            // It skipped pages that were not probed: the known memory begins anew with the page of
            // that word.
            self.start = sp;
            self.end = page_of(sp - 1) + PAGE;
        }
    }

    /// Whether `addr` is on the same stack as what was read before: no hole in between, and not too
    /// far. For steps that rest on a guess.
    pub fn reaches(&mut self, addr: usize) -> bool {
        let pages = if self.is_own() { 0 } else { WIDEST_GUESS };
        for _ in 0..pages {
            if addr < self.end || !sys::readable(self.end) {
                break;
            }
            self.end = page_of(self.end) + PAGE;
        }
        self.is_known(addr)
    }

    fn is_known(&self, addr: usize) -> bool {
        (self.start..self.end).contains(&addr)
    }

    /// Whether this is the thread's own stack: then everything that may be read is known already.
    fn is_own(&self) -> bool {
        self.end == self.limit
    }

    /// Probes the page of `addr`, which the walk has not met yet; returns whether the word can be
    /// read.
    fn probe(&mut self, addr: usize) -> bool {
        let is_allowed = (self.floor..self.limit).contains(&addr);
        if !is_allowed || self.is_own() || !sys::readable(addr) {
            return false;
        }
        if page_of(addr) <= self.end && addr >= self.end {
            self.end = page_of(addr) + PAGE;
        }
        true
    }
}

fn page_of(addr: usize) -> usize {
    addr & !(PAGE - 1)
}
