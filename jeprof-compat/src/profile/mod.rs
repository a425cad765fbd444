//! What a dump says: the model of a profile, which process wrote it, what its resident memory is used
//! for. `read` makes it of a file, whatever the format; all else here is pure.

pub mod account;
pub mod bounds;
pub mod code;
pub mod identity;
pub mod language;
pub mod model;
pub mod parts;
pub mod pprof_proto;
pub mod read;
pub mod runtimes;
pub mod shared;
pub mod threads;
pub mod weighed;
