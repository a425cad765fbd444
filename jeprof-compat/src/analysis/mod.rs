//! What profiles and series of them mean, in figures: `view::sentences` puts them into words. Pure, but
//! for the reading of a series.
//!
//! `graph` is callers and what they call, trimmed to what can be drawn. `series` is the dumps of a
//! process in the order of time, `fleet` the workers of one program as one process, `suspects` the call
//! paths of a process that leak, `diff` what changed between two dumps, `held` what one dump holds,
//! stack by stack, for engines that hold many, `merged` the dumps of many processes as one.

pub mod diff;
pub mod fleet;
pub mod graph;
pub mod held;
pub mod listing;
pub mod merged;
pub mod series;
pub mod suspects;
