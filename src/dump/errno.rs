//! Why the kernel refused a dump, as a number and in words.
//!
//! Source: errno(3), strerror(3).

/// `-errno` of a call that failed, positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

pub(super) fn check(result: isize) -> Result<isize, Errno> {
    if result < 0 {
        return Err(Errno(i32::try_from(-result).unwrap_or(libc::EIO)));
    }
    Ok(result)
}

/// Does an errno mean that no dump can ever be written at such a place, whatever it holds?
pub fn is_misplaced(errno: Errno) -> bool {
    let errnos = [
        libc::ENOENT,
        libc::ENOTDIR,
        libc::EACCES,
        libc::EPERM,
        libc::EROFS,
        libc::ENAMETOOLONG,
        libc::ELOOP,
    ];
    errnos.contains(&errno.0)
}

/// What an errno means, in the words of strerror for the errors that a dump meets.
pub fn describe(errno: Errno) -> &'static str {
    match errno.0 {
        libc::ENOENT => "No such file or directory",
        libc::EACCES => "Permission denied",
        libc::EPERM => "Operation not permitted",
        libc::ENOSPC => "No space left on device",
        libc::EDQUOT => "Disk quota exceeded",
        libc::EFBIG => "File too large",
        libc::EROFS => "Read-only file system",
        libc::ENOTDIR => "Not a directory",
        libc::EMFILE => "Too many open files",
        libc::ENFILE => "Too many open files in system",
        libc::ENAMETOOLONG => "File name too long",
        libc::ELOOP => "Too many levels of symbolic links",
        libc::EEXIST => "File exists",
        libc::EIO => "Input/output error",
        libc::ENOMEM => "Cannot allocate memory",
        _ => "the kernel refused",
    }
}
