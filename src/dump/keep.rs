//! `prof_keep` and `prof_keep_bytes`: of the dumps of a process and of all processes that it forked
//! the youngest stay, as many as the two options allow. Older ones are removed.
//!
//! The processes of a family share one list of what they wrote, in memory that a fork does not
//! copy. A program that is executed begins a family of its own. Only dumps of this very process and
//! of processes that are gone are removed, never the last dump of a process that runs. Several
//! processes may work on the list at once, and each may be killed at any moment. An entry is
//! changed only by the process that took its ticket out. If that process is killed meanwhile, the
//! entry is lost, and its file stays.
//!
//! The contents of the list may come from a process with fewer rights than ours. The names made
//! from them begin with our own prefix and end with numbers and a letter; no other names can
//! result.
//!
//! # Safety
//! The list is mapped for ever, zeroed; zero is a valid value of every field.
#![allow(unsafe_code)]

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64};

use super::name::{Name, Path};
use crate::config::Config;
use crate::platform::elf::gnu_hash;
use crate::platform::{process, sys};

/// Dumps that can be remembered. A greater `prof_keep` means all; `prof_keep_bytes` alone keeps no
/// more than these.
const MOST: usize = 1024;

/// A dump that was written: the parts of its name that differ between dumps.
#[repr(C)]
struct Entry {
    /// Its number among all dumps, from 1; 0 while no process may read the rest. Stored with
    /// release when the rest is complete, taken out with acquire.
    ticket: AtomicU64,
    seq: AtomicU64,
    number: AtomicU64,
    bytes: AtomicU64,
    /// The pid namespace in which `pid` is a number.
    namespace: AtomicU64,
    pid: AtomicU32,
    letter: AtomicU32,
    /// A hash of its prefix: the program may have changed it meanwhile.
    prefix: AtomicU32,
}

/// What a family has written, as a ring.
#[repr(C)]
struct Family {
    /// Dumps noted so far. Any member adds.
    noted: AtomicU64,
    entries: [Entry; MOST],
}

/// The list; null where no dump is ever removed. Written by [`start`], before the first dump.
static FAMILY: AtomicPtr<Family> = AtomicPtr::new(core::ptr::null_mut());

/// Makes the list, if dumps must be removed. Without memory for it none is removed.
pub fn start(config: &Config) {
    if (is_counted(config) || config.prof_keep_bytes != 0)
        && let Some(memory) = sys::mmap_shared(size_of::<Family>())
    {
        FAMILY.store(memory.as_ptr().cast(), Relaxed);
    }
}

fn is_counted(config: &Config) -> bool {
    usize::try_from(config.prof_keep).is_ok_and(|wished| (1..=MOST).contains(&wished))
}

/// A dump of `bytes` was written: removes the dumps that are now too many or too large. The new one
/// stays.
pub fn note(config: &Config, name: Name<'_>, bytes: u64, path: &mut Path<'_>) {
    // SAFETY: null, or the list that `start` mapped.
    let Some(family) = (unsafe { FAMILY.load(Relaxed).as_ref() }) else {
        return;
    };
    let namespace = process::pid_namespace().unwrap_or(0);
    let newest = family.noted.fetch_add(1, Relaxed);
    let mut members = Members::new(name.pid, namespace);
    let Some(entry) = family.entry(newest) else {
        return;
    };
    // A dump written MOST dumps ago is removed, or forgotten.
    if members.may_remove(entry) {
        entry.remove(name, path);
    }
    entry.set(newest, name, bytes, namespace);
    let mut rest = Rest::count(family, newest, &mut members);
    let most = if is_counted(config) {
        u64::from(config.prof_keep)
    } else {
        MOST as u64
    };
    for at in family.all(newest) {
        let too_many_gone = rest.gone > most;
        let too_many_own = rest.own > most;
        if !too_many_gone && !too_many_own {
            break;
        }
        let Some(entry) = family.entry(at) else { break };
        if too_many_own && members.is_own(entry) || too_many_gone && members.is_gone(entry) {
            rest.remove(entry, &mut members, name, path);
        }
    }
    let most_bytes = config.prof_keep_bytes;
    for only_gone in [true, false] {
        for at in family.all(newest) {
            if most_bytes == 0 || rest.bytes <= most_bytes {
                return;
            }
            let Some(entry) = family.entry(at) else { break };
            if members.is_gone(entry) || !only_gone && members.is_own(entry) {
                rest.remove(entry, &mut members, name, path);
            }
        }
    }
}

