//! What is known of this process's generated code, and how it is kept up with the maps.
//!
//! # Safety
//! The state is reached only under its lock.

use core::cell::UnsafeCell;
use core::ops::Range;

use profile_format::maps;

use super::areas::Areas;
use super::codes::{Codes, Full};
use super::jitdump::{self, Record};
use super::line;
use super::log::{BUFFER, Log, Reading};
use crate::platform::decimal::Decimal;
use crate::platform::process::{self, lineage};
use crate::platform::sys;
use crate::remark;
use crate::table::sync::SpinLock;
use crate::unwind::modules;

/// Time between the first two looks for a jitdump. Each further look waits twice as long, up to the
/// second figure.
const LOOK_MS: u64 = 1000;
const LONGEST_MS: u64 = 64_000;

/// Longest file name in a jitdump's debug info that is kept.
const FILE: usize = 512;

/// What is known of this process's generated code.
pub(super) struct State {
    /// Whose map it is.
    pid: u32,
    /// The same by `lineage`, which is asked without a system call.
    known_pid: u32,
    pub(super) codes: Codes,
    map: Log,
    dump: Log,
    /// No more names are taken.
    is_full: bool,
    /// When to look for a jitdump again, by the recorder's clock.
    next_look_ms: u64,
    /// The time between the last look and that one.
    patience_ms: u64,
    buffer: [u8; BUFFER],
    source: Source,
    /// Where generated code is, as of the last dump.
    pub(super) areas: Areas,
}

/// The last debug info of a jitdump: what comes behind the name of the code that it belongs to.
struct Source {
    code: u64,
    text: [u8; FILE],
    length: usize,
}

impl Source {
    const NONE: Source = Source {
        code: 0,
        text: [0; FILE],
        length: 0,
    };
}

/// Guards [`STATE`]. While it is held the arena and the file system are asked, and nothing else is
/// locked.
static LOCK: SpinLock = SpinLock::new();

struct Shared(UnsafeCell<State>);

// SAFETY: reached only by `with`, under `LOCK`.
unsafe impl Sync for Shared {}

/// Written under [`LOCK`].
static STATE: Shared = Shared(UnsafeCell::new(State::EMPTY));

pub(super) fn with<T>(work: impl FnOnce(&mut State) -> T) -> T {
    let _held = LOCK.lock();
    // SAFETY: the lock is held, and no caller of `with` is within `with`.
    work(unsafe { &mut *STATE.0.get() })
}

/// Forgets all. For a child of a fork that ran no handlers.
///
/// # Safety
/// As for `arena::abandon`, which is called with it.
pub unsafe fn abandon() {
    // SAFETY: one thread, by the contract; what the lock guards is replaced.
    unsafe {
        LOCK.force_unlock();
        (*STATE.0.get()).forget();
    }
}

impl State {
    const EMPTY: State = State {
        pid: 0,
        known_pid: 0,
        codes: Codes::EMPTY,
        map: Log::NONE,
        dump: Log::NONE,
        is_full: false,
        next_look_ms: 0,
        patience_ms: 0,
        buffer: [0; BUFFER],
        source: Source::NONE,
        areas: Areas::NONE,
    };

    /// Is there a map, or a jitdump?
    pub(super) fn has_map(&self) -> bool {
        self.map.is_open() || self.dump.is_open()
    }

    fn forget(&mut self) {
        self.known_pid = 0;
        self.codes = Codes::EMPTY;
        self.is_full = false;
    }

    /// Reads about `most` bytes of what is new. False when there is more.
    pub(super) fn refresh(&mut self, now_ms: u64, most: u64) -> bool {
        self.follow_fork();
        if self.is_full {
            return true;
        }
        let is_open = self.map.is_open() || self.dump.is_named();
        if !is_open && now_ms >= self.next_look_ms {
            self.look_around();
            self.patience_ms = (self.patience_ms * 2).clamp(LOOK_MS, LONGEST_MS);
            self.next_look_ms = now_ms.saturating_add(self.patience_ms);
        }
        let born_ms = sys::realtime_ms().saturating_sub(lineage::age_ms(now_ms));
        let map = self.read_map(born_ms, most);
        let dump = self.read_dump(born_ms, most);
        map != Reading::Part && dump != Reading::Part
    }

