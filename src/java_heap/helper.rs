//! A thread that does what needs the JVM: learns what lives before a dump is written, and passes on
//! what the control asks for.
//!
//! [`ask`] is called by threads of ours that are unknown to libc and may not enter the JVM. So
//! there is an ordinary thread, made when the JVM is found (a process with a JVM has many), which
//! sleeps in the kernel and belongs to no JVM; when asked it attaches itself, works, and detaches
//! itself. Where the JVM's creation was not seen it looks for the JVM first. All signals but
//! glibc's own and those of faults are blocked in it.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};
use core::mem::transmute;
use core::ptr::{null, null_mut};
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

use super::jni::{Jni, Vm};
use super::jvmti::Jvmti;
use super::sweep::{self, Turn};
use super::{COLLECT_FIRST, FORCED, JVMTI, VM, is_open, is_over, is_waiting, seek, steer};
use crate::{
    platform::{elf, sys},
    recorder,
};

/// How often was asked, and the number that was answered last. Release by who counts up pairs with
/// Acquire by who waits for it.
static ASKED: AtomicU32 = AtomicU32::new(0);
static ANSWERED: AtomicU32 = AtomicU32::new(0);

/// What is to be done, a bit for each [`Work`]. Set by who asks, with Release, before [`ASKED`];
/// taken by the helper with Acquire.
static WORK: AtomicU32 = AtomicU32::new(0);

/// The process in which the thread runs; 0: none does. Taken by who makes the thread, given back by
/// the thread; SeqCst, for it and the state are each other's signal (see [`run`]).
static RUNS_IN: AtomicU32 = AtomicU32::new(0);

/// Longest that an asker waits, as a rule and when a collection was asked for: a thread that wants in
/// waits for a collection under way.
const PATIENCE_MS: u64 = 2_000;
const PATIENCE_COLLECTING_MS: u64 = 8_000;

/// After so long an asker looks whether the JVM is still there.
const SLICE_MS: u64 = 50;

/// All signals but glibc's own two, which `setuid` in another thread waits for, and those of faults: the
/// JVM reads through pointers that may be wild (`SafeFetch`, in its native memory tracking on every frame
/// pointer of ours), and takes the SIGSEGV; blocked it is the end of the process.
const ALMOST_ALL: u64 = !(1 << 31 | 1 << 32 | FAULTS);
const FAULTS: u64 = 1 << (libc::SIGILL - 1)
    | 1 << (libc::SIGTRAP - 1)
    | 1 << (libc::SIGBUS - 1)
    | 1 << (libc::SIGFPE - 1)
    | 1 << (libc::SIGSEGV - 1);

/// What the thread can do.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Work {
    /// Learn what lives, after a collection if the configuration wants one.
    Sweep = 1,
    /// Have the JVM sample as the control wants.
    Settle = 2,
    /// Forget all samples.
    Forget = 4,
}

/// Makes the thread, if this process has none. Without it, dumps say what is known.
pub fn start() {
    if sys::is_sandboxed() {
        return;
    }
    let pid = recorder::pid();
    if RUNS_IN.swap(pid, SeqCst) == pid {
        return;
    }
    if make().is_none() {
        RUNS_IN.store(0, SeqCst);
    }
}

fn make() -> Option<()> {
    let create = elf::symbol_under_lock(b"pthread_create")?;
    let mut thread: usize = 0;
    let mask = sys::set_signal_mask(ALMOST_ALL);
    // SAFETY: pthread_create(3); by name and not by linking, as its version is newer than those we
    // may require. Nobody joins it: it ends with the JVM, mostly the
    // process.
    let status = unsafe {
        let create: unsafe extern "C" fn(
            *mut usize,
            *const c_void,
            extern "C" fn(*mut c_void) -> *mut c_void,
            *mut c_void,
        ) -> c_int = transmute(create);
        create(&raw mut thread, null(), run, null_mut())
    };
    sys::set_signal_mask(mask);
    (status == 0).then_some(())
}

extern "C" fn run(_argument: *mut c_void) -> *mut c_void {
    sys::set_thread_name(c"malloscope-java");
    loop {
        seek::seek();
        serve_while_open();
        RUNS_IN.store(0, SeqCst);
        // Whoever found a JVM meanwhile saw us run, and made no other thread.
        if !is_open() || RUNS_IN.swap(recorder::pid(), SeqCst) != 0 {
            return null_mut();
        }
    }
}

fn serve_while_open() {
    while !is_over() && !is_waiting() {
        // Acquire: pairs with Release in `ask`.
        let asked = ASKED.load(Acquire);
        if asked == ANSWERED.load(Relaxed) {
            sys::futex_wait(&ASKED, asked);
            continue;
        }
        serve(WORK.swap(0, AcqRel));
        // Release: pairs with Acquire in `ask`.
        ANSWERED.store(asked, Release);
        sys::futex_wake(&ANSWERED, u32::MAX >> 1);
    }
}

fn serve(work: u32) {
    if !is_open() {
        return;
    }
    let vm = Vm(VM.load(Relaxed).cast_const().cast());
    // SAFETY: `super::begin` stored the environment; it lives as long as the JVM.
    let jvmti = unsafe { Jvmti::new(JVMTI.load(Relaxed).cast_const().cast()) };
    vm.attached(c"malloscope", |jni| attached(work, jvmti, jni));
}

fn attached(work: u32, jvmti: Jvmti, jni: Jni) {
    let is_asked = |wanted: Work| work & wanted as u32 != 0;
    if is_asked(Work::Settle) {
        steer::settle(&mut Turn::wait(), jvmti);
    }
    if is_asked(Work::Forget) {
        steer::forget(&mut Turn::wait(), jni);
    }
    if is_asked(Work::Sweep) {
        if COLLECT_FIRST.load(Relaxed) && jvmti.force_collection() {
            FORCED.fetch_add(1, Relaxed);
        }
        sweep::sweep(jni);
    }
}

/// The JVM is gone: lets those who wait look again, and the thread end, so that it is not the last
/// one of a program whose own threads end.
pub fn release() {
    sys::futex_wake(&ANSWERED, u32::MAX >> 1);
    ASKED.fetch_add(1, Release);
    sys::futex_wake(&ASKED, 1);
}

/// Has `work` done, and returns when it is, the JVM is gone, or patience is at its end. For a thread
/// that holds no lock of anybody's.
pub fn ask(work: Work) {
    if !is_open() {
        return;
    }
    let collects = matches!(work, Work::Sweep) && COLLECT_FIRST.load(Relaxed);
    let patience = if collects {
        PATIENCE_COLLECTING_MS
    } else {
        PATIENCE_MS
    };
    let deadline = sys::monotonic_ms() + patience;
    // Release, both: pair with Acquire in `serve_while_open`.
    WORK.fetch_or(work as u32, Release);
    let asked = ASKED.fetch_add(1, Release).wrapping_add(1);
    sys::futex_wake(&ASKED, 1);
    while is_open() {
        // Acquire: pairs with Release in `serve_while_open`.
        let answered = ANSWERED.load(Acquire);
        let left = deadline.saturating_sub(sys::monotonic_ms());
        // A later answer, to one who asked meanwhile, does for this one too.
        if answered.wrapping_sub(asked).cast_signed() >= 0 || left == 0 {
            return;
        }
        sys::futex_wait_for(&ANSWERED, answered, left.min(SLICE_MS));
    }
}
