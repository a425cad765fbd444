//! A thread that learns what lives before a dump is written.
//!
//! [`refresh`] is called by the thread that writes dumps: that one is unknown to libc and may not
//! enter the JVM. So there is an ordinary thread, made when the JVM is found (a process with a JVM
//! has many), which sleeps in the kernel and belongs to no JVM; when asked it attaches itself,
//! sweeps, and detaches itself. All signals but glibc's own are blocked in it.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};
use core::mem::transmute;
use core::ptr::{null, null_mut};
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::jni::Vm;
use super::jvmti::Jvmti;
use super::{COLLECT_FIRST, FORCED, JVMTI, VM, is_open, is_over, sweep};
use crate::{elf, sys};

/// How often was asked, and the number that was answered last. Release by who counts up pairs with
/// Acquire by who waits for it.
static ASKED: AtomicU32 = AtomicU32::new(0);
static ANSWERED: AtomicU32 = AtomicU32::new(0);

/// Longest that a dump waits, as a rule and when a collection was asked for: a thread that wants in
/// waits for a collection under way.
const PATIENCE_MS: u64 = 2_000;
const PATIENCE_COLLECTING_MS: u64 = 8_000;

/// After so long a waiting dump looks whether the JVM is still there.
const SLICE_MS: u64 = 50;

/// All signals but glibc's own two, which `setuid` in another thread waits for.
const ALMOST_ALL: u64 = !(1 << 31 | 1 << 32);

/// Makes the thread. Without it, dumps say what is known.
pub fn start() {
    let Some(create) = elf::symbol_under_lock(b"pthread_create") else {
        return;
    };
    let mut thread: usize = 0;
    let mask = sys::set_signal_mask(ALMOST_ALL);
    // SAFETY: pthread_create(3); by name and not by linking, as its version is newer than those we
    // may require. Nobody joins it: it ends with the JVM, mostly the
    // process.
    unsafe {
        let create: unsafe extern "C" fn(
            *mut usize,
            *const c_void,
            extern "C" fn(*mut c_void) -> *mut c_void,
            *mut c_void,
        ) -> c_int = transmute(create);
        create(&raw mut thread, null(), run, null_mut());
    }
    sys::set_signal_mask(mask);
}

extern "C" fn run(_argument: *mut c_void) -> *mut c_void {
    sys::set_thread_name(c"malloscope-java");
    while !is_over() {
        // Acquire: pairs with Release in `refresh`.
        let asked = ASKED.load(Acquire);
        if asked == ANSWERED.load(Relaxed) {
            sys::futex_wait(&ASKED, asked);
            continue;
        }
        serve();
        // Release: pairs with Acquire in `refresh`.
        ANSWERED.store(asked, Release);
        sys::futex_wake(&ANSWERED, u32::MAX >> 1);
    }
    null_mut()
}

fn serve() {
    if !is_open() {
        return;
    }
    let vm = Vm(VM.load(Relaxed).cast_const().cast());
    vm.attached(c"malloscope", |jni| {
        // SAFETY: `super::begin` stored the environment; it lives as long as the JVM.
        let jvmti = unsafe { Jvmti::new(JVMTI.load(Relaxed).cast_const().cast()) };
        if COLLECT_FIRST.load(Relaxed) && jvmti.force_collection() {
            FORCED.fetch_add(1, Relaxed);
        }
        sweep::sweep(jni);
    });
}

/// The JVM is gone: lets those who wait look again, and the thread end, so that it is not the last
/// one of a program whose own threads end.
pub fn release() {
    sys::futex_wake(&ANSWERED, u32::MAX >> 1);
    ASKED.fetch_add(1, Release);
    sys::futex_wake(&ASKED, 1);
}

/// Learns what lives, and returns when that is known, the JVM is gone, or patience is at its end.
/// For a thread that holds no lock of anybody's.
pub fn refresh() {
    if !is_open() {
        return;
    }
    let patience = if COLLECT_FIRST.load(Relaxed) {
        PATIENCE_COLLECTING_MS
    } else {
        PATIENCE_MS
    };
    let deadline = sys::monotonic_ms() + patience;
    // Release: pairs with Acquire in `run`.
    let asked = ASKED.fetch_add(1, Release).wrapping_add(1);
    sys::futex_wake(&ASKED, 1);
    while is_open() {
        // Acquire: pairs with Release in `run`.
        let answered = ANSWERED.load(Acquire);
        let left = deadline.saturating_sub(sys::monotonic_ms());
        // A later answer, to one who asked meanwhile, does for this one too.
        if answered.wrapping_sub(asked).cast_signed() >= 0 || left == 0 {
            return;
        }
        sys::futex_wait_for(&ANSWERED, answered, left.min(SLICE_MS));
    }
}
