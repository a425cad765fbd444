//! The function that tcmalloc has besides the malloc family and that is not only another name.
//!
//! Source: `gperftools/tcmalloc.h` 2.10.
//!
//! # Safety
//! The arguments are the program's, under the contracts of these functions.
#![allow(unsafe_code)]

use super::entry::Context;
use super::sample::count;
use crate::next::{Block, plain_call};
use crate::recorder::Hook;

/// The entries of these functions. The named register is the one after the function's own
/// arguments.
#[allow(unsafe_code)]
pub mod entries {
    use crate::hooks::entry::entries;

    entries! {
        tc_malloc_skip_new_handler("rsi") => super::tc_malloc_skip_new_handler;
    }
}

/// tcmalloc's tc_malloc_skip_new_handler
pub(crate) extern "C" fn tc_malloc_skip_new_handler(size: usize, context: &Context) -> Block {
    let plain = || plain_call!(tc_malloc_skip_new_handler(size));
    count(Hook::Malloc, context, size, plain)
}
