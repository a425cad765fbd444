//! What a wrapper does when the countdown ran out, or when the block may be a sample.
//!
//! The program's own call is made first, with its own arguments. Whether the interpreter asked malloc for the
//! block is seen by malloc's countdown, which the hook of malloc has moved then; in exact mode, where that
//! does not move, by malloc's records.
//!
//! # Safety
//! The arguments are those of CPython's allocators, passed on to the functions that were there before us.
#![allow(unsafe_code)]

use core::ffi::c_void;
use core::mem::transmute;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU32};

use super::domain::{Domain, MEM, OBJ};
use crate::hooks::entry::Context;
use crate::platform::tls::{self, PARKED};
use crate::recorder::{self, objects};
use crate::trigger;

type Block = *mut c_void;

/// After so many blocks in a row that malloc has made, all are taken to be malloc's.
const ENOUGH: u32 = 256;

/// Blocks in a row that malloc has made. Any thread adds.
static MALLOCS: AtomicU32 = AtomicU32::new(0);

/// Are all blocks malloc's? Written once, by the thread that has seen enough.
static GIVEN_UP: AtomicBool = AtomicBool::new(false);

/// Makes a block by `plain`, and records it, if the countdown that ran out says so.
fn allocate(size: usize, context: &Context, plain: impl FnOnce() -> Block) -> Block {
    let tls = tls::current();
    if GIVEN_UP.load(Relaxed) {
        tls.objects.store(PARKED, Relaxed);
        return plain();
    }
    let held = tls.objects.load(Relaxed).wrapping_add(size as u64);
    let before = tls.countdown.load(Relaxed);
    let block = plain();
    let is_unmoved = tls.countdown.load(Relaxed) == before;
    let object = match block.is_null() {
        true => None,
        false => objects::enter(size, held),
    };
    let Some(object) = object else {
        return block;
    };
    let address = block as usize;
    let is_own = is_unmoved && !(recorder::is_exact() && is_in_malloc(address));
    if is_own {
        MALLOCS.store(0, Relaxed);
        object.record(address, size, context.registers());
        // Intervals count what malloc was asked for.
        trigger::after_sample(object.guard(), 0);
    } else if MALLOCS.fetch_add(1, Relaxed) >= ENOUGH {
        GIVEN_UP.store(true, Relaxed);
    }
    block
}

/// Is this a block that malloc has made, and that is a sample? The debug hooks keep two words before it.
fn is_in_malloc(address: usize) -> bool {
    const DEBUG_HEAD: usize = 16;
    let starts = [address, address.wrapping_sub(DEBUG_HEAD)];
    starts
        .iter()
        .any(|start| recorder::LIVE.get(*start).is_some())
}

/// Gives a block another size by `plain`; `is_due`: the countdown ran out.
fn reallocate(
    block: Block,
    size: usize,
    context: &Context,
    is_due: bool,
    plain: impl FnOnce() -> Block,
) -> Block {
    let is_sampled = !block.is_null() && objects::may_be_sampled(block as usize);
    let record = is_sampled.then(|| objects::take(block as usize)).flatten();
    let moved = match is_due {
        true => allocate(size, context, plain),
        false => plain(),
    };
    match record {
        // Nothing happened.
        Some(record) if moved.is_null() => objects::put_back(record),
        Some(record) => objects::forget(&record),
        None => {}
    }
    moved
}

/// Removes the record of a block that is about to be freed, if there is one.
pub(super) extern "C" fn let_go(block: Block) {
    let is_sampled = !block.is_null() && objects::may_be_sampled(block as usize);
    let record = is_sampled.then(|| objects::take(block as usize)).flatten();
    record.iter().for_each(objects::forget);
}

impl Domain {
    fn plain_malloc(&self, argument: Block, size: usize) -> Block {
        // SAFETY: the function of this prototype that the domain had before us; the wrapper is called only
        // after it was stored.
        unsafe {
            let malloc: extern "C" fn(Block, usize) -> Block = transmute(self.malloc.load(Relaxed));
            malloc(argument, size)
        }
    }

    fn plain_calloc(&self, argument: Block, number: usize, size: usize) -> Block {
        // SAFETY: as above.
        unsafe {
            let calloc: extern "C" fn(Block, usize, usize) -> Block =
                transmute(self.calloc.load(Relaxed));
            calloc(argument, number, size)
        }
    }

    fn plain_realloc(&self, argument: Block, block: Block, size: usize) -> Block {
        // SAFETY: as above.
        unsafe {
            let realloc: extern "C" fn(Block, Block, usize) -> Block =
                transmute(self.realloc.load(Relaxed));
            realloc(argument, block, size)
        }
    }
}

macro_rules! events {
    ($domain:ident: $malloc:ident, $calloc:ident, $realloc:ident, $realloc_sampled:ident) => {
        /// malloc when the countdown ran out.
        pub(super) extern "C" fn $malloc(argument: Block, size: usize, context: &Context) -> Block {
            allocate(size, context, || $domain.plain_malloc(argument, size))
        }

        /// calloc when the countdown ran out.
        pub(super) extern "C" fn $calloc(
            argument: Block,
            number: usize,
            size: usize,
            context: &Context,
        ) -> Block {
            // The wrapper has tested the product.
            let bytes = number.wrapping_mul(size);
            allocate(bytes, context, || {
                $domain.plain_calloc(argument, number, size)
            })
        }

        /// realloc when the countdown ran out.
        pub(super) extern "C" fn $realloc(
            argument: Block,
            block: Block,
            size: usize,
            context: &Context,
        ) -> Block {
            let plain = || $domain.plain_realloc(argument, block, size);
            reallocate(block, size, context, true, plain)
        }

        /// realloc of a block in whose page a sample begins.
        pub(super) extern "C" fn $realloc_sampled(
            argument: Block,
            block: Block,
            size: usize,
            context: &Context,
        ) -> Block {
            let plain = || $domain.plain_realloc(argument, block, size);
            reallocate(block, size, context, false, plain)
        }
    };
}

events!(MEM: mem_malloc, mem_calloc, mem_realloc, mem_realloc_sampled);
events!(OBJ: obj_malloc, obj_calloc, obj_realloc, obj_realloc_sampled);
