//! A listening Unix socket and its peers.
//!
//! Every call here returns at once, except [`wait_for`], which has a time limit. Nothing raises
//! SIGPIPE. Source: unix(7), socket(7), poll(2).
#![allow(unsafe_code)]

use super::syscall;
use super::{as_arg, close};

/// An event that a descriptor is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// There is something to read, or a client to accept.
    Readable,
    /// There is room to send.
    Writable,
}

/// Listens at `name` in the abstract namespace: a stream socket, or `-errno`.
pub fn listen_abstract(name: &[u8]) -> isize {
    const BACKLOG: usize = 8;
    let mut address = libc::sockaddr_un {
        sun_family: libc::AF_UNIX as libc::sa_family_t,
        sun_path: [0; 108],
    };
    // The first byte stays zero: that makes the name abstract.
    let places = address.sun_path.iter_mut().skip(1);
    for (place, byte) in places.zip(name) {
        *place = *byte as libc::c_char;
    }
    let length = size_of::<libc::sa_family_t>() + 1 + name.len().min(107);
    let kind = as_arg(libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK);
    // SAFETY: no memory is involved.
    let fd = unsafe { syscall(libc::SYS_socket, [libc::AF_UNIX as usize, kind, 0, 0, 0, 0]) };
    if fd < 0 {
        return fd;
    }
    let at = &raw const address as usize;
    // SAFETY: the kernel reads `length` bytes of the address.
    let bound = unsafe { syscall(libc::SYS_bind, [fd as usize, at, length, 0, 0, 0]) };
    let done = if bound < 0 {
        bound
    } else {
        // SAFETY: no memory is involved.
        unsafe { syscall(libc::SYS_listen, [fd as usize, BACKLOG, 0, 0, 0, 0]) }
    };
    if done < 0 {
        close(fd as i32);
        return done;
    }
    fd
}

/// The next peer, or `-errno`.
pub fn accept(listener: i32) -> isize {
    let flags = as_arg(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK);
    // SAFETY: there is no address to write to.
    unsafe { syscall(libc::SYS_accept4, [as_arg(listener), 0, 0, flags, 0, 0]) }
}

/// The user at the other end, by the kernel's record of the connection.
pub fn peer_user(fd: i32) -> Option<u32> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut length = size_of::<libc::ucred>() as u32;
    let (at, length_at) = (&raw mut peer as usize, &raw mut length as usize);
    let (level, option) = (as_arg(libc::SOL_SOCKET), as_arg(libc::SO_PEERCRED));
    // SAFETY: the kernel writes at most `length` bytes, and the length.
    let answer = unsafe {
        syscall(
            libc::SYS_getsockopt,
            [as_arg(fd), level, option, at, length_at, 0],
        )
    };
    (answer == 0).then_some(peer.uid)
}

/// Waits until `event` happens, at most `ms`. Also true when the peer is gone: the next call
/// reports that.
pub fn wait_for(fd: i32, event: Event, ms: u64) -> bool {
    let mut watched = libc::pollfd {
        fd,
        events: match event {
            Event::Readable => libc::POLLIN,
            Event::Writable => libc::POLLOUT,
        },
        revents: 0,
    };
    let limit = libc::timespec {
        tv_sec: (ms / 1000) as i64,
        tv_nsec: (ms % 1000 * 1_000_000) as i64,
    };
    let (at, timeout) = (&raw mut watched as usize, &raw const limit as usize);
    // SAFETY: the kernel reads the timeout and writes what was seen; no signal mask is given.
    unsafe { syscall(libc::SYS_ppoll, [at, 1, timeout, 0, 0, 0]) > 0 }
}

/// Sends as much as there is room for: bytes sent, or `-errno`.
pub fn send(fd: i32, bytes: &[u8]) -> isize {
    let flags = as_arg(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT);
    let (at, length) = (bytes.as_ptr() as usize, bytes.len());
    // SAFETY: the kernel reads `length` bytes; there is no address.
    unsafe { syscall(libc::SYS_sendto, [as_arg(fd), at, length, flags, 0, 0]) }
}

/// Moves the descriptor to a number above 2: `-errno` when no number is free.
pub fn move_above_standard(fd: i32) -> isize {
    let command = as_arg(libc::F_DUPFD_CLOEXEC);
    // SAFETY: no memory is involved.
    let moved = unsafe { syscall(libc::SYS_fcntl, [as_arg(fd), command, 3, 0, 0, 0]) };
    close(fd);
    moved
}

/// The effective user of the calling thread.
pub fn effective_user() -> u32 {
    // SAFETY: geteuid(2) takes nothing and cannot fail.
    unsafe { syscall(libc::SYS_geteuid, [0; 6]) as u32 }
}
