//! A thread that does what needs the JVM: it finds out what lives before a dump is written, and
//! passes on what the control socket asks for.
//!
//! Threads of ours are unknown to libc and may not enter the JVM; they ask here (`ask`). So there
//! is an ordinary thread, made when the JVM is found (a process with a JVM has many). It sleeps in
//! the kernel and is attached to no JVM. When it is asked it attaches itself, works, and detaches
//! itself. Where the JVM's creation was not seen it looks for the JVM first. All signals are
//! blocked in it, except glibc's own and those of faults.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};
use core::mem::transmute;
use core::ptr::{null, null_mut};
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::ask::{self, Work};
use super::jni::{Jni, Vm};
use super::jvmti::Jvmti;
use super::sweep;
use super::turn::Turn;
use super::{COLLECT_FIRST, FORCED, JVMTI, VM, is_open, is_over, is_waiting, seek, steer};
use crate::unwind::modules;
use crate::{
    platform::{
        elf,
        sys::{self, SignalSet},
    },
    recorder,
};

/// The process in which the thread runs; 0: it runs in no process. Taken by the thread that makes
/// it, given back by the thread itself. SeqCst, because this and the state signal each other (see
/// [`run`]).
static RUNS_IN: AtomicU32 = AtomicU32::new(0);

/// All signals except glibc's own two, which `setuid` in another thread waits for, and those of
/// faults. The JVM reads through pointers that may be wild (`SafeFetch`, in its native memory
/// tracking on every frame pointer of ours) and handles the SIGSEGV; if it were blocked the process
/// would end.
const ALMOST_ALL: SignalSet = !(sys::GLIBC | FAULTS);
const FAULTS: SignalSet = 1 << (libc::SIGILL - 1)
    | 1 << (libc::SIGTRAP - 1)
    | 1 << (libc::SIGBUS - 1)
    | 1 << (libc::SIGFPE - 1)
    | 1 << (libc::SIGSEGV - 1);

/// Code at `caller` looks a symbol up: if that is libjvm's code, the helper begins to seek. While a
/// JVM is made it looks up functions of its libraries, on a thread that is not in malloc, so the
/// helper can be made there. Nothing is done in a creation that the hook sees.
pub fn notice(caller: usize) {
    if !is_waiting() {
        return;
    }
    let caller_is_jvm =
        modules::object(caller as u64).is_some_and(|object| object.name().ends_with(b"/libjvm.so"));
    if caller_is_jvm {
        seek::note(caller);
        start();
    }
}

/// Makes the thread, if this process has none. Without it, dumps say what is known already.
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
    // SAFETY: pthread_create(3); by name and not by linking, because its version is newer than the
    // versions that we may require. No thread joins it: it ends with the JVM, usually with the
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
        // A thread that found a JVM meanwhile saw this one run, and made no other.
        if !is_open() || RUNS_IN.swap(recorder::pid(), SeqCst) != 0 {
            return null_mut();
        }
    }
}

fn serve_while_open() {
    while !is_over() && !is_waiting() {
        ask::answer(serve);
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
