//! One sample of the malloc family, from the used-up countdown to the record.
//!
//! It may take one table lock at a time and may grow the arena, but nothing else. It holds no lock
//! while it unwinds.
//!
//! # Safety
//! See `recorder`: the guard makes the caller the only user of its thread's block.
#![allow(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::drawn::{keep, replaced};
use super::hook::Hook;
use super::rate::Event;
use super::thread::{self, Thread, current_thread};
use super::{DORMANT, LIVE, MOST_FRAMES, STACKS, THREAD_NAMES, fork};
use super::{is_active, is_exact, lg_period, uptime_ms};
use crate::diag::{self, Counter};
use crate::platform::tls::{self, Guard, Tls};
use crate::platform::usdt;
use crate::sampler::{self, Weight};
use crate::table::live_table::{Before, Drawn, Insert};
use crate::table::stack_table::StackTable;
use crate::table::{arena, fork_gate};
use crate::unwind::Registers;

/// A sample that is being made. The thread is inside our code until the sample is recorded or
/// dropped.
pub struct Sampling {
    thread: *mut Thread,
    guard: Guard,
}

/// The countdown was used up at an allocation of `size` bytes. `None`: this allocation is not
/// sampled (sampling is off, this is only the thread's first allocation, or the thread is inside
/// our code).
pub fn enter_event(size: usize) -> Option<Sampling> {
    let tls = tls::current();
    let Some(mut guard) = tls.enter() else {
        // Only an absurd size leads here: the countdown of a busy thread is parked.
        tls.countdown.store(tls::PARKED, Relaxed);
        diag::count(Counter::Reentered);
        return None;
    };
    // In exact mode, a thread whose sampling may be switched on again must not miss a call.
    guard.rearm(match is_exact() && !arena::exhausted() {
        true => 0,
        false => DORMANT.load(Relaxed),
    });
    if !is_active() {
        // SAFETY: null, or the block of the calling thread, with the guard held.
        if let Some(thread) = unsafe { current_thread().as_mut() } {
            thread.disarm();
        }
        return None;
    }
    let thread = thread_of(tls)?;
    // SAFETY: the guard makes us the only user of this thread's block.
    let (due, countdown) = unsafe { (*thread).draw(size as u64, lg_period()) };
    guard.rearm(countdown);
    match due && fork::begin_to_sample() {
        false => due.then_some(Sampling { thread, guard }),
        true => enter_afresh(tls, guard, size),
    }
}

/// As [`enter_event`], after everything known before was abandoned, including the thread's block.
#[cold]
#[inline(never)]
fn enter_afresh(tls: &'static Tls, mut guard: Guard, size: usize) -> Option<Sampling> {
    let thread = thread_of(tls)?;
    // SAFETY: as in `enter_event`.
    let (due, countdown) = unsafe { (*thread).draw(size as u64, lg_period()) };
    guard.rearm(countdown);
    due.then_some(Sampling { thread, guard })
}

/// For the record of a block that is given another size when no sample is due. `None`: nothing is
/// sampled now, there is no block for this thread, or it is inside us already.
pub fn enter_resize() -> Option<Sampling> {
    if !is_active() {
        return None;
    }
    let tls = tls::current();
    let guard = tls.enter()?;
    let thread = thread_of(tls)?;
    Some(Sampling { thread, guard })
}

pub(super) fn thread_of(tls: &'static Tls) -> Option<*mut Thread> {
    let known = tls.thread.load(Relaxed).cast::<Thread>();
    if !known.is_null() {
        return Some(known);
    }
    fork::abandon_if_wiped();
    if thread::is_any() {
        fork::begin_to_sample();
    }
    let _pass = fork_gate::TABLES.enter()?;
    let found = thread::find_or_make();
    match found {
        Some(thread) => tls.thread.store(thread.cast(), Relaxed),
        None => diag::count(Counter::ThreadNotTracked),
    }
    found
}

impl Sampling {
    /// Records the block that was allocated. Returns the number of bytes that it stands for.
    pub fn record(&self, address: usize, size: usize, hook: Hook, registers: Registers) -> u64 {
        let event = Event::begin();
        // SAFETY: the guard inside `self` makes us the only user of this thread's block.
        let thread = unsafe { &mut *self.thread };
        let weight = sampler::weight(size, thread.lg_period());
        let Some(pass) = fork_gate::TABLES.enter() else {
            diag::count(Counter::SampleNotStored);
            return weight.bytes;
        };
        let call = (hook, registers);
        let Some(drawn) = drawn(thread, &STACKS, address, size, call) else {
            return weight.bytes;
        };
        let kept = keep(&STACKS, &drawn, &weight, |sample| LIVE.insert(sample));
        match kept {
            Ok(()) => usdt::alloc(drawn.addr, drawn.size, weight.bytes),
            Err(counter) => diag::count(counter),
        }
        drop(pass);
        event.end(drawn.now_ms);
        weight.bytes
    }

    /// Records what has become of a block that was made `size` bytes large. `is_due`: the countdown ran
    /// out. Returns the bytes to account for.
    pub fn resize(
        &self,
        before: &Before,
        is_due: bool,
        address: usize,
        size: usize,
        call: (Hook, Registers),
    ) -> u64 {
        let event = Event::begin();
        // For who watches, another size is a free and a new block.
        if let Some(sample) = &before.sample {
            usdt::free(sample.addr);
        }
        // SAFETY: the guard inside `self` makes us the only user of this thread's block.
        let thread = unsafe { &mut *self.thread };
        let weight = match is_due {
            true => sampler::weight(size, thread.lg_period()),
            false => Weight::default(),
        };
        let Some(_pass) = fork_gate::TABLES.enter() else {
            diag::count(Counter::SampleNotStored);
            return weight.bytes;
        };
        let Some(drawn) = drawn(thread, &STACKS, address, size, call) else {
            return weight.bytes;
        };
        if is_due {
            STACKS.note_alloc(drawn.stack, &weight, drawn.lg_period);
        }
        let chance = &mut |probability| thread.happens(probability);
        if let Some(sample) = before.resized(is_due, &drawn, chance) {
            let inserted = LIVE.insert(sample);
            if let Insert::Replaced(stale) = inserted {
                replaced(&STACKS, &stale, drawn.now_ms);
            }
            match inserted {
                Insert::Full => diag::count(Counter::SampleNotStored),
                _ => usdt::alloc(sample.addr, sample.size, sample.weighted_bytes),
            }
        }
        event.end_silently();
        weight.bytes
    }

    /// The proof that the thread is inside our code, for code that runs after the sample is
    /// recorded.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }
}

/// Where, when and by which stack a block was asked for. Inside the gate: the names of managed frames are
/// interned.
#[inline(always)]
pub(super) fn drawn(
    thread: &mut Thread,
    stacks: &StackTable,
    addr: usize,
    size: usize,
    (hook, registers): (Hook, Registers),
) -> Option<Drawn> {
    let lg_period = thread.lg_period();
    let most = MOST_FRAMES.load(Relaxed) as usize;
    let now_ms = uptime_ms();
    let frames = thread.unwind(hook.address(), registers, most, now_ms);
    let Some(stack) = frames.and_then(|frames| stacks.intern(frames)) else {
        diag::count(Counter::StackNotStored);
        return None;
    };
    Some(Drawn {
        addr,
        size,
        lg_period,
        now_ms,
        stack,
        thread: thread.uid(THREAD_NAMES.load(Relaxed)),
    })
}
