//! Symbols of the loaded objects, found without `dlsym`.
//!
//! `dlsym` allocates for its error text, takes the loader lock and binds to `GLIBC_2.34`. This room
//! needs none of that: it walks the loader's public list (`_r_debug.r_map`, symbol version
//! `GLIBC_2.2.5`) and reads the hash tables of the objects as the loader does.
//!
//! It runs at start-up, and later on cold paths: never on a sampled path. It does not allocate,
//! lock, or panic. Only [`symbol_under_lock`] takes a lock: the loader's.
//!
//! Assumes glibc: the five public fields of `struct link_map` (`<link.h>`), and a dynamic section
//! whose addresses are relocated in place, except where the section is read-only (the vdso).
//!
//! # Safety
//! An object can vanish while it is read: `dlclose` in another thread unlinks and unmaps it. A call
//! before the program's first thread exists is safe. Later calls look only at objects that are
//! never closed (libc, the loader, the program, what was preloaded), or are made inside the hook of
//! `dlclose` itself. The walk survives a list that changes under it. The tables of an object that
//! is unmapped during the look-up do not. During the start a page of the list is probed once
//! ([`Start`]).
//!
//! Source: System V ABI (gABI) chapter 5, `elf/dl-lookup.c` and `elf/link.h` of glibc 2.36.

mod gnu_hash;
mod headers;
mod list;
mod many;
mod object;
mod search;
mod slots;
mod symbols;

pub use headers::{program_headers, program_headers_at};
pub use list::{Start, all, find_by_address, object_of, objects_after_own, own};
pub use many::{Name, Place, Table, for_each_but_own};
pub use object::Object;
pub use search::{next_symbol, symbol_under_lock};
pub use slots::{Kind, Slot};
pub use symbols::{Symbol, gnu_hash};

#[cfg(test)]
mod tests;