    /// A child has its own map, and the code that it inherited has the names in the parent's.
    fn follow_fork(&mut self) {
        let known = lineage::pid();
        if self.known_pid != known {
            self.known_pid = known;
            // After a fork that ran no handlers the two differ.
            self.pid = sys::getpid().unsigned_abs();
            let number = Decimal::new(u64::from(self.pid));
            self.map = Log::at(&[b"/tmp/perf-", number.as_str().as_bytes(), b".map"]);
            self.dump = Log::NONE;
            self.next_look_ms = 0;
            self.patience_ms = 0;
        }
    }

    fn read_map(&mut self, born_ms: u64, most: u64) -> Reading {
        let (codes, is_full) = (&mut self.codes, &mut self.is_full);
        let buffer = &mut self.buffer;
        self.map.read(born_ms, buffer, most, &mut |bytes, _left| {
            let end = bytes.iter().rposition(|byte| *byte == b'\n');
            let Some(whole) = end.and_then(|end| bytes.get(..end)) else {
                // A line that fills the buffer has no end worth waiting for.
                return if bytes.len() == BUFFER { BUFFER as u64 } else { 0 };
            };
            for line in whole.split(|byte| *byte == b'\n') {
                if let Some((code, name)) = line::parse(line) {
                    note_full(is_full, put(codes, code, [name, b""]));
                }
            }
            whole.len() as u64 + 1
        })
    }

    fn read_dump(&mut self, born_ms: u64, most: u64) -> Reading {
        if !self.dump.is_named() {
            return Reading::Absent;
        }
        let (codes, is_full) = (&mut self.codes, &mut self.is_full);
        let (buffer, source) = (&mut self.buffer, &mut self.source);
        self.dump.read(born_ms, buffer, most, &mut |bytes, left| {
            if let Some(header) = jitdump::header(bytes) {
                return header;
            }
            let mut done = 0;
            while let Some(rest) = bytes.get(done as usize..)
                && let Some((record, length)) = jitdump::record(rest, left.saturating_sub(done))
            {
                note_full(is_full, take(codes, source, &record));
                done += length;
            }
            done
        })
    }

    /// Finds the areas of generated code, and a jitdump. That lies anywhere; whoever writes it maps
    /// its first page executable, so that `perf` notices.
    pub(super) fn look_around(&mut self) {
        self.follow_fork();
        self.areas.clear();
        let number = Decimal::new(u64::from(self.pid));
        let (dump, areas) = (&mut self.dump, &mut self.areas);
        process::lines(c"/proc/self/maps", &mut self.buffer, &mut |line| {
            let Some(mapping) = maps::parse(line).filter(|mapping| mapping.execute) else {
                return;
            };
            if !mapping.path.starts_with(b"/") || mapping.path.starts_with(b"/memfd:") {
                return areas.add(mapping.start..mapping.end);
            }
            let name = mapping.path.strip_suffix(b".dump");
            let name = name.and_then(|name| name.strip_suffix(number.as_str().as_bytes()));
            if !dump.is_named() && name.is_some_and(|name| name.ends_with(b"/jit-")) {
                *dump = Log::at(&[mapping.path]);
            }
        });
    }
}

/// Code inside a module has the name that the module gives it: V8 lists its builtins, too.
fn put(codes: &mut Codes, code: Range<u64>, name: [&[u8]; 2]) -> Result<(), Full> {
    match modules::find(code.start) {
        Some(_) => Ok(()),
        None => codes.put(code, name),
    }
}

fn take(codes: &mut Codes, source: &mut Source, record: &Record<'_>) -> Result<(), Full> {
    match record {
        Record::Load(code, name) => {
            let known = source.text.get(..source.length).unwrap_or_default();
            let is_own = source.code == code.start;
            put(codes, code.clone(), [name, if is_own { known } else { b"" }])
        }
        Record::Move(from, to) => codes.move_to(*from, to.clone()),
        Record::Source(code, file, line) => {
            let number = Decimal::new(u64::from(*line));
            let text = [b"\t", *file, b"\t", number.as_str().as_bytes()];
            let text = text.into_iter().flatten();
            *source = Source::NONE;
            source.code = *code;
            for (place, byte) in source.text.iter_mut().zip(text) {
                *place = *byte;
                source.length += 1;
            }
            Ok(())
        }
        Record::Other => Ok(()),
    }
}

fn note_full(is_full: &mut bool, kept: Result<(), Full>) {
    if kept.is_err() && !*is_full {
        *is_full = true;
        remark::note(&["the map of generated code is too large: later code has no names"]);
    }
}
