//! The companion: reads profiles, names their frames, and draws the culprit.
//!
//! ```text
//! file -> read -> model -> symbolize -> filter, naming -> stacks -> view::{text, folded}
//!                                                            `-> graph -> layout -> view::{svg, dot}
//! ```
//! `report` is the data of a leak report, which a series of dumps fills and `view::html` writes.
//! `series` is many dumps of one process in the order of time, `suspects` says who of it leaks, and
//! `leaks` and `leak_report` are the commands for it. `load` runs the left half for both binaries;
//! `argv` and `cli` are the command line of `jeprof-compat`. `culprit` says which frame of a stack is to blame,
//! `account` what the resident memory is used for. `preload` is what a start
//! under the profiler needs, `doctor` says before it what will be seen, `run` is what
//! `malloscope run` does, and `env` prints what does it elsewhere. `control` asks a program that
//! runs, and `top` watches it. `diff` compares two dumps, `differences` is the command for it, and `export`
//! has those that write one dump in one format. A room uses only rooms to its left, and views are pure: a test holds
//! the code against both.

pub mod analysis;
pub mod argv;
pub mod cli;
pub mod control;
pub mod differences;
pub mod doctor;
pub mod env;
pub mod export;
pub mod figures;
pub mod leak_report;
pub mod leaks;
pub mod load;
mod preload;
pub mod profile;
pub mod report;
pub mod run;
pub mod stacks;
pub mod symbolize;
pub mod top;
pub mod view;
