//! The text of a dump; its grammar stands at the head of the crate.

mod comment;
mod event;
mod list;
mod reader;
mod record;
mod writer;

#[cfg(test)]
mod tests;

pub use event::{Event, Header, ParseError, Problem};
pub use list::{Frames, Part, Parts};
pub use reader::Reader;
pub use record::{BuildId, Counts, Estimate, ManagedFrame, StackFacts, StackLine, Weighed};
pub use writer::Writer;

/// The version of our own lines that the writer writes. The reader knows all before it, too.
pub const VERSION: u64 = 2;

/// Addresses from here on, 16 apart, stand for managed frames. Below 2^63, where the real jeprof's
/// arithmetic ends, and above everything a process can map.
pub const PSEUDO_FRAMES: u64 = 0x4d00_0000_0000_0000;

/// Distance of two pseudo-addresses: readers subtract one from a return address, and must not
/// reach the frame before.
pub const PSEUDO_STEP: u64 = 16;
