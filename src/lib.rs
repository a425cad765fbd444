//! The profiler behind `libmalloscope.so`.
#![cfg_attr(not(test), no_std)]

pub mod arena;
pub mod boot;
pub mod config;
pub mod diag;
pub mod dump;
pub mod elf;
pub mod hooks;
pub mod live_table;
pub mod next;
pub mod process;
pub mod recorder;
pub mod sampler;
pub mod stack_table;
pub mod sync;
pub mod sys;
pub mod tls;
pub mod trigger;
pub mod unwind;
