//! What a thread owns beyond its TLS word: sampler, unwinder, frame buffer, pending frees.
//!
//! Called by `recorder`. Blocks are filed by the address of the thread's TCB in buckets that only
//! ever grow at their head; a block found there whose thread is gone serves the new thread with
//! the same TCB.
//!
//! # Safety
//! See `recorder`: one user at a time, except the pending list, which signal handlers of the same
//! thread fill.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

use crate::diag::{self, Counter};
use crate::sampler::Sampler;
use crate::stack_table::MAX_FRAMES;
use crate::unwind::{self, End, Registers, ThreadUnwinder};
use crate::{arena, sys, tls};

const BUCKETS: usize = 256;
/// Frees that one stay in our tables can be interrupted by before they are lost.
const PENDING: usize = 32;

/// Heads of the buckets. Threads push their new block with release, readers follow with acquire.
static THREADS: [AtomicPtr<Thread>; BUCKETS] =
    [const { AtomicPtr::new(core::ptr::null_mut()) }; BUCKETS];

/// Next thread number, as jemalloc counts threads: from 0, never reused. Any thread adds.
static NEXT_UID: AtomicU32 = AtomicU32::new(0);

/// Mixed into every sampler's seed; changed in a fork's child, so that siblings do not sample in
/// lock step. Written by [`reseed`].
static SEED: AtomicU64 = AtomicU64::new(0);

/// The block of one thread.
pub struct Thread {
    tcb: usize,
    older: *mut Thread,
    sampler: Sampler,
    seed: u64,
    /// What the countdown was last armed with, if that was a gap drawn from `sampler`.
    armed: Option<u64>,
    /// Bytes since the last sample.
    bytes: u64,
    uid: u32,
    has_uid: bool,
    has_pending: AtomicBool,
    pending: [AtomicUsize; PENDING],
    frames: [u64; MAX_FRAMES],
    unwinder: ThreadUnwinder,
}

/// A new seed for all samplers; each draws anew at its thread's next event.
pub fn reseed(seed: u64) {
    SEED.store(seed | 1, Relaxed);
}

/// Forgets all blocks. Only in a child that abandons the arena they lie in.
pub fn abandon() {
    for head in &THREADS {
        head.store(core::ptr::null_mut(), Relaxed);
    }
}

/// The calling thread's block, made on its first event.
pub fn find_or_make() -> Option<*mut Thread> {
    let tcb = tls::thread_pointer();
    let head = THREADS.get((tcb >> 6).wrapping_mul(0x9E37_79B9) >> 8 & (BUCKETS - 1))?;
    // Acquire: pairs with the release of whoever pushed.
    let mut at = head.load(Acquire);
    while !at.is_null() {
        // SAFETY: pushed blocks are whole and are never freed.
        unsafe {
            if (*at).tcb == tcb {
                (*at).begin();
                return Some(at);
            }
            at = (*at).older;
        }
    }
    let fresh = arena::alloc(Layout::new::<Thread>())?
        .cast::<Thread>()
        .as_ptr();
    // SAFETY: arena memory is zeroed, which every field is valid with but the sampler, and that is
    // written before it is read.
    unsafe {
        (*fresh).tcb = tcb;
        (&raw mut (*fresh).sampler).write(Sampler::new(0, 0));
        (*fresh).begin();
    }
    push(head, fresh);
    Some(fresh)
}

fn push(head: &AtomicPtr<Thread>, fresh: *mut Thread) {
    let mut older = head.load(Relaxed);
    loop {
        // SAFETY: not published yet.
        unsafe { (*fresh).older = older };
        // Release: the block is whole before it is found.
        match head.compare_exchange_weak(older, fresh, Release, Relaxed) {
            Ok(_) => return,
            Err(now) => older = now,
        }
    }
}

impl Thread {
    /// Another thread begins with this block.
    fn begin(&mut self) {
        self.seed = 0;
        self.has_uid = false;
        self.bytes = 0;
        self.armed = None;
        // SAFETY: a zeroed unwinder is a new one (contract of `ThreadUnwinder`).
        unsafe { core::ptr::from_mut(&mut self.unwinder).write_bytes(0, 1) };
    }

    /// The countdown ran out: is the allocation of `size` bytes the sample, and what to count down
    /// from next? `left` is the countdown after the subtraction, wrapped below zero.
    ///
    /// A thread that was not armed with a drawn gap (its first event, or dormant, or inherited
    /// over a fork) draws one and tests this allocation against it: to sample it outright would
    /// favour first allocations. The exponential distribution has no memory, so that is unbiased.
    /// As in the hook, a gap is used up when it is less than the size.
    pub fn draw(&mut self, left: u64, size: u64, lg_period: u8) -> (bool, u64) {
        let armed = self.armed.take();
        if let Some(armed) = armed.filter(|_| self.is_current(lg_period)) {
            self.bytes += armed.wrapping_sub(left);
        } else {
            self.renew(lg_period);
            self.bytes += size;
            let gap = self.sampler.next_gap();
            if size <= gap {
                return (false, self.arm(gap - size));
            }
        }
        let gap = self.sampler.next_gap();
        (true, self.arm(gap))
    }

    fn arm(&mut self, countdown: u64) -> u64 {
        self.armed = Some(countdown);
        countdown
    }

