//! The commands, a file or a folder each, named as they are typed. They choose and call; what is found
//! and how it looks is decided below. `cli` has the list of them.
//!
//! `control` has `dump`, `start`, `stop`, `reset`, `rate` and `status`, `export` has `table`, `flame`, `graph`
//! and `convert`, `jeprof` the options of `jeprof-compat`. `launch` is what a start under the profiler
//! needs, `load` how dumps are read for a picture, `choice`, `places` and `tolerance` what several of them let a
//! person choose, `console` how a command talks, `viewer` how it shows a file, and `machine` the form of answers for programs.

mod choice;
pub mod cli;
pub mod console;
pub mod control;
pub mod diff;
pub mod doctor;
pub mod env;
pub mod export;
pub mod jeprof;
mod labels;
mod launch;
pub mod load;
mod machine;
pub mod mcp;
pub mod merge;
pub mod metrics;
mod places;
pub mod push;
pub mod report;
pub mod run;
pub mod suspects;
pub mod symbolize;
mod tolerance;
pub mod top;
pub mod unpack;
mod viewer;
