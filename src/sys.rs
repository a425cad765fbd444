//! The few system calls of the library, each with its pre- and postconditions.
//!
//! Every room with a syscall to make calls it here; nothing else in the library may enter the
//! kernel, except through the next allocator. Results are the kernel's own: a negative value is
//! `-errno`. `errno` itself is never touched, because these run inside the host's `malloc`, which
//! must leave it as it was. Only [`monotonic_ms`] and [`realtime_ms`] go through libc, for its
//! vdso, and `clock_gettime` of glibc (symbol version GLIBC_2.17) leaves `errno` alone when it
//! succeeds, as it must with a constant clock. None of them is a cancellation point. Source:
//! syscalls(2), the kernel's calling conventions in the file of each architecture.
#![allow(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use core::ffi::CStr;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

#[cfg(all(target_arch = "aarch64", not(miri)))]
#[path = "sys/aarch64.rs"]
mod arch;
#[cfg(miri)]
#[path = "sys/miri.rs"]
mod arch;
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[path = "sys/x86_64.rs"]
mod arch;

mod signal;
mod thread;

pub use signal::{consume_signal, pending_signals, set_signal_mask};
pub use thread::{abort, exit_group, set_thread_name, spawn};

use arch::syscall;

/// The granule in which we ask the kernel for memory. Where the kernel's own pages are larger it
/// rounds up by itself.
pub const PAGE: usize = 4096;

/// The kernel's `sigset_t`: 64 bits, not glibc's 128 bytes.
const SIGSET_BYTES: usize = 8;

fn as_arg(fd: i32) -> usize {
    fd as isize as usize
}

/// Private anonymous memory, zeroed and not reserved; `None` if the kernel refuses or `len` is 0.
pub fn mmap_anon(len: usize) -> Option<NonNull<u8>> {
    let prot = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as usize;
    // SAFETY: mmap(2) without MAP_FIXED takes no memory away from anybody.
    let at = unsafe { syscall(libc::SYS_mmap, [0, len, prot, flags, as_arg(-1), 0]) };
    if at <= 0 {
        return None;
    }
    NonNull::new(at as usize as *mut u8)
}

/// Gives memory back to the kernel.
///
/// # Safety
/// `[p, p + len)` came from [`mmap_anon`] and nothing points into it any more.
pub unsafe fn munmap(p: NonNull<u8>, len: usize) {
    // SAFETY: the caller owns the range (contract above). A failure leaves it mapped, which is a
    // leak and nothing worse.
    unsafe { syscall(libc::SYS_munmap, [p.as_ptr() as usize, len, 0, 0, 0, 0]) };
}

/// madvise(2): 0 or `-errno`.
///
/// # Safety
/// `[p, p + len)` is ours, and its contents may meet with what `advice` does to them.
pub unsafe fn madvise(p: NonNull<u8>, len: usize, advice: i32) -> isize {
    // SAFETY: the caller owns the range (contract above).
    unsafe {
        syscall(
            libc::SYS_madvise,
            [p.as_ptr() as usize, len, as_arg(advice), 0, 0, 0],
        )
    }
}

/// Whether the 8 bytes at `addr` can be read now. Costs one system call; nothing is changed, no
/// signal can come of it.
///
/// rt_sigprocmask(2) copies the new set in before it looks at `how`: EFAULT says "not readable",
/// EINVAL (the `how` is none) "readable".
pub fn readable(addr: usize) -> bool {
    const NO_SUCH_HOW: usize = 0x7fff;
    // Address 0 would mean "no new set" and succeed.
    if addr == 0 {
        return false;
    }
    // SAFETY: the kernel checks `addr` itself, and the invalid `how` keeps it from changing the
    // mask.
    let r = unsafe {
        syscall(
            libc::SYS_rt_sigprocmask,
            [NO_SUCH_HOW, addr, 0, SIGSET_BYTES, 0, 0],
        )
    };
    r == -(libc::EINVAL as isize)
}

fn clock_ms(clock: libc::clockid_t) -> u64 {
    let mut at = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `at` is a timespec of ours; clock_gettime(2) writes nothing else.
    unsafe { libc::clock_gettime(clock, &mut at) };
    (at.tv_sec as u64)
        .wrapping_mul(1000)
        .wrapping_add(at.tv_nsec as u64 / 1_000_000)
}

/// Milliseconds of CLOCK_MONOTONIC.
pub fn monotonic_ms() -> u64 {
    clock_ms(libc::CLOCK_MONOTONIC)
}

