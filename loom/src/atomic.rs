//! loom's atomics under the names of core's.
//!
//! loom takes SeqCst on an atomic for AcqRel and knows it on fences alone, so that it would find
//! faults that are none. [`AtomicU32`], which the gate's two sides look at, has a fence around each
//! such access.

pub use loom::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence,
};

/// An atomic whose SeqCst is what the language says.
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
