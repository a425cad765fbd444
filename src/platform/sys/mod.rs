//! The few system calls of the library, each with its pre- and postconditions.
//!
//! Every room makes its system calls here. Nothing else in the library may enter the kernel, except
//! through the next allocator. Once the program's own sandbox is up (`sandbox`), no call enters the
//! kernel: each fails with EPERM. Results are the kernel's own: a negative value is `-errno`.
//! `errno` itself is never touched, because these functions run inside the host's `malloc`, which
//! must leave it as it was. Only [`monotonic_ms`] and [`realtime_ms`] go through libc, for its
//! vdso. glibc's `clock_gettime` (symbol version GLIBC_2.17) leaves `errno` alone when it succeeds,
//! and with a constant clock it always succeeds. None of these functions is a cancellation point.
//! Source: syscalls(2), the kernel's calling conventions in the file of each architecture.
#![allow(unsafe_code)]

use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU32, AtomicUsize};

#[cfg(all(target_arch = "aarch64", not(miri)))]
#[path = "aarch64.rs"]
mod arch;
#[cfg(miri)]
#[path = "miri.rs"]
mod arch;
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[path = "x86_64.rs"]
mod arch;

mod file;
mod filter;
mod sandbox;
mod signal;
mod socket;
mod thread;

pub use file::{FileFacts, facts, facts_of};
pub use file::{
    close, entries, fchmod, file_identity, fsync, getcwd, link_followed, links, open, openat,
    pread, read, readlink, rename_noreplace, unlink, write_all, write_quietly,
};
pub use filter::Filter;
pub use sandbox::{
    has_known_filter, is_sandboxed, let_calls_end, lower_sandbox, note_filter, raise_sandbox,
};
pub use signal::{
    GLIBC, SignalSet, consume_signal, handle_if_default, handler_of, pending_signals,
    raise_without, set_signal_mask, stop_handling,
};
pub use socket::{
    Event, accept, effective_user, listen_abstract, move_above_standard, peer_user, send, wait_for,
};
pub use thread::{
    abort, address_space_limit, close_from, exit_group, has_spawned, process_exists, random,
    set_thread_name, spawn, thread_exists, wait_for_thread, wake_waiters,
};

use arch::valgrind_request;

/// The unit in which we ask the kernel for memory. A kernel with larger pages rounds the size up.
pub const PAGE: usize = 4096;

/// The kernel's `sigset_t`: 64 bits, not glibc's 128 bytes.
const SIGSET_BYTES: usize = 8;

/// Enters the kernel, unless the program's sandbox is up. The result is negative for `-errno`.
///
/// # Safety
/// The arguments fulfil what the call named by `number` demands of memory.
#[inline]
unsafe fn syscall(number: i64, args: [usize; 6]) -> isize {
    // SAFETY: as promised by the caller.
    sandbox::outside(|| unsafe { arch::syscall(number, args) })
}

fn as_arg(fd: i32) -> usize {
    fd as isize as usize
}

/// Private anonymous memory, zeroed; `None` if the kernel refuses or `len` is 0. It uses only the
/// flags that every allocator uses, because sandboxes check the flags.
pub fn mmap_anon(len: usize) -> Option<NonNull<u8>> {
    map(len, libc::MAP_PRIVATE)
}

fn map(len: usize, sharing: i32) -> Option<NonNull<u8>> {
    let prot = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let flags = (sharing | libc::MAP_ANONYMOUS) as usize;
    // SAFETY: mmap(2) without MAP_FIXED replaces no existing mapping.
    let at = unsafe {
        syscall(
            libc::SYS_mmap,
            [apart(len), len, prot, flags, as_arg(-1), 0],
        )
    };
    if at <= 0 {
        return None;
    }
    NonNull::new(at as usize as *mut u8)
}

/// Where the next mapping of so many bytes should lie: away from the program's. The kernel puts one mapping
/// below the other, and allocators make one extent of neighbours; ours between them would change what a
/// program is given. Where the place is taken the kernel chooses another.
fn apart(len: usize) -> usize {
    /// Bytes below our own code. A program that maps as much beside its libraries meets us.
    const DISTANCE: usize = 64 << 30;
    /// Bytes that were asked for so far. Any thread adds.
    static USED: AtomicUsize = AtomicUsize::new(0);
    let own = (&raw const USED).addr() & !(PAGE - 1);
    let used = USED.fetch_add(len.saturating_add(PAGE - 1) & !(PAGE - 1), Relaxed);
    own.saturating_sub(DISTANCE)
        .saturating_sub(used)
        .saturating_sub(len)
        & !(PAGE - 1)
}

/// As [`mmap_anon`], for memory that a process goes on sharing with its children after a fork.
pub fn mmap_shared(len: usize) -> Option<NonNull<u8>> {
    map(len, libc::MAP_SHARED)
}

/// Gives memory back to the kernel.
///
/// # Safety
/// `[p, p + len)` came from [`mmap_anon`] and nothing points into it any more.
pub unsafe fn munmap(p: NonNull<u8>, len: usize) {
    // SAFETY: the caller owns the range (contract above). On failure it stays mapped, which is only
    // a leak.
    unsafe { syscall(libc::SYS_munmap, [p.as_ptr() as usize, len, 0, 0, 0, 0]) };
}

