//! Files: open, read, write, rename. No call here ends early or kills because of a signal.
//!
//! Descriptors are close-on-exec, and calls that a signal interrupts are repeated.
//! [`write_quietly`] raises no SIGPIPE when the reader is gone. Paths are C strings, so their type
//! guarantees the terminator.
#![allow(unsafe_code)]

use core::ffi::CStr;

use super::syscall;
use super::{GLIBC, as_arg, consume_signal, pending_signals, set_signal_mask};

/// open(2), always close-on-exec: a descriptor of ours never leaks into the host's children.
pub fn open(path: &CStr, flags: i32, mode: u32) -> isize {
    openat(libc::AT_FDCWD, path, flags, mode)
}

/// openat(2), always close-on-exec.
pub fn openat(dir: i32, path: &CStr, flags: i32, mode: u32) -> isize {
    let flags = as_arg(flags | libc::O_CLOEXEC);
    // SAFETY: the type of `path` guarantees the terminator, and the kernel only reads it.
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
    // SAFETY: closing a descriptor touches no memory; the caller guarantees that it is ours.
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

/// Writes all of `bytes`: 0, or `-errno` of the write that failed (a write of no bytes counts as
/// EIO, so that this never loops for ever).
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

/// One writev(2) of `parts`. A reader that is gone, or a limit on the size of files, would raise a
/// signal that kills the host because of our message; here it does not.
///
/// Returns the bytes written or `-errno`. At most 16 parts are taken.
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
    without_its_signals(|| {
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

/// Runs `write` with signals blocked in this thread, and removes the SIGPIPE that an EPIPE raised,
/// or the SIGXFSZ of an EFBIG.
fn without_its_signals(write: impl FnOnce() -> isize) -> isize {
    const SIGPIPE: u64 = 1 << (libc::SIGPIPE - 1);
    const SIGXFSZ: u64 = 1 << (libc::SIGXFSZ - 1);
    let before = set_signal_mask(!GLIBC);
    let waited_before = pending_signals();
    let written = write();
    let drawn = match written {
        error if error == -(libc::EPIPE as isize) => SIGPIPE,
        error if error == -(libc::EFBIG as isize) => SIGXFSZ,
        _ => 0,
    };
    if drawn & !waited_before != 0 {
        consume_signal(drawn);
    }
    set_signal_mask(before);
    written
}

/// fsync(2): 0 or `-errno`.
pub fn fsync(fd: i32) -> isize {
    // SAFETY: no memory is involved.
    uninterrupted(|| unsafe { syscall(libc::SYS_fsync, [as_arg(fd), 0, 0, 0, 0, 0]) })
}

/// Renames without ever replacing: `-EEXIST` when `to` exists. Where the file system does not know
/// RENAME_NOREPLACE (NFS, some FUSE), link(2) and unlink(2) do the same in two steps.
pub fn rename_noreplace(from: &CStr, to: &CStr) -> isize {
    let here = as_arg(libc::AT_FDCWD);
    let (source, target) = (from.as_ptr() as usize, to.as_ptr() as usize);
    let flags = libc::RENAME_NOREPLACE as usize;
    // SAFETY: the type of both paths guarantees the terminator, and the kernel only reads them.
    let renamed = unsafe { syscall(libc::SYS_renameat2, [here, source, here, target, flags, 0]) };
    if renamed != -(libc::EINVAL as isize) && renamed != -(libc::ENOSYS as isize) {
        return renamed;
    }
    // SAFETY: as above.
    let linked = unsafe { syscall(libc::SYS_linkat, [here, source, here, target, 0, 0]) };
    if linked == 0 { unlink(from) } else { linked }
}

/// Gives one more name to the file behind the link `from` (a link as in `/proc/self/fd`): `-EEXIST`
/// when the name exists.
pub fn link_followed(from: &CStr, to: &CStr) -> isize {
    let here = as_arg(libc::AT_FDCWD);
    let (source, target) = (from.as_ptr() as usize, to.as_ptr() as usize);
    let flags = libc::AT_SYMLINK_FOLLOW as usize;
    // SAFETY: the type of both paths guarantees the terminator, and the kernel only reads them.
    unsafe { syscall(libc::SYS_linkat, [here, source, here, target, flags, 0]) }
}

/// fchmod(2): 0 or `-errno`.
pub fn fchmod(fd: i32, mode: u32) -> isize {
    // SAFETY: no memory is involved.
    unsafe { syscall(libc::SYS_fchmod, [as_arg(fd), mode as usize, 0, 0, 0, 0]) }
}

/// unlink(2): 0 or `-errno`.
pub fn unlink(path: &CStr) -> isize {
    // SAFETY: the type of `path` guarantees the terminator, and the kernel only reads it.
    unsafe {
        syscall(
            libc::SYS_unlinkat,
            [as_arg(libc::AT_FDCWD), path.as_ptr() as usize, 0, 0, 0, 0],
        )
    }
}

/// fstat(2): device and inode of an open file.
pub fn file_identity(fd: i32) -> Option<(u64, u64)> {
    let mut stat = core::mem::MaybeUninit::<libc::stat>::zeroed();
    let at = stat.as_mut_ptr() as usize;
    // SAFETY: the kernel writes a stat, which is zeroed memory before.
    let stat = unsafe {
        if syscall(libc::SYS_fstat, [as_arg(fd), at, 0, 0, 0, 0]) != 0 {
            return None;
        }
        stat.assume_init()
    };
    Some((stat.st_dev, stat.st_ino))
}

/// What the kernel says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Device and inode.
    pub identity: (u64, u64),
    /// Is it a regular file?
    pub is_regular: bool,
    /// Its owner.
    pub owner: u32,
    /// How many names it has.
    pub links: u64,
    /// Its bytes.
    pub size: u64,
    /// When it was last written, in milliseconds since 1970.
    pub written_ms: u64,
}

/// fstat(2).
pub fn facts(fd: i32) -> Option<FileFacts> {
    facts_at(fd, c"", libc::AT_EMPTY_PATH)
}

/// lstat(2): of a symbolic link, not of what it leads to.
pub fn facts_of(path: &CStr) -> Option<FileFacts> {
    facts_at(libc::AT_FDCWD, path, libc::AT_SYMLINK_NOFOLLOW)
}

fn facts_at(directory: i32, path: &CStr, flags: i32) -> Option<FileFacts> {
    let mut stat = core::mem::MaybeUninit::<libc::stat>::zeroed();
    let (name, at) = (path.as_ptr() as usize, stat.as_mut_ptr() as usize);
    let call = [as_arg(directory), name, at, as_arg(flags), 0, 0];
    // SAFETY: the kernel reads the path and writes a stat, which is zeroed memory before.
    let stat = unsafe {
        if syscall(libc::SYS_newfstatat, call) != 0 {
            return None;
        }
        stat.assume_init()
    };
    #[allow(clippy::useless_conversion, reason = "32 bits on aarch64")]
    Some(FileFacts {
        identity: (stat.st_dev, stat.st_ino),
        is_regular: stat.st_mode & libc::S_IFMT == libc::S_IFREG,
        owner: stat.st_uid,
        links: stat.st_nlink.into(),
        size: stat.st_size as u64,
        written_ms: super::in_ms(stat.st_mtime, stat.st_mtime_nsec),
    })
}

/// stat(2): how many links a file has; needs no descriptor.
pub fn links(path: &CStr) -> Option<u64> {
    let mut stat = core::mem::MaybeUninit::<libc::stat>::zeroed();
    let (name, at) = (path.as_ptr() as usize, stat.as_mut_ptr() as usize);
    // SAFETY: the kernel reads the path and writes a stat, which is zeroed memory before.
    let stat = unsafe {
        let call = [as_arg(libc::AT_FDCWD), name, at, 0, 0, 0];
        if syscall(libc::SYS_newfstatat, call) != 0 {
            return None;
        }
        stat.assume_init()
    };
    #[allow(clippy::useless_conversion, reason = "32 bits on aarch64")]
    Some(stat.st_nlink.into())
}

/// getdents64(2): calls `see` with the name of each entry of an open directory.
pub fn entries(directory: i32, see: &mut dyn FnMut(&CStr)) {
    #[repr(align(8))]
    struct Buffer([u8; 1024]);
    let mut buffer = Buffer([0; 1024]);
    loop {
        let (at, len) = (buffer.0.as_mut_ptr() as usize, buffer.0.len());
        // SAFETY: the kernel writes at most `len` bytes into the buffer.
        let filled =
            unsafe { syscall(libc::SYS_getdents64, [as_arg(directory), at, len, 0, 0, 0]) };
        let mut rest = match usize::try_from(filled) {
            Ok(filled @ 1..) => buffer.0.get(..filled).unwrap_or_default(),
            _ => return,
        };
        while let Some((name, after)) = entry(rest) {
            see(name);
            rest = after;
        }
    }
}

/// The name of the first `struct linux_dirent64` in `bytes`, and the bytes after it.
fn entry(bytes: &[u8]) -> Option<(&CStr, &[u8])> {
    const LENGTH: usize = 16;
    const NAME: usize = 19;
    let length = bytes.get(LENGTH..LENGTH + 2)?.try_into().ok()?;
    let (entry, after) = bytes.split_at_checked(u16::from_ne_bytes(length).into())?;
    let name = CStr::from_bytes_until_nul(entry.get(NAME..)?).ok()?;
    Some((name, after))
}

/// getcwd(2): bytes of the path with its NUL, or `-errno`.
pub fn getcwd(buf: &mut [u8]) -> isize {
    let (at, len) = (buf.as_mut_ptr() as usize, buf.len());
    // SAFETY: the kernel writes at most `len` bytes into `buf`.
    unsafe { syscall(libc::SYS_getcwd, [at, len, 0, 0, 0, 0]) }
}

/// readlink(2): the length of the target, which is cut to `buf` and has no terminator, or `-errno`.
pub fn readlink(path: &CStr, buf: &mut [u8]) -> isize {
    let (source, at, len) = (path.as_ptr() as usize, buf.as_mut_ptr() as usize, buf.len());
    // SAFETY: the type of `path` guarantees the terminator; the kernel writes at most `len` bytes
    // into `buf`.
    unsafe {
        syscall(
            libc::SYS_readlinkat,
            [as_arg(libc::AT_FDCWD), source, at, len, 0, 0],
        )
    }
}
