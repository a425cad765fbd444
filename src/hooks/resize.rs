//! realloc of blocks that may be sampled: a free and a new allocation, in place or not.
//!
//! Called by `cold`. Order: detach the record, call, re-attach it if the call failed; so no other
//! thread that gets the old address loses its record to us.
//!
//! # Safety
//! As `cold`.
#![allow(unsafe_code)]

use super::cold::{record, sample};
use super::entry::Context;
use super::forward::{self, Mode};
use super::marked::{Shape, clear_slack, copy_usable, move_marked, unmarked_block};
use crate::next::{self, Block};
use crate::recorder::{self, Hook};

/// Gives `block` the shape `shape`; `plain` is the call that the program made. `due`: the countdown
/// ran out, a sample is to be taken.
pub(super) fn reallocate(
    block: Block,
    shape: Shape,
    hook: Hook,
    context: &Context,
    due: bool,
    plain: &dyn Fn() -> Block,
) -> Block {
    let size = shape.size;
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
        return unsafe { sample(hook, context, shape, plain) };
    }
    let before = match tracked.then(|| recorder::detach(block as usize)) {
        Some(Err(recorder::Refused)) => return reallocate_elsewhere(block, shape),
        Some(Ok(before)) => before,
        None => None,
    };
    if let Some(before) = before.as_ref().filter(|_| shape.zeroed) {
        clear_slack(block, next::usable_size_of(before.size));
    }
    let sampling = match (exact, due) {
        (true, _) => recorder::enter_exact(),
        (false, true) => recorder::enter_event(size),
        (false, false) => None,
    };
    let moved = match &sampling {
        Some(_) if size > 0 && forward::mode() == Mode::Marked => move_marked(block, shape, plain),
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
fn reallocate_elsewhere(block: Block, shape: Shape) -> Block {
    let fresh = unmarked_block(shape);
    if !fresh.is_null() {
        copy_usable(block, fresh, shape.size);
        recorder::free_later(block as usize);
    }
    fresh
}
