//! The profiler behind `libmalloscope.so`: a sampling heap profiler that is loaded into other
//! people's processes.
//!
//! No C symbol is exported from here; `preload/` expands the hooks, so tests, benches and fuzz
//! targets link this crate without replacing their own malloc.
//!
//! ```text
//! env -> config -> boot
//! malloc -> hooks -> tls, sampler -(rarely)-> recorder -> unwind -> frame_table, stack_table, live_table
//! free   -> hooks -> live_table? -(rarely)-> recorder
//! JVM    -> java_heap -> its own stack_table, live_table
//!           hooks -> trigger -> dump <- snapshot of the tables -> profile-format -> FILE
//! ```
//!
//! What a room may do depends on how often its code runs:
//!
//! | | rooms | allocate | lock | syscall | panic |
//! |---|---|---|---|---|---|
//! | hot | `hooks`, `next`, `tls`, `sampler` | never | never | never | impossible |
//! | warm | `recorder`, `java_heap`, `unwind`, the tables | arena only | `sync` only, one at a time, none while unwinding | arena growth, the readability probe | impossible |
//! | cold | `config`, `trigger`, `dump`, `process`, `boot` | arena only | table locks only inside a snapshot | yes | no |
//!
//! Everywhere: errno is what it was, failure means "as if not sampled" and a counter in `diag`,
//! zero-initialised state means "off", no loader lock on the sampled path, no teardown at exit.
//!
//! A room uses only rooms on lines above its own (a test holds the sources against this):
//! ```text
//! platform
//! diag sampler
//! table next
//! config unwind
//! remark
//! runtime
//! recorder
//! java_heap
//! dump
//! dumper
//! watcher
//! trigger
//! hooks
//! boot
//! ```
//!
//! To get to know it, read `sampler`, `hooks`, `recorder`, `stack_table`, `dump`, then
//! `profile-format`, in this order.
#![cfg_attr(not(test), no_std)]
// A panic in somebody else's process is an abort: nothing in these rooms may have one.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

pub mod boot;
pub mod config;
pub mod diag;
pub mod dump;
pub mod dumper;
pub mod hooks;
pub mod java_heap;
pub mod next;
pub mod platform;
pub mod recorder;
pub mod remark;
pub mod runtime;
pub mod sampler;
pub mod table;
pub mod trigger;
pub mod unwind;
pub mod watcher;
