//! What a start under the profiler is made of: the program, the library, the variables. Called by
//! `run`, which starts it, and by `doctor`, which only looks.

pub(crate) mod environment;
pub(crate) mod library;
pub(crate) mod program;
