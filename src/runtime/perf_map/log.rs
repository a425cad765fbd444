//! A file that a runtime appends to while we read it: only of this process, only what is new.
//!
//! The name can be guessed, and `/tmp` belongs to all users, so the file must be regular, without
//! a second name, and belong to the user whose rights this process has; a symbolic link is not
//! followed, and a pipe is not waited for. A file that was last written before this process existed
//! is what a dead process of the same number left: what stands in it is passed over. One that
//! becomes another file, or shorter, is read from the beginning.
//!
//! No descriptor is kept between two readings: the program may close all that it does not know, and
//! the number would then be another file's.

use core::ffi::CStr;

use crate::platform::sys::{self, FileFacts};

/// Longest path.
const PATH: usize = 256;

/// How much the clocks of a file system and of the kernel may differ.
const SLACK_MS: u64 = 1000;

/// Bytes read at a time.
pub const BUFFER: usize = 16 << 10;

/// The file.
#[derive(Debug)]
pub struct Log {
    path: [u8; PATH],
    /// Device and inode of the file that was accepted.
    accepted: Option<(u64, u64)>,
    /// How much of it was read.
    offset: u64,
}

/// How a reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nothing is there that may be read.
    Absent,
    /// All that is there was read.
    Whole,
    /// There is more.
    Part,
}

impl Log {
    /// No file.
    pub const NONE: Log = Log {
        path: [0; PATH],
        accepted: None,
        offset: 0,
    };

    /// The file whose path `parts` make together; none if they are too long.
    pub fn at(parts: &[&[u8]]) -> Log {
        let mut log = Log::NONE;
        let mut places = log.path.iter_mut();
        for byte in parts.iter().copied().flatten() {
            match places.next() {
                Some(place) => *place = *byte,
                None => return Log::NONE,
            }
        }
        match places.next() {
            Some(_terminator) => log,
            None => Log::NONE,
        }
    }

    /// Was a file accepted?
    pub fn is_open(&self) -> bool {
        self.accepted.is_some()
    }

    /// Is there a path?
    pub fn is_named(&self) -> bool {
        self.path() != c""
    }

