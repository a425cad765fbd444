//! Memory of our own, and the tables in it: what is live, and which stacks and frames exist.
//!
//! Nothing here knows when or why a sample is taken. The locks are those of `sync`, never two at
//! once.

pub mod arena;
pub mod fork_gate;
pub mod frame_table;
pub mod live_table;
pub mod pieces;
pub mod pool;
pub mod range_table;
pub mod stack_table;
pub mod sync;
