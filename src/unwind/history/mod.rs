//! Which modules walks have met, and which of them lay at the same addresses one after the other.
//!
//! A stack is addresses, and addresses are used again: a plugin is closed, and another one is loaded
//! where it was. So a module is recorded when a walk first meets it, with its path, its build id and
//! its segments: it cannot be closed then, because its code is on the stack. The hook of `dlclose`
//! finds out which are gone. A module that comes to lie where another one was is of a later
//! generation: its addresses get its number in their upper bits before a stack is stored
//! ([`mark`]), so that the old stacks stay what they were. A module that comes back to its place is
//! the one it was.
//!
//! In a dump an address of a module that is gone carries the module's number ([`written`]), and a
//! line among the mappings says what lay there. It never stands for what lies there now.
//!
//! `meet` runs where a rule is worked out: once an address and generation. Nothing waits here.
#![allow(unsafe_code)]

mod record;

use core::ops::Range;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize};

use profile_format::maps;

use super::modules;
use crate::diag::{self, Counter};
use crate::platform::scratch::Scratch;
use crate::platform::{elf, process};
use crate::table::sync::SpinLock;

pub use record::{Record, Segment};

/// More modules than this are not told apart: those that come later count as what lies there when a
/// dump is written.
const MOST: usize = 3072;

/// Longest line of the mappings: a path and some numbers.
const LONGEST_LINE: usize = 4096 + 128;

/// Addresses have this many bits; the number of a module stands above them.
const ADDRESS_BITS: u32 = 48;

/// The number of the first module. It and all others are below what stands for managed frames.
const FIRST: u64 = 0x4000;

/// First and last address of each module; both 0: no module. Written once, under `LOCK`, before
/// `LENGTH`. Relaxed: `LENGTH` publishes them.
static RANGES: [[AtomicUsize; 2]; MOST] = [const { [const { AtomicUsize::new(0) }; 2] }; MOST];

/// What is known of each. Written as `RANGES`.
static RECORDS: [AtomicPtr<Record>; MOST] = [const { AtomicPtr::new(null_mut()) }; MOST];

/// How many there are. Written under `LOCK` with Release, after the record is whole.
static LENGTH: AtomicU32 = AtomicU32::new(0);

/// Held by the one thread that adds a module. Others do not wait for it.
static LOCK: SpinLock = SpinLock::new();

/// How often a library was closed. A module that was met before the last time is looked at again.
static CLOSINGS: AtomicU32 = AtomicU32::new(0);

/// Does any module lie where another one lay before it? Relaxed, as the next: set before the first
/// address of such a module is met, on the thread that meets it.
static IS_LAYERED: AtomicBool = AtomicBool::new(false);

/// Was any module ever found to be gone?
static IS_ANY_GONE: AtomicBool = AtomicBool::new(false);

/// A walk has met `pc`, which lies in a module. False: it could not be recorded now, and the next walk
/// tries again.
pub(super) fn meet(pc: u64) -> bool {
    // Acquire: pairs with the Release in `after_close`.
    let closings = CLOSINGS.load(Acquire);
    let known = at(pc).find(|record| !record.is_gone());
    known.is_some_and(|record| record.met(closings)) || meet_anew(pc, closings)
}

#[cold]
fn meet_anew(pc: u64, closings: u32) -> bool {
    let Some(object) = modules::object(pc) else {
        return true;
    };
    let Some(extent) = record::extent(&object) else {
        return true;
    };
    let Some(_held) = LOCK.try_lock() else {
        return false;
    };
    let print = record::fingerprint(&object);
    let overlap = || all().filter(|record| record.overlaps(&extent));
    let others = overlap().filter(|record| !record.is(&extent, print) && !record.is_gone());
    others.for_each(bury);
    match overlap().find(|record| record.is(&extent, print)) {
        Some(record) => record.meet(closings),
        None => add(
            &object,
            &extent,
            print,
            overlap().next().is_some(),
            closings,
        ),
    }
    true
}

/// Records a module. Under `LOCK`.
fn add(object: &elf::Object, extent: &Range<usize>, print: u64, is_later: bool, closings: u32) {
    let number = LENGTH.load(Relaxed);
    let place = RECORDS.get(number as usize);
    let Some((place, range)) = place.zip(RANGES.get(number as usize)) else {
        diag::count(Counter::ModuleNotListed);
        return;
    };
    let Some(record) = record::create(object, extent, print, number, is_later) else {
        return;
    };
    // SAFETY: made just now, and never freed.
    unsafe { record.as_ref() }.meet(closings);
    place.store(record.as_ptr(), Relaxed);
    for (word, value) in range.iter().zip([extent.start, extent.end]) {
        word.store(value, Relaxed);
    }
    if is_later {
        IS_LAYERED.store(true, Relaxed);
    }
    // Release: pairs with Acquire in `length`.
    LENGTH.store(number + 1, Release);
}

fn bury(record: &Record) {
    record.bury();
    IS_ANY_GONE.store(true, Relaxed);
}

fn length() -> usize {
    // Acquire: pairs with Release in `add`.
    LENGTH.load(Acquire) as usize
}

