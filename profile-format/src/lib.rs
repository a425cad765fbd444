//! The grammar of the files that malloscope writes and reads: writer and reader side by side.
//!
//! The profiler writes dumps through [`heap_v2::Writer`] from inside other people's processes; the
//! companion reads them, and jemalloc's own, through [`heap_v2::Reader`]. The crate has no
//! allocator, no `unsafe` and no dependency, so the compiler proves that a dump cannot allocate.
//! It opens no file, and it knows neither symbols nor the profiler's tables.
//!
//! # Map
//! - [`heap_v2`]: the text of a dump. `writer` and `reader`, with the records both use in `record`
//! - [`unbias`]: from sampled counts to estimates, and the distortion that makes readers find ours
//! - [`epochs`]: the bounds of birth epochs
//! - [`lifetimes`]: the buckets of how long freed samples lived
//! - [`maps`]: one line of `/proc/<pid>/maps`
//! - [`escape`]: text that may hold control bytes
//! - [`number`]: numbers as text, and a cursor over a line
//! - [`sink`]: where a writer's bytes go
//!
//! # The files
//! Lines end in `\n`; numbers are decimal unless they begin with `0x`; a token never holds a blank.
//!
//! ## Threaded layout (jemalloc's own, and ours)
//! ```text
//! file      = "heap_v2/" PERIOD NL  head  stack*  trailer
//! head      = total thread*
//! total     = "  t*: " counts NL
//! thread    = "  t" UID ": " counts [" " name] NL        one per thread, only here with a name
//! stack     = "@" (" 0x" HEX)* NL  "  t*: " counts NL  ("  t" UID ": " counts NL)*
//! counts    = OBJECTS ": " BYTES " [" ACCUM_OBJECTS ": " ACCUM_BYTES "]"
//! trailer   = NL "MAPPED_LIBRARIES:" NL  the lines of /proc/<pid>/maps as they were
//! ```
//! Frames are leaf first: the first is an address inside the allocation function itself, all others
//! are return addresses. `PERIOD` is the mean number of bytes between samples. Counts are *not*
//! estimates: a reader scales each pair by itself, see [`unbias::Sampling::scale`], and adds
//! afterwards. The bracket is zero unless `prof_accum` was on. The head's lines are for people:
//! readers add up the stacks.
//!
//! ## One-line layout (gperftools, Go, old jemalloc)
//! ```text
//! file      = "heap profile: " counts [" @ " WORD ["/" PERIOD]] NL  (counts " @" (" 0x" HEX)* NL)*  [trailer]
//! ```
//! `WORD` decides how counts are scaled, as jeprof does it: `heap_v2` and every other word with both
//! `heap` and `_v2` in it: Poisson with `PERIOD` (0 or none: 128 KiB); `heapprofile` or a word
//! without `heap`: not at all; another word with `heap`: Poisson with half of `PERIOD`, as Go's own reader
//! has it, and without `PERIOD` linear with 128 KiB; no `@`: linear with 128 KiB if both pairs are equal,
//! else not at all. Lines beginning with `%` may stand before the header; `%warn TEXT` is a warning for
//! the user. Old trailers begin with
//! `--- Memory map:`, may have blanks before their lines, and `NAME=FOLDER`, which later lines call
//! `$NAME`.
//!
//! ## What is missing or spoiled
//! A line that cannot be read is an error by itself, the rest is read. A file is cut off when its
//! layout must go on: ours before `# end`, a threaded one before its trailer; half a line is not
//! read then, for it may look like a whole one with other numbers.
//!
//! ## What we add
//! All of it in lines that begin with `#`, anywhere after the first line, which jeprof and the other
//! readers of this layout pass over. They mean something only after a line `# malloscope VERSION`
//! was seen, which our writer puts second. In text fields control bytes and `%` stand as `%XX`.
//! ```text
//! # malloscope 2                                          version of what follows
//! # KEY TEXT                                              a fact: pid, command, host, rss_bytes, ...
//! # epochs WIDTH_MS COUNT                                 epoch i is [i*WIDTH, (i+1)*WIDTH) since start
//! # stack ID (" " KEY "=" VALUE)* [" @" (" 0x" HEX)*]     about the `@` block above it, see below
//! # frame 0xADDR TAB KIND TAB CLASS TAB NAME TAB FILE TAB LINE
//! # live 0xADDR SIZE ID                                   one live sample (prof_dump_live), ID of its stack
//! # build_id 0xSTART HEX PATH                             of the ELF file mapped at START
//! #@ KIND fact KEY TEXT                                   a fact about samples of another kind than malloc
//! #@ KIND stack ID (" " KEY "=" VALUE)* " @" (" 0x" HEX)*  a stack of that kind, as in `# stack`
//! # end                                                   last line; without it the file was cut off
//! ```
//! Unknown facts, unknown keys of a stack and unknown words behind `#@ KIND` are to be passed over.
//!
//! **Facts.** `command` holds the arguments parted by blanks, blanks inside an argument as `%20`.
//! Keys that end in `_ms` are milliseconds (`start_unix_ms`, `time_unix_ms` since 1970), in `_bytes`
//! bytes. `hint` is what would make the dump say more, in words. `counter_NAME` are the profiler's own
//! counters of what it could not do.
//!
//! **`# stack`.** `ID` is the number of the stack in its process: the same in all its dumps. A line
//! that ends in `@ frames` describes a stack that has no `@` block, because it holds no bytes (real
//! jeprof divides by zero there); all others describe the block before them. Keys:
//! - `live=SAMPLES:OBJECTS:BYTES` real samples that are live, and the *true* estimates of blocks (with
//!   three decimals) and bytes, which a reader should prefer to scaled counts
//! - `variance=V` of the estimate of live bytes, in bytes squared: sum of s^2 (1-p)/p^2
//! - `alloc=SAMPLES:OBJECTS:BYTES` the same, of all that was ever allocated
//! - `size=MIN-MAX` smallest and largest size of the live samples
//! - `births=EPOCH:SAMPLES:BYTES:SQUARES,...` live samples by birth epoch: how many, what they stood
//!   for when they were born (a block that realloc made larger is as old and as heavy here as it was
//!   at first), and the sum of the squares of that; BYTES^2/SQUARES equal samples are as certain
//! - `lives=BUCKET:SAMPLES:BYTES:SQUARES,...` the same of freed samples by their lifetime, in the
//!   buckets of [`lifetimes`]; a bucket may come more than once
//!
//! Version 1 has no SQUARES; its `lives=BUCKET:SAMPLES,...` has no BYTES either, and BUCKET 0 is below
//! 1 ms, k from 2^(k-1) to 2^k ms.
//!
//! **Other kinds** (`java_heap`, `mmap`, ...) count what malloc never saw, so nobody may add them to
//! the `@` blocks, which is why jeprof does not see them. `KIND` is one word. Stacks of a kind are
//! numbered on their own; their keys, epochs and pseudo-addresses are those of malloc's. Facts:
//! `period` is the mean number of bytes between samples, `note` what a reader of its figures
//! should know, in words to be shown as they are. The first frame is one that a reader leaves out, as
//! malloc's is, or the pseudo-address of what was allocated: a `# frame` with a CLASS and no NAME.
//!
//! **Modules that are gone.** The lines of the mappings that the kernel gave are followed by those of
//! libraries that were closed before, if a stack refers to them; ` (unloaded)` stands behind their paths.
//! Their addresses, also in stacks and `# build_id`, have 0x4000 and more in bits 48 to 63, another number
//! for each. Without `/proc` all mappings are those of the loader, of modules that stacks lead through.
//!
//! **Managed frames** stand in a stack as pseudo-addresses from [`heap_v2::PSEUDO_FRAMES`] on, 16
//! apart; each is named by one `# frame` line. `CLASS`, `FILE` and `LINE` may be empty. `KIND` is the
//! frame's language: `java`, `ruby`, `python`, `js`, or `jit` for generated code of any other; `cut`
//! is no frame, but says in its name why frames are missing there. A `NAME`
//! in brackets marks a frame that the runtime could not tell: `[java]`, `[jit]`. Native frames stand before
//! the managed ones that called them, so the first native frame's module says who allocated.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod epochs;
pub mod escape;
pub mod heap_v2;
pub mod lifetimes;
pub mod maps;
pub mod number;
pub mod sink;
pub mod unbias;
