//! realloc of blocks that may be sampled: a free and a new allocation, in place or not.
//!
//! Order: remove the record, call, put the record back if the call failed. So when another thread
//! gets the old address, its record is not removed by us.
//!
//! # Safety
//! The pointers are the program's, under the contract of realloc(3).
#![allow(unsafe_code)]

use super::early;
use super::entry::Context;
use super::sample::{record, sample};
use crate::next::{self, Block};
use crate::recorder::{self, Hook};

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
    let moved = plain(block);
    // realloc(p, 0) frees and may return null; otherwise null means that nothing happened.
    let is_refused = moved.is_null() && size > 0;
    match before {
        Some(before) if is_refused => {
            drop(sampling);
            recorder::attach(before);
            return moved;
        }
        Some(before) => recorder::forget(&before),
        None => {}
    }
    if let Some(sampling) = sampling.filter(|_| !moved.is_null()) {
        record(sampling, moved, size, hook, context);
    }
    moved
}

/// The block is sampled and its record cannot be reached now: the block stays as it is, to be freed
/// later.
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
