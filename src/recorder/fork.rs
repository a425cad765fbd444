//! What a fork does to the tables: they are kept whole for the child, or the child abandons them.
//!
//! It runs in the fork handlers. For a child of a fork that ran no handlers (`_Fork`, raw clone),
//! it runs at the next sample: a wiped word shows such a fork. In a process of one thread, a fork
//! costs the parent nothing and the child one page. Shells fork hundreds of times, and most
//! children sample nothing.
//!
//! # Safety
//! See `recorder`; the child of a fork has one thread.
#![allow(unsafe_code)]

use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use super::rate;
use super::thread::{self, current_thread};
use super::{LIVE, MAP_STACKS, OBJECT_STACKS, OBJECTS, RANGES, STACKS};
use crate::diag::{self, Counter};
use crate::platform::{process, sys, tls};
use crate::table::frame_table::FRAMES;
use crate::table::{arena, fork_gate};
use crate::{next, runtime, unwind};

/// The process to which the samples belong. Written by [`begin`] and in a fork's child.
static PID: AtomicU32 = AtomicU32::new(0);

/// What is known of forks that run no handlers. Written by [`settle`], [`abandon`] and the child's
/// handler. That handler does not write the word: most children end before they sample, and each
/// page that they write is copied.
static STATE: AtomicU8 = AtomicU8::new(UNWATCHED);

/// Samples that are born earlier may have been inherited, by the recorder's clock. Written by [`settle`],
/// before this process takes its first sample.
static OWN_SINCE_MS: AtomicU64 = AtomicU64::new(0);

/// Nothing was sampled yet, so there is nothing that a fork could leave half-written.
const UNWATCHED: u8 = 0;
/// The word shows whether this process is such a child.
const WATCHED: u8 = 1;
/// A child whose fork ran our handlers, and that took no sample yet. The fork wiped the word, so
/// the word means nothing.
const WHOLE_CHILD: u8 = 2;

/// A page that begins with the word. In a child of a fork the kernel wipes it to zero
/// (MADV_WIPEONFORK). It is one of our own variables, so no process has an extra mapping for it.
static PAGE: Page = Page([const { AtomicU32::new(0) }; sys::PAGE / size_of::<AtomicU32>()]);

/// As large as a page of x86-64. On larger pages, other data in the page would be wiped too.
#[repr(C, align(4096))]
struct Page([AtomicU32; sys::PAGE / size_of::<AtomicU32>()]);

/// The process to which the samples belong. A vfork child shares our memory, but is another
/// process.
pub fn pid() -> u32 {
    PID.load(Relaxed)
}

/// Is this a child that runs in our process's memory (vfork, CLONE_VM)? Then the data kept here
/// does not belong to it.
pub fn is_borrowed() -> bool {
    let was = pid();
    if sys::getpid().unsigned_abs() == was {
        return false;
    }
    // A fork would have wiped the word. If no process has written the word yet, the memory is
    // borrowed when its owner sleeps in vfork.
    word().load(Relaxed) != 0 || process::sleeps_for_vfork(was) == Some(true)
}

/// Called by `start`, in the process `pid`.
pub(super) fn begin(pid: u32) {
    PID.store(pid, Relaxed);
}

fn word() -> &'static AtomicU32 {
    let [word, ..] = &PAGE.0;
    word
}

/// A sample is about to be recorded, or a second thread gets its block. This process may be a child
/// that has not sampled until now. From here on the word distinguishes it from its own children.
/// True when it was a child of a fork that ran no handlers, and had to begin afresh.
#[inline]
pub(super) fn begin_to_sample() -> bool {
    match STATE.load(Relaxed) {
        WATCHED => word().load(Relaxed) == 0 && abandon(),
        _ => settle(),
    }
}

/// Begins to watch for forks that run no handlers. Also runs before a sandbox, because it would be
/// impossible afterwards. True when this is a child of such a fork, and had to begin afresh.
#[cold]
pub fn settle() -> bool {
    let is_fresh = match STATE.load(Relaxed) {
        UNWATCHED => {
            adopt();
            false
        }
        // The child ran our handlers, and then forked without them.
        WHOLE_CHILD => !is_ours() && abandon(),
        _ => false,
    };
    if cfg!(target_arch = "x86_64") {
        let page = NonNull::from(&PAGE).cast::<u8>();
        // SAFETY: the page is ours. WIPEONFORK (Linux 4.14) changes only what a child sees of it.
        // If the kernel does not have it, the word shows nothing.
        unsafe { sys::madvise(page, sys::PAGE, libc::MADV_WIPEONFORK) };
    }
    word().store(1, Relaxed);
    STATE.store(WATCHED, Relaxed);
    if process::lineage::is_forked() {
        OWN_SINCE_MS.store(super::uptime_ms(), Relaxed);
    }
    is_fresh
}

/// When this process was about to take its first sample, by the recorder's clock; 0: when it was started.
/// All its own samples are born at that time or later.
pub fn own_since_ms() -> u64 {
    OWN_SINCE_MS.load(Relaxed)
}