/// madvise(2): 0 or `-errno`.
///
/// # Safety
/// `[p, p + len)` is ours, and its contents may suffer what `advice` does to them.
pub unsafe fn madvise(p: NonNull<u8>, len: usize, advice: i32) -> isize {
    // SAFETY: the caller owns the range (contract above).
    unsafe {
        syscall(
            libc::SYS_madvise,
            [p.as_ptr() as usize, len, as_arg(advice), 0, 0, 0],
        )
    }
}

/// Does valgrind run this program? It reports some calls as errors, and ends the program for
/// others. Each check costs only a few instructions.
pub fn on_valgrind() -> bool {
    const RUNNING_ON_VALGRIND: usize = 0x1001;
    // SAFETY: this request reads no arguments.
    unsafe { valgrind_request(&[RUNNING_ON_VALGRIND, 0, 0, 0, 0, 0], 0) != 0 }
}

/// mprotect(2); 0 or a negated errno.
///
/// # Safety
/// `[p, p + len)` are whole pages, and no code relies on the access that is taken away.
pub unsafe fn mprotect(p: NonNull<u8>, len: usize, access: i32) -> isize {
    // SAFETY: contract above.
    unsafe {
        syscall(
            libc::SYS_mprotect,
            [p.as_ptr() as usize, len, as_arg(access), 0, 0, 0],
        )
    }
}

/// Can the 8 bytes at `addr` be read now? Costs one system call, changes nothing, and cannot cause
/// a signal.
///
/// rt_sigprocmask(2) copies the new set before it looks at `how`. So EFAULT means "not readable",
/// and EINVAL (the `how` is invalid) means "readable".
pub fn readable(addr: usize) -> bool {
    const NO_SUCH_HOW: usize = 0x7fff;
    // Address 0 would mean "no new set" and succeed.
    if addr == 0 {
        return false;
    }
    if on_valgrind() {
        return copyable(addr);
    }
    // SAFETY: the kernel checks `addr` itself, and because `how` is invalid it does not change the
    // mask.
    let r = unsafe {
        syscall(
            libc::SYS_rt_sigprocmask,
            [NO_SUCH_HOW, addr, 0, SIGSET_BYTES, 0, 0],
        )
    };
    r == -(libc::EINVAL as isize)
}

/// As [`readable`], but five times slower and forbidden in some containers. It is for valgrind,
/// which answers rt_sigprocmask(2) itself and reports the `how` on the program's stderr.
#[cold]
fn copyable(addr: usize) -> bool {
    let mut word = 0_u64;
    let vector = |base: *mut libc::c_void| libc::iovec {
        iov_base: base,
        iov_len: size_of::<u64>(),
    };
    let copy = vector((&raw mut word).cast());
    let original = vector(core::ptr::with_exposed_provenance_mut(addr));
    let (to, from) = (&raw const copy as usize, &raw const original as usize);
    let own = getpid().unsigned_abs() as usize;
    // SAFETY: process_vm_readv(2) checks `addr` itself and writes 8 bytes, to `word`.
    let r = unsafe { syscall(libc::SYS_process_vm_readv, [own, to, 1, from, 1, 0]) };
    r == size_of::<u64>() as isize
}

/// The program's own call, made here in place of libc's function. Returns the kernel's result.
///
/// # Safety
/// The program asked for this call with these arguments.
pub unsafe fn pass_on(number: i64, args: [usize; 6]) -> isize {
    // SAFETY: as promised by the caller.
    unsafe { arch::syscall(number, args) }
}

/// Where the data segment ends.
pub fn program_break() -> usize {
    // SAFETY: brk(2) with an address below the segment changes nothing and returns the break.
    unsafe { syscall(libc::SYS_brk, [0; 6]) as usize }
}

