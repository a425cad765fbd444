//! Binds the program to hooks that must exist only when the next allocator has their functions.
//!
//! Programs ask by a weak reference or by `dlsym` whether jemalloc is there (`mallocx`), and the
//! answer decides what they call. So these hooks are exported under other names, their veils, which
//! no program asks for. At the start, if the library will sample and the next allocator has the
//! function, [`bind`] takes two steps:
//!
//! 1. It takes the veil away: it writes the name over the veil in the string table of this library. A
//!    veil is as long as the name and has the same hash. So from then on the loader finds the symbol:
//!    for `dlsym`, for libraries opened later, and for calls that are bound when they are made.
//! 2. It redirects what is already bound: the words in objects that hold the allocator's function.
//!
//! The allocator's own calls are left alone. Otherwise its functions would be counted twice, or
//! would call themselves through us. Without such an allocator, and without sampling, nothing is
//! changed, and the symbols do not exist. (An exported IFUNC that resolves to null would be enough
//! for `dlsym`. But a library with a weak reference is relocated before the preloaded library. The
//! loader then prints "Relink" and calls a resolver that cannot work yet; glibc,
//! `sysdeps/x86_64/dl-machine.h`.)
//!
//! It runs once, in our constructor. It may not allocate or lock. A word that cannot be written
//! stays as it is, and calls through that word are not sampled.
//!
//! It assumes that the objects the program started with are not closed, and are already relocated.
//!
//! # Safety
//! Each word gets the address of a function with the same prototype, by one store.
#![allow(unsafe_code)]

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::platform::elf::{self, Kind, Object, Slot, Table};
use crate::platform::sys::{self, PAGE};

/// A hook of a function that only some allocators have.
pub struct Extension {
    /// The function's name.
    pub name: &'static str,
    /// Its hash, by [`elf::gnu_hash`].
    pub hash: u32,
    /// The hook's name in the file.
    pub veil: &'static str,
    /// The address of the hook.
    pub hook: usize,
}

/// May `veil` stand for `name`? It must be another name with the same length and hash.
pub const fn is_veil(veil: &str, name: &str) -> bool {
    let (veil, name) = (veil.as_bytes(), name.as_bytes());
    let is_like = veil.len() == name.len() && elf::gnu_hash(veil) == elf::gnu_hash(name);
    is_like && !is_equal(veil, name)
}

const fn is_equal(mut a: &[u8], mut b: &[u8]) -> bool {
    while let ([x, a_rest @ ..], [y, b_rest @ ..]) = (a, b) {
        if *x != *y {
            return false;
        }
        (a, b) = (a_rest, b_rest);
    }
    true
}

/// Binds the program to those of `extensions` that the next allocator has. `hashes` are the
/// hashes of their names: with most allocators nothing more is examined.
pub fn bind<const N: usize>(hashes: &[u32; N], extensions: fn() -> [Extension; N]) {
    if let Some((_, allocator)) = elf::next_symbol(b"malloc")
        && let Some(table) = allocator.table()
        && table.has_hash_of(hashes)
        && let Some(own) = elf::own()
    {
        bind_to(&table, &allocator, &own, &extensions());
    }
}

fn bind_to<const N: usize>(
    table: &Table<'_>,
    allocator: &Object,
    own: &Object,
    extensions: &[Extension; N],
) {
    // The addresses of the allocator's functions; 0 for a function that it does not have.
    let mut real = [0; N];
    let names = extensions
        .iter()
        .map(|extension| elf::Name::hashed(extension.name.as_bytes(), extension.hash));
    table.symbols(names.enumerate(), |at, symbol| {
        if let Some(place) = real.get_mut(at) {
            *place = symbol.addr;
        }
    });
    if real.iter().all(|&address| address == 0) {
        return;
    }
    // Without this, the allocator's calls that are not bound yet would find our hooks once the veil
    // is gone.
    redirect(allocator, &|slot| {
        let wanted = slot.kind == Kind::Jump;
        let at = wanted.then(|| named(extensions, slot)).flatten()?;
        real.get(at).copied().filter(|&address| address != 0)
    });
    for (extension, _) in extensions.iter().zip(real).filter(|(_, real)| *real != 0) {
        unveil(own, extension);
    }
    let others = elf::all().filter(|object| object != own && object != allocator);
    for object in others {
        redirect(&object, &|slot| {
            let held = load(slot);
            let at = real.contains(&held).then(|| named(extensions, slot));
            let hook = extensions.get(at.flatten()?)?.hook;
            (held != 0).then_some(hook)
        });
    }
}

