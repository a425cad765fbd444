//! The machine, the kernel and the loader: system calls, ELF, thread-local words, the facts of the
//! process. Nothing here knows of profiles.

pub mod decimal;
pub mod elf;
pub mod glibc;
pub mod process;
pub mod scratch;
pub mod sys;
pub mod tls;
pub mod usdt;
