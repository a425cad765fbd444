//! What a thread owns beyond its TLS word: sampler, unwinder, frame buffer, pending frees.
//!
//! Called by `recorder`. Blocks are filed by the address of the thread's TCB. A thread that finds a
//! block there takes it over: its former owner is gone, or the TCB would not be free. Where TCBs do
//! not come back (stacks that the program maps itself), blocks of threads that are gone are found
//! by asking the kernel.
//!
//! # Safety
//! See `recorder`: one user at a time, except the pending list, which signal handlers of the same
//! thread fill.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

use super::thread_name;
use crate::diag::{self, Counter};
use crate::sampler::Sampler;
use crate::table::{stack_table::MAX_FRAMES, sync::SpinLock};
use crate::unwind::{End, Registers, ThreadUnwinder};
use crate::{
    platform::{sys, tls},
    runtime,
    table::{arena, fork_gate},
};

const BUCKETS: usize = 256;
/// Frees that one stay in our tables can be interrupted by before they are lost.
const PENDING: usize = 32;
/// From so many blocks on, those of threads that are gone are looked for.
const MANY: usize = 64;
/// Buckets looked into for one.
const SWEEP: usize = 8;

/// Heads of the buckets. Read and written under [`THREADS_LOCK`], so relaxed.
static THREADS: [AtomicPtr<Thread>; BUCKETS] =
    [const { AtomicPtr::new(core::ptr::null_mut()) }; BUCKETS];

/// The head of one bucket more, for the block that was made first: a process of one thread touches no other,
/// and this one lies beside our other variables. As [`THREADS`]; its block is never reclaimed.
static FIRST: AtomicPtr<Thread> = AtomicPtr::new(core::ptr::null_mut());

/// Taken by a thread at its first event, inside the gate.
static THREADS_LOCK: SpinLock = SpinLock::new();

/// Blocks made so far, and the bucket looked into last. Written under the lock.
static BLOCKS: AtomicUsize = AtomicUsize::new(0);
static SWEPT: AtomicUsize = AtomicUsize::new(0);

/// Next thread number, as jemalloc counts threads: from 0, never reused. Any thread adds.
static NEXT_UID: AtomicU32 = AtomicU32::new(0);

/// What every sampler's seed comes from, and how often it was set: in a fork's child it is another,
/// so that siblings do not sample in lock step. Written by [`reseed`].
static SEED: AtomicU64 = AtomicU64::new(0);
static SEEDING: AtomicU32 = AtomicU32::new(0);

/// What the next sampler adds to it. Any thread adds.
static NEXT_SEED: AtomicU64 = AtomicU64::new(0);

/// The block of the calling thread; null while it has none.
pub(super) fn current_thread() -> *mut Thread {
    tls::current().thread.load(Relaxed).cast()
}

/// The block of one thread.
pub struct Thread {
    tcb: usize,
    /// The kernel's id of the thread: whether it still runs can be asked by it.
    tid: i32,
    older: *mut Thread,
    sampler: Sampler,
    /// The seeding that `sampler` comes from.
    seeding: u32,
    /// Was the countdown last armed with a gap drawn from `sampler`?
    armed: bool,
    uid: u32,
    has_uid: bool,
    has_pending: AtomicBool,
    pending: [AtomicUsize; PENDING],
    unwinder: ThreadUnwinder,
    /// Room for a stack, in the arena; made for the first one.
    frames: Option<NonNull<[u64]>>,
}

/// A new seed for all samplers; each draws anew at its thread's next event.
pub fn reseed(seed: u64) {
    SEED.store(seed, Relaxed);
    SEEDING.fetch_add(1, Relaxed);
}

/// In a fork's child `pid`: other seeds than the parent's and its other children's. No system call: it would
/// cost more than all else that the handler does.
pub fn reseed_in_child(pid: u32) {
    let own = u64::from(pid).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    reseed(SEED.load(Relaxed).rotate_left(32) ^ own ^ sys::ticks());
}

/// Forgets all blocks. Only in a child that abandons the arena they lie in.
pub fn abandon() {
    // SAFETY: the caller is the only thread of its process.
    unsafe { THREADS_LOCK.force_unlock() };
    for head in heads() {
        head.store(core::ptr::null_mut(), Relaxed);
    }
    BLOCKS.store(0, Relaxed);
}

/// Is there a block already?
pub fn is_any() -> bool {
    BLOCKS.load(Relaxed) != 0
}

