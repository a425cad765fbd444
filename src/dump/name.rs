//! The name of a dump, and its directory.
//!
//! Names follow jemalloc (`src/prof_sys.c`): `<prefix>[.<pid namespace>].<pid>.<seq>.<letter><n>.heap`.

use core::ffi::CStr;

use super::errno::{Errno, check};
use crate::platform::decimal::Decimal;
use crate::platform::{process, sys};

/// Longest path, with its NUL.
pub const PATH: usize = 4096;

/// A path under construction, NUL-terminated.
pub struct Path<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl<'a> Path<'a> {
    /// An empty path in `bytes`.
    pub fn new(bytes: &'a mut [u8]) -> Path<'a> {
        Path { bytes, len: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn push(&mut self, part: &[u8]) -> Result<(), Errno> {
        let end = self.len + part.len();
        // One byte stays for the NUL.
        let room = self.bytes.len().saturating_sub(1);
        let place = self.bytes.get_mut(self.len..end).filter(|_| end <= room);
        place
            .ok_or(Errno(libc::ENAMETOOLONG))?
            .copy_from_slice(part);
        self.len = end;
        Ok(())
    }

    pub(super) fn push_number(&mut self, number: u64) -> Result<(), Errno> {
        self.push(Decimal::new(number).as_str().as_bytes())
    }

    /// The path so far.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(super) fn as_c_str(&mut self) -> Result<&CStr, Errno> {
        let end = self
            .bytes
            .get_mut(self.len)
            .ok_or(Errno(libc::ENAMETOOLONG))?;
        *end = 0;
        let whole = self.bytes.get(..=self.len).unwrap_or_default();
        CStr::from_bytes_with_nul(whole).map_err(|_| Errno(libc::EINVAL))
    }
}

/// The parts of a dump's name.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    /// With its directory.
    pub prefix: &'a [u8],
    /// The process that writes it.
    pub pid: u32,
    /// Put the pid namespace's number into the name.
    pub pid_namespace: bool,
    /// Its number among all dumps of this process.
    pub seq: u64,
    /// The letter of its trigger.
    pub letter: u8,
    /// Its number among the dumps of this trigger; the final dump has none.
    pub number: Option<u64>,
}

impl Name<'_> {
    /// Writes the name into `path`.
    pub(super) fn write(&self, path: &mut Path<'_>) -> Result<(), Errno> {
        path.clear();
        path.push(self.prefix)?;
        if let Some(namespace) = self.pid_namespace.then(process::pid_namespace).flatten() {
            path.push(b".")?;
            path.push_number(namespace)?;
        }
        path.push(b".")?;
        path.push_number(u64::from(self.pid))?;
        path.push(b".")?;
        path.push_number(self.seq)?;
        path.push(&[b'.', self.letter])?;
        if let Some(number) = self.number {
            path.push_number(number)?;
        }
        path.push(b".heap")
    }

    /// Writes the name of the temporary file. Two containers that share a directory may both be pid
    /// 1: while they run the pid namespace distinguishes them.
    pub(super) fn write_temporary(&self, path: &mut Path<'_>) -> Result<(), Errno> {
        self.write(path)?;
        path.push(b".")?;
        path.push_number(process::pid_namespace().unwrap_or(0))?;
        path.push(b".tmp")
    }

    /// Removes the dump of this name.
    pub fn remove(&self, path: &mut Path<'_>) -> Result<(), Errno> {
        self.write(path)?;
        check(sys::unlink(path.as_c_str()?)).map(|_| ())
    }
}
