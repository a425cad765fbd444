//! The companion: reads profiles, names their frames, and draws the culprit.

pub mod filter;
pub mod model;
pub mod naming;
pub mod stacks;
