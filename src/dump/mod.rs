//! A snapshot of the tables becomes a file.
//!
//! It runs on the thread whose event made the dump due, or on a thread of ours, inside our guard
//! and with signals blocked. It allocates only a few regions beside the arena, which it gives back.
//! It takes table locks only while the snapshot is copied. It calls neither libc nor the loader. A
//! dump that fails is a remark and a counter, and the program continues. It is one line on stderr
//! only where `prof_prefix` names a place where no dump can be written at all.
//!
//! The layout is jemalloc's threaded `heap_v2` with our lines as comments: see `profile-format`.

mod body;
mod errno;
mod file;
mod gone;
mod keep;
mod kind;
mod late;
mod managed;
mod name;
mod named;
mod peer;
pub mod prefix;
mod rate;
mod snapshot;
mod writer;

use core::ffi::CStr;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU64};

use crate::config::Config;
use crate::diag::{self, Counter};
pub use crate::platform::process::resident::Places;
use crate::platform::{process::lineage, scratch::Scratch};
use crate::table::{live_table::LiveTable, stack_table::StackTable};
use crate::{remark, table::fork_gate};
use errno::Errno;
use file::Written;
pub use kind::Kind;
use name::{Name, PATH, Path};
pub use peer::Peer;
pub use rate::{HISTORY, Rate};
use snapshot::{Snapshot, Sums};
use writer::Writer;

/// Why a dump is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// The interval's bytes were allocated.
    Interval = 0,
    /// A new maximum of live bytes.
    HighWater = 1,
    /// The process exits.
    Final = 2,
    /// The timer's seconds have passed.
    Timer = 3,
    /// The user's signal came.
    Signal = 4,
    /// The memory that the process may use comes to its end.
    MemoryLimit = 5,
    /// A user asked for it.
    Demand = 6,
    /// The program goes into its own sandbox, where no dump can be written.
    Sandbox = 7,
}

const REASONS: [Reason; 8] = [
    Reason::Interval,
    Reason::HighWater,
    Reason::Final,
    Reason::Timer,
    Reason::Signal,
    Reason::MemoryLimit,
    Reason::Demand,
    Reason::Sandbox,
];

impl Reason {
    /// The reason whose `as u8` is `code`.
    pub fn from_code(code: u8) -> Option<Reason> {
        REASONS.into_iter().find(|reason| *reason as u8 == code)
    }

    fn letter(self) -> u8 {
        match self {
            Reason::Interval => b'i',
            Reason::HighWater => b'u',
            Reason::Final => b'f',
            Reason::Timer => b't',
            Reason::Signal => b's',
            Reason::MemoryLimit => b'l',
            Reason::Demand => b'm',
            Reason::Sandbox => b'b',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Reason::Interval => "interval",
            Reason::HighWater => "high_water",
            Reason::Final => "final",
            Reason::Timer => "timer",
            Reason::Signal => "signal",
            Reason::MemoryLimit => "memory_limit",
            Reason::Demand => "demand",
            Reason::Sandbox => "sandbox",
        }
    }
}

/// Where a dump goes.
#[derive(Clone, Copy, Default)]
pub struct Goal<'a> {
    /// The beginning of its name, with the directory. Empty: nowhere.
    pub prefix: &'a [u8],
    /// Its whole name, which goes before the prefix.
    pub file: Option<&'a CStr>,
    /// Does the program itself ask for it? Then it gets a dump also where nothing was sampled, and it alone
    /// is told what went wrong.
    pub is_asked: bool,
}

