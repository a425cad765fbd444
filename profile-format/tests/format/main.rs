//! The reader against the writer, and against files that were damaged.

mod damaged;
mod random;
mod round_trip;
mod sample;
