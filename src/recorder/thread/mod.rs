//! What a thread owns beyond its TLS word: sampler, unwinder, frame buffer, pending frees.
//!
//! `registry` has the blocks, stored by the address of the thread's TCB.
//!
//! # Safety
//! See `recorder`: one user at a time, except for the pending list, which signal handlers of the
//! same thread fill.
#![allow(unsafe_code)]

mod cut;
mod pending;
mod registry;
pub mod silence;

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};

use super::thread_name;
use crate::platform::{sys, tls};
use crate::runtime;
use crate::sampler::Sampler;
use crate::table::{arena, stack_table::MAX_FRAMES};
use crate::unwind::{End, Registers, ThreadUnwinder, history};
pub use registry::{abandon, find_or_make, has_thread, is_any};

/// Frees by signal handlers that are kept until their thread leaves our tables; further ones are
/// lost.
const PENDING: usize = 32;

/// Next thread number, as jemalloc counts threads: from 0, never reused. Any thread adds.
static NEXT_UID: AtomicU32 = AtomicU32::new(0);

/// The source of every sampler's seed, and how often it was set. A fork's child gets another seed,
/// so that siblings do not sample in lock step. Written by [`reseed`].
static SEED: AtomicU64 = AtomicU64::new(0);
static SEEDING: AtomicU32 = AtomicU32::new(0);

/// What the next sampler adds to the seed. Any thread adds.
static NEXT_SEED: AtomicU64 = AtomicU64::new(0);

/// The block of the calling thread; null while it has none.
pub(super) fn current_thread() -> *mut Thread {
    tls::current().thread.load(Relaxed).cast()
}

/// The block of one thread.
pub struct Thread {
    tcb: usize,
    /// The kernel's id of the thread: by it the kernel can be asked whether the thread still runs.
    tid: i32,
    older: *mut Thread,
    sampler: Sampler,
    /// The number of the seeding that `sampler` comes from.
    seeding: u32,
    /// Was the countdown last armed with a gap drawn from `sampler`?
    armed: bool,
    /// Did the thread begin as one that is sampled, and what has it chosen since?
    began_sampled: bool,
    chosen: Option<bool>,
    uid: u32,
    has_uid: bool,
    has_pending: AtomicBool,
    pending: [AtomicUsize; PENDING],
    unwinder: ThreadUnwinder,
    /// Room for a stack, in the arena; made for the first stack.
    frames: Option<NonNull<[u64]>>,
}

/// Sets a new seed for all samplers; each draws anew at its thread's next event.
pub fn reseed(seed: u64) {
    SEED.store(seed, Relaxed);
    SEEDING.fetch_add(1, Relaxed);
}

/// In a fork's child `pid`: other seeds than the parent's and its other children's. No system call: it
/// would cost more than all else that the handler does.
pub fn reseed_in_child(pid: u32) {
    let own = u64::from(pid).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    reseed(SEED.load(Relaxed).rotate_left(32) ^ own ^ sys::ticks());
}

impl Thread {
    /// A block that belongs to no thread yet.
    fn vacant() -> Thread {
        Thread {
            tcb: 0,
            tid: 0,
            older: core::ptr::null_mut(),
            sampler: Sampler::new(0, 0),
            seeding: 0,
            armed: false,
            began_sampled: true,
            chosen: None,
            uid: 0,
            has_uid: false,
            has_pending: AtomicBool::new(false),
            pending: [const { AtomicUsize::new(0) }; PENDING],
            unwinder: ThreadUnwinder::new(),
            frames: None,
        }
    }

    /// Another thread begins with this block. Its sampler continues where the last thread's sampler
    /// ended.
    fn begin(&mut self) {
        self.refresh_tid(sys::gettid());
        self.has_uid = false;
        self.armed = false;
        self.began_sampled = silence::is_new_sampled();
        self.chosen = None;
        self.unwinder = ThreadUnwinder::new();
    }

    /// After a fork the thread has another id.
    pub fn refresh_tid(&mut self, tid: i32) {
        self.tid = tid;
    }

    /// The countdown ran out: is the allocation of `size` bytes a sample, and what is the next
    /// countdown?
    ///
    /// A thread whose countdown was not armed with a drawn gap (its first event, or dormant, or
    /// inherited over a fork) draws one and tests this allocation against it. Sampling it without
    /// that test would favour first allocations. The exponential distribution has no memory, so the
    /// test is unbiased. As in the hook, a size that is not less uses up a gap. In exact mode there
    /// are no gaps.
    pub fn draw(&mut self, size: u64, lg_period: u8) -> (bool, u64) {
        let due = core::mem::replace(&mut self.armed, true) && self.is_current(lg_period);
        if !due {
            if !self.is_sampled() {
                self.armed = false;
                return (false, self.silence());
            }
            self.renew(lg_period);
            let gap = self.sampler.next_gap();
            if size < gap {
                return (false, gap - size);
            }
        }
        (true, self.sampler.next_gap())
    }

    /// The countdown is no longer a drawn gap: the thread sleeps.
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
            // The golden ratio: seeds of one process are far apart, whatever else is equal.
            let own = NEXT_SEED.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed);
            self.sampler = Sampler::new(SEED.load(Relaxed).wrapping_add(own), lg_period);
            self.seeding = seeding;
        }
        self.sampler.set_lg_period(lg_period);
    }

    /// Is something of `size` bytes that no countdown counts a sample? In exact mode everything is.
    pub fn is_due(&mut self, size: u64, lg_period: u8) -> bool {
        self.is_sampled() && size >= self.current_sampler(lg_period).next_gap()
    }

    /// A gap of another countdown than malloc's.
    pub fn other_gap(&mut self, lg_period: u8) -> u64 {
        self.current_sampler(lg_period).next_gap()
    }

    /// True with this probability.
    pub fn happens(&mut self, probability: f64) -> bool {
        let lg_period = self.sampler.lg_period();
        probability >= 1.0 || self.current_sampler(lg_period).happens(probability)
    }

    /// The sampler, seeded for this process. A countdown that was armed before came from another
    /// sampler, so the next event draws anew.
    fn current_sampler(&mut self, lg_period: u8) -> &mut Sampler {
        if !self.is_current(lg_period) {
            self.renew(lg_period);
            self.armed = false;
        }
        &mut self.sampler
    }

    /// This thread's number, if it has one.
    pub fn known_uid(&self) -> Option<u32> {
        self.has_uid.then_some(self.uid)
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
        // SAFETY: arena memory that belongs to this block alone, see `make_room`.
        let frames = unsafe { frames.as_mut() };
        let (first, rest) = frames.split_first_mut()?;
        *first = hook;
        let room = most.min(rest.len());
        let rest = rest.get_mut(..room)?;
        let (depth, end) = runtime::stack(&mut self.unwinder, registers, rest, now_ms);
        let is_whole = matches!(end, End::Complete | End::Managed(..));
        let depth = match is_whole && !history::is_layered() {
            true => depth,
            false => cut::finish(&mut self.unwinder, registers, frames, (depth, end)),
        };
        frames.get(..=depth)
    }
}