fn named(extensions: &[Extension], slot: &Slot<'_>) -> Option<usize> {
    let name = slot.name();
    extensions
        .iter()
        .position(|extension| extension.name.as_bytes() == name)
}

fn unveil(own: &Object, extension: &Extension) {
    let Some(name) = own.name_of_symbol(extension.veil.as_bytes()) else {
        return;
    };
    let length = extension.name.len();
    writable(name, length, true, || {
        // SAFETY: a string of that length in our own string table, which is writable now.
        unsafe { name.copy_from_nonoverlapping(NonNull::from(extension.name).cast(), length) };
    });
}

/// Writes into the slots of `object` the values that `target` gives.
fn redirect(object: &Object, target: &dyn Fn(&Slot<'_>) -> Option<usize>) {
    object.for_each_slot(&mut |slot| {
        let Some(access) = access_to(object, slot.address) else {
            return;
        };
        if let Some(target) = target(slot) {
            writable(
                slot.address.cast(),
                size_of::<usize>(),
                access.is_read_only,
                || {
                    // SAFETY: an aligned word that the loader wrote. Other threads call through it.
                    unsafe { slot.address.cast::<AtomicUsize>().as_ref() }.store(target, Relaxed);
                },
            );
        }
    });
}

fn load(slot: &Slot<'_>) -> usize {
    // SAFETY: as in `redirect`.
    unsafe { slot.address.cast::<AtomicUsize>().as_ref() }.load(Relaxed)
}

struct Access {
    is_read_only: bool,
}

/// How to write a word of the object; `None` when the word lies outside the object's data segments.
fn access_to(object: &Object, address: NonNull<usize>) -> Option<Access> {
    let address = address.as_ptr() as usize;
    let offset = |segment: &libc::Elf64_Phdr| {
        (address.wrapping_sub(object.base()) as u64).wrapping_sub(segment.p_vaddr)
    };
    let segments = object.program_headers();
    let is_data = segments.iter().any(|segment| {
        segment.p_type == libc::PT_LOAD
            && segment.p_flags & libc::PF_W != 0
            && offset(segment) < segment.p_memsz
    });
    // The loader protects the page in which the read-only part begins, but not the page in which it
    // ends.
    let is_read_only = segments.iter().any(|segment| {
        let first = object.base().wrapping_add(segment.p_vaddr as usize) & !(PAGE - 1);
        let end = object
            .base()
            .wrapping_add((segment.p_vaddr + segment.p_memsz) as usize);
        segment.p_type == libc::PT_GNU_RELRO && (first..end & !(PAGE - 1)).contains(&address)
    });
    is_data.then_some(Access { is_read_only })
}

/// Runs `write` while the pages of `[at, at + length)` are writable, if the kernel permits that.
fn writable(at: NonNull<u8>, length: usize, is_read_only: bool, write: impl FnOnce()) {
    if !is_read_only {
        return write();
    }
    let first = at.as_ptr() as usize & !(PAGE - 1);
    let end = (at.as_ptr() as usize + length).next_multiple_of(PAGE);
    let Some(pages) = NonNull::new(first as *mut u8) else {
        return;
    };
    // SAFETY: pages of a loaded object's data that the loader protected, or of our own tables. No
    // code depends on a fault when they are written.
    unsafe {
        if sys::mprotect(pages, end - first, libc::PROT_READ | libc::PROT_WRITE) == 0 {
            write();
            sys::mprotect(pages, end - first, libc::PROT_READ);
        }
    }
}

/// The address of one of our functions, without a word that the loader must fill in every process.
#[macro_export]
#[doc(hidden)]
macro_rules! address_of {
    ($function:path) => {{
        let address: usize;
        // SAFETY: computes an address and touches nothing.
        #[allow(unsafe_code)]
        unsafe {
            core::arch::asm!(
                "lea {}, [rip + {}]", out(reg) address, sym $function,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        address
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_veil_is_another_name_of_the_same_hash() {
        assert!(is_veil("mallodW", "mallocx"));
        assert!(!is_veil("mallocx", "mallocx"));
        assert!(!is_veil("mallocy", "mallocx"));
        assert!(!is_veil("_mallodW", "mallocx"));
    }
}
