//! What one sample means: unwind, intern, insert; and the inverse when its block is freed. A list
//! of calls, no logic of its own.
//!
//! Called by `hooks::cold`; reads nothing of the configuration but what `boot` stored here.
//! May take one table lock at a time, grow the arena, and nothing else; never while unwinding.
//! Failure means "as if not sampled" and a counter.
//!
//! Every thread that samples owns a [`Thread`] block in the arena, found again by the address of
//! its TCB: glibc reuses those, so there are as many blocks as threads alive at once, and no TLS
//! destructor is needed.
//!
//! # Safety
//!
//! A `Thread` block is used by the thread whose TCB it is filed under, between
//! [`Tls::enter`](crate::tls::Tls::enter) and the drop of the guard, so at most once at a time.
#![allow(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod fork;
pub mod mapping;
mod thread;

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64};

use crate::diag::{self, Counter};
pub use crate::live_table::Before;
use crate::live_table::pages::PageFilter;
use crate::live_table::{Drawn, Insert, LiveTable, Sample};
use crate::sampler::{self, Weight};
use crate::stack_table::StackTable;
use crate::tls::{self, Guard, Tls};
use crate::unwind::Registers;
use crate::{arena, gate, sys};

pub use fork::{after_fork_in_child, after_fork_in_parent, before_fork, is_borrowed, pid};
pub use thread::{Thread, has_thread, name_of, reseed};

/// The stacks seen. Lives as long as the process.
pub static STACKS: StackTable = StackTable::new();

/// How many of them begin in each page; the hooks look here.
pub static PAGES: PageFilter = PageFilter::new();

/// The samples that are live.
pub static LIVE: LiveTable = LiveTable::new(Some(&PAGES));

/// Bytes a dormant thread allocates before it looks again whether it shall sample: few where
/// somebody may switch it on. Written by `boot` before [`ACTIVE`].
static DORMANT: AtomicU64 = AtomicU64::new(64 << 20);

/// As [`DORMANT`], when sampling can be switched on.
const LIGHT_SLEEP: u64 = 1 << 20;

/// Is sampling on? Written by `boot` (and whoever switches it); a thread reads it when its
/// countdown runs out. Release and acquire: what `boot` stored before is seen with it.
static ACTIVE: AtomicBool = AtomicBool::new(false);

/// log2 of the mean bytes between samples. Written by `boot` before [`ACTIVE`], and by who changes
/// it.
static LG_PERIOD: AtomicU8 = AtomicU8::new(sampler::MOST_LG_PERIOD);

/// Most frames kept of a stack. Written by `boot` before [`ACTIVE`].
static MOST_FRAMES: AtomicU32 = AtomicU32::new(128);

/// Record thread names at each sample? Written by `boot` before [`ACTIVE`].
static THREAD_NAMES: AtomicBool = AtomicBool::new(false);

/// Start of our clock. Written by `boot` before [`ACTIVE`].
static START_MS: AtomicU64 = AtomicU64::new(0);

/// The exported hooks, for frame 0. Written by `boot` before [`ACTIVE`]; static data, so relaxed.
static HOOKS: AtomicPtr<HookAddresses> = AtomicPtr::new(core::ptr::null_mut());

/// The addresses of the exported hooks. A pointer into a hook is frame 0 of the stacks sampled
/// there: the profile's readers drop everything up to a function of such a name.
#[allow(missing_docs, reason = "each field is the symbol of its name")]
pub struct HookAddresses {
    pub malloc: *const (),
    pub calloc: *const (),
    pub realloc: *const (),
    pub free: *const (),
    pub malloc_usable_size: *const (),
    pub reallocarray: *const (),
    pub posix_memalign: *const (),
    pub aligned_alloc: *const (),
    pub memalign: *const (),
    pub valloc: *const (),
    pub pvalloc: *const (),
    pub new: *const (),
    pub new_array: *const (),
    pub mmap: *const (),
    pub mmap64: *const (),
    pub mremap: *const (),
    pub brk: *const (),
    pub sbrk: *const (),
}

// SAFETY: addresses of code, never written, never dereferenced.
unsafe impl Sync for HookAddresses {}

/// What `boot` found in the configuration.
pub struct Settings {
    /// log2 of the mean bytes between samples; 0 records everything.
    pub lg_period: u8,
    /// Native frames kept of a stack.
    pub most_frames: u32,
    /// Record thread names.
    pub thread_names: bool,
    /// Sample from the start?
    pub active: bool,
    /// May it be switched on and off?
    pub controlled: bool,
    /// The exported hooks.
    pub hooks: &'static HookAddresses,
}

