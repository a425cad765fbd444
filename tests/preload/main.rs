//! The built `libmalloscope.so`, preloaded into programs: what a user gets, and nothing mocked.
//!
//! One file per behaviour; the programs, one hazard each, stand in `tests/programs`. The library is
//! `target/release/libmalloscope.so` (`cargo build --release -p preload`) or what `MALLOSCOPE_LIB`
//! names; without it every test here fails, none is skipped.

mod allocators;
mod api;
mod carried;
mod children;
mod closed;
mod company;
mod config;
mod control;
mod descriptors;
mod differences;
mod dlopen;
mod dump;
mod dumps;
mod endings;
mod extended;
mod files;
mod fork;
mod ground_truth;
mod harness;
mod hazards;
mod java;
mod java_attacks;
mod java_endings;
mod java_heap;
mod java_heap_seen;
mod java_heap_steered;
mod jdk;
mod jeprof;
mod jumps;
mod limits;
mod load;
mod loader;
mod mallctl;
mod mappings;
mod node;
mod operators;
mod options;
mod perf_map;
mod privilege;
mod python;
mod rate;
mod real_programs;
mod ruby;
mod ruby_objects;
mod sandbox;
mod shells;
mod signals;
mod silence;
mod stacks;
mod statistics;
mod strangers;
mod terminal;
mod threads;
mod triggers;
mod unmoved;
mod usdt;
mod valgrind;
mod verdicts;
mod workers;