    fn path(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.path).unwrap_or_default()
    }

    /// Passes what is new to `take`, in pieces of at most `buffer`, until about `most` bytes are
    /// read. `take` gets a piece and how many bytes of the file are left from its beginning on, and
    /// says how many are done with: 0 if the rest must be waited for. `born_ms`: when this process
    /// began, since 1970.
    pub fn read(
        &mut self,
        born_ms: u64,
        buffer: &mut [u8],
        most: u64,
        take: &mut dyn FnMut(&[u8], u64) -> u64,
    ) -> Reading {
        let Some(facts) = self.facts() else {
            return Reading::Absent;
        };
        if !self.accept(&facts, born_ms) {
            return Reading::Absent;
        }
        if facts.size <= self.offset {
            return Reading::Whole;
        }
        let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
        let Ok(file @ 0..) = i32::try_from(sys::open(self.path(), flags, 0)) else {
            return Reading::Absent;
        };
        // It may have become another file since.
        let is_same = sys::facts(file).is_some_and(|now| now.identity == facts.identity);
        let reading = match is_same {
            true => self.read_from(file, facts.size, buffer, most, take),
            false => Reading::Absent,
        };
        sys::close(file);
        reading
    }

    fn facts(&self) -> Option<FileFacts> {
        self.is_named().then(|| sys::facts_of(self.path()))?
    }

    fn accept(&mut self, facts: &FileFacts, born_ms: u64) -> bool {
        if self.accepted == Some(facts.identity) {
            if facts.size < self.offset {
                self.offset = 0;
            }
            return true;
        }
        if !facts.is_regular || facts.links != 1 || facts.owner != sys::geteuid() {
            return false;
        }
        self.accepted = Some(facts.identity);
        let is_stale = facts.written_ms.saturating_add(SLACK_MS) < born_ms;
        self.offset = if is_stale { facts.size } else { 0 };
        true
    }

    fn read_from(
        &mut self,
        file: i32,
        size: u64,
        buffer: &mut [u8],
        most: u64,
        take: &mut dyn FnMut(&[u8], u64) -> u64,
    ) -> Reading {
        let until = self.offset.saturating_add(most);
        while self.offset < size {
            if self.offset >= until {
                return Reading::Part;
            }
            let Ok(length @ 1..) = usize::try_from(sys::pread(file, buffer, self.offset)) else {
                break;
            };
            let piece = buffer.get(..length).unwrap_or_default();
            match take(piece, size.saturating_sub(self.offset)) {
                0 => break,
                done => self.offset = self.offset.saturating_add(done),
            }
        }
        Reading::Whole
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;
    use std::os::unix::ffi::OsStrExt;
    use std::path::{Path, PathBuf};

    fn place(name: &str) -> PathBuf {
        let name = format!("malloscope-log-{name}-{}", std::process::id());
        std::env::temp_dir().join(name)
    }

    fn log(path: &Path) -> Log {
        Log::at(&[path.as_os_str().as_bytes()])
    }

    fn read(log: &mut Log, born_ms: u64) -> (Reading, String) {
        let mut seen = Vec::new();
        let mut buffer = [0; 8];
        let reading = log.read(born_ms, &mut buffer, u64::MAX, &mut |bytes, _left| {
            seen.extend_from_slice(bytes);
            bytes.len() as u64
        });
        (reading, String::from_utf8(seen).expect("text"))
    }

    #[test]
    fn only_what_is_new_is_read() {
        let path = place("new");
        fs::write(&path, "one, two, ").expect("a file");
        let mut log = log(&path);
        assert_eq!(read(&mut log, 0), (Reading::Whole, "one, two, ".into()));
        assert_eq!(read(&mut log, 0), (Reading::Whole, String::new()));
        let file = fs::OpenOptions::new().append(true).open(&path);
        file.and_then(|mut file| file.write_all(b"three")).expect("appends");
        assert_eq!(read(&mut log, 0).1, "three");
        fs::write(&path, "anew").expect("a file");
        assert_eq!(read(&mut log, 0).1, "anew", "shorter: from the beginning");
        fs::remove_file(&path).expect("removal");
        assert_eq!(read(&mut log, 0).0, Reading::Absent);
    }

    #[test]
    fn what_cannot_be_taken_yet_comes_again() {
        let path = place("torn");
        fs::write(&path, "torn").expect("a file");
        let mut log = log(&path);
        let mut buffer = [0; 8];
        for _ in 0..2 {
            let mut calls = Vec::new();
            let reading = log.read(0, &mut buffer, u64::MAX, &mut |bytes, left| {
                calls.push((bytes.to_vec(), left));
                0
            });
            assert_eq!((reading, calls), (Reading::Whole, vec![(b"torn".to_vec(), 4)]));
        }
        fs::remove_file(&path).expect("removal");
    }

    #[test]
    fn a_reading_has_a_limit() {
        let path = place("long");
        fs::write(&path, "x".repeat(100)).expect("a file");
        let mut log = log(&path);
        let mut buffer = [0; 8];
        let mut take = |bytes: &[u8], _left| bytes.len() as u64;
        assert_eq!(log.read(0, &mut buffer, 50, &mut take), Reading::Part);
        assert_eq!(log.offset, 56);
        assert_eq!(log.read(0, &mut buffer, 50, &mut take), Reading::Whole);
        fs::remove_file(&path).expect("removal");
    }

    #[test]
    fn what_a_dead_process_left_is_passed_over() {
        let path = place("stale");
        fs::write(&path, "old,").expect("a file");
        let mut log = log(&path);
        assert_eq!(read(&mut log, u64::MAX), (Reading::Whole, String::new()));
        let file = fs::OpenOptions::new().append(true).open(&path);
        file.and_then(|mut file| file.write_all(b"new")).expect("appends");
        assert_eq!(read(&mut log, u64::MAX).1, "new");
        fs::remove_file(&path).expect("removal");
    }

    #[test]
    fn links_pipes_and_directories_are_refused() {
        let (target, path) = (place("target"), place("hostile"));
        fs::write(&target, "secret").expect("a file");
        std::os::unix::fs::symlink(&target, &path).expect("a link");
        assert_eq!(read(&mut log(&path), 0).0, Reading::Absent, "symbolic");
        fs::remove_file(&path).expect("removal");
        fs::hard_link(&target, &path).expect("a link");
        assert_eq!(read(&mut log(&path), 0).0, Reading::Absent, "hard");
        fs::remove_file(&path).expect("removal");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo").success());
        assert_eq!(read(&mut log(&path), 0).0, Reading::Absent, "a pipe");
        fs::remove_file(&path).expect("removal");
        fs::create_dir(&path).expect("a directory");
        assert_eq!(read(&mut log(&path), 0).0, Reading::Absent, "a directory");
        fs::remove_dir(&path).expect("removal");
        fs::remove_file(&target).expect("removal");
        assert!(!Log::at(&[&[b'x'; PATH]]).is_named());
    }
}
