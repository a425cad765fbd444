//! The file of a dump: its name, its bytes, and how it appears as a whole.
//!
//! The bytes go to a file without a name (O_TMPFILE), which then gets its name. An existing file is
//! never replaced: in a restarted container the pid is the same again, and the old dumps are the
//! evidence. So a reader never sees half a file, and a kill at any moment leaves the earlier dumps
//! whole, and nothing else. That holds for the end of the process, not of the machine: a dump waits
//! for the disk only where the machine may end next. Where the file system has no such files, or
//! there is no `/proc` to name them by, the file has a temporary name beside the final one until it
//! is renamed. The temporary file is removed whatever fails; it stays only if the process is killed
//! meanwhile.
//!
//! The directory may belong to another user, as `/tmp` does. No symbolic link is followed: the
//! temporary file is made by O_EXCL, and link and rename take names as they are. So nothing outside
//! the directory is written, and nothing that existed there is changed, whatever an attacker puts
//! there.
//!
//! Source: open(2) on O_TMPFILE, linkat(2), renameat2(2).

use core::ffi::CStr;

use super::errno::{Errno, check};
use super::name::{Name, Path};
use super::writer::Writer;
use crate::config::FileMode;
use crate::platform::sys;

/// Names tried until one is free.
const ATTEMPTS: u64 = 10_000;

/// A file that now exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The number in its name.
    pub seq: u64,
    /// Its size.
    pub bytes: u64,
}

/// How a file is written.
#[derive(Clone, Copy)]
pub struct Manner {
    /// Its permissions.
    pub mode: FileMode,
    /// Wait until it is on the disk?
    pub synced: bool,
}

/// Writes the bytes of a dump. It may be called twice.
pub type Body<'a> = dyn FnMut(&mut Writer<'_>) -> Result<(), Errno> + 'a;

/// Writes a file by `body` and gives it `name`, or the next free number of `seq`. On failure `path`
/// holds the name that could not be written.
pub fn write(
    mut name: Name<'_>,
    manner: Manner,
    path: &mut Path<'_>,
    temporary: &mut Path<'_>,
    buffer: &mut [u8],
    body: &mut Body<'_>,
) -> Result<Written, Errno> {
    name.write(path)?;
    match write_nameless(&mut name, manner, path, temporary, buffer, body) {
        Some(written) => written,
        None => write_named(&mut name, manner, path, temporary, buffer, body),
    }
}

/// By a file that has no name before it is whole. `None` where such files cannot exist.
fn write_nameless(
    name: &mut Name<'_>,
    manner: Manner,
    path: &mut Path<'_>,
    temporary: &mut Path<'_>,
    buffer: &mut [u8],
    body: &mut Body<'_>,
) -> Option<Result<Written, Errno>> {
    let slash = name.prefix.iter().rposition(|byte| *byte == b'/');
    let directory = name.prefix.get(..=slash?)?;
    temporary.clear();
    temporary.push(directory).ok()?;
    let flags = libc::O_WRONLY | libc::O_TMPFILE;
    let fd = sys::open(temporary.as_c_str().ok()?, flags, FileMode::OWNER.0);
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    let written = fill(fd, manner, buffer, body).and_then(|bytes| {
        temporary.clear();
        // A thread of ours has descriptors of its own.
        temporary.push(b"/proc/thread-self/fd/")?;
        temporary.push_number(u64::from(fd.unsigned_abs()))?;
        let seq = settle(name, path, &mut |path| {
            Ok(sys::link_followed(temporary.as_c_str()?, path))
        });
        Ok(seq.map(|seq| Written { seq, bytes }))
    });
    sys::close(fd);
    match written {
        // It is whole and gets no name: there is no /proc, or a policy forbids it. The other way
        // may work.
        Ok(Err(errno)) if errno != Errno(libc::EEXIST) => None,
        other => Some(other.and_then(|named| named)),
    }
}

