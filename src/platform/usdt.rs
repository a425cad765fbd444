//! Points at which another tool may watch the samples: the USDT probes `otel_memory:alloc` and
//! `otel_memory:free`.
//!
//! A probe is an instruction that does nothing, and a note in the file that says where it is. A tracer puts a
//! breakpoint there, and counts up the probe's semaphore while it watches. While nobody does, a probe costs
//! one test of that word. The values are in the registers in which functions get their arguments: some
//! readers take them from there, and others from the note.
//!
//! Source: `sys/sdt.h` of SystemTap, its wiki page "UserSpaceProbeImplementation"; OpenTelemetry's eBPF
//! profiler, design document 00003.
//!
//! # Safety
//! The functions touch nothing. The semaphores are written by the kernel or a debugger only.
#![allow(unsafe_code)]

use core::arch::{asm, global_asm};
use core::sync::atomic::AtomicU16;

/// How many tracers watch each probe. In a section with contents: the kernel finds them by their place in the
/// file.
#[unsafe(link_section = ".probes")]
static ALLOC: AtomicU16 = AtomicU16::new(0);
#[unsafe(link_section = ".probes")]
static FREE: AtomicU16 = AtomicU16::new(0);

/// Runs `$probe` if somebody watches: a test and a branch, which the compiler makes three of.
macro_rules! if_watched {
    ($semaphore:path, $probe:expr) => {
        // SAFETY: reads a word of ours. Relaxed: a tracer that comes in this moment misses one event.
        unsafe {
            asm!(
                "cmp word ptr [rip + {}], 0",
                "jne {}",
                sym $semaphore,
                label { $probe },
                options(nostack, readonly),
            );
        }
    };
}

/// A sample was recorded: a block of `size` bytes, which stands for `weighted` bytes.
#[inline(always)]
pub fn alloc(address: usize, size: usize, weighted: u64) {
    if_watched!(ALLOC, alloc_probe(address, size, weighted));
}

/// The block of a sample is freed.
#[inline(always)]
pub fn free(address: usize) {
    if_watched!(FREE, free_probe(address));
}

/// A probe, with its note: the place of the probe, of the section by which prelinking is noticed, and of the
/// semaphore; then its names and arguments.
macro_rules! probe {
    ($name:literal, $arguments:literal, $semaphore:path, $($register:tt $value:expr),+) => {
        // SAFETY: an instruction that does nothing, and a section that is not loaded.
        unsafe {
            asm!(
                "990: nop",
                ".pushsection .note.stapsdt, \"\", @note",
                ".balign 4",
                ".4byte 992f - 991f, 994f - 993f, 3",
                "991: .asciz \"stapsdt\"",
                "992: .balign 4",
                "993: .8byte 990b, _.stapsdt.base, {semaphore}",
                concat!(".asciz \"otel_memory\", \"", $name, "\", \"", $arguments, "\""),
                "994: .balign 4",
                ".popsection",
                semaphore = sym $semaphore,
                $(in($register) $value,)+
                options(nostack, preserves_flags),
            );
        }
    };
}

#[cold]
#[inline(never)]
fn alloc_probe(address: usize, size: usize, weighted: u64) {
    probe!("alloc", "8@%rdi 8@%rsi 8@%rdx", ALLOC, "rdi" address, "rsi" size, "rdx" weighted);
}

#[cold]
#[inline(never)]
fn free_probe(address: usize) {
    probe!("free", "8@%rdi", FREE, "rdi" address);
}

global_asm!(
    ".pushsection .stapsdt.base, \"aGR\", @progbits, .stapsdt.base, comdat",
    ".weak _.stapsdt.base",
    ".hidden _.stapsdt.base",
    "_.stapsdt.base: .space 1",
    ".size _.stapsdt.base, 1",
    ".popsection",
);
