//! A dump under a name that the program itself gave, as jemalloc's `prof.dump` takes one.
//!
//! The file is opened as jemalloc opens it, by creat(2): one that exists is written anew in place, whatever it
//! is, and links are followed. Programs rely on that: some make a temporary file, have it filled by its
//! name, and read it by the descriptor that they have. So it may be seen before it is whole; the program
//! knows by the answer of its call when it is.

use core::ffi::CStr;

use super::errno::{Errno, check};
use super::file::{Body, Manner, pour};
use crate::platform::sys;

/// Writes the file. One that did not exist gets our permissions, and is removed if it cannot be written.
pub fn write(
    name: &CStr,
    manner: Manner,
    buffer: &mut [u8],
    body: &mut Body<'_>,
) -> Result<(), Errno> {
    let (fd, is_new) = open(name, manner)?;
    let written = pour(fd, buffer, body);
    if is_new {
        sys::fchmod(fd, manner.mode.0);
    }
    let closed = check(sys::close(fd));
    if is_new && written.is_err() {
        sys::unlink(name);
    }
    written.and(closed).map(|_| ())
}

/// The file, and whether it is new.
fn open(name: &CStr, manner: Manner) -> Result<(i32, bool), Errno> {
    let flags = libc::O_WRONLY | libc::O_CREAT;
    let opened = |more| {
        let fd = check(sys::open(name, flags | more, manner.mode.0))?;
        i32::try_from(fd).map_err(|_| Errno(libc::EIO))
    };
    match opened(libc::O_EXCL) {
        Err(Errno(libc::EEXIST)) => Ok((opened(libc::O_TRUNC)?, false)),
        other => Ok((other?, true)),
    }
}
