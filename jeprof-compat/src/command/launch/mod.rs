//! What a start under the profiler is made of: the program, the library, the variables.

pub(crate) mod environment;
pub(crate) mod library;
pub(crate) mod program;
pub(crate) mod unpack;