/// By a file with a temporary name.
fn write_named(
    name: &mut Name<'_>,
    manner: Manner,
    path: &mut Path<'_>,
    temporary: &mut Path<'_>,
    buffer: &mut [u8],
    body: &mut Body<'_>,
) -> Result<Written, Errno> {
    let fd = create(name, temporary)?;
    let written = fill(fd, manner, buffer, body);
    let closed = check(sys::close(fd)).map(|_| ());
    let named = written.and_then(|bytes| {
        closed?;
        let seq = settle(name, path, &mut |path| {
            Ok(sys::rename_noreplace(temporary.as_c_str()?, path))
        })?;
        Ok(Written { seq, bytes })
    });
    if named.is_err() {
        sys::unlink(temporary.as_c_str()?);
    }
    named
}

/// Creates the temporary file. One that exists already was left by a process of the same pid that
/// was killed, and is removed. If it belongs to another user and cannot be removed, another name is
/// used.
fn create(name: &mut Name<'_>, temporary: &mut Path<'_>) -> Result<i32, Errno> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
    for attempt in 0..ATTEMPTS {
        name.write_temporary(temporary)?;
        let path = temporary.as_c_str()?;
        match check(sys::open(path, flags, FileMode::OWNER.0)) {
            Err(Errno(libc::EEXIST)) => {}
            other => return i32::try_from(other?).map_err(|_| Errno(libc::EIO)),
        }
        if attempt >= ATTEMPTS / 2 || sys::unlink(path) != 0 {
            name.seq += 1;
        }
    }
    Err(Errno(libc::EEXIST))
}

/// Gives the file its name, or the next free name; returns its number.
fn settle(
    name: &mut Name<'_>,
    path: &mut Path<'_>,
    give: &mut dyn FnMut(&CStr) -> Result<isize, Errno>,
) -> Result<u64, Errno> {
    for _ in 0..ATTEMPTS {
        name.write(path)?;
        match check(give(path.as_c_str()?)?) {
            Err(Errno(libc::EEXIST)) => name.seq += 1,
            other => return other.map(|_| name.seq),
        }
    }
    Err(Errno(libc::EEXIST))
}

/// Writes the whole body; returns how many bytes that were.
pub fn pour(fd: i32, buffer: &mut [u8], body: &mut Body<'_>) -> Result<u64, Errno> {
    let mut writer = Writer::to_file(fd, buffer);
    body(&mut writer)?;
    writer.flush()?;
    Ok(writer.flushed())
}

