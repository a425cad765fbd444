//! A client that takes a profile from a socket instead of a file.
//!
//! It is served on the watcher's thread. A peer that does not read is dropped at its deadline.

use crate::platform::sys;

/// A client that takes a profile from a socket, and until when.
#[derive(Clone, Copy)]
pub struct Peer {
    /// Open, and not blocking.
    pub fd: i32,
    /// By our clock.
    pub deadline_ms: u64,
}

impl Peer {
    /// Sends all of `bytes`: 0, or `-errno`.
    pub fn send(&self, mut bytes: &[u8]) -> isize {
        while !bytes.is_empty() {
            let sent = sys::send(self.fd, bytes);
            let left = self.deadline_ms.saturating_sub(sys::monotonic_ms());
            if sent == -(libc::EAGAIN as isize) && left != 0 {
                sys::wait_for(self.fd, sys::Event::Writable, left);
                continue;
            }
            if sent <= 0 {
                return sent.min(-1);
            }
            bytes = bytes.get(sent.unsigned_abs()..).unwrap_or_default();
        }
        0
    }
}
