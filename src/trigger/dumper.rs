//! Who writes a dump: the thread that crossed the trigger while the process has one thread; else a
//! thread of ours that lives for this one dump.
//!
//! Called by the triggers, inside malloc. One dump is written at a time; a trigger that fires
//! meanwhile is dropped and counted (jemalloc's coalesce too).
//!
//! The thread is made by clone(2) itself, not by pthread_create. That takes no lock of glibc and
//! allocates nothing, so it may be done inside malloc. glibc does not know the thread: its
//! single-thread fast paths stay, `pthread_exit` of the last real thread still ends the process,
//! and `setuid` does not wait for it (it takes over the credentials of the thread that crossed
//! the trigger). It has a table of descriptors of its own, so no number that the program may close
//! or reuse is ours. It calls nothing of libc that looks at thread-local state; a small region of its
//! own stands where its TLS would be. All signals are blocked in it.
//!
//! # Safety
//! The region for stack and TLS is used by one thread at a time: `WRITER` is taken before the
//! thread starts, and the kernel clears it when the thread is gone (CLONE_CHILD_CLEARTID).
#![allow(unsafe_code)]

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32};

use super::signals;
use crate::config::Config;
use crate::diag::{self, Counter};
use crate::dump::{self, Reason};
use crate::{arena, process, recorder, sys, tls};

const FREE: u32 = 0;
const TAKEN: u32 = 1;

/// Is a dump being written? Taken with acquire, given back with release, or by the kernel.
static WRITER: AtomicU32 = AtomicU32::new(FREE);

/// What the thread of ours shall write. Written by who holds [`WRITER`], before the thread starts.
static REASON: AtomicU8 = AtomicU8::new(0);

/// The configuration. Written by [`start`], before sampling begins.
static CONFIG: AtomicPtr<Config> = AtomicPtr::new(core::ptr::null_mut());

/// The process that [`WRITER`] was last used in: after a fork the word may stand for a thread that
/// did not come along. Written by who finds it to be another.
static PID: AtomicU32 = AtomicU32::new(0);

/// Stack and TLS of the thread of ours, made at its first use. Written by who holds [`WRITER`].
static REGION: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());

/// Enough for the dump's frames many times over; untouched pages cost nothing.
const STACK: usize = 256 << 10;
/// Room below the thread pointer beyond our own TLS block, and above it for the TCB.
const TLS_ROOM: usize = 64 << 10;

/// Longest wait of an exiting process for a dump that is being written.
const PATIENCE_MS: u64 = 10_000;

/// Keeps the configuration for the dumps to come.
pub fn start(config: &'static Config) {
    CONFIG.store(core::ptr::from_ref(config).cast_mut(), Relaxed);
    PID.store(sys::getpid().unsigned_abs(), Relaxed);
}

/// Is this the process whose samples these are? A vfork child shares our memory, and is not. The
/// first to ask after a fork puts the state of the parent's dumps away.
fn is_ours() -> bool {
    let pid = sys::getpid().unsigned_abs();
    if pid != recorder::pid() {
        return false;
    }
    if PID.swap(pid, Relaxed) != pid {
        WRITER.store(FREE, Relaxed);
        dump::after_fork();
    }
    true
}

fn try_take() -> bool {
    // Acquire: pairs with the release of the last writer.
    WRITER
        .compare_exchange(FREE, TAKEN, Acquire, Relaxed)
        .is_ok()
}

/// Writes a dump for `reason`, or has it written.
pub fn request(reason: Reason) {
    if !is_ours() {
        return;
    }
    if try_take() {
        begin(reason);
    } else {
        diag::count(Counter::DumpCoalesced);
    }
}

/// Writes a dump, after one that is being written, and returns when it is there. For the exiting
/// thread.
pub fn write_now(reason: Reason) {
    if !is_ours() {
        return;
    }
    let deadline = sys::monotonic_ms() + PATIENCE_MS;
    let wait = |done: &dyn Fn() -> bool| {
        while !done() {
            let left = deadline.saturating_sub(sys::monotonic_ms());
            if left == 0 {
                return false;
            }
            sys::wait_for_thread(&WRITER, TAKEN, left);
        }
        true
    };
    if wait(&try_take) {
        begin(reason);
        // Acquire: pairs with the kernel's clearing, or our own.
        wait(&|| WRITER.load(Acquire) == FREE);
    } else {
        diag::count(Counter::DumpFailed);
    }
}

/// Writes a dump, on this thread or another. [`WRITER`] is taken, and is free again when it is
/// written.
fn begin(reason: Reason) {
    REASON.store(reason as u8, Relaxed);
    if process::threads() > 1 && start_thread().is_some() {
        return;
    }
    signals::blocked(|| write(reason));
    // Release: pairs with the acquire of the next writer.
    WRITER.store(FREE, Release);
    sys::wake_waiters(&WRITER);
}

fn write(reason: Reason) {
    // SAFETY: null, or a reference to a configuration that is never freed.
    let Some(config) = (unsafe { CONFIG.load(Relaxed).as_ref() }) else {
        return;
    };
    dump::write(&dump::Request {
        reason,
        config,
        stacks: &recorder::STACKS,
        live: &recorder::LIVE,
        uptime_ms: recorder::uptime_ms(),
        lg_period: recorder::lg_period(),
        thread_name: &recorder::name_of,
    });
}

/// Starts the thread of ours; `None` when the kernel or the arena has no room for it.
fn start_thread() -> Option<()> {
    let below = tls::offset().wrapping_neg().checked_add(TLS_ROOM)? & !63;
    let length = STACK + below + TLS_ROOM;
    let mut region = REGION.load(Relaxed);
    if region.is_null() {
        region = arena::map(length)?.as_ptr();
        REGION.store(region, Relaxed);
    }
    // SAFETY: the region is ours and long enough for all three parts; the thread that used it
    // before is gone, or WRITER would still be taken.
    unsafe {
        let stack_top = region.add(STACK);
        let tcb = stack_top.add(below);
        // The x86-64 TLS ABI: the word at the thread pointer holds the thread pointer.
        tcb.cast::<*mut u8>().write(tcb);
        tcb.cast::<*mut u8>().add(2).write(tcb);
        let thread = signals::all_blocked(|| sys::spawn(stack_top, tcb, &WRITER, run));
        (thread > 0).then_some(())
    }
}

/// The thread of ours.
extern "C" fn run() {
    let tls = tls::current();
    tls.busy.store(1, Relaxed);
    // The program's floating-point state and descriptors came along; neither is wanted. 0 to 2 stay
    // for what is to be said.
    tls::FloatState::save();
    sys::close_from(3);
    sys::set_thread_name(c"malloscope");
    match Reason::from_code(REASON.load(Relaxed)) {
        Some(reason) => write(reason),
        None => diag::count(Counter::DumpFailed),
    }
}
