//! A thread that libc does not know, and the end of the process.
//!
//! Source: clone(2), "C library/kernel differences"; on x86-64 the raw call takes flags, stack,
//! parent tid, child tid, TLS.
#![allow(unsafe_code)]

use core::arch::naked_asm;
use core::ffi::CStr;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU32};

use super::{as_arg, on_valgrind, sandbox, syscall};

/// Shares what a thread shares, except the table of descriptors: a descriptor that this thread
/// opens is not the program's, which may close and reuse numbers as it likes. When the thread is
/// gone the kernel clears the word at the child tid's address and wakes its futex.
const FLAGS: i32 = libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM
    | libc::CLONE_SETTLS
    | libc::CLONE_CHILD_CLEARTID;

/// Was [`spawn`] ever called, here or before a fork? Written by it, before there is a thread.
static SPAWNED: AtomicBool = AtomicBool::new(false);

/// May there be threads that libc does not know?
pub fn has_spawned() -> bool {
    SPAWNED.load(Relaxed)
}

/// Starts a thread at `entry`, which ends when `entry` returns. Its id, or `-errno`. Under valgrind
/// `-ENOSYS`: valgrind ends a program that makes such a thread.
///
/// # Safety
/// `stack_top` is 16-aligned and the end of a stack that belongs to this thread alone, and so does
/// the memory around `tls`. Both live until the kernel has zeroed `gone`. `entry` uses nothing of
/// libc that looks at thread-local state.
pub unsafe fn spawn(
    stack_top: *mut u8,
    tls: *mut u8,
    gone: &'static AtomicU32,
    entry: extern "C" fn(),
) -> isize {
    if on_valgrind() {
        return -(libc::ENOSYS as isize);
    }
    SPAWNED.store(true, Relaxed);
    // SAFETY: as promised by the caller.
    sandbox::outside(|| unsafe { clone(FLAGS as usize, stack_top, gone, tls, entry) })
}

/// rdi flags, rsi stack, rdx child tid, rcx TLS, r8 entry. The child begins with rax 0 on its own
/// stack; r9 survives the call in both.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn clone(
    flags: usize,
    stack_top: *mut u8,
    gone: &'static AtomicU32,
    tls: *mut u8,
    entry: extern "C" fn(),
) -> isize {
    naked_asm!(
        ".cfi_startproc",
        "mov r9, r8",
        "mov r10, rdx",
        "mov r8, rcx",
        "xor edx, edx",
        "mov eax, {clone}",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2:",
        ".cfi_undefined rip",
        "xor ebp, ebp",
        "call r9",
        "xor edi, edi",
        "mov eax, {exit}",
        "syscall",
        "ud2",
        ".cfi_endproc",
        clone = const libc::SYS_clone,
        exit = const libc::SYS_exit,
    )
}

/// Closes all descriptors of the calling thread's table from `first` on: by one call since Linux
/// 5.9; before that one by one, up to the limit of descriptors.
pub fn close_from(first: u32) {
    // SAFETY: no memory is involved; the table belongs to the thread, see `spawn`.
    let closed = unsafe {
        syscall(
            libc::SYS_close_range,
            [first as usize, u32::MAX as usize, 0, 0, 0, 0],
        )
    };
    if closed == 0 {
        return;
    }
    const MOST: u64 = 1 << 20;
    let most = limit(libc::RLIMIT_NOFILE as usize).map_or(MOST, |most| most.min(MOST));
    for fd in first..most as u32 {
        super::close(fd as i32);
    }
}

/// The soft limit of `resource`; `None` when there is none.
fn limit(resource: usize) -> Option<u64> {
    let mut limit = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let at = &raw mut limit as usize;
    // SAFETY: the kernel writes a limit of ours and reads nothing.
    let answer = unsafe { syscall(libc::SYS_prlimit64, [0, resource, 0, at, 0, 0]) };
    (answer == 0 && limit.rlim_cur != libc::RLIM64_INFINITY).then_some(limit.rlim_cur)
}

/// RLIMIT_AS in bytes; `None` when there is none.
pub fn address_space_limit() -> Option<u64> {
    limit(libc::RLIMIT_AS as usize)
}

/// Does a thread of this process have the id `tid`?
pub fn thread_exists(tid: i32) -> bool {
    let pid = super::getpid();
    // SAFETY: signal 0 is not delivered.
    let sent = unsafe { syscall(libc::SYS_tgkill, [as_arg(pid), as_arg(tid), 0, 0, 0, 0]) };
    sent != -(libc::ESRCH as isize)
}

/// Is there a process with this id in our pid namespace? One that has ended but was not waited for
/// counts.
pub fn process_exists(pid: u32) -> bool {
    // SAFETY: signal 0 is not delivered.
    let sent = unsafe { syscall(libc::SYS_kill, [pid as usize, 0, 0, 0, 0, 0]) };
    sent != -(libc::ESRCH as isize)
}

/// Eight random bytes from the kernel; `None` while it has none, or does not know the call.
pub fn random() -> Option<u64> {
    let mut bytes = [0; 8];
    let flags = libc::GRND_NONBLOCK as usize;
    let (at, length) = (bytes.as_mut_ptr() as usize, bytes.len());
    // SAFETY: the kernel writes at most our eight bytes.
    let got = unsafe { syscall(libc::SYS_getrandom, [at, length, flags, 0, 0, 0]) };
    (got == 8).then(|| u64::from_le_bytes(bytes))
}

/// Waits until the kernel, or [`wake_waiters`], finds `word` different from `expected`, at most
/// `ms`. The futex is not a private one, because the kernel's wake at a thread's end is not private
/// either.
pub fn wait_for_thread(word: &AtomicU32, expected: u32, ms: u64) {
    let timeout = libc::timespec {
        tv_sec: i64::try_from(ms / 1000).unwrap_or(i64::MAX),
        tv_nsec: (ms % 1000 * 1_000_000) as i64,
    };
    let (at, limit) = (word.as_ptr() as usize, &raw const timeout as usize);
    // SAFETY: the kernel reads the word and the timeout.
    unsafe {
        syscall(
            libc::SYS_futex,
            [
                at,
                libc::FUTEX_WAIT as usize,
                expected as usize,
                limit,
                0,
                0,
            ],
        )
    };
}

/// Wakes the threads in [`wait_for_thread`].
pub fn wake_waiters(word: &AtomicU32) {
    let (at, all) = (word.as_ptr() as usize, i32::MAX as usize);
    // SAFETY: the kernel does not touch the word.
    unsafe {
        syscall(
            libc::SYS_futex,
            [at, libc::FUTEX_WAKE as usize, all, 0, 0, 0],
        )
    };
}

/// Names the calling thread, at most 15 bytes.
pub fn set_thread_name(name: &CStr) {
    // SAFETY: the kernel reads a terminated string.
    unsafe {
        syscall(
            libc::SYS_prctl,
            [
                as_arg(libc::PR_SET_NAME),
                name.as_ptr() as usize,
                0,
                0,
                0,
                0,
            ],
        )
    };
}

/// Ends the process by SIGABRT, when the user asked for that.
pub fn abort() -> ! {
    // SAFETY: abort(3) may be called anywhere.
    unsafe { libc::abort() }
}

/// Ends the process at once, without any handler. Also in a sandbox, because there is no way back.
pub fn exit_group(status: i32) -> ! {
    loop {
        // SAFETY: exit_group(2) does not return.
        unsafe { super::pass_on(libc::SYS_exit_group, [as_arg(status), 0, 0, 0, 0, 0]) };
    }
}