/// Do the samples belong to this very process?
fn is_ours() -> bool {
    pid() == sys::getpid().unsigned_abs()
}

/// Nothing was sampled yet, and this is not the process that was started. There are two cases. A
/// fork that ran no handlers made this process: then the coming samples are its own. Or a vfork
/// made it: then the memory belongs to the parent, which sleeps in the meantime. A child in the
/// memory of a parent that runs on (CLONE_VM alone) is mistaken for the first case: if that child
/// is the first to sample, the parent leaves no dump.
fn adopt() {
    let (was, pid) = (PID.load(Relaxed), sys::getpid().unsigned_abs());
    if was != pid && process::sleeps_for_vfork(was) == Some(false) {
        PID.store(pid, Relaxed);
    }
}

/// Is this certainly the only thread, and is it outside our code? Then no thread must be kept out
/// of the tables, and neither parent nor child writes a word for that.
fn is_alone(tls: &tls::Tls) -> bool {
    // Threads that libc does not know are ours.
    let is_only = next::is_single_threaded() && !sys::has_spawned();
    is_only && !tls.is_busy() && tls.forks.load(Relaxed) == 0
}

/// How a fork found the tables. `INSIDE`: the forking thread was inside them (a signal handler
/// forks). `CROWDED`: other threads stayed inside too long. `WHOLE`: no thread was inside, and the
/// child inherits them whole.
const INSIDE: u32 = 0;
const CROWDED: u32 = 1;
const WHOLE: u32 = 2;

/// Runs before fork, by our handler: keeps other threads out of the tables.
pub fn before_fork() {
    let tls = tls::current();
    if is_alone(tls) {
        return;
    }
    if tls.forks.fetch_add(1, Relaxed) == 0 {
        let state = match tls.before_fork().then(|| fork_gate::TABLES.close()) {
            None => INSIDE,
            Some(false) => CROWDED,
            Some(true) => WHOLE,
        };
        tls.fork_state.store(state, Relaxed);
    }
}

/// Runs after fork, in the parent.
pub fn after_fork_in_parent() {
    let tls = tls::current();
    // No fork is noted, because the thread was alone.
    if tls.forks.load(Relaxed) == 0 {
        return;
    }
    if tls.forks.fetch_sub(1, Relaxed) == 1 && tls.fork_state.load(Relaxed) != INSIDE {
        fork_gate::TABLES.open();
        tls.after_fork();
    }
}

/// Runs after fork, in the child `pid`. Tables that are not whole are abandoned at the next sample,
/// by the wiped word. They are not abandoned here, where an interrupted thread may still be using
/// them.
pub fn after_fork_in_child(pid: u32) {
    let tls = tls::current();
    let was_alone = tls.forks.load(Relaxed) == 0;
    let is_last = was_alone || tls.forks.fetch_sub(1, Relaxed) == 1;
    let state = match was_alone {
        true => WHOLE,
        false => tls.fork_state.load(Relaxed),
    };
    rate::begin_anew();
    thread::reseed_in_child(pid);
    if is_last && !was_alone && state != INSIDE {
        fork_gate::TABLES.reset();
        tls.after_fork();
    }
    if is_last && state != INSIDE {
        // The inherited countdown belongs to the parent. This thread draws its own.
        tls.countdown.store(0, Relaxed);
    }
    if is_last && state == WHOLE {
        PID.store(pid, Relaxed);
        STATE.store(WHOLE_CHILD, Relaxed);
        // SAFETY: the block of the calling thread, which is the only thread here.
        if let Some(thread) = unsafe { current_thread().as_mut() } {
            // The only thread has the number of the process.
            thread.refresh_tid(pid as i32);
        }
    }
}

/// In the child of a fork that ran no handlers: abandons what another thread of the parent may have
/// left half-written, and starts afresh. True when it did. A child that does not sample stays as it
/// is.
#[inline]
pub(super) fn abandon_if_wiped() -> bool {
    let is_wiped = match STATE.load(Relaxed) {
        WATCHED => word().load(Relaxed) == 0,
        UNWATCHED => false,
        _ => !is_ours(),
    };
    is_wiped && abandon()
}

#[cold]
#[inline(never)]
fn abandon() -> bool {
    word().store(1, Relaxed);
    STATE.store(WATCHED, Relaxed);
    // SAFETY: WIPEONFORK zeroed the word, so this is a new process, and this is its only thread.
    // All pointers into the arena are dropped here.
    unsafe {
        arena::abandon();
        STACKS.abandon();
        FRAMES.abandon();
        LIVE.abandon();
        MAP_STACKS.abandon();
        RANGES.abandon();
        OBJECT_STACKS.abandon();
        OBJECTS.abandon();
        runtime::abandon();
        unwind::abandon();
    }
    thread::abandon();
    fork_gate::TABLES.reset();
    PID.store(sys::getpid().unsigned_abs(), Relaxed);
    tls::current().thread.store(core::ptr::null_mut(), Relaxed);
    diag::count(Counter::ForkAbandoned);
    true
}
