//! What a fork does to the tables: kept whole for the child, or abandoned by it.
//!
//! It runs in the fork handlers and, for children of forks that ran none (`_Fork`, raw clone),
//! at the next sample: a wiped word shows such a fork. A process of one thread pays nothing for a fork, and
//! its child one page: shells fork hundreds of times, and most children sample nothing.
//!
//! # Safety
//! See `recorder`; the child of a fork has one thread.
#![allow(unsafe_code)]

use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU8, AtomicU32};

use super::thread::{self, current_thread};
use super::{LIVE, MAP_STACKS, RANGES, STACKS};
use crate::diag::{self, Counter};
use crate::platform::{process, sys, tls};
use crate::table::frame_table::FRAMES;
use crate::table::{arena, fork_gate};
use crate::{next, runtime, unwind};

/// The process whose samples these are. Written by [`begin`] and in a fork's child.
static PID: AtomicU32 = AtomicU32::new(0);

/// What is known of forks that run no handlers. Written by [`settle`], [`abandon`] and the child's handler, which
/// leaves the word alone: most children are done before they sample, and each page that they write is copied.
static STATE: AtomicU8 = AtomicU8::new(UNWATCHED);

/// Nothing was sampled yet, and nothing could be found half-made.
const UNWATCHED: u8 = 0;
/// The word tells.
const WATCHED: u8 = 1;
/// A child whose fork ran our handlers, and that took no sample yet. The word was wiped, and means nothing.
const WHOLE_CHILD: u8 = 2;

/// A page whose first word a child made by a fork without our handlers finds wiped to zero
/// (MADV_WIPEONFORK). Of our own variables, so that no process has one mapping more.
static PAGE: Page = Page([const { AtomicU32::new(0) }; sys::PAGE / size_of::<AtomicU32>()]);

/// x86-64's pages, and no larger ones: what else lies there would be wiped too.
#[repr(C, align(4096))]
struct Page([AtomicU32; sys::PAGE / size_of::<AtomicU32>()]);

/// The process whose samples these are. A vfork child shares our memory, and is another.
pub fn pid() -> u32 {
    PID.load(Relaxed)
}

/// Is this a child that runs in our process's memory (vfork, CLONE_VM)? What is kept here is then not its
/// own.
pub fn is_borrowed() -> bool {
    let was = pid();
    if sys::getpid().unsigned_abs() == was {
        return false;
    }
    // A fork would have wiped the word. Where nobody wrote it yet, this is another's memory while that one sleeps.
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

/// A sample is about to be recorded, or a second thread gets its block: from here on this process, who may be a
/// child that was only looking until now, is told from its children by the word. True when it was one that ran no
/// handlers, and had to begin afresh.
#[inline]
pub(super) fn begin_to_sample() -> bool {
    match STATE.load(Relaxed) {
        WATCHED => word().load(Relaxed) == 0 && abandon(),
        _ => settle(),
    }
}

/// Begins to watch for forks that run no handlers. Also before a sandbox, in which it could not be done any more.
/// True when this is a child that ran no handlers, and had to begin afresh.
#[cold]
pub fn settle() -> bool {
    let is_fresh = match STATE.load(Relaxed) {
        UNWATCHED => {
            adopt();
            false
        }
        // Of a child that our handlers know, one that they do not know.
        WHOLE_CHILD => !is_ours() && abandon(),
        _ => false,
    };
    if cfg!(target_arch = "x86_64") {
        let page = NonNull::from(&PAGE).cast::<u8>();
        // SAFETY: the page is ours; WIPEONFORK (Linux 4.14) changes only what a child sees of it. Where the kernel
        // cannot do it, the word tells nothing.
        unsafe { sys::madvise(page, sys::PAGE, libc::MADV_WIPEONFORK) };
    }
    word().store(1, Relaxed);
    STATE.store(WATCHED, Relaxed);
    is_fresh
}

/// Are the samples this very process's?
fn is_ours() -> bool {
    pid() == sys::getpid().unsigned_abs()
}

/// Nothing was sampled yet, and we are not the process that was started: a fork that ran no handlers made us, and
/// the samples to come are ours; or a vfork did, and the memory is our parent's, which sleeps meanwhile. A child in
/// the memory of a parent that goes on (CLONE_VM alone) is taken for the first: should it be the first to sample, the
/// parent leaves no dump.
fn adopt() {
    let (was, pid) = (PID.load(Relaxed), sys::getpid().unsigned_abs());
    if was != pid && process::sleeps_for_vfork(was) == Some(false) {
        PID.store(pid, Relaxed);
    }
}

/// Is there certainly no other thread, and this one not inside our code? Then nothing has to be kept out of the
/// tables, and neither parent nor child writes a word for it.
fn is_alone(tls: &tls::Tls) -> bool {
    // Threads that libc does not know are ours.
    let is_only = next::is_single_threaded() && !sys::has_spawned();
    is_only && !tls.is_busy() && tls.forks.load(Relaxed) == 0
}

/// How a fork found the tables: the thread was inside them (a signal handler forks), others stayed
/// inside too long, or nobody was inside and the child inherits them whole.
const INSIDE: u32 = 0;
const CROWDED: u32 = 1;
const WHOLE: u32 = 2;

/// Before fork, by our handler: keeps other threads out of the tables.
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

/// After fork, in the parent.
pub fn after_fork_in_parent() {
    let tls = tls::current();
    // None is in progress: it was alone.
    if tls.forks.load(Relaxed) == 0 {
        return;
    }
    if tls.forks.fetch_sub(1, Relaxed) == 1 && tls.fork_state.load(Relaxed) != INSIDE {
        fork_gate::TABLES.open();
        tls.after_fork();
    }
}

/// After fork, in the child `pid`. What is not whole is abandoned at the next sample, by the wiped word;
/// not here, where an interrupted thread may still be in the midst of it.
pub fn after_fork_in_child(pid: u32) {
    let tls = tls::current();
    let was_alone = tls.forks.load(Relaxed) == 0;
    let is_last = was_alone || tls.forks.fetch_sub(1, Relaxed) == 1;
    let state = match was_alone {
        true => WHOLE,
        false => tls.fork_state.load(Relaxed),
    };
    thread::reseed_in_child(pid);
    if is_last && !was_alone && state != INSIDE {
        fork_gate::TABLES.reset();
        tls.after_fork();
    }
    if is_last && state != INSIDE {
        // The inherited countdown belongs to the parent; this thread draws its own.
        tls.countdown.store(0, Relaxed);
    }
    if is_last && state == WHOLE {
        PID.store(pid, Relaxed);
        STATE.store(WHOLE_CHILD, Relaxed);
        // SAFETY: the block of this very thread, the only one here.
        if let Some(thread) = unsafe { current_thread().as_mut() } {
            // The only thread has the process's number.
            thread.refresh_tid(pid as i32);
        }
    }
}

/// In the child of a fork that ran no handlers: abandons what another thread of the parent may
/// have left half-written, and starts afresh. True when it did. A child that only looks stays as it is.
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
    // SAFETY: WIPEONFORK zeroed the word, so this is a new process, whose only thread we are; all
    // pointers into the arena are dropped here.
    unsafe {
        arena::abandon();
        STACKS.abandon();
        FRAMES.abandon();
        LIVE.abandon();
        MAP_STACKS.abandon();
        RANGES.abandon();
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