/// What a dump is made from.
pub struct Request<'a> {
    /// Why.
    pub reason: Reason,
    /// Where to.
    pub goal: Goal<'a>,
    /// The configuration in force.
    pub config: &'a Config,
    /// The stacks.
    pub stacks: &'a StackTable,
    /// The live samples.
    pub live: &'a LiveTable,
    /// Samples of other kinds.
    pub kinds: &'a [Option<Kind<'a>>],
    /// Time since the profiler started.
    pub uptime_ms: u64,
    /// log2 of the mean bytes between samples, now.
    pub lg_period: u8,
    /// How the period follows a budget; `None`: it is fixed.
    pub rate: Option<&'a Rate>,
    /// What is known of addresses, for the account of the resident memory.
    pub places: &'a Places<'a>,
    /// The name of a thread by its number, padded with NUL.
    pub thread_name: &'a dyn Fn(u32) -> [u8; 16],
}

/// Dumps written so far by this process and those it was forked from, as jemalloc counts: one
/// number for all, one for each trigger. Written by the thread that writes a dump.
static SEQ: AtomicU64 = AtomicU64::new(0);
static NUMBERS: [AtomicU64; REASONS.len()] = [const { AtomicU64::new(0) }; REASONS.len()];

/// The errno of the last failure, or 0: the same failure is reported once, not at every interval.
/// Written by the thread that writes a dump.
static FAILURE: AtomicI32 = AtomicI32::new(0);

/// Was a dump ever written, by this process or one that it was forked from? Written by the thread
/// that writes a dump.
static WRITTEN: AtomicBool = AtomicBool::new(false);

/// Room for the paths, the lines read from `/proc`, and the bytes on their way to the file.
const SCRATCH: usize = 2 * PATH + LINE + BUFFER;
const LINE: usize = 16 << 10;
const BUFFER: usize = 64 << 10;

/// The result of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The whole file exists.
    Whole,
    /// There was nothing to write, or no place for it.
    Nothing,
    /// Another dump, or a fork, was in the way.
    Busy,
    /// It could not be written; that is counted and reported.
    Failed,
}

/// Writes a dump; `done` gets its path. A process without a single sample writes nothing, unless the
/// program asks for it. Nor does one without a prefix, unless it has a name.
pub fn write(request: &Request<'_>, done: &mut dyn FnMut(&[u8])) -> Outcome {
    let goal = &request.goal;
    let is_empty = request.stacks.is_empty() && request.kinds.iter().flatten().all(Kind::is_empty);
    if goal.prefix.is_empty() && goal.file.is_none() || is_empty && !goal.is_asked {
        return Outcome::Nothing;
    }
    let (Some(mut scratch), Some(snapshot)) = (Scratch::map(SCRATCH), snapshot(request)) else {
        fail(request, &[], Errno(libc::ENOMEM));
        return Outcome::Failed;
    };
    let Ok(mut snapshot) = snapshot else {
        // The fork takes long. As when another dump is being written, this one is dropped.
        diag::count(Counter::DumpCoalesced);
        return Outcome::Busy;
    };
    let (path, rest) = scratch
        .bytes()
        .split_at_mut_checked(PATH)
        .unwrap_or_default();
    let (temporary, rest) = rest.split_at_mut_checked(PATH).unwrap_or_default();
    let (line, buffer) = rest.split_at_mut_checked(LINE).unwrap_or_default();
    let mut path = Path::new(path);
    let mut temporary = Path::new(temporary);
    let manner = file::Manner {
        mode: request.config.prof_mode,
        // The kernel keeps written data when only the process ends. Short of memory, the machine
        // may end next.
        synced: request.reason == Reason::MemoryLimit,
    };
    let body: &mut file::Body<'_> = &mut |file| body::write(request, &mut snapshot, line, file);
    if let Some(named) = goal.file {
        return match named::write(named, manner, buffer, body) {
            Ok(()) => Outcome::Whole,
            Err(errno) => {
                fail(request, named.to_bytes(), errno);
                Outcome::Failed
            }
        };
    }
    let name = next_name(request);
    let written = file::write(name, manner, &mut path, &mut temporary, buffer, body);
    match written {
        Ok(Written { seq, bytes }) => {
            SEQ.fetch_max(seq + 1, Relaxed);
            WRITTEN.store(true, Relaxed);
            done(path.as_bytes());
            let name = Name { seq, ..name };
            keep::note(request.config, name, bytes, &mut path);
            Outcome::Whole
        }
        Err(errno) => {
            fail(request, path.as_bytes(), errno);
            Outcome::Failed
        }
    }
}