/// Milliseconds since 1970 by CLOCK_REALTIME.
pub fn realtime_ms() -> u64 {
    clock_ms(libc::CLOCK_REALTIME)
}

/// The process id, from the kernel each time: a cached one would be the parent's after a raw clone.
pub fn getpid() -> i32 {
    // SAFETY: getpid(2) takes nothing and cannot fail.
    unsafe { syscall(libc::SYS_getpid, [0; 6]) as i32 }
}

/// The kernel's id of the calling thread.
pub fn gettid() -> i32 {
    // SAFETY: gettid(2) takes nothing and cannot fail.
    unsafe { syscall(libc::SYS_gettid, [0; 6]) as i32 }
}

/// open(2), always close-on-exec: a descriptor of ours never leaks into the host's children.
pub fn open(path: &CStr, flags: i32, mode: u32) -> isize {
    openat(libc::AT_FDCWD, path, flags, mode)
}

/// openat(2), always close-on-exec.
pub fn openat(dir: i32, path: &CStr, flags: i32, mode: u32) -> isize {
    let flags = as_arg(flags | libc::O_CLOEXEC);
    // SAFETY: `path` is terminated by its type, and the kernel only reads it.
    unsafe {
        syscall(
            libc::SYS_openat,
            [
                as_arg(dir),
                path.as_ptr() as usize,
                flags,
                mode as usize,
                0,
                0,
            ],
        )
    }
}

/// close(2). Never repeated on EINTR: Linux has closed the descriptor by then.
pub fn close(fd: i32) -> isize {
    // SAFETY: closing a descriptor touches no memory; that it is ours is the caller's arithmetic,
    // not the type system's.
    unsafe { syscall(libc::SYS_close, [as_arg(fd), 0, 0, 0, 0, 0]) }
}

/// Repeats `call` while a signal interrupts it.
fn uninterrupted(mut call: impl FnMut() -> isize) -> isize {
    loop {
        let r = call();
        if r != -(libc::EINTR as isize) {
            return r;
        }
    }
}

/// read(2): bytes read, 0 at the end, or `-errno`; repeated on EINTR.
pub fn read(fd: i32, buf: &mut [u8]) -> isize {
    let (at, len) = (buf.as_mut_ptr() as usize, buf.len());
    // SAFETY: the kernel writes at most `len` bytes into `buf`, which is borrowed for the call.
    uninterrupted(|| unsafe { syscall(libc::SYS_read, [as_arg(fd), at, len, 0, 0, 0]) })
}

/// pread(2): bytes read, 0 at the end, or `-errno`; repeated on EINTR.
pub fn pread(fd: i32, buf: &mut [u8], offset: u64) -> isize {
    let (at, len) = (buf.as_mut_ptr() as usize, buf.len());
    // SAFETY: the kernel writes at most `len` bytes into `buf`, which is borrowed for the call.
    uninterrupted(|| unsafe {
        syscall(
            libc::SYS_pread64,
            [as_arg(fd), at, len, offset as usize, 0, 0],
        )
    })
}

/// Writes all of `bytes`: 0, or `-errno` of the write that failed (a write of nothing counts as
/// EIO, lest we spin).
pub fn write_all(fd: i32, mut bytes: &[u8]) -> isize {
    while !bytes.is_empty() {
        let (at, len) = (bytes.as_ptr() as usize, bytes.len());
        // SAFETY: the kernel only reads `len` bytes of `bytes`, which is borrowed for the call.
        let n =
            uninterrupted(|| unsafe { syscall(libc::SYS_write, [as_arg(fd), at, len, 0, 0, 0]) });
        if n < 0 {
            return n;
        }
        match bytes.get(n as usize..) {
            Some(rest) if n > 0 => bytes = rest,
            _ => return -(libc::EIO as isize),
        }
    }
    0
}

/// One writev(2) of `parts`, without the SIGPIPE that a reader gone away would cost the host its
/// life for our message.
///
/// Bytes written or `-errno`. At most `parts.len()` of 16 parts are taken.
pub fn write_quietly(fd: i32, parts: &[&[u8]]) -> isize {
    const MOST: usize = 16;
    let mut vectors = [libc::iovec {
        iov_base: core::ptr::null_mut(),
        iov_len: 0,
    }; MOST];
    for (vector, part) in vectors.iter_mut().zip(parts) {
        *vector = libc::iovec {
            iov_base: part.as_ptr() as *mut libc::c_void,
            iov_len: part.len(),
        };
    }
    without_sigpipe(|| {
        let n = parts.len().min(MOST);
        // SAFETY: each vector names a borrowed slice, which writev(2) only reads.
        uninterrupted(|| unsafe {
            syscall(
                libc::SYS_writev,
                [as_arg(fd), vectors.as_ptr() as usize, n, 0, 0, 0],
            )
        })
    })
}

