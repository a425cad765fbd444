//! The command line of `jeprof-compat`: the same as of jemalloc's `jeprof`.

mod argv;
pub mod options;
