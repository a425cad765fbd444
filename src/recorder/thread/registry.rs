//! All blocks, stored by the address of the TCB of their thread.
//!
//! A thread that finds a block under its own TCB takes it over: the former owner is gone, or the
//! TCB would not be free. Where TCBs are not reused (stacks that the program maps itself), the
//! kernel is asked which threads are gone, and their blocks are reused.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicPtr, AtomicUsize};

use super::Thread;
use crate::platform::{sys, tls};
use crate::table::{arena, fork_gate, sync::SpinLock};

const BUCKETS: usize = 256;

/// From this many blocks on, those of threads that are gone are looked for.
const MANY: usize = 64;
/// Buckets searched to find one.
const SWEEP: usize = 8;

/// Heads of the buckets. Read and written under [`THREADS_LOCK`], so relaxed.
static THREADS: [AtomicPtr<Thread>; BUCKETS] =
    [const { AtomicPtr::new(core::ptr::null_mut()) }; BUCKETS];

/// The head of one bucket more, for the block that was made first. A process of one thread touches
/// no other bucket, and this one lies beside our other variables. As [`THREADS`]; its block is
/// never reclaimed.
static FIRST: AtomicPtr<Thread> = AtomicPtr::new(core::ptr::null_mut());

/// Taken by a thread at its first event, inside the gate.
static THREADS_LOCK: SpinLock = SpinLock::new();

/// Blocks made so far, and the bucket looked into last. Written under the lock.
static BLOCKS: AtomicUsize = AtomicUsize::new(0);
static SWEPT: AtomicUsize = AtomicUsize::new(0);

/// Forgets all blocks. Only in a child that abandons the arena in which they are.
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
        // SAFETY: it is in no bucket, so it belongs to this thread alone.
        unsafe {
            (*thread).tcb = tcb;
            (*thread).older = head.swap(thread, Relaxed);
        }
        Some(thread)
    })?;
    // SAFETY: stored under this thread's TCB, whose former owner is gone.
    unsafe { (*thread).begin() };
    Some(thread)
}

/// As [`find`], if there can be a block besides the first: reading a bucket would be a page fault.
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

/// Has a live thread that has sampled its TCB in this range?
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
    // SAFETY: blocks in a bucket are complete and are never freed; the links change under the lock
    // only.
    while let Some(thread) = unsafe { at.as_ref() } {
        if wanted(thread) {
            return Some(at);
        }
        at = thread.older;
    }
    None
}

/// Takes the block of a thread that is gone out of its bucket. Under the lock. Searches only a few
/// buckets, each time the next ones, and not before there are many blocks.
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
        thread.write(Thread::vacant());
    }
    BLOCKS.fetch_add(1, Relaxed);
    Some(thread.as_ptr())
}
