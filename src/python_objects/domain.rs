//! One domain of CPython's allocators: which functions it had before us, and when they are replaced.

use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::Relaxed;

use crate::runtime::python::Allocators;

/// `PyMemAllocatorEx`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Functions {
    /// What each function gets as its first argument.
    pub context: usize,
    /// The functions, by address.
    pub malloc: usize,
    /// As calloc(3).
    pub calloc: usize,
    /// As realloc(3).
    pub realloc: usize,
    /// As free(3).
    pub free: usize,
}

/// A domain. The layout is the wrappers': they find the functions by their offsets.
#[repr(C)]
pub struct Domain {
    /// The functions from before us, which the wrappers jump to; 0 until the domain is wrapped. Written by
    /// [`Domain::wrap`] before the wrappers are in use. Relaxed: each is valid by itself.
    pub malloc: AtomicUsize,
    /// As `malloc`, and so the next two.
    pub calloc: AtomicUsize,
    /// realloc.
    pub realloc: AtomicUsize,
    /// free.
    pub free: AtomicUsize,
    /// What they got as their first argument.
    context: AtomicUsize,
    /// `PyMemAllocatorDomain`.
    pub number: i32,
}

impl Domain {
    const fn new(number: i32) -> Domain {
        Domain {
            malloc: AtomicUsize::new(0),
            calloc: AtomicUsize::new(0),
            realloc: AtomicUsize::new(0),
            free: AtomicUsize::new(0),
            context: AtomicUsize::new(0),
            number,
        }
    }

    /// Were its functions replaced?
    pub fn is_wrapped(&self) -> bool {
        self.malloc.load(Relaxed) != 0
    }

    fn original(&self) -> Functions {
        Functions {
            context: self.context.load(Relaxed),
            malloc: self.malloc.load(Relaxed),
            calloc: self.calloc.load(Relaxed),
            realloc: self.realloc.load(Relaxed),
            free: self.free.load(Relaxed),
        }
    }

    /// Must the functions that it has `now` be replaced by `ours`? Once wrapped, only where they are certainly some
    /// that are called below ours: what somebody has put above ours calls ours.
    pub fn must_wrap(&self, now: &Functions, ours: &Functions, allocators: &Allocators) -> bool {
        let is_complete = [now.malloc, now.calloc, now.realloc, now.free]
            .iter()
            .all(|function| *function != 0);
        if !is_complete || now.malloc == ours.malloc {
            return false;
        }
        // The interpreter's own have no context but where they wrap others.
        let is_innermost = now.context == 0 && allocators.library.contains(&(now.malloc as u64));
        !self.is_wrapped() || is_innermost || *now == self.original()
    }

    /// The functions to set in place of those that it has `now`: `ours`, with their context.
    pub fn wrap(&self, now: &Functions, ours: &Functions) -> Functions {
        self.malloc.store(now.malloc, Relaxed);
        self.calloc.store(now.calloc, Relaxed);
        self.realloc.store(now.realloc, Relaxed);
        self.free.store(now.free, Relaxed);
        self.context.store(now.context, Relaxed);
        Functions {
            context: now.context,
            ..*ours
        }
    }
}

/// `PYMEM_DOMAIN_MEM`.
pub static MEM: Domain = Domain::new(1);

/// `PYMEM_DOMAIN_OBJ`.
pub static OBJ: Domain = Domain::new(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_below_is_wrapped_again() {
        let domain = Domain::new(1);
        let allocators = Allocators {
            get: 0,
            set: 0,
            library: 1000..2000,
        };
        let functions = |first: usize, context: usize| Functions {
            context,
            malloc: first,
            calloc: first + 1,
            realloc: first + 2,
            free: first + 3,
        };
        let wrappers = functions(7000, 0);
        let must = |now: Functions| domain.must_wrap(&now, &wrappers, &allocators);
        let traced = functions(1500, 9);
        assert!(!must(Functions::default()), "incomplete");
        assert!(must(traced));
        let ours = domain.wrap(&traced, &wrappers);
        assert_eq!(ours.context, 9);
        assert!(!must(ours));
        assert!(!must(functions(1700, 8)), "the interpreter wraps ours");
        assert!(!must(functions(9000, 0)), "somebody else does");
        assert!(must(functions(1600, 0)), "its own are back");
        assert!(must(traced), "those from before us are");
    }
}
