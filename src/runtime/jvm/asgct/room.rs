//! Room for one trace, kept from one sample of a thread to the next.
#![allow(unsafe_code)]

use core::alloc::Layout as Size;
use core::ptr::NonNull;

use super::Call;
use crate::table::{arena, stack_table::MAX_FRAMES};

/// Room for one trace, and for the methods that it is compared with. It is in the arena, and is
/// made when it is first needed.
pub struct Room {
    pub(super) calls: Option<NonNull<[Call; MAX_FRAMES]>>,
    pub(super) methods: Option<NonNull<[u64; MAX_FRAMES]>>,
    pub(super) seen: usize,
}

impl Room {
    /// A room without memory yet.
    pub const fn new() -> Room {
        Room {
            calls: None,
            methods: None,
            seen: 0,
        }
    }

    pub(super) fn calls(&mut self) -> Option<&mut [Call; MAX_FRAMES]> {
        if self.calls.is_none() {
            self.calls = arena::alloc(Size::new::<[Call; MAX_FRAMES]>()).map(NonNull::cast);
        }
        // SAFETY: zeroed memory of the right layout that belongs to this walk and is never freed.
        self.calls.map(|mut room| unsafe { room.as_mut() })
    }

    fn methods(&mut self) -> Option<&mut [u64; MAX_FRAMES]> {
        if self.methods.is_none() {
            self.methods = arena::alloc(Size::new::<[u64; MAX_FRAMES]>()).map(NonNull::cast);
        }
        // SAFETY: as above.
        self.methods.map(|mut room| unsafe { room.as_mut() })
    }

    /// Begins a walk that will be compared.
    pub fn begin(&mut self) {
        self.seen = 0;
    }

    /// The walk has come to a frame of `method`.
    pub fn see(&mut self, method: u64) {
        let at = self.seen;
        if let Some(slot) = self.methods().and_then(|methods| methods.get_mut(at)) {
            *slot = method;
            self.seen += 1;
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::new()
    }
}
