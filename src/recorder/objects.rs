//! What a sampled small block of a language runtime means: CPython keeps blocks of up to 512 bytes in
//! arenas that it maps, where malloc sees nothing. A kind of their own besides malloc's.
//!
//! They are drawn as malloc's are, by a countdown of their own ([`Tls::objects`]) and the same period,
//! and the budget of `auto` pays for both. A countdown in common would draw a block twice where the
//! runtime asks malloc for it. A block that is given another size is freed and new: how long it was is
//! not known where it was no sample.
//!
//! # Safety
//! See `recorder`: the guard makes the caller the only user of its thread's block.
#![allow(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::drawn::keep;
use super::hook::Hook;
use super::rate::Event;
use super::sampling::{drawn, thread_of};
use super::thread::Thread;
use super::{DORMANT, OBJECT_STACKS, OBJECTS, fork, is_active, lg_period, uptime_ms};
use crate::diag::{self, Counter};
use crate::platform::tls::{self, Guard, Tls};
use crate::sampler;
use crate::table::fork_gate;
use crate::table::live_table::{Insert, Sample};
use crate::unwind::Registers;

/// A sample that is being made. The thread is inside our code until it is dropped.
pub struct Object {
    thread: *mut Thread,
    guard: Guard,
}

/// A block of `size` bytes was counted, and the countdown, which held `before`, ran out. `None`: the block
/// is no sample.
pub fn enter(size: usize, before: u64) -> Option<Object> {
    let tls = tls::current();
    let guard = tls.enter();
    if guard.is_none() {
        diag::count(Counter::Reentered);
    }
    let object = guard
        .filter(|_| is_active())
        .and_then(|guard| draw(tls, guard, size, before));
    let Some((object, due)) = object else {
        arm(tls, DORMANT.load(Relaxed), 0);
        return None;
    };
    due.then_some(object)
}

/// Arms the countdown with a gap of the period `2^(period - 1)`; of none for 0.
fn arm(tls: &Tls, gap: u64, period: u64) {
    tls.objects.store(gap, Relaxed);
    tls.objects_period.store(period, Relaxed);
}

/// Is the block due? `None`: there is no room for the thread. A gap that was not drawn, or with another
/// period, is drawn now, and the block is tested against it, as in `Thread::draw`.
fn draw(tls: &'static Tls, guard: Guard, size: usize, before: u64) -> Option<(Object, bool)> {
    fork::begin_to_sample();
    let thread = thread_of(tls)?;
    let object = Object { thread, guard };
    // SAFETY: the guard makes us the only user of this thread's block.
    let thread = unsafe { &mut *object.thread };
    let lg_period = lg_period();
    let period = u64::from(lg_period) + 1;
    let is_drawn = before != 0 && tls.objects_period.load(Relaxed) == period;
    if !thread.is_sampled() {
        return None;
    }
    let gap = thread.other_gap(lg_period);
    let size = size as u64;
    if !is_drawn && size < gap {
        arm(tls, gap - size, period);
        return Some((object, false));
    }
    let gap = thread.other_gap(lg_period);
    arm(tls, gap, period);
    Some((object, true))
}

impl Object {
    /// Records the block. Returns the number of bytes that it stands for.
    pub fn record(&self, address: usize, size: usize, registers: Registers) -> u64 {
        let event = Event::begin();
        // SAFETY: the guard inside `self` makes us the only user of this thread's block.
        let thread = unsafe { &mut *self.thread };
        let weight = sampler::weight(size, thread.lg_period());
        let Some(pass) = fork_gate::TABLES.enter() else {
            diag::count(Counter::SampleNotStored);
            return weight.bytes;
        };
        let call = (Hook::Malloc, registers);
        let Some(drawn) = drawn(thread, &OBJECT_STACKS, address, size, call) else {
            return weight.bytes;
        };
        let insert = |sample| OBJECTS.insert(sample);
        if let Err(counter) = keep(&OBJECT_STACKS, &drawn, &weight, insert) {
            diag::count(counter);
        }
        drop(pass);
        event.end(drawn.now_ms);
        weight.bytes
    }

    /// The proof that the thread is inside our code.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }
}

/// False: no sampled block begins at `address`. Takes no lock.
#[inline]
pub fn may_be_sampled(address: usize) -> bool {
    OBJECTS.may_contain(address)
}

/// Removes the record of a block that is about to be freed, or given another size.
pub fn take(address: usize) -> Option<Sample> {
    let guard = tls::current().enter();
    if guard.is_some() && fork::begin_to_sample() {
        return None;
    }
    let pass = guard.as_ref().and_then(|_| fork_gate::TABLES.enter());
    if pass.is_none() {
        // The record stays until the address is used again.
        diag::count(Counter::FreeLost);
        return None;
    }
    let event = Event::begin();
    let sample = OBJECTS.remove(address);
    event.end_silently();
    sample
}

/// The block of a removed record is free: notes how long it lived.
pub fn forget(sample: &Sample) {
    let lifetime = uptime_ms().saturating_sub(sample.birth_ms);
    OBJECT_STACKS.note_free(sample.stack, lifetime, sample.first_bytes());
}

/// Puts a removed record back: its block was not freed after all.
pub fn put_back(sample: Sample) {
    let guard = tls::current().enter();
    let pass = guard.as_ref().and_then(|_| fork_gate::TABLES.enter());
    if pass.is_none() || matches!(OBJECTS.insert(sample), Insert::Full) {
        diag::count(Counter::SampleNotStored);
    }
}

/// Forgets all samples: blocks were freed that no wrapper saw.
pub fn forget_all() {
    let guard = tls::current().enter();
    let pass = guard.as_ref().and_then(|_| fork_gate::TABLES.enter());
    if pass.is_some() {
        OBJECTS.clear();
        OBJECT_STACKS.clear_totals();
    }
}