impl Family {
    fn entry(&self, at: u64) -> Option<&Entry> {
        self.entries.get((at % MOST as u64) as usize)
    }

    /// The entries that may exist, the oldest first, without the newest.
    fn all(&self, newest: u64) -> core::ops::Range<u64> {
        (newest + 1).saturating_sub(MOST as u64)..newest
    }
}

impl Entry {
    fn set(&self, at: u64, name: Name<'_>, bytes: u64, namespace: u64) {
        self.ticket.swap(0, AcqRel);
        self.seq.store(name.seq, Relaxed);
        self.letter.store(u32::from(name.letter), Relaxed);
        self.number.store(name.number.unwrap_or(u64::MAX), Relaxed);
        self.bytes.store(bytes, Relaxed);
        self.namespace.store(namespace, Relaxed);
        self.prefix.store(gnu_hash(name.prefix), Relaxed);
        self.pid.store(name.pid, Relaxed);
        // Release: pairs with the acquire in `remove`.
        self.ticket.store(at + 1, Release);
    }

    /// Removes the dump, unless another process does; `like` has what all names have in common.
    /// Returns its bytes.
    fn remove(&self, like: Name<'_>, path: &mut Path<'_>) -> Option<u64> {
        // Acquire: pairs with the release in `set`.
        let ticket = self.ticket.load(Acquire);
        let name = Name {
            pid: self.pid.load(Relaxed),
            seq: self.seq.load(Relaxed),
            letter: u8::try_from(self.letter.load(Relaxed)).unwrap_or(b'i'),
            number: Some(self.number.load(Relaxed)).filter(|number| *number != u64::MAX),
            ..like
        };
        let bytes = self.bytes.load(Relaxed);
        let is_of_prefix = self.prefix.load(Relaxed) == gnu_hash(like.prefix);
        // Only the process that took the ticket out comes past here, and what it read belongs to
        // one dump.
        let taken = self.ticket.compare_exchange(ticket, 0, AcqRel, Relaxed);
        if ticket == 0 || taken.is_err() || !name.letter.is_ascii_lowercase() {
            return None;
        }
        // The user may have moved the file away; that is no error. What has another prefix is forgotten.
        if is_of_prefix {
            name.remove(path).ok();
        }
        Some(bytes)
    }

    fn is_there(&self) -> bool {
        self.ticket.load(Acquire) != 0
    }
}

/// Which of the processes that wrote dumps still run.
struct Members {
    pid: u32,
    namespace: u64,
    /// The answer for the process that was asked about last: neighbours are often of one process.
    last: (u32, bool),
}

impl Members {
    fn new(pid: u32, namespace: u64) -> Members {
        Members {
            pid,
            namespace,
            last: (pid, false),
        }
    }

    fn is_own(&self, entry: &Entry) -> bool {
        let of = (entry.pid.load(Relaxed), entry.namespace.load(Relaxed));
        entry.is_there() && of == (self.pid, self.namespace)
    }

    /// Is the dump of a process that is gone? For processes of another namespace this is not known.
    fn is_gone(&mut self, entry: &Entry) -> bool {
        let (pid, namespace) = (entry.pid.load(Relaxed), entry.namespace.load(Relaxed));
        if !entry.is_there() || pid == 0 || namespace != self.namespace {
            return false;
        }
        if self.last.0 != pid {
            self.last = (pid, !sys::process_exists(pid));
        }
        self.last.1
    }

    fn may_remove(&mut self, entry: &Entry) -> bool {
        self.is_own(entry) || self.is_gone(entry)
    }
}

/// What exists.
#[derive(Default)]
struct Rest {
    own: u64,
    gone: u64,
    bytes: u64,
}

impl Rest {
    fn count(family: &Family, newest: u64, members: &mut Members) -> Rest {
        let mut rest = Rest::default();
        let entries = family.all(newest + 1).filter_map(|at| family.entry(at));
        for entry in entries.filter(|entry| entry.is_there()) {
            rest.own += u64::from(members.is_own(entry));
            rest.gone += u64::from(members.is_gone(entry));
            rest.bytes = rest.bytes.saturating_add(entry.bytes.load(Relaxed));
        }
        rest
    }

    fn remove(
        &mut self,
        entry: &Entry,
        members: &mut Members,
        like: Name<'_>,
        path: &mut Path<'_>,
    ) {
        let is_own = members.is_own(entry);
        if let Some(bytes) = entry.remove(like, path) {
            self.own = self.own.saturating_sub(u64::from(is_own));
            self.gone = self.gone.saturating_sub(u64::from(!is_own));
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}