/// Sends the contents of a dump to `peer`. False when there was nothing to send.
pub fn send(request: &Request<'_>, peer: &Peer) -> bool {
    if request.stacks.is_empty() {
        return false;
    }
    let (Some(mut scratch), Some(Ok(mut snapshot))) = (Scratch::map(SCRATCH), snapshot(request))
    else {
        return false;
    };
    let bytes = scratch.bytes();
    let (line, buffer) = bytes.split_at_mut_checked(LINE).unwrap_or_default();
    let mut writer = Writer::to_peer(*peer, buffer);
    // A peer that is gone, or too slow, has half a profile without an end.
    let _gone =
        body::write(request, &mut snapshot, line, &mut writer).and_then(|()| writer.flush());
    true
}

/// The live samples; `None` when there is no memory, an error when a fork takes too long.
fn snapshot(request: &Request<'_>) -> Option<Result<Snapshot, ()>> {
    let Some(_pass) = fork_gate::TABLES.enter() else {
        return Some(Err(()));
    };
    Snapshot::take(request.live).map(Ok)
}

/// Number of dumps written by this process and those it was forked from.
pub fn count() -> u64 {
    SEQ.load(Relaxed)
}

fn next_name<'a>(request: &Request<'a>) -> Name<'a> {
    let number = NUMBERS
        .get(request.reason as usize)
        .filter(|_| request.reason != Reason::Final)
        .map(|number| number.fetch_add(1, Relaxed));
    Name {
        prefix: request.goal.prefix,
        pid: crate::platform::sys::getpid().unsigned_abs(),
        pid_namespace: request.config.prof_pid_namespace,
        seq: SEQ.fetch_add(1, Relaxed),
        letter: request.reason.letter(),
        number,
    }
}

fn fail(request: &Request<'_>, path: &[u8], errno: Errno) {
    diag::count(Counter::DumpFailed);
    // A program that goes into a sandbox has usually given up its rights, and its root, before.
    if request.reason == Reason::Sandbox || request.goal.is_asked {
        return;
    }
    let reason = errno::describe(errno).as_bytes();
    if FAILURE.swap(errno.0, Relaxed) != errno.0 {
        // The user who configured it wants to know. A child may have given away the rights with
        // which its parent writes.
        let is_misplaced = errno::is_misplaced(errno) && !WRITTEN.load(Relaxed);
        if is_misplaced && !lineage::is_child() {
            diag::message_bytes(&[b"cannot write heap profile \"", path, b"\": ", reason]);
        } else {
            let prefix = request.goal.prefix;
            remark::note_bytes(&[b"cannot write heap profile: ", reason, b": ", prefix]);
        }
    }
    if request.config.abort {
        crate::platform::sys::abort();
    }
}

/// Prepares what dumps need. Runs before sampling begins.
pub fn start(config: &Config) {
    keep::start(config);
}

/// The totals of what is live.
#[derive(Clone, Copy, Debug, Default)]
pub struct Live {
    /// Estimated bytes.
    pub bytes: u64,
    /// Estimated blocks.
    pub objects: u64,
    /// Stacks that own them.
    pub stacks: u64,
}

/// Adds up what is live.
pub fn estimate(live: &LiveTable) -> Live {
    let pass = fork_gate::TABLES.enter();
    let Some(mut snapshot) = pass.and_then(|_inside| Snapshot::take(live)) else {
        return Live::default();
    };
    snapshot.sort_by_stack();
    let sums = Sums::of(snapshot.samples());
    let stacks = snapshot
        .samples()
        .chunk_by(|a, b| a.stack == b.stack)
        .count();
    Live {
        bytes: sums.bytes,
        objects: sums.objects_fx.div_ceil(crate::sampler::ONE_OBJECT),
        stacks: stacks as u64,
    }
}
