//! Formats of other tools, one a file: to add one, write it here and name it in `command::export`.

pub mod callgrind;
pub mod folded;
pub mod pprof;
pub mod raw;
pub mod speedscope;
