//! realloc of blocks that may be sampled, in place or not. What becomes of the sample is said in
//! `live_table::sample`.
//!
//! Order: detach the record, call, re-attach it if the call failed; so no other thread that gets
//! the old address loses its record to us.
//!
//! # Safety
//! As `cold`.
#![allow(unsafe_code)]

use super::cold::sample;
use super::entry::Context;
use super::forward;
use super::release::free_pending;
use crate::next::{self, Block};
use crate::recorder::{self, Before, Hook, Sampling};
use crate::trigger;

/// Gives `block` another size by the program's call, `plain`; given null, that makes a block of the
/// same kind. `due`: the countdown ran out, a sample is to be taken.
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
    forward::watch();
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
        // SAFETY: a block of the program's.
        let usable = unsafe { next::allocator().malloc_usable_size(block) }.unwrap_or(0);
        // SAFETY: both blocks are live and distinct; the usable size of the old one is what the
        // allocator itself would copy at most, and the new one holds `size` bytes.
        unsafe { core::ptr::copy_nonoverlapping(block, fresh, usable.min(size)) };
        if !recorder::free_later(block as usize) {
            // SAFETY: realloc frees the old block; what it held was copied.
            unsafe { next::allocator().free(block) };
        }
    }
    fresh
}
