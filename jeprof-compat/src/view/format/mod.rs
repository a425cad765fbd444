//! Formats of other tools, one a file: to add one, write it here and name it in `command::export`.

pub mod callgrind;
pub mod firefox;
pub mod folded;
pub mod heap_v2;
pub mod json;
pub mod metrics;
pub mod pprof;
pub mod raw;
pub mod rows;
pub mod speedscope;
pub mod v8;
