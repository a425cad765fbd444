//! Finds a JVM whose creation no hook sees: one that the program is linked to, or any JVM with
//! `prof_java:poll`.
//!
//! The helper's thread seeks, attached to nothing, until there is a JVM to start with.
//!
//! A JVM before 21 may report itself when its creation has only begun (JDK-8308341), and a thread
//! must not attach to it then. So it is not asked before two threads run that it makes late
//! (async-profiler waits for them too), and some time has passed since. If it is still not in its
//! live phase it says so, and is asked again. While these threads exist libjvm is not unloaded, so
//! its functions can be called.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_int, c_void};
use core::mem::transmute;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Release};
use core::sync::atomic::{AtomicU32, AtomicUsize};

use super::jni::{Jni, Vm};
use super::{begin_with, is_waiting};
use crate::platform::{elf, sys};

/// An address in the libjvm that was noticed. Written by [`note`] with Release, read by the
/// helper with Acquire.
static LIBRARY: AtomicUsize = AtomicUsize::new(0);

/// Never set: what the helper sleeps on.
static SLEEP: AtomicU32 = AtomicU32::new(0);

/// Time between two looks, and for how long they go on.
const LOOK_MS: u64 = 20;
const PATIENCE_MS: u64 = 60_000;

/// How long after its threads were first seen a JVM is asked.
const SETTLE_MS: u64 = 100;

/// Threads that every HotSpot has: one is made at the start, one when Java code runs.
const LATE_THREADS: [&[u8]; 2] = [b"VM Thread\n", b"Service Thread\n"];

/// Notes that the library to look for it in has an address at `caller`.
pub fn note(caller: usize) {
    LIBRARY.store(caller, Release);
}

/// Looks for a JVM until one is sampled (found here, or by the hook that saw its creation) or the
/// time is over. Runs on the helper's thread.
pub fn seek() {
    let end = sys::monotonic_ms() + PATIENCE_MS;
    let mut seen_ms = None;
    while is_waiting() && sys::monotonic_ms() < end {
        sys::futex_wait_for(&SLEEP, 0, LOOK_MS);
        if !has_late_threads() {
            seen_ms = None;
            continue;
        }
        let now = sys::monotonic_ms();
        let since = *seen_ms.get_or_insert(now);
        if now - since >= SETTLE_MS
            && let Some(vm) = created()
        {
            vm.attached(c"malloscope", |_: Jni| begin_with(vm));
        }
    }
}

/// The JVM of the library that was noticed.
fn created() -> Option<Vm> {
    let library = elf::find_by_address(LIBRARY.load(Acquire))?;
    let function = library.symbol(b"JNI_GetCreatedJavaVMs")?;
    let (mut vm, mut count) = (null_mut::<c_void>(), 0);
    // SAFETY: `jint JNI_GetCreatedJavaVMs(JavaVM**, jsize, jsize*)` of a library that is in use; it
    // writes at most one pointer and the count.
    let status = unsafe {
        let get: extern "C" fn(*mut *mut c_void, c_int, *mut c_int) -> c_int =
            transmute(function.addr);
        get(&raw mut vm, 1, &raw mut count)
    };
    (status == 0 && count > 0 && !vm.is_null()).then(|| Vm(vm.cast_const().cast()))
}

/// Do the threads exist that a JVM makes late? Two descriptors are open for a moment.
fn has_late_threads() -> bool {
    let directory = sys::open(c"/proc/self/task", libc::O_RDONLY | libc::O_DIRECTORY, 0);
    let Ok(directory @ 0..) = i32::try_from(directory) else {
        return false;
    };
    let mut seen = [false; LATE_THREADS.len()];
    sys::entries(directory, &mut |thread| {
        let mut name = [0; 16];
        let length = name_of(directory, thread, &mut name);
        for (late, seen) in LATE_THREADS.iter().zip(&mut seen) {
            *seen |= name.get(..length) == Some(*late);
        }
    });
    sys::close(directory);
    seen.iter().all(|seen| *seen)
}

/// Reads the name of a thread, which ends with a newline; returns its length.
fn name_of(directory: i32, thread: &CStr, name: &mut [u8; 16]) -> usize {
    const LONGEST: usize = 32;
    let mut path = [0; LONGEST];
    let parts = thread.to_bytes().iter().chain(b"/comm\0");
    for (place, byte) in path.iter_mut().zip(parts) {
        *place = *byte;
    }
    let file = CStr::from_bytes_until_nul(&path)
        .map_or(-1, |path| sys::openat(directory, path, libc::O_RDONLY, 0));
    let Ok(file @ 0..) = i32::try_from(file) else {
        return 0;
    };
    let read = sys::read(file, name);
    sys::close(file);
    usize::try_from(read).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::thread::Builder;

    #[test]
    fn a_jvm_is_there_when_both_of_its_threads_are() {
        let (stop_first, first_stops) = channel::<()>();
        let (stop_second, second_stops) = channel::<()>();
        let named = |name: &str, stops: std::sync::mpsc::Receiver<()>| {
            let thread = Builder::new().name(name.to_owned());
            let ends = move || stops.recv().is_err();
            thread.spawn(ends).expect("a thread")
        };
        assert!(!has_late_threads());
        let first = named("VM Thread", first_stops);
        assert!(!has_late_threads());
        let second = named("Service Thread", second_stops);
        let is_seen = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            has_late_threads()
        });
        assert!(is_seen);
        drop((stop_first, stop_second));
        assert!(first.join().expect("its end"));
        assert!(second.join().expect("its end"));
    }
}
