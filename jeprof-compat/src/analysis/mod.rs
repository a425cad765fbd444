//! What profiles and series of them mean, in figures: `view::sentences` puts them into words. Pure, but
//! for the reading of a series.
//!
//! `graph` is who calls whom, trimmed to what can be drawn. `series` is the dumps of a process in the
//! order of time, `suspects` which call paths of it leak, `diff` what changed between two dumps.

pub mod diff;
pub mod graph;
pub mod series;
pub mod suspects;
