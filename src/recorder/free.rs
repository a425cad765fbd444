//! What happens to a record when its block is freed or moved, and to frees that must wait.
//!
//! It takes one table lock at a time. If a signal handler interrupted this thread inside the
//! tables, or a fork takes too long, the answer is [`Refused`].
//!
//! # Safety
//! See `recorder`: a thread's block is used only by that thread.
#![allow(unsafe_code)]

use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::{Acquire, Release};

use once_cell::race::OnceRef;

use super::rate::{self, Event};
use super::thread::{Thread, current_thread};
use super::{LIVE, STACKS, fork, uptime_ms};
use crate::diag::{self, Counter};
use crate::platform::{tls, usdt};
use crate::table::fork_gate;
use crate::table::live_table::{Insert, Sample};

/// Makes the functions that free ask the page filter. Set by the hooks before sampling can begin.
static WATCH: OnceRef<'static, fn()> = OnceRef::new();

/// Do the functions that free ask the page filter? Written by the thread that makes them do so,
/// with Release.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Stores the function that makes the functions that free ask the page filter.
pub fn set_watch(watch: &'static fn()) {
    // A second call would bring the same function.
    let _ = WATCH.set(watch);
}

/// From now on every function that frees asks the page filter first. Runs before a sample is
/// recorded.
#[inline]
pub fn watch_frees() {
    // Acquire: pairs with the release in `begin_to_watch`, so that a thread that gets a sampled
    // block from this one sees the new targets of the functions that free.
    if !WATCHED.load(Acquire) {
        begin_to_watch();
    }
}

#[cold]
fn begin_to_watch() {
    if let Some(watch) = WATCH.get() {
        watch();
        WATCHED.store(true, Release);
    }
}

/// The tables cannot be used now: a signal handler interrupted this thread inside them, or a fork
/// takes too long. The free must wait.
#[derive(Debug)]
pub struct Refused;

/// Removes the record of `address`, if there is one.
pub fn detach(address: usize) -> Result<Option<Sample>, Refused> {
    let _guard = tls::current().enter().ok_or(Refused)?;
    if fork::begin_to_sample() {
        return Ok(None);
    }
    let _pass = fork_gate::TABLES.enter().ok_or(Refused)?;
    Ok(take(address))
}

/// Removes a record. The budget of `auto` pays for frees of samples too.
#[inline(always)]
fn take(address: usize) -> Option<Sample> {
    match rate::is_auto() {
        true => remove_timed(address),
        false => LIVE.remove(address),
    }
}

#[inline(never)]
fn remove_timed(address: usize) -> Option<Sample> {
    let event = Event::begin();
    let sample = LIVE.remove(address);
    event.end_silently();
    sample
}

/// The block at `address` is about to be freed. Removes its record, if there is one, and notes how
/// long the block lived.
#[inline]
pub fn release(address: usize) -> Result<(), Refused> {
    let _guard = tls::current().enter().ok_or(Refused)?;
    if fork::begin_to_sample() {
        return Ok(());
    }
    let _pass = fork_gate::TABLES.enter().ok_or(Refused)?;
    if let Some(sample) = take(address) {
        forget(&sample);
    }
    Ok(())
}

/// Puts a removed record back: its block was not freed after all.
pub fn attach(sample: Sample) {
    let guard = tls::current().enter();
    let pass = guard.as_ref().and_then(|_| fork_gate::TABLES.enter());
    if pass.is_none() || matches!(LIVE.insert(sample), Insert::Full) {
        diag::count(Counter::SampleNotStored);
    }
}

/// The block of a removed record is free: notes how long it lived.
pub fn forget(sample: &Sample) {
    usdt::free(sample.addr);
    let lifetime = uptime_ms().saturating_sub(sample.birth_ms);
    STACKS.note_free(sample.stack, lifetime, sample.first_bytes());
}

/// A signal handler frees a sampled block while its thread is inside our tables. The record and the
/// block are freed when the thread leaves the tables. False: there is no room to remember the free.
/// Then the block must be freed now, and its record stays until the address is used again.
#[must_use]
pub fn free_later(address: usize) -> bool {
    let thread = current_thread();
    // SAFETY: the block of the calling thread. Handlers may fill the pending list, see `thread`.
    let kept = !thread.is_null() && unsafe { Thread::pend(thread, address) };
    diag::count(if kept {
        Counter::FreeDeferred
    } else {
        Counter::FreeLost
    });
    kept
}

/// Did handlers leave postponed frees on this thread?
#[inline(always)]
pub fn has_pending() -> bool {
    let thread = current_thread();
    // SAFETY: null, or the block of the calling thread.
    !thread.is_null() && unsafe { Thread::has_pending(thread) }
}

/// The next block whose free a handler postponed on this thread. The caller frees it.
pub fn next_pending() -> Option<usize> {
    let thread = current_thread();
    if thread.is_null() {
        return None;
    }
    // SAFETY: the block of the calling thread.
    unsafe { Thread::take_pending(thread) }
}
