//! What started this process: a person, or another process under the profiler.
//!
//! This is noted at the start and in a fork's child. It is asked at the end of a process: is this
//! the process that the user named, or one of the many that a shell or a server starts? The
//! environment is not changed for it. A fork is known by its handler, or by another pid than at the
//! start (`_Fork`, raw clone). A program that was executed looks at the environment with which its
//! parent was started. A parent with the same preload and configuration started it under the
//! profiler. If that environment cannot be read (no `/proc`, another user's process), or the parent
//! has ended, the process counts as named by the user.
//!
//! Source: proc(5), `/proc/pid/environ`.

use core::ffi::CStr;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU32, AtomicU64};

use crate::platform::{decimal::Decimal, sys};

/// The number of this process at the start or at the last fork. Written by [`begin`] and
/// [`forked`].
static PID: AtomicU32 = AtomicU32::new(0);

/// The process from which this one was forked; 0: not forked. Written by [`forked`].
static FROM: AtomicU32 = AtomicU32::new(0);

/// When this process was forked, in ticks. To read a clock would cost the child more than
/// everything else in its handler. Written by [`forked`].
static BORN: AtomicU64 = AtomicU64::new(0);

/// When the program was started, in ticks. Written by [`begin`].
static STARTED: AtomicU64 = AtomicU64::new(0);

/// Digests of the environment entries that switched us on; 0: there is no such entry. Written by
/// [`begin`].
static ENTRIES: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Notes the entries that switched us on: the preload and the configuration, as `NAME=value`, in
/// pieces.
pub fn begin(pid: u32, entries: [Option<[&[u8]; 3]>; 2]) {
    PID.store(pid, Relaxed);
    STARTED.store(sys::ticks(), Relaxed);
    for (place, entry) in ENTRIES.iter().zip(entries) {
        let digest = entry.map_or(0, |pieces| {
            pieces
                .into_iter()
                .flatten()
                .fold(EMPTY, |digest, byte| digested(digest, *byte))
        });
        place.store(digest, Relaxed);
    }
}

/// Runs in the child `pid` of a fork that ran our handlers.
pub fn forked(pid: u32) {
    FROM.store(PID.swap(pid, Relaxed), Relaxed);
    BORN.store(sys::ticks(), Relaxed);
}

/// The number of this process, without a system call. After a fork that ran no handlers it is the
/// parent's.
pub fn pid() -> u32 {
    PID.load(Relaxed)
}

/// How long this process has existed, about. The profiler's clock began with [`begin`] and now shows
/// `now_ms`.
pub fn age_ms(now_ms: u64) -> u64 {
    match is_forked() {
        false => now_ms,
        true => {
            let ticks = [&STARTED, &BORN].map(|then| sys::ticks().wrapping_sub(then.load(Relaxed)));
            share_of(ticks, now_ms)
        }
    }
}

/// The age of a process that was born `since_birth` ticks ago, if `since_start` ticks are `now_ms`.
/// The age is at most `now_ms`.
fn share_of([since_start, since_birth]: [u64; 2], now_ms: u64) -> u64 {
    let age = u128::from(since_birth) * u128::from(now_ms) / u128::from(since_start.max(1));
    u64::try_from(age).unwrap_or(u64::MAX).min(now_ms)
}

/// Was this process forked, and not executed?
pub fn is_forked() -> bool {
    FROM.load(Relaxed) != 0
}

/// Did another process under the profiler start this one, and does that process still exist? A
/// child that outlives its parent takes over its role (daemons do so): only it can still report the
/// samples.
pub fn is_child() -> bool {
    let from = match (FROM.load(Relaxed), PID.load(Relaxed)) {
        // A fork that did not run our handlers.
        (_, was) if was != sys::getpid().unsigned_abs() => was,
        (from, _) => from,
    };
    let parent = sys::getppid().unsigned_abs();
    match from {
        0 => is_profiled(parent),
        from => from == parent,
    }
}

/// The FNV-1a digest of an empty text.
const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;

fn digested(digest: u64, byte: u8) -> u64 {
    (digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
}

/// Was the process `pid` started with the entries that switched us on?
fn is_profiled(pid: u32) -> bool {
    let wanted = ENTRIES.each_ref().map(|entry| entry.load(Relaxed));
    let mut path = [0; 32];
    let number = Decimal::new(u64::from(pid));
    let parts = [&b"/proc/"[..], number.as_str().as_bytes(), b"/environ"];
    for (place, byte) in path.iter_mut().zip(parts.into_iter().flatten()) {
        *place = *byte;
    }
    let Ok(path) = CStr::from_bytes_until_nul(&path) else {
        return false;
    };
    let mut seen = Seen {
        wanted,
        digest: EMPTY,
    };
    super::copy(path, &mut [0; 1024], &mut |piece| seen.read(piece));
    wanted != [0; 2] && seen.wanted == [0; 2]
}

/// The wanted entries that were not read yet.
struct Seen {
    wanted: [u64; 2],
    digest: u64,
}

impl Seen {
    fn read(&mut self, piece: &[u8]) {
        for byte in piece {
            self.digest = match byte {
                0 => {
                    for wanted in self
                        .wanted
                        .iter_mut()
                        .filter(|wanted| **wanted == self.digest)
                    {
                        *wanted = 0;
                    }
                    EMPTY
                }
                byte => digested(self.digest, *byte),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn an_age_is_told_by_ticks() {
        assert_eq!(share_of([5_000_000, 1_000_000], 1_000), 200);
        assert_eq!(share_of([u64::MAX, u64::MAX / 2], 1 << 60), (1 << 59) - 1);
        assert_eq!(share_of([1_000, 2_000], 700), 700, "a clock that was set");
        assert_eq!(share_of([0, 0], 700), 0, "a clock that stands still");
        let now_ms = 5_000;
        begin(1, [None, None]);
        assert_eq!((age_ms(now_ms), is_forked()), (now_ms, false));
    }

    #[test]
    fn the_environment_of_another_process_is_compared_whole() {
        let mut child = Command::new("sleep")
            .arg("60")
            .env("MALLOSCOPE_TEST", "prof:true")
            .env("MALLOSCOPE_LIST", "/l.so")
            .spawn()
            .expect("a process");
        let pid = child.id();
        let starts = |first: &'static [u8], second: Option<&'static [u8]>| {
            begin(
                0,
                [
                    Some([b"MALLOSCOPE_TEST", b"=", first]),
                    second.map(|second| [&b"MALLOSCOPE_LIST"[..], b"=", second]),
                ],
            );
            is_profiled(pid)
        };
        // The environment can be read once the program was executed.
        while !starts(b"prof:true", None) {
            std::thread::yield_now();
        }
        assert!(starts(b"prof:true", Some(b"/l.so")));
        assert!(!starts(b"prof:true", Some(b"/l.s")));
        assert!(!starts(b"prof:tru", Some(b"/l.so")));
        begin(0, [None, None]);
        assert!(!is_profiled(pid));
        child.kill().expect("ours");
        child.wait().expect("ours");
        assert!(!starts(b"prof:true", None), "nobody is there");
    }
}
