//! The bytes of a profile on their way to a file or a socket: a buffer in front of it.

use profile_format::heap_v2;
use profile_format::sink::Sink;

use super::errno::{Errno, check};
use super::peer::Peer;
use crate::platform::sys;

/// Where a profile goes.
enum Target {
    File(i32),
    Peer(Peer),
}

/// The grammar of a profile over the bytes of its file.
pub type Profile<'a, 'b> = heap_v2::Writer<&'a mut Writer<'b>>;

/// How a part of a profile was written.
pub type Result<T = ()> = core::result::Result<T, Errno>;

/// An open temporary file, or a socket, with a buffer in front of it.
pub struct Writer<'a> {
    target: Target,
    buffer: &'a mut [u8],
    filled: usize,
    flushed: u64,
}

impl<'a> Writer<'a> {
    /// A writer to the open file `fd`.
    pub fn to_file(fd: i32, buffer: &'a mut [u8]) -> Writer<'a> {
        Writer::to(Target::File(fd), buffer)
    }

    /// A writer to `peer`; `buffer` is what is sent at a time.
    pub fn to_peer(peer: Peer, buffer: &'a mut [u8]) -> Writer<'a> {
        Writer::to(Target::Peer(peer), buffer)
    }

    fn to(target: Target, buffer: &'a mut [u8]) -> Writer<'a> {
        Writer {
            target,
            buffer,
            filled: 0,
            flushed: 0,
        }
    }

    /// Bytes that were passed on.
    pub fn flushed(&self) -> u64 {
        self.flushed
    }

    /// Passes on what the buffer holds.
    pub fn flush(&mut self) -> Result {
        let filled = core::mem::take(&mut self.filled);
        let bytes = self.buffer.get(..filled).unwrap_or_default();
        check(match &self.target {
            Target::File(fd) => sys::write_all(*fd, bytes),
            Target::Peer(peer) => peer.send(bytes),
        })?;
        self.flushed += filled as u64;
        Ok(())
    }
}

impl Sink for Writer<'_> {
    type Error = Errno;

    fn write(&mut self, mut bytes: &[u8]) -> Result {
        while !bytes.is_empty() {
            if self.filled == self.buffer.len() {
                self.flush()?;
            }
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let length = room.len().min(bytes.len());
            let (now, later) = bytes.split_at(length);
            room.get_mut(..length)
                .unwrap_or_default()
                .copy_from_slice(now);
            self.filled += length;
            bytes = later;
        }
        Ok(())
    }
}
