//! What one sample means: unwind, intern, insert; and the inverse when its block is freed. A list
//! of calls, without logic of its own.
//!
//! It reads nothing of the configuration except what [`start`] stored here. It may take one table
//! lock at a time and grow the arena, and nothing else; it holds no lock while unwinding. Failure
//! means "as if not sampled" and a counter.
//!
//! Every thread that samples owns a [`Thread`] block in the arena, found again by the address of
//! its TCB. glibc reuses TCBs, so there are as many blocks as threads alive at once, and no TLS
//! destructor is needed.
//!
//! # Safety
//!
//! A `Thread` block is used by the thread under whose TCB it is stored, between
//! [`Tls::enter`](crate::platform::tls::Tls::enter) and the drop of the guard, so by one user at a
//! time.
#![allow(unsafe_code)]

pub mod calling_thread;
mod drawn;
mod fork;
mod free;
mod hook;
pub mod mmap;
pub mod objects;
mod pace;
pub mod rate;
mod sampling;
mod thread;
mod thread_name;

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64};

use crate::platform::tls;
use crate::sampler;
use crate::table::live_table::LiveTable;
use crate::table::live_table::pages::PageFilter;
use crate::table::range_table::RangeTable;
use crate::table::stack_table::StackTable;
use crate::{
    platform::sys,
    table::{arena, fork_gate},
};

pub use crate::table::live_table::{Before, Drawn};
pub use drawn::keep;
pub use fork::{
    after_fork_in_child, after_fork_in_parent, before_fork, is_borrowed, own_since_ms, pid, settle,
};
pub use free::{Refused, attach, detach, forget, free_later, has_pending, next_pending, release};
pub use free::{set_watch, watch_frees};
pub use hook::{Hook, HookAddresses, hooks};
pub use sampling::{Sampling, enter_event, enter_resize};
pub use thread::{Thread, has_thread, reseed, silence};
pub use thread_name::name_of;

/// The stacks seen. Lives as long as the process.
pub static STACKS: StackTable = StackTable::new();

/// How many live samples begin in each page; the hooks look here.
pub static PAGES: PageFilter = PageFilter::new();

/// The samples that are live.
pub static LIVE: LiveTable = LiveTable::new(Some(&PAGES));

/// The stacks of mappings.
pub static MAP_STACKS: StackTable = StackTable::new();

/// The sampled mappings that exist.
pub static RANGES: RangeTable = RangeTable::new();

/// Bytes that a dormant thread allocates before it looks again whether to sample: few where
/// sampling may be switched on. Written by [`start`] before [`ACTIVE`].
static DORMANT: AtomicU64 = AtomicU64::new(64 << 20);

/// As [`DORMANT`], when sampling can be switched on.
const LIGHT_SLEEP: u64 = 1 << 20;

/// The stacks of small blocks that a language runtime took from memory of its own.
pub static OBJECT_STACKS: StackTable = StackTable::new();

/// How many of their live samples begin in each page. Not [`PAGES`]: a byte of that is written under the
/// lock of one table.
pub static OBJECT_PAGES: PageFilter = PageFilter::new();

/// The samples of such blocks that are live.
pub static OBJECTS: LiveTable = LiveTable::new(Some(&OBJECT_PAGES));

/// Is sampling on? Written by [`start`] and [`switch`]; a thread reads it when its countdown runs
/// out. Release and acquire: what was stored before is seen with it.
static ACTIVE: AtomicBool = AtomicBool::new(false);

/// log2 of the mean bytes between samples. Written by [`start`] before [`ACTIVE`], and by
/// [`set_lg_period`].
static LG_PERIOD: AtomicU8 = AtomicU8::new(sampler::MOST_LG_PERIOD);

/// Most frames kept of a stack. Written by [`start`] before [`ACTIVE`].
static MOST_FRAMES: AtomicU32 = AtomicU32::new(128);

/// Record thread names at each sample? Written by [`start`] before [`ACTIVE`].
static THREAD_NAMES: AtomicBool = AtomicBool::new(false);

/// Start of our clock. Written by [`start`] before [`ACTIVE`].
static START_MS: AtomicU64 = AtomicU64::new(0);

/// How often all samples were forgotten. Any thread that does so adds.
static RESETS: AtomicU32 = AtomicU32::new(0);

/// What the configuration says.
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
    pub steered: bool,
    /// Processor time that sampling may take, in per mille, and the period follows; `None`: it is fixed.
    pub budget: Option<u32>,
    /// This process.
    pub pid: u32,
    /// The exported hooks.
    pub hooks: &'static HookAddresses,
}

/// Stores the settings, then switches sampling on. Runs once, before the program's first thread.
pub fn start(settings: &Settings) {
    LG_PERIOD.store(settings.lg_period, Relaxed);
    if settings.steered {
        DORMANT.store(LIGHT_SLEEP, Relaxed);
    }
    MOST_FRAMES.store(settings.most_frames, Relaxed);
    THREAD_NAMES.store(settings.thread_names, Relaxed);
    START_MS.store(sys::monotonic_ms_once(), Relaxed);
    hook::set(settings.hooks);
    if let Some(per_mille) = settings.budget {
        rate::start(per_mille);
    }
    fork::begin(settings.pid);
    // Release: pairs with `is_active`.
    ACTIVE.store(settings.active, Release);
    // The calling thread looks at its next allocation.
    tls::current().countdown.store(0, Relaxed);
}

/// Are samples taken now?
pub fn is_active() -> bool {
    // Acquire: pairs with the release in `start`. In a sandbox no sample could ever be written.
    ACTIVE.load(Acquire) && !arena::exhausted() && !sys::is_sandboxed()
}

/// Is sampling switched on? A thread follows at the end of its current gap.
pub fn is_on() -> bool {
    ACTIVE.load(Relaxed)
}

/// Switches sampling on or off. Existing samples stay.
pub fn switch(on: bool) {
    ACTIVE.store(on, Release);
}

/// Changes the mean distance between samples, for the gaps to come; each sample keeps the period
/// with which it was drawn. False when there is no such period.
pub fn set_lg_period(lg_period: u8) -> bool {
    let exists = lg_period <= sampler::MOST_LG_PERIOD;
    if exists {
        rate::fix();
        LG_PERIOD.store(lg_period, Relaxed);
    }
    exists
}

/// The mean distance between samples follows a budget from now on, in per mille of the process's
/// processor time.
pub fn follow_budget(per_mille: u32) {
    rate::start(per_mille);
}

/// Forgets all samples. Their blocks live on, unsampled. False when a fork takes too long.
pub fn reset() -> bool {
    let Some(_pass) = fork_gate::TABLES.enter() else {
        return false;
    };
    LIVE.clear();
    STACKS.clear_totals();
    RANGES.clear();
    MAP_STACKS.clear_totals();
    OBJECTS.clear();
    OBJECT_STACKS.clear_totals();
    RESETS.fetch_add(1, Relaxed);
    true
}

/// How often all samples were forgotten.
pub fn resets() -> u32 {
    RESETS.load(Relaxed)
}

/// Did [`start`] run: can anything have been sampled?
pub fn has_started() -> bool {
    hooks().is_some()
}

/// Milliseconds since [`start`].
pub fn uptime_ms() -> u64 {
    sys::monotonic_ms().saturating_sub(START_MS.load(Relaxed))
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