/// The hook a block was asked at.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "each is the function of its name")]
pub enum Hook {
    Malloc,
    Calloc,
    Realloc,
    Reallocarray,
    PosixMemalign,
    AlignedAlloc,
    Memalign,
    Valloc,
    Pvalloc,
    New,
    NewArray,
    Mmap,
    Mmap64,
    Mremap,
    Brk,
    Sbrk,
}

impl Hook {
    /// An address inside the exported function: one past its first byte, so that a reader that
    /// subtracts one from every frame stays inside it.
    fn address(self) -> u64 {
        // SAFETY: `boot` stored a reference to a static.
        let Some(hooks) = (unsafe { HOOKS.load(Relaxed).as_ref() }) else {
            return 0;
        };
        let hook = match self {
            Hook::Malloc => hooks.malloc,
            Hook::Calloc => hooks.calloc,
            Hook::Realloc => hooks.realloc,
            Hook::Reallocarray => hooks.reallocarray,
            Hook::PosixMemalign => hooks.posix_memalign,
            Hook::AlignedAlloc => hooks.aligned_alloc,
            Hook::Memalign => hooks.memalign,
            Hook::Valloc => hooks.valloc,
            Hook::Pvalloc => hooks.pvalloc,
            Hook::New => hooks.new,
            Hook::NewArray => hooks.new_array,
            Hook::Mmap => hooks.mmap,
            Hook::Mmap64 => hooks.mmap64,
            Hook::Mremap => hooks.mremap,
            Hook::Brk => hooks.brk,
            Hook::Sbrk => hooks.sbrk,
        };
        hook as u64 + 1
    }
}

/// Stores the settings, then switches sampling on. Called once by `boot`, before the program's
/// first thread.
pub fn start(settings: &Settings) {
    LG_PERIOD.store(settings.lg_period, Relaxed);
    if settings.controlled {
        DORMANT.store(LIGHT_SLEEP, Relaxed);
    }
    MOST_FRAMES.store(settings.most_frames, Relaxed);
    THREAD_NAMES.store(settings.thread_names, Relaxed);
    START_MS.store(sys::monotonic_ms(), Relaxed);
    HOOKS.store(core::ptr::from_ref(settings.hooks).cast_mut(), Relaxed);
    fork::watch();
    // Release: pairs with `is_active`.
    ACTIVE.store(settings.active, Release);
    // The calling thread looks at its next allocation.
    tls::current().countdown.store(0, Relaxed);
}

/// Are samples taken now?
pub fn is_active() -> bool {
    // Acquire: pairs with the release in `start`. In a sandbox nobody could ever write what was
    // sampled.
    ACTIVE.load(Acquire) && !arena::exhausted() && !sys::is_sandboxed()
}

/// Is sampling switched on? Threads follow at the end of the gap that they are in.
pub fn is_on() -> bool {
    ACTIVE.load(Relaxed)
}

/// Switches sampling on or off. What was sampled stays.
pub fn switch(on: bool) {
    ACTIVE.store(on, Release);
}

/// Changes the mean distance between samples, for the gaps to come; each sample keeps the period it
/// was drawn with. False when there is no such period.
pub fn set_lg_period(lg_period: u8) -> bool {
    let exists = lg_period <= sampler::MOST_LG_PERIOD;
    if exists {
        LG_PERIOD.store(lg_period, Relaxed);
    }
    exists
}

/// Forgets all samples. Their blocks live on, unsampled. False when a fork takes too long.
pub fn reset() -> bool {
    let Some(_pass) = gate::TABLES.enter() else {
        return false;
    };
    LIVE.clear();
    STACKS.clear_totals();
    mapping::clear();
    true
}

/// Did [`start`] run: can anything have been sampled?
pub fn has_started() -> bool {
    !HOOKS.load(Relaxed).is_null()
}

/// Milliseconds since [`start`].
pub fn uptime_ms() -> u64 {
    sys::monotonic_ms().saturating_sub(START_MS.load(Relaxed))
}

/// The exported hooks, once there is sampling.
pub fn hooks() -> Option<&'static HookAddresses> {
    // SAFETY: null, or a reference to a static that `boot` stored.
    unsafe { HOOKS.load(Relaxed).as_ref() }
}

/// log2 of the mean bytes between samples.
pub fn lg_period() -> u8 {
    LG_PERIOD.load(Relaxed)
}

/// Is every call a sample?
pub fn is_exact() -> bool {
    lg_period() == 0
}

