//! The functions that the program calls in place of its allocator's: one file for each family.
//!
//! `export` has the hot twins as a macro; `forward` has the targets to which they jump when nothing
//! is sampled; `entry` leads to the cold twins of each family; `sample`, `resize` and `pending` are
//! what the cold twins share.

pub mod dlclose;
pub mod dlsym;
pub mod early;
pub mod entry;
mod export;
pub mod forward;
pub mod jemalloc;
pub mod mallctl;
pub mod malloc;
pub mod mapping;
pub mod mimalloc;
pub mod operators;
mod pending;
pub mod release;
mod resize;
mod sample;
pub mod sandbox;
pub mod tcmalloc;
pub mod unveil;
