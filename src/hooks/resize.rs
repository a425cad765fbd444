//! realloc of blocks that may be sampled: a free and a new allocation, in place or not.
//!
//! Called by `cold`. Order: detach the record, call, re-attach it if the call failed; so no other
//! thread that gets the old address loses its record to us.
//!
//! # Safety
//! As `cold`.
#![allow(unsafe_code)]

use super::cold::{plain_call, record, sample};
use super::entry::Context;
use super::forward::{self, Mode};
use super::marked::{Shape, copy_usable, move_marked};
use crate::next::{self, Block};
use crate::recorder::{self, Hook};

/// Gives `block` the size `size`. `due`: the countdown ran out, a sample is to be taken.
pub(super) fn reallocate(
    block: Block,
    size: usize,
    hook: Hook,
    context: &Context,
    due: bool,
) -> Block {
    let plain = || plain_call!(realloc(block, size));
    let exact = forward::mode() == Mode::Exact;
    let tracked = !block.is_null() && recorder::may_be_sampled(block as usize);
    if (!due && !tracked && !exact) || next::is_shadowed() {
        return plain();
    }
    if block.is_null() {
        if !due && !exact {
            return plain();
        }
        // SAFETY: `context` comes from the entry; realloc of null is malloc.
        return unsafe { sample(hook, context, Shape::plain(size), plain) };
    }
    let before = match tracked.then(|| recorder::detach(block as usize)) {
        Some(Err(recorder::Refused)) => return reallocate_elsewhere(block, size),
        Some(Ok(before)) => before,
        None => None,
    };
    let sampling = match (exact, due) {
        (true, _) => recorder::enter_exact(),
        (false, true) => recorder::enter_event(size),
        (false, false) => None,
    };
    let moved = match &sampling {
        Some(_) if size > 0 && forward::mode() == Mode::Marked => move_marked(block, size),
        _ => plain(),
    };
    if moved.is_null() {
        drop(sampling);
        if let Some(before) = before {
            // realloc(p, 0) frees and returns null; otherwise null means nothing happened.
            if size == 0 {
                recorder::forget(&before)
            } else {
                recorder::attach(before)
            }
        }
        return moved;
    }
    if let Some(before) = before {
        recorder::forget(&before);
    }
    if let Some(sampling) = sampling {
        record(sampling, moved, size, hook, context);
    }
    moved
}

/// The block is sampled and its record cannot be had now: it is left as it is, to be freed later.
fn reallocate_elsewhere(block: Block, size: usize) -> Block {
    let fresh = plain_call!(malloc(size));
    if !fresh.is_null() {
        copy_usable(block, fresh, size);
        recorder::free_later(block as usize);
    }
    fresh
}