/// Runs `write` with SIGPIPE blocked in this thread, and takes the one that an EPIPE raised away
/// again.
fn without_sigpipe(write: impl FnOnce() -> isize) -> isize {
    let pipe: u64 = 1 << (libc::SIGPIPE - 1);
    let (mut before, mut pending) = (0_u64, 0_u64);
    let at = |word: &mut u64| core::ptr::from_mut(word) as usize;
    let set = core::ptr::from_ref(&pipe) as usize;
    // SAFETY: all sets are words of ours, as long as the size given; only this thread's mask
    // changes, and glibc's own 32 and 33 stay out of it.
    unsafe {
        syscall(
            libc::SYS_rt_sigprocmask,
            [
                libc::SIG_BLOCK as usize,
                set,
                at(&mut before),
                SIGSET_BYTES,
                0,
                0,
            ],
        );
        syscall(
            libc::SYS_rt_sigpending,
            [at(&mut pending), SIGSET_BYTES, 0, 0, 0, 0],
        );
    }
    let written = write();
    if written == -(libc::EPIPE as isize) && pending & pipe == 0 {
        let now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let timeout = core::ptr::from_ref(&now) as usize;
        // SAFETY: the kernel reads the set and the timeout and, the info pointer being null, writes
        // nothing.
        unsafe {
            syscall(
                libc::SYS_rt_sigtimedwait,
                [set, 0, timeout, SIGSET_BYTES, 0, 0],
            )
        };
    }
    // SAFETY: puts back the mask read above.
    unsafe {
        syscall(
            libc::SYS_rt_sigprocmask,
            [
                libc::SIG_SETMASK as usize,
                at(&mut before),
                0,
                SIGSET_BYTES,
                0,
                0,
            ],
        )
    };
    written
}

/// fsync(2): 0 or `-errno`.
pub fn fsync(fd: i32) -> isize {
    // SAFETY: no memory is involved.
    uninterrupted(|| unsafe { syscall(libc::SYS_fsync, [as_arg(fd), 0, 0, 0, 0, 0]) })
}

/// Renames without ever replacing: `-EEXIST` when `to` is there. Where the file system knows no
/// RENAME_NOREPLACE (NFS, some FUSE), link(2) and unlink(2) say the same in two steps.
pub fn rename_noreplace(from: &CStr, to: &CStr) -> isize {
    let here = as_arg(libc::AT_FDCWD);
    let (source, target) = (from.as_ptr() as usize, to.as_ptr() as usize);
    let flags = libc::RENAME_NOREPLACE as usize;
    // SAFETY: both paths are terminated by their type, and the kernel only reads them.
    let renamed = unsafe { syscall(libc::SYS_renameat2, [here, source, here, target, flags, 0]) };
    if renamed != -(libc::EINVAL as isize) && renamed != -(libc::ENOSYS as isize) {
        return renamed;
    }
    // SAFETY: as above.
    let linked = unsafe { syscall(libc::SYS_linkat, [here, source, here, target, 0, 0]) };
    if linked == 0 { unlink(from) } else { linked }
}

/// unlink(2): 0 or `-errno`.
pub fn unlink(path: &CStr) -> isize {
    // SAFETY: `path` is terminated by its type, and the kernel only reads it.
    unsafe {
        syscall(
            libc::SYS_unlinkat,
            [as_arg(libc::AT_FDCWD), path.as_ptr() as usize, 0, 0, 0, 0],
        )
    }
}

/// readlink(2): the length of the target, which is cut to `buf` and not terminated, or `-errno`.
pub fn readlink(path: &CStr, buf: &mut [u8]) -> isize {
    let (source, at, len) = (path.as_ptr() as usize, buf.as_mut_ptr() as usize, buf.len());
    // SAFETY: `path` is terminated by its type; the kernel writes at most `len` bytes into `buf`.
    unsafe {
        syscall(
            libc::SYS_readlinkat,
            [as_arg(libc::AT_FDCWD), source, at, len, 0, 0],
        )
    }
}

