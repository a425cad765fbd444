//! Room for one stack while it is made.
#![allow(unsafe_code)]

use super::jvmti::FrameInfo;
use crate::table::pool::Pool;

/// Deepest Java stack that is kept.
pub const MOST: usize = 512;

/// The room itself.
pub struct Room {
    /// The frames as the JVM reports them.
    pub infos: [FrameInfo; MOST],
    /// The object's class and the frames.
    pub frames: [u64; MOST + 1],
}

// SAFETY: numbers, and addresses that are never dereferenced.
pub static ROOMS: Pool<Room> = unsafe { Pool::new() };
