//! realloc of blocks that may be sampled, in place or not. What becomes of the sample is said in
//! `table::live_table::sample`.
//!
//! Order: remove the record, call, put the record back if the call failed. So when another thread
//! gets the old address, its record is not removed by us.
//!
//! # Safety
//! The pointers are the program's, under the contract of realloc(3).
#![allow(unsafe_code)]

use super::early;
use super::entry::Context;
use super::pending::free_pending;
use super::sample::sample;
use crate::next::{self, Block};
use crate::recorder::{self, Before, Hook, Sampling};
use crate::trigger;

/// Gives `block` another size by the program's call, `plain`. For null that call makes a block of
/// the same kind. `due`: the countdown ran out, a sample must be taken.
pub(super) fn reallocate(
    block: Block,
    size: usize,
    hook: Hook,
    context: &Context,
    due: bool,
    plain: &dyn Fn(Block) -> Block,
) -> Block {
    if next::is_shadowed() {
        return plain(block);
    }
    if block.is_null() && due {
        return sample(hook, context, size, || plain(block));
    }
    let tracked = !block.is_null() && recorder::may_be_sampled(block as usize);
    if !due && !tracked {
        return plain(block);
    }
    let before = match tracked.then(|| recorder::detach(block as usize)) {
        Some(Err(recorder::Refused)) => return reallocate_elsewhere(block, size, plain),
        Some(Ok(before)) => before,
        None => None,
    };
    let sampling = due.then(|| recorder::enter_event(size)).flatten();
    // Nobody else knows how long a block is that is no sample.
    let usable = match before.is_some() || sampling.is_some() {
        true => usable_size(block),
        false => 0,
    };
    let moved = plain(block);
    if moved.is_null() {
        drop(sampling);
        // realloc(p, 0) frees and may return null; otherwise null means that nothing happened.
        match before {
            Some(before) if size > 0 => recorder::attach(before),
            Some(before) => recorder::forget(&before),
            None => {}
        }
        return moved;
    }
    let before = Before {
        sample: before,
        usable,
    };
    record_resized(sampling, before, moved, size, hook, context);
    moved
}

/// How long a block is that the next allocator made. Another library's function of that name would read
/// what is not there; without the allocator's own nothing is known, and all of a block is new.
fn usable_size(block: Block) -> usize {
    let next = next::allocator();
    match next::is_counted(&next.malloc_usable_size) {
        // SAFETY: a live block of the program's, and the function of its allocator.
        true => unsafe { next.malloc_usable_size(block) }.unwrap_or(0),
        false => 0,
    }
}

/// Records what has become of a block, if it was a sample or may be one now. `due`: the countdown ran
/// out.
#[inline(never)]
pub(super) fn record_resized(
    due: Option<Sampling>,
    before: Before,
    block: Block,
    size: usize,
    hook: Hook,
    context: &Context,
) {
    let is_due = due.is_some();
    let inside = due.or_else(|| before.sample.and_then(|_| recorder::enter_resize()));
    let Some(inside) = inside else {
        before.sample.iter().for_each(recorder::forget);
        return;
    };
    recorder::watch_frees();
    let call = (hook, context.registers());
    let bytes = inside.resize(&before, is_due, block as usize, size, call);
    trigger::after_sample(inside.guard(), bytes);
    drop(inside);
    free_pending();
}

/// The block is sampled and its record is out of reach now: it stays as it is, to be freed later.
fn reallocate_elsewhere(block: Block, size: usize, plain: &dyn Fn(Block) -> Block) -> Block {
    let fresh = plain(core::ptr::null_mut());
    if !fresh.is_null() {
        // SAFETY: a block of the program.
        let usable = unsafe { next::allocator().malloc_usable_size(block) }.unwrap_or(0);
        // SAFETY: both blocks are live and distinct. The usable size of the old one is the most
        // that the allocator itself would copy, and the new one holds `size` bytes.
        unsafe { core::ptr::copy_nonoverlapping(block, fresh, usable.min(size)) };
        if !recorder::free_later(block as usize) {
            // SAFETY: realloc frees the old block; its contents were copied.
            unsafe { next::allocator().free(block) };
        }
    }
    fresh
}

/// Counts a block that changes its size, and gives it that size; `plain` as in [`reallocate`].
pub(super) fn resize(
    block: Block,
    size: usize,
    context: &Context,
    plain: &dyn Fn(Block) -> Block,
) -> Block {
    if early::owns(block) {
        return early::reallocate(block, size);
    }
    let due = recorder::count_down(size);
    reallocate(block, size, Hook::Realloc, context, due, plain)
}
