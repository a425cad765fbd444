//! The command line of `jeprof-compat`: that of jemalloc's `jeprof`.

mod argv;
pub mod options;