/// Sleeps while `word` is `expected`, or until woken; returns for other reasons too, so callers
/// look again.
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
mod tests {
    use super::*;

    #[test]
    fn anonymous_memory_is_zero_and_can_be_given_back() {
        let p = mmap_anon(3 * PAGE).expect("memory");
        // SAFETY: three fresh pages of ours.
        unsafe {
            assert!(
                core::slice::from_raw_parts(p.as_ptr(), 3 * PAGE)
                    .iter()
                    .all(|&byte| byte == 0)
            );
            p.as_ptr().write(7);
            assert!(readable(p.as_ptr() as usize));
            munmap(p, 3 * PAGE);
        }
        assert!(mmap_anon(0).is_none());
        assert!(mmap_anon(usize::MAX).is_none());
    }

    #[test]
    fn readable_says_no_instead_of_dying() {
        let on_stack = 5_u64;
        assert!(readable(core::ptr::from_ref(&on_stack) as usize));
        assert!(!readable(0));
        assert!(!readable(8));
        assert!(!readable(usize::MAX - 4));
        assert!(!readable(0xdead_0000_0000_0000));
    }

    #[test]
    fn errno_is_left_alone() {
        // SAFETY: errno is this thread's own.
        unsafe { *libc::__errno_location() = 12345 };
        assert_eq!(
            open(c"/nonexistent/file", libc::O_RDONLY, 0),
            -(libc::ENOENT as isize)
        );
        assert!(!readable(8));
        assert!(monotonic_ms() > 0 && realtime_ms() > 1_500_000_000_000);
        // SAFETY: as above.
        assert_eq!(unsafe { *libc::__errno_location() }, 12345);
    }

    #[test]
    fn files_are_written_read_and_never_replaced() {
        let dir = std::env::temp_dir();
        let name = |tail: &str| {
            let path = dir.join(format!("malloscope-sys-{}-{tail}", getpid()));
            std::ffi::CString::new(path.into_os_string().into_encoded_bytes())
                .expect("no NUL in a path")
        };
        let (first, second) = (name("a"), name("b"));
        for (path, text) in [(&first, b"first"), (&second, b"other")] {
            let fd = open(path, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, 0o600) as i32;
            assert!(fd >= 0);
            assert_eq!((write_all(fd, text), fsync(fd), close(fd)), (0, 0, 0));
        }
        assert_eq!(rename_noreplace(&first, &second), -(libc::EEXIST as isize));
        assert_eq!(unlink(&second), 0);
        assert_eq!(rename_noreplace(&first, &second), 0);
        let fd = open(&second, libc::O_RDONLY, 0) as i32;
        let mut text = [0; 8];
        assert_eq!((read(fd, &mut text), &text[..5]), (5, &b"first"[..]));
        assert_eq!((pread(fd, &mut text, 3), &text[..2]), (2, &b"st"[..]));
        assert_eq!((close(fd), unlink(&second)), (0, 0));
        assert!(write_all(-1, b"x") < 0);
    }

    #[test]
    fn a_broken_pipe_costs_nobody_his_life() {
        let mut ends = [0; 2];
        // SAFETY: pipe(2) writes two descriptors; SIG_DFL undoes the SIG_IGN that std's runtime
        // sets.
        unsafe {
            assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        }
        assert_eq!(write_quietly(ends[1], &[b"two ", b"parts"]), 9);
        close(ends[0]);
        assert_eq!(
            write_quietly(ends[1], &[b"nobody"]),
            -(libc::EPIPE as isize)
        );
        close(ends[1]);
    }

    #[test]
    fn names_and_ids() {
        let mut name = [1; 16];
        let len = thread_name(&mut name);
        assert!(len < 16 && name[len..].iter().all(|&byte| byte == 0));
        assert!(getpid() > 0 && gettid() > 0);
        let mut target = [0; 64];
        assert!(readlink(c"/proc/self/ns/pid", &mut target) > 5);
        assert!(target.starts_with(b"pid:["));
    }

    #[test]
    fn futex_gives_up_in_time_and_at_once_when_changed() {
        let word = AtomicU32::new(3);
        futex_wait(&word, 4);
        assert!(!futex_wait_for(&word, 3, 2));
        assert!(futex_wait_for(&word, 4, 1000));
        futex_wake(&word, 1);
    }
}
