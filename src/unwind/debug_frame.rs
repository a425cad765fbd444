//! Rules from `.debug_frame`, for modules that have no `.eh_frame`: it is not loaded, so the file is read,
//! once a module, when a walk first meets code of which nothing else is known.
//!
//! The file must be the one that was loaded: its first page is compared. What is read stays. A section that
//! is compressed is passed over, as a file that cannot be opened. No system call is made in a sandbox of the
//! program's own.
//!
//! Source: DWARF 5, 6.4.1.
#![allow(unsafe_code)]

use core::ffi::CStr;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU32};

use gimli::{BaseAddresses, CieOrFde, DebugFrame, EndianSlice, LittleEndian, UnwindSection};

use super::eh_frame::{self, Bytes};
use super::history::{self, Record};
use super::modules::Module;
use super::rule::Rule;
use crate::platform::process::Sections;
use crate::platform::scratch::Scratch;
use crate::platform::sys;
use crate::table::arena;
use crate::table::sync::SpinLock;

/// Modules for which a file is read.
const MOST: usize = 64;

/// Larger sections are not read.
const LARGEST: usize = 32 << 20;

/// The page of a file by which it is known.
const PAGE: usize = 4096;

/// What was read of a file; empty where there is nothing to read.
struct Frames {
    bytes: &'static [u8],
    /// Start and place of each entry, by start.
    index: &'static [[u64; 2]],
}

/// The modules for which a file was looked for, by number, one more; 0 ends them. Written under `LOCK`
/// before what stands in `READ`.
static MODULES: [AtomicU32; MOST] = [const { AtomicU32::new(0) }; MOST];

/// What was found. Stored with Release, loaded with Acquire: what it points to is whole.
static READ: [AtomicPtr<Frames>; MOST] = [const { AtomicPtr::new(null_mut()) }; MOST];

/// Held by the one thread that reads a file. Others do not wait for it.
static LOCK: SpinLock = SpinLock::new();

/// The rule for the code at `pc` of this module. `None`: its file says nothing of it.
#[cold]
pub(super) fn find_rule(module: &Module, pc: u64) -> Option<Rule> {
    let record = history::module_at(pc)?;
    let frames = read(record).or_else(|| {
        look(record, module)?;
        read(record)
    })?;
    let base = module.base() as u64;
    let pc = pc.wrapping_sub(base);
    let above = frames.index.partition_point(|[start, _]| *start <= pc);
    let [_, entry] = frames.index.get(above.checked_sub(1)?)?;
    let section = section_of(frames.bytes);
    let bases = BaseAddresses::default();
    let offset = usize::try_from(*entry).ok()?.into();
    let fde = section.fde_from_offset(&bases, offset, DebugFrame::cie_from_offset);
    let fde = fde.ok().filter(|fde| fde.contains(pc))?;
    Some(eh_frame::rule_of(&section, &bases, &fde, pc))
}

fn section_of(bytes: &'static [u8]) -> DebugFrame<Bytes<'static>> {
    let mut section = DebugFrame::from(EndianSlice::new(bytes, LittleEndian));
    section.set_address_size(8);
    section
}

fn read(record: &Record) -> Option<&'static Frames> {
    let number = record.number() + 1;
    let at = MODULES
        .iter()
        .position(|known| known.load(Relaxed) == number)?;
    // SAFETY: null, or stored by `look`: in the arena, never freed.
    unsafe { READ.get(at)?.load(Acquire).as_ref() }
}

/// Reads the file of a module. `None`: another thread is reading, or there is no room.
fn look(record: &Record, module: &Module) -> Option<()> {
    if sys::is_sandboxed() {
        return None;
    }
    let _held = LOCK.try_lock()?;
    let at = MODULES.iter().position(|known| known.load(Relaxed) == 0)?;
    let place = arena::alloc(core::alloc::Layout::new::<Frames>())?.cast::<Frames>();
    let frames = load(record, module).unwrap_or(Frames {
        bytes: &[],
        index: &[],
    });
    // SAFETY: a fresh piece of the arena with this layout.
    unsafe { place.write(frames) };
    READ.get(at)?.store(place.as_ptr(), Release);
    MODULES.get(at)?.store(record.number() + 1, Relaxed);
    Some(())
}

fn load(record: &Record, module: &Module) -> Option<Frames> {
    let mut room = Scratch::map(2 * PAGE)?;
    let (page, path) = room.bytes().split_at_mut_checked(PAGE)?;
    let name = match record.path() {
        b"" => b"/proc/self/exe",
        path => path,
    };
    path.get_mut(..name.len())?.copy_from_slice(name);
    let file = Sections::open(CStr::from_bytes_until_nul(path).ok()?)?;
    file.read(0, page)?;
    if !record.is_file(module.base(), page) {
        return None;
    }
    let (offset, length) = file.find(b".debug_frame")?;
    if length == 0 || length > LARGEST {
        return None;
    }
    let region = arena::map(length)?;
    // SAFETY: fresh memory of that length, which is never given back.
    let bytes = unsafe { core::slice::from_raw_parts_mut(region.as_ptr(), length) };
    file.read(offset, bytes)?;
    Some(Frames {
        bytes,
        index: index(bytes)?,
    })
}

/// Shows the start and the place of each entry.
fn each(bytes: &'static [u8], see: &mut dyn FnMut([u64; 2])) {
    let (section, bases) = (section_of(bytes), BaseAddresses::default());
    let mut entries = section.entries(&bases);
    while let Ok(Some(entry)) = entries.next() {
        if let CieOrFde::Fde(partial) = entry
            && let Ok(fde) = partial.parse(DebugFrame::cie_from_offset)
        {
            see([fde.initial_address(), fde.offset() as u64]);
        }
    }
}

fn index(bytes: &'static [u8]) -> Option<&'static [[u64; 2]]> {
    let mut count = 0;
    each(bytes, &mut |_| count += 1);
    let size = (count * size_of::<[u64; 2]>()).max(1);
    let region = arena::map(size)?.cast::<[u64; 2]>();
    // SAFETY: fresh zeroed pages with room for so many, which are never given back.
    let rows = unsafe { core::slice::from_raw_parts_mut(region.as_ptr(), count) };
    let mut places = rows.iter_mut();
    each(bytes, &mut |row| {
        if let Some(place) = places.next() {
            *place = row;
        }
    });
    rows.sort_unstable();
    Some(rows)
}

/// Repairs the lock in a forked child.
///
/// # Safety
/// The caller is the only thread of its process.
pub(super) unsafe fn after_fork() {
    // SAFETY: the holder is not in this process, and the caller does not hold it.
    unsafe { LOCK.force_unlock() };
}

/// Forgets what was read, which went with the arena.
///
/// # Safety
/// As `arena::abandon`.
pub(super) unsafe fn abandon() {
    for (module, read) in MODULES.iter().zip(&READ) {
        module.store(0, Relaxed);
        read.store(null_mut(), Relaxed);
    }
    // SAFETY: one thread, by the contract above.
    unsafe { after_fork() };
}
