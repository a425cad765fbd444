//! The text of a dump; its grammar stands at the head of the crate.

mod record;
mod writer;

pub use record::{Counts, Estimate, StackFacts};
pub use writer::Writer;

/// Addresses from here on, 16 apart, stand for managed frames. Below 2^63, where the real jeprof's
/// arithmetic ends, and above everything a process can map.
pub const PSEUDO_FRAMES: u64 = 0x4d00_0000_0000_0000;
