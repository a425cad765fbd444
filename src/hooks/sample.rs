//! What an allocating hook does when its countdown ran out: it makes the program's own call, and
//! records the block that came back.
//!
//! The call is not changed for our sake: no other size, no alignment. errno is the next
//! allocator's; nothing of ours sets it.

use super::entry::Context;
use super::pending::free_pending;
use crate::next::{self, Block};
use crate::recorder::{self, Hook, Sampling};
use crate::trigger;

/// An allocation of `size` bytes whose countdown ran out; `plain` is the program's call.
#[inline]
pub(super) fn sample(
    hook: Hook,
    context: &Context,
    size: usize,
    plain: impl FnOnce() -> Block,
) -> Block {
    let Some(sampling) = recorder::enter_event(size) else {
        return plain();
    };
    let block = plain();
    if !block.is_null() {
        record(sampling, block, size, hook, context);
    }
    block
}

/// Records a block that was made for `sampling`.
pub(super) fn record(sampling: Sampling, block: Block, size: usize, hook: Hook, context: &Context) {
    recorder::watch_frees();
    let bytes = sampling.record(block as usize, size, hook, context.registers());
    trigger::after_sample(sampling.guard(), bytes);
    drop(sampling);
    free_pending();
}

/// A function without a hot twin: the bytes are taken from the countdown here.
#[inline]
pub(super) fn count(
    hook: Hook,
    context: &Context,
    size: usize,
    plain: impl FnOnce() -> Block,
) -> Block {
    if recorder::count_down(size) && !next::is_shadowed() {
        sample(hook, context, size, plain)
    } else {
        plain()
    }
}
