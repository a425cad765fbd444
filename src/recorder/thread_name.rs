//! Thread names, kept by number for as long as the process lives: a thread that ended keeps its
//! line in the dump while it owns live blocks.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ffi::CStr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU64};

use crate::platform::sys;
use crate::table::arena;

/// Longest name, as that of the kernel's.
pub const LONGEST: usize = 15;

/// Names that a block holds, and number of blocks.
const CHUNK: usize = 1024;
const CHUNKS: usize = 256;

type Name = [AtomicU64; 2];

/// Blocks of names. Made by the first thread with a number in it, published with release.
static NAMES: [AtomicPtr<Name>; CHUNKS] = [const { AtomicPtr::new(core::ptr::null_mut()) }; CHUNKS];

fn slot(uid: u32, make: bool) -> Option<&'static Name> {
    let head = NAMES.get(uid as usize / CHUNK)?;
    // Acquire: pairs with the release below.
    let mut chunk = head.load(Acquire);
    if chunk.is_null() && make {
        let fresh = arena::alloc(Layout::new::<[Name; CHUNK]>())?
            .cast::<Name>()
            .as_ptr();
        chunk = match head.compare_exchange(chunk, fresh, Release, Acquire) {
            Ok(_) => fresh,
            Err(winner) => winner,
        };
    }
    // SAFETY: a block holds CHUNK names, zeroed by the arena, never freed.
    (!chunk.is_null()).then(|| unsafe { &*chunk.add(uid as usize % CHUNK) })
}

/// Keeps the calling thread's current name under `uid`.
pub fn note(uid: u32) {
    if let Some(slot) = slot(uid, true) {
        let mut name = [0; 16];
        sys::thread_name(&mut name);
        store(slot, name);
    }
}

/// Keeps a name that the thread gave itself; `None` when there is no room.
pub fn keep(uid: u32, name: &[u8]) -> Option<()> {
    let slot = slot(uid, true)?;
    let mut kept = [0; 16];
    for (place, byte) in kept.iter_mut().take(LONGEST).zip(name) {
        *place = *byte;
    }
    store(slot, kept);
    Some(())
}

fn store([first, second]: &Name, name: [u8; 16]) {
    let (words, _) = name.as_chunks::<8>();
    if let [low, high] = words {
        first.store(u64::from_le_bytes(*low), Relaxed);
        second.store(u64::from_le_bytes(*high), Relaxed);
    }
}

/// The text kept under `uid`, where it is kept. Its thread may change it, so it is for that thread.
pub fn kept(uid: u32) -> &'static CStr {
    let Some(slot) = slot(uid, false) else {
        return c"";
    };
    // SAFETY: 16 bytes that are never freed; the last of them is always NUL, see `store` and
    // PR_GET_NAME. Only the thread that reads them writes them.
    unsafe { CStr::from_ptr(core::ptr::from_ref(slot).cast()) }
}

/// The name kept under `uid`, padded with NUL; all NUL when there is none.
pub fn name_of(uid: u32) -> [u8; 16] {
    let mut name = [0; 16];
    if let Some([first, second]) = slot(uid, false) {
        let (low, high) = name.split_at_mut(8);
        low.copy_from_slice(&first.load(Relaxed).to_le_bytes());
        high.copy_from_slice(&second.load(Relaxed).to_le_bytes());
    }
    name
}
