//! loom's atomics under the names of core's.
//!
//! loom treats SeqCst on an atomic as AcqRel, and supports SeqCst only on fences. So it would
//! report faults that do not exist. [`AtomicU32`], which both sides of the gate use, has a fence on
//! each side of such an access.

pub use loom::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence,
};

/// An atomic whose SeqCst means what the language says.
#[derive(Debug)]
#[repr(transparent)]
pub struct AtomicU32(loom::sync::atomic::AtomicU32);

fn fenced<R>(order: Ordering, access: impl FnOnce() -> R) -> R {
    let is_total = order == Ordering::SeqCst;
    if is_total {
        fence(Ordering::SeqCst);
    }
    let result = access();
    if is_total {
        fence(Ordering::SeqCst);
    }
    result
}

#[allow(missing_docs)]
impl AtomicU32 {
    #[track_caller]
    pub fn new(value: u32) -> Self {
        Self(loom::sync::atomic::AtomicU32::new(value))
    }

    #[track_caller]
    pub fn load(&self, order: Ordering) -> u32 {
        fenced(order, || self.0.load(order))
    }

    #[track_caller]
    pub fn store(&self, value: u32, order: Ordering) {
        fenced(order, || self.0.store(value, order));
    }

    #[track_caller]
    pub fn swap(&self, value: u32, order: Ordering) -> u32 {
        fenced(order, || self.0.swap(value, order))
    }

    #[track_caller]
    pub fn fetch_add(&self, value: u32, order: Ordering) -> u32 {
        fenced(order, || self.0.fetch_add(value, order))
    }

    #[track_caller]
    pub fn fetch_sub(&self, value: u32, order: Ordering) -> u32 {
        fenced(order, || self.0.fetch_sub(value, order))
    }

    #[track_caller]
    pub fn compare_exchange(
        &self,
        old: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        fenced(success, || {
            self.0.compare_exchange(old, new, success, failure)
        })
    }
}

impl Default for AtomicU32 {
    fn default() -> Self {
        Self::new(0)
    }
}
