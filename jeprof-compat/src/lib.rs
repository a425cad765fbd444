//! The companion: reads profiles, names their frames, and draws the culprit.

pub mod model;
