//! Removes the record of a block that is about to be freed, and makes frees that were postponed.
//!
//! The record is removed first, then the block is freed. Otherwise another thread could get the
//! address, and its new record would be removed. A free that interrupted our own work on this
//! thread, or came while the process forks, is kept and made later.
//!
//! # Safety
//! The pointers are the program's, under the contract of free(3).
#![allow(unsafe_code)]

use super::early;
use crate::next::{self, Block};
use crate::platform::tls;
use crate::recorder;

/// Removes the record of a block that is about to be freed. False: the block must not be freed now.
/// For any pointer.
pub extern "C" fn let_go(block: Block) -> bool {
    if early::owns(block) {
        return false;
    }
    block.is_null() || !recorder::may_be_sampled(block as usize) || let_sample_go(block as usize)
}

#[cold]
#[inline(never)]
fn let_sample_go(address: usize) -> bool {
    if recorder::release(address).is_err() {
        return !recorder::free_later(address);
    }
    free_pending();
    true
}

/// Makes the frees that were postponed: by signal handlers of this thread while it was inside our
/// tables, or because of a fork.
#[inline(always)]
pub(super) fn free_pending() {
    if recorder::has_pending() {
        free_all_pending();
    }
}

#[cold]
#[inline(never)]
fn free_all_pending() {
    while !tls::current().is_busy()
        && let Some(address) = recorder::next_pending()
    {
        let is_refused = recorder::release(address).is_err();
        if is_refused && recorder::free_later(address) {
            return;
        }
        // SAFETY: the program freed this block before; its record is removed, or cannot be reached.
        unsafe { next::allocator().free(address as Block) };
    }
}