fn record(place: &AtomicPtr<Record>) -> Option<&'static Record> {
    // SAFETY: null, or published by `LENGTH`: in the arena, never freed.
    unsafe { place.load(Relaxed).as_ref() }
}

/// All modules ever met, in the order in which they were met.
fn all() -> impl Iterator<Item = &'static Record> {
    RECORDS.iter().take(length()).filter_map(record)
}

/// Those that hold an address, or once held it.
fn at(address: u64) -> impl Iterator<Item = &'static Record> {
    let ranges = RANGES.iter().zip(&RECORDS).take(length());
    let here = ranges.filter(move |(range, _)| {
        let [start, end] = range.each_ref().map(|word| word.load(Relaxed) as u64);
        (start..end).contains(&address)
    });
    here.filter_map(|(_, place)| record(place))
}

/// A library is about to be closed. Where the loader knows one by a path that depends on the working
/// directory, the kernel is asked for its path as long as it can be.
pub(super) fn before_close() {
    if all().any(|record| record.is_relative() && !record.is_gone()) {
        find_paths();
    }
}

#[cold]
fn find_paths() {
    let Some(mut room) = Scratch::map(2 * LONGEST_LINE) else {
        return;
    };
    process::lines(c"/proc/self/maps", room.bytes(), &mut |line| {
        let Some(mapping) = maps::parse(line).filter(|mapping| mapping.path.starts_with(b"/"))
        else {
            return;
        };
        let here = at(mapping.start).filter(|record| record.is_relative() && !record.is_gone());
        here.for_each(|record| record.set_path(mapping.path));
    });
}

/// A library was closed: which modules are gone?
pub(super) fn after_close() {
    // Release: pairs with the Acquire in `meet`.
    CLOSINGS.fetch_add(1, Release);
    for record in all().filter(|record| !record.is_gone()) {
        let is_there = record.segments().any(|segment| {
            let address = segment.start as u64;
            modules::find(address)
                .is_some_and(|module| record.holds(module.addresses().start as u64))
        });
        if !is_there {
            bury(record);
        }
    }
}

/// Does any module lie where another one lay before it?
#[inline]
pub fn is_layered() -> bool {
    IS_LAYERED.load(Relaxed)
}

/// Gives the addresses of modules of later generations their numbers, before a stack is stored.
#[cold]
pub fn mark(frames: &mut [u64]) {
    for frame in frames {
        let mut here = at(frame.wrapping_sub(1));
        if let Some(record) = here.find(|record| record.is_later() && !record.is_gone()) {
            *frame |= upper(record);
        }
    }
}

fn upper(record: &Record) -> u64 {
    (FIRST + u64::from(record.number())) << ADDRESS_BITS
}

/// Is any module gone, or of a later generation, so that [`written`] is to be asked?
pub fn is_any_gone() -> bool {
    IS_ANY_GONE.load(Relaxed)
}

/// How the address of a stack stands in a dump: with the number of its module if that is gone, else
/// bare. Notes that the dump refers to the module.
pub fn written(frame: u64) -> u64 {
    let number = (frame >> ADDRESS_BITS).wrapping_sub(FIRST);
    let bare = frame & ((1 << ADDRESS_BITS) - 1);
    let module = if frame == bare {
        at(frame.wrapping_sub(1)).find(|record| !record.is_later())
    } else {
        let place = RECORDS
            .get(number as usize)
            .filter(|_| number < length() as u64);
        place.and_then(record)
    };
    match module {
        Some(record) if record.is_gone() => {
            record.want(true);
            bare | upper(record)
        }
        Some(_) => bare,
        None => frame,
    }
}

/// A dump begins: it refers to no module yet.
pub fn forget_wanted() {
    all().for_each(|record| record.want(false));
}

/// The modules that are gone and that the dump refers to, with what stands in the upper bits of their
/// addresses.
pub fn wanted() -> impl Iterator<Item = (u64, &'static Record)> {
    let wanted = all().filter(|record| record.is_wanted());
    wanted.map(|record| (upper(record), record))
}

/// The modules that are there, as far as walks have met them.
pub fn present() -> impl Iterator<Item = &'static Record> {
    all().filter(|record| !record.is_gone())
}

/// The module that holds the code at `pc`, as far as walks have met it.
pub fn module_at(pc: u64) -> Option<&'static Record> {
    at(pc).find(|record| !record.is_gone())
}

/// Repairs the lock in a forked child.
///
/// # Safety
/// The caller is the only thread of its process.
pub(super) unsafe fn after_fork() {
    // SAFETY: the holder is not in this process, and the caller does not hold it.
    unsafe { LOCK.force_unlock() };
}

/// Forgets all modules, whose memory went with the arena.
///
/// # Safety
/// As `arena::abandon`.
pub(super) unsafe fn abandon() {
    LENGTH.store(0, Release);
    IS_LAYERED.store(false, Relaxed);
    IS_ANY_GONE.store(false, Relaxed);
    // SAFETY: one thread, by the contract above.
    unsafe { after_fork() };
}

#[cfg(test)]
mod tests;
