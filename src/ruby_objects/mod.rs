//! Ruby's own heap: samples of the objects that Ruby code makes, and which of them live.
//!
//! Small strings, and all other objects up to some words, never pass malloc. Ruby calls back for
//! each object that it makes, while a trace point is on; that makes a program slower by a quarter.
//! So it is on for windows of some milliseconds, and what was made outside them is corrected for:
//! Ruby counts all objects, and a sample stands for as many as were made since the last window ended,
//! divided by the samples of the window.
//!
//! Everything but `window::on_birth` runs in jobs of `runtime::ruby`: on a thread of Ruby's, with
//! its lock, between two instructions. What lives is known as of the last job, and the dump says how
//! long that is ago. The numbers are a kind of their own, never added to malloc's.
//!
//! ```text
//! Ruby -> window -> frames, class     a Ruby thread, as an object is made, while a window is open
//! job -> window -> STACKS, LIVE       when it closes: the weight is known then
//! job -> look -> LIVE                 what has died since
//! ```

mod look;
mod window;

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use crate::config::Switch;
use crate::recorder;
use crate::runtime::ruby::{self, objects::Objects};
use crate::table::{live_table::LiveTable, stack_table::StackTable};

/// The stacks of sampled objects, with the object's class as leaf. Lives as long as the process.
pub static STACKS: StackTable = StackTable::new();

/// The sampled objects that live, by address.
pub static LIVE: LiveTable = LiveTable::new(None);

const OFF: u8 = 0;
/// In windows.
const AUTO: u8 = 1;
/// One window after the other.
const ALWAYS: u8 = 2;

/// Written by [`configure`] before sampling begins, and by [`stop`].
static MODE: AtomicU8 = AtomicU8::new(OFF);

/// The process whose objects these are; 0: none were sampled. Written by the job, and in a fork's
/// child.
static PID: AtomicU32 = AtomicU32::new(0);

/// When it was last known what lives, by the recorder's clock. Written by the job.
static LOOKED_MS: AtomicU64 = AtomicU64::new(0);

/// Collections so far, and a time before which the last one cannot have been: that of the job before the one
/// that saw it. Written by the job, as the next.
static COLLECTIONS: AtomicU64 = AtomicU64::new(0);
static COLLECTED_MS: AtomicU64 = AtomicU64::new(0);
static VISITED_MS: AtomicU64 = AtomicU64::new(0);

/// Time to the next job where objects cannot be followed yet.
const AGAIN_MS: u64 = 100;

/// Time between two looks in a program that goes on.
const LOOK_MS: u64 = 1000;

/// Asks for the objects of a Ruby that may come.
pub fn configure(switch: Switch, most_frames: u32) {
    let mode = match switch {
        Switch::Off => return,
        Switch::Auto => AUTO,
        Switch::On => ALWAYS,
    };
    window::configure(most_frames);
    // Release: pairs with the acquire in `mode`.
    MODE.store(mode, Release);
    ruby::set_visitor(visit);
}

fn mode() -> u8 {
    // Acquire: pairs with the release in `configure`.
    MODE.load(Acquire)
}

/// A fork's child, whose fork ran our handlers, goes on with what the parent knew.
pub fn after_fork_in_child(pid: u32) {
    if PID.load(Relaxed) != 0 {
        PID.store(pid, Relaxed);
    }
}

/// May the tables be used: are they of this process? A fork without handlers leaves them in any
/// state.
fn is_ours() -> bool {
    let pid = recorder::pid();
    PID.load(Relaxed) == pid || PID.compare_exchange(0, pid, Relaxed, Relaxed).is_ok()
}

/// What a job does here; the answer is when it wants to be called next.
fn visit(objects: &Objects<'_>, is_last: bool) -> u64 {
    let now_ms = recorder::uptime_ms();
    if mode() == OFF || !is_ours() {
        return u64::MAX;
    }
    // Ruby may still be starting, and sampling may be switched on.
    if !objects.can_be_followed() || !recorder::is_active() {
        return now_ms.saturating_add(AGAIN_MS);
    }
    let visited_ms = VISITED_MS.swap(now_ms, Relaxed);
    let collections = objects.collections();
    if COLLECTIONS.swap(collections, Relaxed) != collections {
        COLLECTED_MS.store(visited_ms, Relaxed);
    }
    let next_ms = window::turn(objects, now_ms, is_last);
    if is_last || now_ms >= LOOKED_MS.load(Relaxed).saturating_add(LOOK_MS) {
        look::look(objects, now_ms);
    }
    next_ms
}

/// What the dump says besides the samples.
pub struct Facts {
    /// Mean bytes that a sample stands for, in the last window.
    pub period: u64,
    /// By name: objects made up to the last window; how long ago it was known what lives; collections, and
    /// for how long there was none at most; samples that gave way to others.
    pub numbers: [(&'static str, Option<u64>); 5],
}

/// The facts; `None` when no object was sampled.
pub fn facts() -> Option<Facts> {
    if STACKS.is_empty() || PID.load(Relaxed) != recorder::pid() {
        return None;
    }
    let ago = |at: &AtomicU64| recorder::uptime_ms().saturating_sub(at.load(Relaxed));
    let collections = COLLECTIONS.load(Relaxed);
    let collected = (collections != 0).then(|| ago(&COLLECTED_MS));
    Some(Facts {
        period: window::period(),
        numbers: [
            ("made", Some(window::made())),
            ("since_look_ms", Some(ago(&LOOKED_MS))),
            ("all_collections", Some(collections)),
            ("since_any_collection_ms", collected),
            ("thinned", Some(look::thinned())),
        ],
    })
}
