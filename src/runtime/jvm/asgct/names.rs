//! The names of methods, by the id that the JVM gives them.
//!
//! An id is not reused while the JVM runs (JDK 11 to 25), so an entry never changes and is never freed.
#![allow(unsafe_code)]

use core::alloc::Layout as Size;
use core::ptr::null_mut;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::platform::tls;
use crate::table::frame_table::{FRAMES, Kind};
use crate::table::{arena, fork_gate, sync::SpinLock};

/// Chains of method ids.
const BUCKETS: usize = 1 << 12;

/// A method whose name is known.
struct Named {
    id: u64,
    frame: u64,
    next: *mut Named,
}

/// Names by method id. Heads are written under [`NAMING`] with Release, after the entry, and read
/// with Acquire in [`frame_of`].
static NAMES: [AtomicPtr<Named>; BUCKETS] = [const { AtomicPtr::new(null_mut()) }; BUCKETS];

/// Held while a name is added.
static NAMING: SpinLock = SpinLock::new();

fn bucket(id: u64) -> Option<&'static AtomicPtr<Named>> {
    NAMES.get((id >> 3) as usize % BUCKETS)
}

pub(super) fn frame_of(id: u64) -> Option<u64> {
    // Acquire: pairs with Release in `keep`.
    let mut at = bucket(id)?.load(Acquire);
    // SAFETY: null, or an entry that was complete when it was published, and never changes.
    while let Some(named) = unsafe { at.as_ref() } {
        if named.id == id {
            return Some(named.frame);
        }
        at = named.next;
    }
    None
}

/// Keeps the name of a method.
pub(super) fn keep(id: u64, class: &[u8], name: &[u8]) -> Option<()> {
    let _inside = tls::current().enter()?;
    let _pass = fork_gate::TABLES.enter()?;
    let frame = FRAMES.intern(Kind::Java, class, name, b"", 0)?;
    let _held = NAMING.lock();
    let head = bucket(id)?;
    let place = arena::alloc(Size::new::<Named>())?.cast::<Named>().as_ptr();
    // SAFETY: fresh memory of the right layout.
    unsafe {
        place.write(Named {
            id,
            frame,
            next: head.load(Relaxed),
        });
    }
    // Release: pairs with Acquire in `frame_of`.
    head.store(place, Release);
    Some(())
}
