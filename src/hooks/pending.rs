//! The record of a block that is about to be freed, and frees that were put off.
//!
//! The record goes first, then the block, or another thread would get the address and lose its new
//! record to our removal. A free that interrupted our own work on this thread, or came while the process
//! forks, is kept and made later.
//!
//! # Safety
//! The pointers are the program's, under the contract of free(3).
#![allow(unsafe_code)]

use super::early;
use crate::next::{self, Block};
use crate::platform::tls;
use crate::recorder;

/// Takes the record of a block away that is about to be freed. False: the block is not to be freed
/// now. For any pointer.
pub extern "C" fn let_go(block: Block) -> bool {
    if early::owns(block) {
        return false;
    }
    block.is_null() || !recorder::may_be_sampled(block as usize) || let_sample_go(block as usize)
}

#[cold]
#[inline(never)]
fn let_sample_go(address: usize) -> bool {
    let Ok(sample) = recorder::detach(address) else {
        return !recorder::free_later(address);
    };
    if let Some(sample) = &sample {
        recorder::forget(sample);
    }
    free_pending();
    true
}

/// Frees what was put off: by signal handlers of this thread while it was inside our tables, or
/// because of a fork.
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
        match recorder::detach(address) {
            Ok(sample) => sample.iter().for_each(recorder::forget),
            Err(_) if recorder::free_later(address) => return,
            Err(_) => {}
        }
        // SAFETY: the program freed this block before; its record is gone, or cannot be had.
        unsafe { next::allocator().free(address as Block) };
    }
}