/// The calling thread's block, made on its first event.
pub fn find_or_make() -> Option<*mut Thread> {
    let tcb = tls::thread_pointer();
    let head = bucket(tcb)?;
    let _lock = THREADS_LOCK.lock();
    let is_mine = |thread: &Thread| thread.tcb == tcb;
    let known = find(&FIRST, is_mine).or_else(|| find_unless_few(head, is_mine));
    let thread = known.or_else(|| {
        let head = match BLOCKS.load(Relaxed) {
            0 => &FIRST,
            _ => head,
        };
        let thread = reclaim().or_else(make)?;
        // SAFETY: filed nowhere, so it is ours alone.
        unsafe {
            (*thread).tcb = tcb;
            (*thread).older = head.swap(thread, Relaxed);
        }
        Some(thread)
    })?;
    // SAFETY: filed under this thread's TCB, whose former owner is gone.
    unsafe { (*thread).begin() };
    Some(thread)
}

/// As [`find`], where there can be a block beside the first: reading a bucket would be a page fault.
fn find_unless_few(
    head: &AtomicPtr<Thread>,
    wanted: impl Fn(&Thread) -> bool,
) -> Option<*mut Thread> {
    match BLOCKS.load(Relaxed) {
        0 | 1 => None,
        _ => find(head, wanted),
    }
}

fn heads() -> impl Iterator<Item = &'static AtomicPtr<Thread>> {
    core::iter::once(&FIRST).chain(&THREADS)
}

/// Has a thread that lives, and has sampled, its TCB in this range?
pub fn has_thread(range: Range<u64>) -> bool {
    let Some(_pass) = fork_gate::TABLES.enter() else {
        return false;
    };
    let _lock = THREADS_LOCK.lock();
    let is_in =
        |thread: &Thread| range.contains(&(thread.tcb as u64)) && sys::thread_exists(thread.tid);
    heads().any(|head| find(head, is_in).is_some())
}

fn bucket(tcb: usize) -> Option<&'static AtomicPtr<Thread>> {
    THREADS.get(((tcb >> 6).wrapping_mul(0x9E37_79B9) >> 8) & (BUCKETS - 1))
}

/// A block of one bucket. Under the lock.
fn find(head: &AtomicPtr<Thread>, wanted: impl Fn(&Thread) -> bool) -> Option<*mut Thread> {
    let mut at = head.load(Relaxed);
    // SAFETY: filed blocks are whole and are never freed; the links change under the lock only.
    while let Some(thread) = unsafe { at.as_ref() } {
        if wanted(thread) {
            return Some(at);
        }
        at = thread.older;
    }
    None
}

/// Takes the block of a thread that is gone out of its bucket. Under the lock. Looks into a few
/// buckets only, a little farther each time, and not before there are many blocks.
fn reclaim() -> Option<*mut Thread> {
    if BLOCKS.load(Relaxed) < MANY {
        return None;
    }
    (0..SWEEP).find_map(|_| {
        let head = THREADS.get(SWEPT.fetch_add(1, Relaxed) % BUCKETS)?;
        let gone = find(head, |thread| !sys::thread_exists(thread.tid))?;
        unlink(head, gone);
        Some(gone)
    })
}

fn unlink(head: &AtomicPtr<Thread>, thread: *mut Thread) {
    // SAFETY: as in `find`; `thread` was found in this bucket.
    unsafe {
        let after = (*thread).older;
        if head.load(Relaxed) == thread {
            head.store(after, Relaxed);
        } else if let Some(before) = find(head, |other| other.older == thread) {
            (*before).older = after;
        }
    }
}

fn make() -> Option<*mut Thread> {
    let thread = arena::alloc(Layout::new::<Thread>())?.cast::<Thread>();
    // SAFETY: fresh memory of the right layout.
    unsafe {
        thread.write(Thread {
            tcb: 0,
            tid: 0,
            older: core::ptr::null_mut(),
            sampler: Sampler::new(0, 0),
            seeding: 0,
            armed: false,
            uid: 0,
            has_uid: false,
            has_pending: AtomicBool::new(false),
            pending: [const { AtomicUsize::new(0) }; PENDING],
            unwinder: ThreadUnwinder::new(),
            frames: None,
        });
    }
    BLOCKS.fetch_add(1, Relaxed);
    Some(thread.as_ptr())
}

impl Thread {
    /// Another thread begins with this block. Its sampler goes on where the last one's ended.
    fn begin(&mut self) {
        self.refresh_tid(sys::gettid());
        self.has_uid = false;
        self.armed = false;
        self.unwinder = ThreadUnwinder::new();
    }

    /// After a fork the thread has another id.
    pub fn refresh_tid(&mut self, tid: i32) {
        self.tid = tid;
    }

