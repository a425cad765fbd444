//! A dump that the program itself asks for, and waits for: jemalloc's `prof.dump`.
//!
//! The wish lies on the stack of the thread that asks. It stays there until the writer has stored what
//! came of it, so the asking thread waits without a limit, as jemalloc's does.
//!
//! # Safety
//! `WISH` is null, or the wish of a thread that waits. It is taken out by the holder of `WRITER`, and not
//! touched once its outcome is stored.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU8};

use super::own_thread::TAKEN;
use super::{PATIENCE_MS, WRITER};
use crate::config::Config;
use crate::diag::{self, Counter};
use crate::dump::{Goal, Outcome, Reason, prefix};
use crate::platform::sys;

/// The wish of the thread that started the present dump; null when a trigger did. Written by the holder of
/// `WRITER`, taken by the thread that writes.
static WISH: AtomicPtr<Wish> = AtomicPtr::new(core::ptr::null_mut());

/// What a thread waits for.
pub(super) struct Wish {
    /// Null: under the prefix.
    file: *const c_char,
    /// [`PENDING`], [`DONE`] or [`FAILED`]. Release by the writer pairs with Acquire by the thread that waits.
    outcome: AtomicU8,
}

const PENDING: u8 = 0;
const DONE: u8 = 1;
const FAILED: u8 = 2;

/// How long a thread waits before it looks again.
const SLICE_MS: u64 = 1_000;

/// Writes a dump to `file`, or under the prefix, after any that is being written, and returns when it is
/// complete. False when there is none. On the program's thread, inside our guard.
pub fn write(file: Option<&CStr>) -> bool {
    if !super::is_ours() {
        return false;
    }
    let deadline = sys::monotonic_ms() + PATIENCE_MS;
    if !super::wait(deadline, &|| WRITER.try_take()) {
        diag::count(Counter::DumpFailed);
        return false;
    }
    let wish = Wish {
        file: file.map_or(core::ptr::null(), CStr::as_ptr),
        outcome: AtomicU8::new(PENDING),
    };
    WISH.store((&raw const wish).cast_mut(), Release);
    super::begin(Reason::Demand);
    loop {
        // The outcome is stored before the writer gives its place back.
        match wish.outcome.load(Acquire) {
            PENDING => sys::wait_for_thread(&WRITER.word, TAKEN, SLICE_MS),
            outcome => return outcome == DONE,
        }
    }
}

/// A dump begins: the wish it is for. On the thread that writes.
pub(super) fn take<'a>() -> Option<&'a Wish> {
    // SAFETY: null, or a wish whose thread waits.
    unsafe { WISH.swap(core::ptr::null_mut(), AcqRel).as_ref() }
}

/// Forgets the wish of a thread that a fork's child does not have.
pub(super) fn abandon() {
    WISH.store(core::ptr::null_mut(), Relaxed);
}

impl Wish {
    /// Where the dump goes.
    pub(super) fn goal(&self, prefix: &'static [u8]) -> Goal<'_> {
        Goal {
            prefix,
            // SAFETY: not null, so the program's string, which lives while its thread waits.
            file: (!self.file.is_null()).then(|| unsafe { CStr::from_ptr(self.file) }),
            is_asked: true,
        }
    }

    /// The last thing that is done with it.
    pub(super) fn settle(&self, outcome: Outcome) {
        let code = if outcome == Outcome::Whole {
            DONE
        } else {
            FAILED
        };
        self.outcome.store(code, Release);
    }
}

/// The beginning of the dumps' names. The caller holds `WRITER`.
pub(super) fn prefix(config: &'static Config) -> &'static [u8] {
    // SAFETY: the caller holds `WRITER` until its dump is written.
    unsafe { prefix::current(config) }
}

/// Changes the beginning of the dumps' names. False when a dump takes too long.
pub fn set_prefix(text: &[u8]) -> bool {
    if !super::is_ours() || !super::wait(sys::monotonic_ms() + PATIENCE_MS, &|| WRITER.try_take()) {
        return false;
    }
    // SAFETY: `WRITER` is taken.
    unsafe { prefix::set(text) };
    super::finish();
    true
}
