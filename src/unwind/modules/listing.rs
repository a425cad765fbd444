//! The table of modules for a glibc without `_dl_find_object`: filled at start and after each `dlclose`.
//!
//! Readers take no lock: they compare a version number before and after (a sequence lock).
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};
use core::slice;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicUsize, fence};

use super::module::Module;
use crate::diag::{self, Counter};
use crate::table::sync::{LockGuard, SpinLock};

/// More objects than this are not listed where the table is needed.
const MOST_MODULES: usize = 1024;

/// The table: start, end, base and header of each module, ended by zeros. Written by a `Listing`
/// under `REFRESHING`. Relaxed: `VERSION` orders it.
static MODULES: [[AtomicUsize; 4]; MOST_MODULES] =
    [const { [const { AtomicUsize::new(0) }; 4] }; MOST_MODULES];

/// Odd while the table is being written. A `Listing` increments it before and after, with the
/// fences of a sequence lock.
static VERSION: AtomicUsize = AtomicUsize::new(0);

/// How many libraries are being closed now: the table stays empty until the last is gone. Any
/// thread adds.
static CLOSING: AtomicUsize = AtomicUsize::new(0);

/// Held by the one thread that writes the table. In a forked child whose parent had a writer,
/// `after_fork` frees it.
static REFRESHING: SpinLock = SpinLock::new();

/// A library is about to be closed: the table is emptied, so that no reader uses tables that
/// vanish.
pub(super) fn before_close() {
    // AcqRel: a listing that begins after this, under the lock, sees that something is being closed.
    CLOSING.fetch_add(1, AcqRel);
    drop(Listing::begin());
}

/// A library was closed: the last of several at once fills the table again.
pub(super) fn after_close() {
    if CLOSING.fetch_sub(1, AcqRel) == 1 {
        list_modules();
    }
}

/// Repairs the table in a forked child: another thread may have been writing it.
///
/// # Safety
/// The caller is the only thread of its process.
pub unsafe fn after_fork() {
    // SAFETY: the holder is not in this process, and the calling thread does not hold it (contract
    // above).
    unsafe { REFRESHING.force_unlock() };
    CLOSING.store(0, Relaxed);
    let version = VERSION.load(Relaxed);
    if !version.is_multiple_of(2) {
        VERSION.store(version.wrapping_add(1), Relaxed);
        drop(Listing::begin());
    }
}

/// Fills the table from the loader's list, under the loader's own lock, so that no object vanishes
/// meanwhile. The lock of the table is taken inside it, never the other way round: the loader holds
/// its own lock while it runs destructors, and those may close libraries.
pub(super) fn list_modules() {
    let mut listing: Option<Listing> = None;
    // SAFETY: `list` takes what dl_iterate_phdr(3) hands it, and `listing` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(list), (&raw mut listing).cast()) };
}

unsafe extern "C" fn list(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    listing: *mut c_void,
) -> c_int {
    // SAFETY: `list_modules` passes its variable, and the loader passes one object after the other.
    let (listing, info) = unsafe { (&mut *listing.cast::<Option<Listing>>(), &*info) };
    let listing = listing.get_or_insert_with(Listing::begin);
    if CLOSING.load(Acquire) != 0 {
        return 1;
    }
    // SAFETY: the loader's own copy of the object's headers, which is valid while its lock is held.
    let segments = unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    if let Some(module) = Module::from_segments(info.dlpi_addr as usize, segments) {
        listing.add(module);
    }
    0
}

/// The table while it is written; empty at first. Readers see it when this is dropped.
struct Listing {
    _lock: LockGuard<'static>,
    len: usize,
}

impl Listing {
    fn begin() -> Listing {
        let lock = REFRESHING.lock();
        VERSION.fetch_add(1, Relaxed);
        // Pairs with the Acquire fence in `listed`: a reader that saw a word written below sees the
        // odd version too.
        fence(Release);
        for row in &MODULES {
            Module::default().store(row);
        }
        Listing {
            _lock: lock,
            len: 0,
        }
    }

    fn add(&mut self, module: Module) {
        match MODULES.get(self.len) {
            Some(row) => module.store(row),
            None => diag::count(Counter::ModuleNotListed),
        }
        self.len += 1;
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        // Release: pairs with the first load in `listed`.
        VERSION.fetch_add(1, Release);
    }
}

/// The answer of our table. The outer `None`: it was written meanwhile.
pub(super) fn listed(pc: u64) -> Option<Option<Module>> {
    // Acquire: pairs with the Release that ends a `Listing`.
    let before = VERSION.load(Acquire);
    let module = MODULES
        .iter()
        .map(Module::load)
        .take_while(|module| module.end != 0)
        .find(|module| (module.start..module.end).contains(&(pc as usize)));
    // Pairs with the Release fence in `Listing::begin`.
    fence(Acquire);
    (before.is_multiple_of(2) && VERSION.load(Relaxed) == before).then_some(module)
}