/// Takes `size` bytes from the thread's countdown, for functions without a hot twin. True when it
/// ran out, and a sample is due.
#[inline]
pub fn count_down(size: usize) -> bool {
    let countdown = &tls::current().countdown;
    let before = countdown.load(Relaxed);
    countdown.store(before.wrapping_sub(size as u64), Relaxed);
    before <= size as u64
}

/// False: the address is certainly not sampled. Takes no lock.
#[inline]
pub fn may_be_sampled(address: usize) -> bool {
    PAGES.may_begin_in_page_of(address) && LIVE.may_contain(address)
}

/// A sample in the making: the thread is inside our code until it is recorded or dropped.
pub struct Sampling {
    thread: *mut Thread,
    guard: Guard,
}

/// The countdown ran out at an allocation of `size` bytes. `None`: not to be sampled, for this
/// thread is only looking (dormant, first allocation, inside us already).
pub fn enter_event(size: usize) -> Option<Sampling> {
    let tls = tls::current();
    let Some(mut guard) = tls.enter() else {
        // Only an absurd size gets here: a busy thread's countdown is parked.
        tls.countdown.store(tls::PARKED, Relaxed);
        diag::count(Counter::Reentered);
        return None;
    };
    // Who may be switched on again shall miss no call of the exact mode.
    guard.rearm(match is_exact() && !arena::exhausted() {
        true => 0,
        false => DORMANT.load(Relaxed),
    });
    if !is_active() {
        // SAFETY: null, or the block of this very thread, with the guard held.
        if let Some(thread) = unsafe { current_thread().as_mut() } {
            thread.disarm();
        }
        return None;
    }
    let thread = thread_of(tls)?;
    // SAFETY: the guard makes us the only user of this thread's block.
    let (due, countdown) = unsafe { (*thread).draw(size as u64, lg_period()) };
    guard.rearm(countdown);
    due.then_some(Sampling { thread, guard })
}

/// For the record of a block that is given another size when no sample is due. `None`: nothing is
/// sampled now, there is no block for this thread, or it is inside us already.
pub fn enter_resize() -> Option<Sampling> {
    if !is_active() {
        return None;
    }
    let tls = tls::current();
    let guard = tls.enter()?;
    let thread = thread_of(tls)?;
    Some(Sampling { thread, guard })
}

fn thread_of(tls: &'static Tls) -> Option<*mut Thread> {
    fork::abandon_if_wiped();
    let known = tls.thread.load(Relaxed).cast::<Thread>();
    if !known.is_null() {
        return Some(known);
    }
    let _pass = gate::TABLES.enter()?;
    let found = thread::find_or_make();
    match found {
        Some(thread) => tls.thread.store(thread.cast(), Relaxed),
        None => diag::count(Counter::ThreadNotTracked),
    }
    found
}

impl Sampling {
    /// Records the block that was made. Returns the bytes it stands for.
    pub fn record(&self, address: usize, size: usize, hook: Hook, registers: Registers) -> u64 {
        // SAFETY: the guard inside `self` makes us the only user of this thread's block.
        let thread = unsafe { &mut *self.thread };
        let lg_period = thread.lg_period();
        let weight = sampler::weight(size, lg_period);
        let Some(_pass) = gate::TABLES.enter() else {
            diag::count(Counter::SampleNotStored);
            return weight.bytes;
        };
        if let Some(drawn) = drawn(thread, address, size, hook, registers)
            && store(Sample::weighed(&drawn, &weight))
        {
            STACKS.note_alloc(drawn.stack, &weight, lg_period);
        }
        weight.bytes
    }

    /// Records what has become of a block that was made `size` bytes large. `is_due`: the countdown ran
    /// out. Returns the bytes to account for.
    pub fn resize(
        &self,
        before: &Before,
        is_due: bool,
        address: usize,
        size: usize,
        call: (Hook, Registers),
    ) -> u64 {
        // SAFETY: the guard inside `self` makes us the only user of this thread's block.
        let thread = unsafe { &mut *self.thread };
        let lg_period = thread.lg_period();
        let weight = match is_due {
            true => sampler::weight(size, lg_period),
            false => Weight::default(),
        };
        let Some(_pass) = gate::TABLES.enter() else {
            diag::count(Counter::SampleNotStored);
            return weight.bytes;
        };
        let Some(drawn) = drawn(thread, address, size, call.0, call.1) else {
            return weight.bytes;
        };
        if is_due {
            STACKS.note_alloc(drawn.stack, &weight, lg_period);
        }
        let chance = &mut |probability| thread.happens(probability);
        if let Some(sample) = before.resized(is_due, &drawn, chance) {
            store(sample);
        }
        weight.bytes
    }