    fn is_current(&self, lg_period: u8) -> bool {
        self.seed == SEED.load(Relaxed) && self.sampler.lg_period() == lg_period
    }

    fn renew(&mut self, lg_period: u8) {
        let seed = SEED.load(Relaxed);
        if self.seed != seed {
            let own = (self.tcb as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            self.sampler = Sampler::new(seed ^ own ^ sys::monotonic_ms(), lg_period);
            self.seed = seed;
        }
        self.sampler.set_lg_period(lg_period);
    }

    /// Bytes that exact mode did not count down.
    pub fn note_bytes(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Bytes since this was last asked.
    pub fn take_bytes(&mut self) -> u64 {
        core::mem::take(&mut self.bytes)
    }

    /// This thread's number, given at its first sample.
    pub fn uid(&mut self, named: bool) -> u32 {
        if !self.has_uid {
            self.uid = NEXT_UID.fetch_add(1, Relaxed);
            self.has_uid = true;
        }
        if named {
            names::note(self.uid);
        }
        self.uid
    }

    /// The stack, leaf first, beginning with `hook`.
    pub fn unwind(&mut self, hook: u64, registers: Registers, most: usize) -> &[u64] {
        let Some((first, rest)) = self.frames.split_first_mut() else {
            return &[];
        };
        *first = hook;
        let room = most.min(rest.len());
        let Some(rest) = rest.get_mut(..room) else {
            return &[];
        };
        let (depth, end) = unwind::unwind(&mut self.unwinder, registers, rest);
        match end {
            End::Complete => {}
            End::Truncated => diag::count(Counter::UnwindTruncated),
            End::NoInfo => diag::count(Counter::UnwindNoInfo),
            End::BadMemory => diag::count(Counter::UnwindBadMemory),
        }
        self.frames.get(..=depth).unwrap_or(&[])
    }

    /// Adds to the pending list; called from signal handlers of this thread. False when full.
    ///
    /// # Safety
    /// `thread` is the calling thread's block.
    pub unsafe fn pend(thread: *mut Thread, address: usize) -> bool {
        // SAFETY: a shared view of two fields made of atomics.
        let (pending, any) = unsafe { (&(*thread).pending, &(*thread).has_pending) };
        any.store(true, Relaxed);
        pending
            .iter()
            .any(|slot| slot.compare_exchange(0, address, Relaxed, Relaxed).is_ok())
    }

    /// Takes one from the pending list.
    ///
    /// # Safety
    /// As [`Thread::pend`].
    pub unsafe fn take_pending(thread: *mut Thread) -> Option<usize> {
        // SAFETY: as above.
        let (pending, any) = unsafe { (&(*thread).pending, &(*thread).has_pending) };
        if !any.load(Relaxed) {
            return None;
        }
        let taken = pending
            .iter()
            .map(|slot| slot.swap(0, Relaxed))
            .find(|address| *address != 0);
        if taken.is_none() {
            any.store(false, Relaxed);
        }
        taken
    }
}

pub use names::name_of;

/// Thread names, kept by number for as long as the process lives: a thread that ended keeps its
/// line in the dump while it owns live blocks.
mod names {
    use super::{Acquire, AtomicPtr, AtomicU64, Layout, Relaxed, Release, arena, sys};

    /// Names a block holds, and blocks.
    const CHUNK: usize = 1024;
    const CHUNKS: usize = 256;

    type Name = [AtomicU64; 2];

    /// Blocks of names. Made by the first thread with a number in it, published with release.
    static NAMES: [AtomicPtr<Name>; CHUNKS] =
        [const { AtomicPtr::new(core::ptr::null_mut()) }; CHUNKS];

    fn slot(uid: u32, make: bool) -> Option<&'static Name> {
        let head = NAMES.get(uid as usize / CHUNK)?;
        // Acquire: pairs with the release below.
        let mut chunk = head.load(Acquire);
        if chunk.is_null() && make {
            let fresh = arena::alloc(Layout::new::<[Name; CHUNK]>())?
                .cast::<Name>()
                .as_ptr();
            chunk = match head.compare_exchange(chunk, fresh, Release, Acquire) {
                Ok(_) => fresh,
                Err(winner) => winner,
            };
        }
        // SAFETY: a block holds CHUNK names, zeroed by the arena, never freed.
        (!chunk.is_null()).then(|| unsafe { &*chunk.add(uid as usize % CHUNK) })
    }

    /// Keeps the calling thread's present name under `uid`.
    pub fn note(uid: u32) {
        let Some([first, second]) = slot(uid, true) else {
            return;
        };
        let mut name = [0; 16];
        sys::thread_name(&mut name);
        let (words, _) = name.as_chunks::<8>();
        if let [low, high] = words {
            first.store(u64::from_le_bytes(*low), Relaxed);
            second.store(u64::from_le_bytes(*high), Relaxed);
        }
    }

    /// The name kept under `uid`, padded with NUL; all NUL when there is none.
    pub fn name_of(uid: u32) -> [u8; 16] {
        let mut name = [0; 16];
        if let Some([first, second]) = slot(uid, false) {
            let (low, high) = name.split_at_mut(8);
            low.copy_from_slice(&first.load(Relaxed).to_le_bytes());
            high.copy_from_slice(&second.load(Relaxed).to_le_bytes());
        }
        name
    }
}