    /// The countdown ran out: is the allocation of `size` bytes the sample, and what to count down
    /// from next?
    ///
    /// A thread that was not armed with a drawn gap (its first event, or dormant, or inherited
    /// over a fork) draws one and tests this allocation against it: to sample it outright would
    /// favour first allocations. The exponential distribution has no memory, so that is unbiased.
    /// As in the hook, a gap is used up by a size that is not less. In exact mode there are no gaps.
    pub fn draw(&mut self, size: u64, lg_period: u8) -> (bool, u64) {
        let due = core::mem::replace(&mut self.armed, true) && self.is_current(lg_period);
        if !due {
            self.renew(lg_period);
            let gap = self.sampler.next_gap();
            if size < gap {
                return (false, gap - size);
            }
        }
        (true, self.sampler.next_gap())
    }

    /// The countdown is no drawn gap any more: the thread sleeps.
    pub fn disarm(&mut self) {
        self.armed = false;
    }

    /// The period that the last gap was drawn with.
    pub fn lg_period(&self) -> u8 {
        self.sampler.lg_period()
    }

    fn is_current(&self, lg_period: u8) -> bool {
        self.seeding == SEEDING.load(Relaxed) && self.sampler.lg_period() == lg_period
    }

    fn renew(&mut self, lg_period: u8) {
        let seeding = SEEDING.load(Relaxed);
        if self.seeding != seeding {
            // The golden ratio: seeds of one process are far apart, whatever else they share.
            let own = NEXT_SEED.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed);
            self.sampler = Sampler::new(SEED.load(Relaxed).wrapping_add(own), lg_period);
            self.seeding = seeding;
        }
        self.sampler.set_lg_period(lg_period);
    }

    /// Is something of `size` bytes that no countdown counts a sample? Everything is in exact mode.
    pub fn is_due(&mut self, size: u64, lg_period: u8) -> bool {
        size >= self.current_sampler(lg_period).next_gap()
    }

    /// True with this probability.
    pub fn happens(&mut self, probability: f64) -> bool {
        let lg_period = self.sampler.lg_period();
        probability >= 1.0 || self.current_sampler(lg_period).happens(probability)
    }

    /// The sampler, seeded for this process. A countdown that was armed before that was drawn by
    /// another, so the next event draws anew.
    fn current_sampler(&mut self, lg_period: u8) -> &mut Sampler {
        if !self.is_current(lg_period) {
            self.renew(lg_period);
            self.armed = false;
        }
        &mut self.sampler
    }

    /// This thread's number, given at its first sample.
    pub fn uid(&mut self, named: bool) -> u32 {
        if !self.has_uid {
            self.uid = NEXT_UID.fetch_add(1, Relaxed);
            self.has_uid = true;
        }
        if named {
            thread_name::note(self.uid);
        }
        self.uid
    }

    #[cold]
    fn make_room(&mut self, most: usize) -> Option<NonNull<[u64]>> {
        let room = most.min(MAX_FRAMES - 1) + 1;
        let frames = arena::alloc(Layout::array::<u64>(room).ok()?)?.cast::<u64>();
        self.frames = Some(NonNull::slice_from_raw_parts(frames, room));
        self.frames
    }

    /// The stack, leaf first, beginning with `hook`. `None` when there is no memory for it.
    #[inline(always)]
    pub fn unwind(
        &mut self,
        hook: u64,
        registers: Registers,
        most: usize,
        now_ms: u64,
    ) -> Option<&[u64]> {
        let mut frames = self.frames.or_else(|| self.make_room(most))?;
        // SAFETY: arena memory of this block alone, see `make_room`.
        let frames = unsafe { frames.as_mut() };
        let (first, rest) = frames.split_first_mut()?;
        *first = hook;
        let room = most.min(rest.len());
        let rest = rest.get_mut(..room)?;
        let (depth, end) = runtime::stack(&mut self.unwinder, registers, rest, now_ms);
        match end {
            End::Complete | End::Managed(..) => {}
            End::Truncated => diag::count(Counter::UnwindTruncated),
            End::NoInfo => diag::count(Counter::UnwindNoInfo),
            End::BadMemory => diag::count(Counter::UnwindBadMemory),
        }
        frames.get(..=depth)
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

    /// May there be something on the pending list?
    ///
    /// # Safety
    /// As [`Thread::pend`].
    #[inline(always)]
    pub unsafe fn has_pending(thread: *mut Thread) -> bool {
        // SAFETY: a shared view of an atomic.
        unsafe { &(*thread).has_pending }.load(Relaxed)
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