    /// The proof that the thread is inside our code, for whoever goes on from here.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }
}

/// Where, when and by whom a block was asked for. Inside the gate: the names of managed frames are
/// interned.
#[inline(always)]
fn drawn(
    thread: &mut Thread,
    addr: usize,
    size: usize,
    hook: Hook,
    registers: Registers,
) -> Option<Drawn> {
    let lg_period = thread.lg_period();
    let most = MOST_FRAMES.load(Relaxed) as usize;
    let now_ms = uptime_ms();
    let frames = thread.unwind(hook.address(), registers, most, now_ms);
    let Some(stack) = frames.and_then(|frames| STACKS.intern(frames)) else {
        diag::count(Counter::StackNotStored);
        return None;
    };
    Some(Drawn {
        addr,
        size,
        lg_period,
        now_ms,
        stack,
        thread: thread.uid(THREAD_NAMES.load(Relaxed)),
    })
}

/// False: there is no memory for it.
#[inline(always)]
fn store(sample: Sample) -> bool {
    match LIVE.insert(sample) {
        Insert::New => true,
        Insert::Replaced(stale) => {
            replaced(&stale);
            true
        }
        Insert::Full => {
            diag::count(Counter::SampleNotStored);
            false
        }
    }
}

#[cold]
#[inline(never)]
fn replaced(stale: &Sample) {
    diag::count(Counter::StaleReplaced);
    forget(stale);
}

/// The tables cannot be used now: a signal handler interrupted this thread inside them, or a fork
/// takes too long. What is to be freed must wait.
#[derive(Debug)]
pub struct Refused;

/// Takes the record of `address` away, if there is one.
pub fn detach(address: usize) -> Result<Option<Sample>, Refused> {
    let _guard = tls::current().enter().ok_or(Refused)?;
    if fork::abandon_if_wiped() {
        return Ok(None);
    }
    let _pass = gate::TABLES.enter().ok_or(Refused)?;
    Ok(LIVE.remove(address))
}

/// Takes the record of `address` away, if there is one, because its block is about to be freed.
#[inline(always)]
pub fn release(address: usize) -> Result<(), Refused> {
    let _guard = tls::current().enter().ok_or(Refused)?;
    if !fork::abandon_if_wiped() {
        // Nothing is in hand yet that would have to wait for the clock.
        let now_ms = uptime_ms();
        let _pass = gate::TABLES.enter().ok_or(Refused)?;
        if let Some(sample) = LIVE.remove(address) {
            forget_at(&sample, now_ms);
        }
    }
    Ok(())
}

/// Puts a detached record back: its block was not freed after all.
pub fn attach(sample: Sample) {
    let guard = tls::current().enter();
    let pass = guard.as_ref().and_then(|_| gate::TABLES.enter());
    if pass.is_none() || matches!(LIVE.insert(sample), Insert::Full) {
        diag::count(Counter::SampleNotStored);
    }
}

/// The block of a detached record is free: notes how long it lived.
pub fn forget(sample: &Sample) {
    forget_at(sample, uptime_ms());
}

#[inline(always)]
fn forget_at(sample: &Sample, now_ms: u64) {
    let lifetime = now_ms.saturating_sub(sample.birth_ms);
    STACKS.note_free(sample.stack, lifetime, sample.first_bytes());
}

/// A signal handler frees a sampled block while its thread is inside our tables: record and block
/// go when the thread leaves them. False: there is no room to remember it, so the block is to be
/// freed now, and its record stays until the address is used again.
#[must_use]
pub fn free_later(address: usize) -> bool {
    let thread = current_thread();
    // SAFETY: the block of this very thread; the pending list is made for being filled from
    // handlers, see `thread`.
    let kept = !thread.is_null() && unsafe { Thread::pend(thread, address) };
    diag::count(if kept {
        Counter::FreeDeferred
    } else {
        Counter::FreeLost
    });
    kept
}

/// Did handlers leave blocks behind on this thread?
#[inline(always)]
pub fn has_pending() -> bool {
    let thread = current_thread();
    // SAFETY: null, or the block of this very thread.
    !thread.is_null() && unsafe { Thread::has_pending(thread) }
}

/// Blocks that handlers left behind on this thread, to be freed by the caller one by one.
pub fn next_pending() -> Option<usize> {
    let thread = current_thread();
    if thread.is_null() {
        return None;
    }
    // SAFETY: the block of this very thread.
    unsafe { Thread::take_pending(thread) }
}

fn current_thread() -> *mut Thread {
    tls::current().thread.load(Relaxed).cast()
}
