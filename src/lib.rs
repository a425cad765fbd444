//! The profiler behind `libmalloscope.so`: a sampling heap profiler that is loaded into other
//! people's processes.
//!
//! No C symbol is exported from here; `preload/` expands the hooks, so tests, benches and fuzz
//! targets link this crate without replacing their own malloc.
//!
//! ```text
//! env     -> config -> boot
//! malloc  -> hooks -> sampler -(rarely)-> recorder -> unwind, runtime -> table
//! free    -> hooks -> table? -(rarely)-> recorder
//! JVM     -> java_heap -> tables of its own
//! V8      -> js_heap -> tables of its own
//! CPython -> python_objects -(rarely)-> recorder
//! Ruby    -> ruby_objects -> tables of its own
//! trigger, watcher -> dumper -> dump <- snapshot of the tables; dump -> profile-format -> FILE
//! ```
//!
//! What a room may do depends on how often its code runs:
//!
//! | | rooms | allocate | lock | syscall | panic |
//! |---|---|---|---|---|---|
//! | hot | `hooks`, `python_objects`, `next`, `platform::tls`, `sampler` | never | never | never | impossible |
//! | warm | `recorder`, `java_heap`, `js_heap`, `ruby_objects`, `unwind`, `runtime`, `table` | arena only | `sync` only, one at a time, none while unwinding | arena growth, the readability probe, the file of a module without `.eh_frame`, once, the processor clock at a look of `recorder::rate` | impossible |
//! | cold | `config`, `dump`, `dumper`, `trigger`, `watcher`, `platform::process`, `boot` | arena only | table locks only inside a snapshot | yes | no |
//!
//! Everywhere: errno is what it was, failure means "as if not sampled" and a counter in `diag`,
//! zero-initialised state means "off", no loader lock on the sampled path, no teardown at exit.
//!
//! A room uses only rooms on lines above its own (a test holds the sources against this):
//! ```text
//! platform        the machine, the kernel and the loader
//! diag sampler    what went wrong, counted; when the next sample is due
//! table next      memory of our own and what lies in it; the allocator behind us
//! config unwind   what the user asked for; native stacks
//! remark          what the user is told
//! runtime         the frames of language runtimes
//! recorder        what a sample means, and the inverse
//! java_heap       the JVM's own heap
//! js_heap         V8's own heap
//! ruby_objects    Ruby's own heap
//! dump            a snapshot becomes a file
//! dumper          which thread writes it
//! watcher         when: timer, memory limit, control socket
//! trigger         when: growth, signal, exit, sandbox
//! hooks           the C symbols, a file a family
//! python_objects  CPython's own allocators
//! boot            the order in which things begin
//! ```
//!
//! `ARCHITECTURE.md` has the walks through these rooms and a reading tour.
#![cfg_attr(not(test), no_std)]
// A panic in the host's process is an abort: nothing in these rooms may have one.
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
pub mod js_heap;
pub mod next;
pub mod platform;
pub mod python_objects;
pub mod recorder;
pub mod remark;
pub mod ruby_objects;
pub mod runtime;
pub mod sampler;
pub mod table;
pub mod trigger;
pub mod unwind;
pub mod watcher;
