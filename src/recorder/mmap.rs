//! What a sampled mapping means: the bytes that mmap(2) and brk(2) gave the program, by stack, as a
//! kind of their own besides malloc's.
//!
//! Each mapping is drawn for itself. The marks of `sampler` have no memory, so a fresh gap for each
//! call samples it with the same p as a countdown would, and no thread-local counter is needed.
//! Failure means "as if not sampled" and a counter.
//!
//! # Safety
//! See `recorder`: the guard makes the caller the only user of its thread's block.
#![allow(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::drawn::keep;
use super::hook::Hook;
use super::sampling::thread_of;
use super::thread::Thread;
use super::{MAP_STACKS, MOST_FRAMES, RANGES, THREAD_NAMES, fork, is_active, lg_period, uptime_ms};
use crate::diag::{self, Counter};
use crate::platform::tls::{self, Guard};
use crate::table::live_table::{Drawn, Insert};
use crate::table::range_table::Removed;
use crate::unwind::Registers;
use crate::{runtime, sampler, table::fork_gate};

/// A thread inside our code, in front of the tables.
struct Inside {
    thread: *mut Thread,
    _guard: Guard,
}

impl Inside {
    /// `None`: a handler interrupted our code, or there is no block for the thread.
    fn enter() -> Option<Inside> {
        let tls = tls::current();
        let Some(_guard) = tls.enter() else {
            diag::count(Counter::Reentered);
            return None;
        };
        fork::begin_to_sample();
        let thread = thread_of(tls)?;
        Some(Inside { thread, _guard })
    }

    fn thread(&mut self) -> &mut Thread {
        // SAFETY: the guard makes us the only user of this thread's block.
        unsafe { &mut *self.thread }
    }
}

/// `size` bytes were mapped at `address`, over whatever was there.
pub fn mapped(address: usize, size: usize, hook: Hook, registers: Registers) {
    if size == 0 || (!is_active() && RANGES.is_empty()) {
        return;
    }
    let Some(mut inside) = Inside::enter() else {
        return;
    };
    let lg_period = lg_period();
    if !is_active() || !inside.thread().is_due(size as u64, lg_period) {
        return gone(&take_out(&mut inside, address, size));
    }
    let thread = inside.thread();
    let most = MOST_FRAMES.load(Relaxed) as usize;
    // Before the walk: it interns the names of managed frames.
    let Some(_pass) = fork_gate::TABLES.enter() else {
        return diag::count(Counter::SampleNotStored);
    };
    let now_ms = uptime_ms();
    let uid = thread.uid(THREAD_NAMES.load(Relaxed));
    let frames = thread.unwind(hook.address(), registers, most, now_ms);
    let Some(stack) = frames.and_then(|frames| MAP_STACKS.intern(frames)) else {
        return diag::count(Counter::StackNotStored);
    };
    let drawn = Drawn {
        addr: address,
        size,
        lg_period,
        now_ms,
        stack,
        thread: uid,
    };
    let weight = sampler::weight(size, lg_period);
    let kept = keep(&MAP_STACKS, &drawn, &weight, |sample| {
        let chance = &mut |probability| thread.happens(probability);
        match RANGES.insert(&sample, chance) {
            Ok(()) => Insert::New,
            Err(_) => Insert::Full,
        }
    });
    if let Err(counter) = kept {
        diag::count(counter);
    }
}

/// A runtime may have something to find out on the calling thread, which maps memory: the stack is
/// walked as for a sample, and that is all.
pub fn look(hook: Hook, registers: Registers) {
    if !is_active() || !runtime::node::wants_look(uptime_ms()) {
        return;
    }
    let Some(mut inside) = Inside::enter() else {
        return;
    };
    let Some(_pass) = fork_gate::TABLES.enter() else {
        return;
    };
    let most = MOST_FRAMES.load(Relaxed) as usize;
    let thread = inside.thread();
    thread.unwind(hook.address(), registers, most, uptime_ms());
}

/// `size` bytes at `address` are about to be unmapped. This runs before the call. Otherwise another
/// thread could get the addresses, and its record would be removed. The result is passed to
/// [`restore`] if the kernel refuses, else to [`gone`].
pub fn unmapping(address: usize, size: usize) -> Removed {
    if size == 0 || RANGES.is_empty() {
        return Removed::default();
    }
    let removed = Inside::enter().map(|mut inside| take_out(&mut inside, address, size));
    removed.unwrap_or_default()
}

fn take_out(inside: &mut Inside, address: usize, size: usize) -> Removed {
    let Some(_pass) = fork_gate::TABLES.enter() else {
        diag::count(Counter::SampleNotStored);
        return Removed::default();
    };
    let thread = inside.thread();
    let end = address.saturating_add(size);
    RANGES.cut(address, end, &mut |probability| thread.happens(probability))
}

/// The removed parts are unmapped: notes how long they lived.
pub fn gone(removed: &Removed) {
    let now = uptime_ms();
    for part in removed.iter() {
        let lifetime = now.saturating_sub(part.birth_ms);
        MAP_STACKS.note_free(part.stack, lifetime, part.first_bytes());
    }
}

/// The kernel refused: the removed parts are still mapped.
pub fn restore(removed: &Removed) {
    let parts = removed.iter().count();
    if parts + removed.lost == 0 {
        return;
    }
    let inside = Inside::enter();
    let pass = inside.as_ref().and_then(|_| fork_gate::TABLES.enter());
    let put_back = removed.iter().filter(|_| pass.is_some());
    let stored = put_back.filter(|part| RANGES.insert(part, &mut |_| true).is_ok());
    for _ in stored.count()..parts + removed.lost {
        diag::count(Counter::SampleNotStored);
    }
}
