//! Which loaded object holds an address, and where its unwind tables are.
//!
//! The question comes from a sampled path, so no lock of the loader may be taken. glibc 2.35 and
//! later answer by `_dl_find_object`, which takes no lock, does not allocate and may be called in a
//! signal handler. It is looked up at start ([`init`]), because we must load under older glibc too.
//! There the answer comes from a table of our own (`listing`), filled at start and after each
//! `dlclose`. A library that is opened later is not in it until the next `dlclose`, and its frames
//! are stepped over by frame pointer.
//!
//! # Safety
//! Tables are read where the loader mapped them. They vanish with `dlclose`, which must not be
//! called while code of the object is still on a stack. The hook of `dlclose` raises the
//! generation, so that no rule is made of old addresses later.
//!
//! Sources: `dlfcn.h` and `elf/dl-find_object.c` of glibc 2.36; LSB core 5.0, 10.6.2 (`.eh_frame_hdr`).
#![allow(unsafe_code)]

mod listing;
mod module;

use core::mem;
use core::ptr;
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::Relaxed;

use crate::platform::elf;
pub use listing::after_fork;
use listing::{list_modules, listed};
pub use module::{Module, Tables};

/// `_dl_find_object`, or 0. Written once by `init`, before sampling begins. Relaxed: the code
/// exists before its address is known.
static FIND_OBJECT: AtomicUsize = AtomicUsize::new(0);

/// A reader that meets a writer this often gives up: it may have interrupted the writer.
const ATTEMPTS: usize = 8;

/// glibc's `struct dl_find_object` on x86-64 and aarch64; the reserved words end it.
#[repr(C)]
struct Found {
    flags: u64,
    start: usize,
    end: usize,
    link_map: *const usize,
    eh_frame_header: usize,
    reserved: [u64; 8],
}

/// Finds `_dl_find_object`, or else fills the table. Runs once, in the constructor.
pub fn init() {
    let found = elf::next_symbol(b"_dl_find_object");
    FIND_OBJECT.store(found.map_or(0, |(symbol, _)| symbol.addr), Relaxed);
    if found.is_none() {
        list_modules();
    }
}

/// A library is about to be closed: where the table is in use it is emptied, so that no reader uses
/// tables that vanish.
pub fn before_close() {
    if FIND_OBJECT.load(Relaxed) == 0 {
        listing::before_close();
    }
}

/// A library was closed: the last of several at once fills the table again.
pub fn after_close() {
    if FIND_OBJECT.load(Relaxed) == 0 {
        listing::after_close();
    }
}

/// The module that holds `pc`.
pub fn find(pc: u64) -> Option<Module> {
    match FIND_OBJECT.load(Relaxed) {
        0 => (0..ATTEMPTS).find_map(|_| listed(pc)).flatten(),
        function => ask_loader(function, pc),
    }
}

/// The loaded object that holds `pc`, an address on the stack of this thread: so the object is not
/// being closed.
pub fn object(pc: u64) -> Option<elf::Object> {
    let function = FIND_OBJECT.load(Relaxed);
    if function == 0 {
        return elf::find_by_address(pc as usize);
    }
    let found = ask(function, pc)?;
    // SAFETY: the loader's own `struct link_map` of an object whose code is in use.
    Some(unsafe { elf::object_of(found.link_map) })
}

fn ask_loader(function: usize, pc: u64) -> Option<Module> {
    let found = ask(function, pc)?;
    // SAFETY: the object's `struct link_map`, whose first member is its base (link.h).
    let base = unsafe { ptr::read(found.link_map) };
    Some(Module {
        start: found.start,
        end: found.end,
        base,
        header: found.eh_frame_header,
    })
}

fn ask(function: usize, pc: u64) -> Option<Found> {
    let mut found = mem::MaybeUninit::<Found>::zeroed();
    // SAFETY: `function` is `_dl_find_object` of this process' ld.so, which has this signature
    // (dlfcn.h) and fills `found` in if it returns 0. `Found` is at least as large as glibc's.
    unsafe {
        let find: extern "C" fn(usize, *mut Found) -> i32 = mem::transmute(function);
        if find(pc as usize, found.as_mut_ptr()) != 0 {
            return None;
        }
        Some(found.assume_init())
    }
}

#[cfg(test)]
mod tests;
