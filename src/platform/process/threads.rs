//! The threads of this process: how many there are, and which rights the calling thread has
//! compared with the first one.
//!
//! Source: proc(5), `/proc/pid/stat`, `/proc/pid/status`, `/proc/thread-self`.

use core::ffi::CStr;

use super::file::{lines, number, read};
use crate::platform::decimal::Decimal;
use crate::platform::sys;

/// The number of threads of this process, at least 1. A thread of the program asks. It may not open
/// a descriptor, even for a moment: the program could close, reuse or inherit it. So the links of
/// the directory are counted: two of its own, and one for each thread (Linux, `proc_task_getattr`).
pub fn threads() -> u32 {
    let directories = sys::links(c"/proc/self/task").and_then(|links| links.checked_sub(2));
    if let Some(threads @ 1..) = directories {
        return u32::try_from(threads).unwrap_or(u32::MAX);
    }
    threads_by_stat()
}

/// For another kind of `/proc`, which counts no links.
fn threads_by_stat() -> u32 {
    let mut buffer = [0; 512];
    read(c"/proc/self/stat", &mut buffer)
        .and_then(threads_in_stat)
        .unwrap_or(1)
}

/// The exit status of the program's first thread, if that thread has ended and the program has no
/// other thread left. Then only a thread of ours keeps the process alive: glibc ends the process
/// when the last thread that glibc knows has ended.
pub fn deserted_with() -> Option<i32> {
    if threads() > 2 {
        return None;
    }
    let mut buffer = [0; 1024];
    read(c"/proc/self/stat", &mut buffer).and_then(status_of_zombie)
}

/// The state is the first field after the command; the status that wait(2) will report is the
/// fiftieth.
fn status_of_zombie(stat: &[u8]) -> Option<i32> {
    let command_end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat.get(command_end + 2..)?.split(|byte| *byte == b' ');
    let is_zombie = fields.next()? == b"Z";
    let status = fields.nth(48).and_then(number).unwrap_or(0);
    is_zombie.then_some((status >> 8 & 0xff) as i32)
}

/// Does the first thread of the process `pid` wait for a child that it made by vfork(2)? Then it is
/// in a kind of sleep in which no other thread stays for long. `None` when that cannot be read.
pub fn sleeps_for_vfork(pid: u32) -> Option<bool> {
    let mut path = [0; 32];
    let number = Decimal::new(u64::from(pid));
    let parts = [&b"/proc/"[..], number.as_str().as_bytes(), b"/stat"];
    for (place, byte) in path.iter_mut().zip(parts.into_iter().flatten()) {
        *place = *byte;
    }
    let mut buffer = [0; 64];
    let stat = read(CStr::from_bytes_until_nul(&path).ok()?, &mut buffer)?;
    let command_end = stat.iter().rposition(|byte| *byte == b')')?;
    Some(stat.get(command_end + 2)? == &b'D')
}

/// The rights of the calling thread, compared with those of the program's first thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The same. Also the answer before Linux 3.17, which has no `thread-self`.
    Same,
    /// It has another user, other groups or other capabilities.
    OtherRights,
    /// One of the two has a seccomp filter that the other does not have.
    OtherFilter,
    /// There is no `/proc`, or it cannot be reached any more (chroot(2)).
    Unknown,
}

/// Compares the calling thread with the program's first thread.
pub fn standing() -> Standing {
    let Some(of_program) = credentials(c"/proc/self/status") else {
        return Standing::Unknown;
    };
    match credentials(c"/proc/thread-self/status") {
        Some(own) if own.rights != of_program.rights => Standing::OtherRights,
        Some(own) if own.filters != of_program.filters => Standing::OtherFilter,
        _ => Standing::Same,
    }
}

/// Digests of what a status file says about a thread.
#[derive(Debug, PartialEq, Eq)]
struct Credentials {
    rights: u64,
    /// The mode and the number of the thread's filters.
    filters: u64,
}

fn credentials(status: &CStr) -> Option<Credentials> {
    const RIGHTS: [&[u8]; 4] = [b"Uid:", b"Gid:", b"Groups:", b"CapEff:"];
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    let mut found = Credentials {
        rights: START,
        filters: START,
    };
    let mut buffer = [0; 2048];
    let is_read = lines(status, &mut buffer, &mut |line| {
        let digest = match line {
            _ if RIGHTS.iter().any(|key| line.starts_with(key)) => &mut found.rights,
            _ if line.starts_with(b"Seccomp") => &mut found.filters,
            _ => return,
        };
        // FNV-1a.
        *digest = line.iter().fold(*digest, |digest, byte| {
            (digest ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        });
    });
    is_read.then_some(found)
}

/// `num_threads` is the eighteenth field after the command. The command may hold any text, but it
/// ends at the last parenthesis. Source: proc(5), /proc/pid/stat.
fn threads_in_stat(stat: &[u8]) -> Option<u32> {
    let command_end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat.get(command_end + 2..)?.split(|byte| *byte == b' ');
    let threads = number(fields.nth(17)?)?;
    u32::try_from(threads).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_counted() {
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let before = threads();
        let thread = std::thread::spawn(move || wait.recv());
        assert!(
            threads() > before || before > 2,
            "{before} then {}",
            threads()
        );
        drop(stop);
        assert!(thread.join().is_ok());
        assert_eq!(
            threads_in_stat(b"7 (a) b) S 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 5 0 9"),
            Some(5)
        );
        assert_eq!(threads_in_stat(b"7 (a"), None);
    }

    #[test]
    fn who_waits_for_a_vfork_sleeps() {
        assert_eq!(sleeps_for_vfork(std::process::id()), Some(false));
        assert_eq!(sleeps_for_vfork(0), None);
        let mut status = 0;
        // SAFETY: both children only make system calls, and end.
        #[allow(unsafe_code, deprecated)]
        unsafe {
            let child = libc::fork();
            if child == 0 {
                let parent = libc::getpid() as u32;
                let borrower = libc::vfork();
                if borrower == 0 {
                    libc::_exit(sleeps_for_vfork(parent).map_or(1, |sleeps| 2 + i32::from(sleeps)));
                }
                libc::waitpid(borrower, &raw mut status, 0);
                libc::_exit(libc::WEXITSTATUS(status));
            }
            libc::waitpid(child, &raw mut status, 0);
        }
        assert_eq!(libc::WEXITSTATUS(status), 3);
    }

    #[test]
    fn a_process_that_runs_is_not_deserted() {
        assert_eq!(deserted_with(), None);
        let stat = |state: &str| {
            let zeros = "0 ".repeat(48);
            status_of_zombie(format!("7 (a) b) {state} {zeros}1280\n").as_bytes())
        };
        assert_eq!((stat("Z"), stat("S")), (Some(5), None));
        assert_eq!(standing(), Standing::Same);
        assert_ne!(credentials(c"/proc/self/status"), None);
        assert_eq!(credentials(c"/nowhere"), None);
    }
}
