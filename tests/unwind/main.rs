//! The native unwinder against libgcc's and framehop's, frame for frame, and against memory that is not there.
//!
//! The programs under `tests/programs` are compiled when the tests run and loaded with `dlopen`; each calls back into a hook at places
//! that are hard to unwind from.
#![allow(unsafe_code)]

mod harness;
mod hop;
mod jit;
mod libgcc;
mod ordinary;
mod reload;
mod signals;
mod stacks;