fn clock_ms(clock: libc::clockid_t) -> u64 {
    let at = time_of(clock);
    in_ms(at.tv_sec, at.tv_nsec)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let at = time_of(clock);
    (at.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(at.tv_nsec as u64)
}

fn time_of(clock: libc::clockid_t) -> libc::timespec {
    let mut at = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `at` is a timespec of ours; clock_gettime(2) writes nothing else.
    unsafe { libc::clock_gettime(clock, &mut at) };
    at
}

fn in_ms(seconds: i64, nanoseconds: i64) -> u64 {
    let whole = (seconds as u64).wrapping_mul(1000);
    whole.wrapping_add(nanoseconds as u64 / 1_000_000)
}

/// As [`monotonic_ms`], by a system call: for a caller that asks once, for whom the vdso's pages would cost
/// far more.
pub fn monotonic_ms_once() -> u64 {
    let mut at = [0_i64; 2];
    let (clock, place) = (libc::CLOCK_MONOTONIC as usize, at.as_mut_ptr() as usize);
    // SAFETY: the kernel writes a timespec, two words, to ours.
    let result = unsafe { syscall(libc::SYS_clock_gettime, [clock, place, 0, 0, 0, 0]) };
    match (result, at) {
        (0, [seconds, nanoseconds]) => in_ms(seconds, nanoseconds),
        _ => monotonic_ms(),
    }
}

/// Milliseconds of CLOCK_MONOTONIC. In a sandbox it stands still, because not every machine can
/// read the time without a system call. So a wait in a sandbox may not depend on a deadline alone.
pub fn monotonic_ms() -> u64 {
    sandbox::still_ms().unwrap_or_else(|| clock_ms(libc::CLOCK_MONOTONIC))
}

/// Nanoseconds of CLOCK_MONOTONIC, for what takes no longer than a moment. 0 in a sandbox.
pub fn monotonic_ns() -> u64 {
    match is_sandboxed() {
        true => 0,
        false => clock_ns(libc::CLOCK_MONOTONIC),
    }
}

/// Nanoseconds of processor time that all threads of this process have had. 0 in a sandbox. The kernel
/// looks at each thread.
pub fn process_cpu_ns() -> u64 {
    match is_sandboxed() {
        true => 0,
        false => clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID),
    }
}

/// Milliseconds since 1970 by CLOCK_REALTIME; 0 in a sandbox.
pub fn realtime_ms() -> u64 {
    match is_sandboxed() {
        true => 0,
        false => clock_ms(libc::CLOCK_REALTIME),
    }
}

/// A clock that is read without a system call, and without a page of the kernel's. Each tick is
/// some fraction of a nanosecond. On a machine without such a clock it stands still.
pub fn ticks() -> u64 {
    arch::ticks()
}

/// The process id, from the kernel each time: after a raw clone, a cached id would be the parent's.
pub fn getpid() -> i32 {
    // SAFETY: getpid(2) takes nothing and cannot fail.
    unsafe { syscall(libc::SYS_getpid, [0; 6]) as i32 }
}

/// The user with whose rights this process opens files.
pub fn geteuid() -> u32 {
    // SAFETY: geteuid(2) takes nothing and cannot fail.
    unsafe { syscall(libc::SYS_geteuid, [0; 6]) as u32 }
}

/// The process that started this one, or that adopted it; 0 if it is in another pid namespace.
pub fn getppid() -> i32 {
    // SAFETY: getppid(2) takes nothing and cannot fail.
    unsafe { syscall(libc::SYS_getppid, [0; 6]) as i32 }
}

/// The kernel's id of the calling thread.
pub fn gettid() -> i32 {
    // SAFETY: gettid(2) takes nothing and cannot fail.
    unsafe { syscall(libc::SYS_gettid, [0; 6]) as i32 }
}

/// Sleeps while `word` is `expected`, or until woken. It returns for other reasons too, so callers
/// look again. If a sandbox may come up during the sleep, no wake-up may come; then use
/// [`futex_wait_for`].
pub fn futex_wait(word: &AtomicU32, expected: u32) {
    let op = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as usize;
    // SAFETY: `word` outlives the call; the kernel only reads it.
    unsafe {
        syscall(
            libc::SYS_futex,
            [word.as_ptr() as usize, op, expected as usize, 0, 0, 0],
        )
    };
}

/// As [`futex_wait`], for at most `ms` milliseconds. `false` when the time ran out.
pub fn futex_wait_for(word: &AtomicU32, expected: u32, ms: u64) -> bool {
    let op = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as usize;
    let limit = libc::timespec {
        tv_sec: (ms / 1000) as i64,
        tv_nsec: (ms % 1000 * 1_000_000) as i64,
    };
    let timeout = core::ptr::from_ref(&limit) as usize;
    // SAFETY: `word` and `limit` outlive the call; the kernel only reads them.
    let r = unsafe {
        syscall(
            libc::SYS_futex,
            [word.as_ptr() as usize, op, expected as usize, timeout, 0, 0],
        )
    };
    r != -(libc::ETIMEDOUT as isize)
}

/// Wakes at most `count` threads that sleep on `word`.
pub fn futex_wake(word: &AtomicU32, count: u32) {
    let op = (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as usize;
    // SAFETY: FUTEX_WAKE uses the address as a key only.
    unsafe {
        syscall(
            libc::SYS_futex,
            [word.as_ptr() as usize, op, count as usize, 0, 0, 0],
        )
    };
}

/// The name of the calling thread, without its terminator; the rest of `name` is zero.
pub fn thread_name(name: &mut [u8; 16]) -> usize {
    *name = [0; 16];
    // SAFETY: PR_GET_NAME writes at most 16 bytes, terminator included (prctl(2)).
    unsafe {
        syscall(
            libc::SYS_prctl,
            [
                libc::PR_GET_NAME as usize,
                name.as_mut_ptr() as usize,
                0,
                0,
                0,
                0,
            ],
        )
    };
    name.iter()
        .position(|&byte| byte == 0)
        .unwrap_or(name.len())
}

// Miri has no kernel to test against.
#[cfg(all(test, not(miri)))]
mod tests;