/// As [`pour`], with the manner of a file that is ours.
fn fill(fd: i32, manner: Manner, buffer: &mut [u8], body: &mut Body<'_>) -> Result<u64, Errno> {
    let bytes = pour(fd, buffer, body)?;
    // open(2) made the file for the owner at most; a file system without modes leaves it like that.
    sys::fchmod(fd, manner.mode.0);
    if !manner.synced {
        return Ok(bytes);
    }
    match check(sys::fsync(fd)) {
        // Not every file system can do this; the bytes are written nevertheless.
        Err(Errno(libc::EINVAL | libc::ENOSYS)) => Ok(bytes),
        other => other.map(|_| bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::super::name::PATH;
    use super::*;
    use profile_format::sink::Sink;
    use std::fs;

    const MANNER: Manner = Manner {
        mode: FileMode::OWNER,
        synced: true,
    };

    /// The dump that the tests ask `write` for.
    fn name(prefix: &[u8]) -> Name<'_> {
        Name {
            prefix,
            pid: std::process::id(),
            pid_namespace: false,
            seq: 3,
            letter: b'i',
            number: Some(1),
        }
    }

    fn write_file(prefix: &[u8], body: &mut Body<'_>) -> (Result<Written, Errno>, Vec<u8>) {
        let (mut path, mut temporary, mut buffer) = ([0; PATH], [0; PATH], [0; 7]);
        let mut path = Path::new(&mut path);
        let mut temporary = Path::new(&mut temporary);
        let result = write(
            name(prefix),
            MANNER,
            &mut path,
            &mut temporary,
            &mut buffer,
            body,
        );
        (result, path.as_bytes().to_vec())
    }

    /// As [`write_file`], where files without a name cannot exist.
    fn write_by_name(prefix: &[u8], body: &mut Body<'_>) -> (Result<Written, Errno>, Vec<u8>) {
        let (mut path, mut temporary, mut buffer) = ([0; PATH], [0; PATH], [0; 7]);
        let mut name = name(prefix);
        let mut path = Path::new(&mut path);
        let mut temporary = Path::new(&mut temporary);
        let result = write_named(
            &mut name,
            MANNER,
            &mut path,
            &mut temporary,
            &mut buffer,
            body,
        );
        (result, path.as_bytes().to_vec())
    }

    type Way = fn(&[u8], &mut Body<'_>) -> (Result<Written, Errno>, Vec<u8>);
    const WAYS: [Way; 2] = [write_file, write_by_name];

    fn directory(name: &str) -> std::path::PathBuf {
        let directory =
            std::env::temp_dir().join(format!("malloscope-{name}-{}", std::process::id()));
        fs::remove_dir_all(&directory).ok();
        fs::create_dir_all(&directory).expect("a directory");
        directory
    }

    #[test]
    fn the_file_appears_whole_and_replaces_nothing() {
        for way in WAYS {
            let directory = directory("file");
            let prefix = directory.join("x").into_os_string().into_encoded_bytes();
            let (first, path) = way(&prefix, &mut |out| {
                out.write(b"a body longer than the buffer")
            });
            assert_eq!(first, Ok(Written { seq: 3, bytes: 29 }));
            assert!(path.ends_with(format!(".{}.3.i1.heap", std::process::id()).as_bytes()));
            let (second, _) = way(&prefix, &mut |out| out.write(b"another"));
            assert_eq!(second, Ok(Written { seq: 4, bytes: 7 }));
            let path = String::from_utf8(path).expect("UTF-8");
            let bytes = fs::read(path).expect("a file");
            assert_eq!(bytes, b"a body longer than the buffer");
            let entries = fs::read_dir(&directory).expect("entries").count();
            assert_eq!(entries, 2, "no temporary file stays");
            fs::remove_dir_all(directory).expect("removal");
        }
    }

    #[test]
    fn a_file_has_no_name_before_it_is_whole() {
        // A tmpfs has such files; the file system of the other directory may not.
        let directory = std::path::PathBuf::from(format!("/dev/shm/{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let prefix = directory.join("x").into_os_string().into_encoded_bytes();
        let entries = || fs::read_dir(&directory).expect("entries").count();
        let (written, _) = write_file(&prefix, &mut |out| {
            assert_eq!(entries(), 0);
            out.write(b"a body longer than the buffer")
        });
        assert_eq!((written.map(|w| w.bytes), entries()), (Ok(29), 1));
        fs::remove_dir_all(directory).expect("removal");
    }

    #[test]
    fn failures_say_why_and_leave_nothing() {
        for way in WAYS {
            let fails = |prefix: &[u8]| way(prefix, &mut |_| Ok(())).0;
            assert_eq!(fails(b"/nowhere/x"), Err(Errno(libc::ENOENT)));
            assert_eq!(fails(&[b'x'; PATH]), Err(Errno(libc::ENAMETOOLONG)));
            let directory = directory("failing");
            let prefix = directory.join("x").into_os_string().into_encoded_bytes();
            let (failed, _) = way(&prefix, &mut |_| Err(Errno(libc::ENOSPC)));
            assert_eq!(failed, Err(Errno(libc::ENOSPC)));
            assert_eq!(fs::read_dir(&directory).expect("entries").count(), 0);
            fs::remove_dir_all(directory).expect("removal");
        }
    }
}
