//! What went wrong, counted; and the few lines that we print on stderr.
//!
//! Every room counts its failures here with [`count`]: one relaxed addition, fit for warm paths.
//! The dump prints [`counters`]. Messages are for cold rooms: one writev(2), no buffer, no
//! formatting machinery; a number is written by [`Decimal`](crate::platform::decimal::Decimal). A
//! closed stderr pipe does not kill the host, and a message that cannot be written is dropped.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use crate::platform::sys;

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// What can be counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        pub enum Counter {
            $($(#[$doc])* $variant,)*
        }

        const NAMES: &[&str] = &[$($name),*];
    };
}

counters! {
    /// The arena reached its ceiling, and sampling stopped; or the kernel refused memory, each time.
    ArenaExhausted => "arena_exhausted",
    /// A sample was dropped because its stack could not be stored.
    StackNotStored => "stack_not_stored",
    /// A stack was cut to its leaf frames because there are many stacks already.
    StackCut => "stack_cut",
    /// A live sample gave way so that the tables stay small; others stand for it.
    SampleThinned => "sample_thinned",
    /// A sample was dropped because the live table could not grow.
    SampleNotStored => "sample_not_stored",
    /// The allocator returned a sampled address again, and no hook had seen its free: the record
    /// was replaced.
    StaleReplaced => "stale_replaced",
    /// A stack was deeper than `prof_bt_max`.
    UnwindTruncated => "unwind_truncated",
    /// A stack ended at code without unwind information.
    UnwindNoInfo => "unwind_no_info",
    /// A stack ended at memory that cannot be read.
    UnwindBadMemory => "unwind_bad_memory",
    /// A Java stack was compared with what AsyncGetCallTrace says.
    JavaChecked => "java_checked",
    /// And it was different.
    JavaDiffers => "java_differs",
    /// A Java stack ended at something that is not a Java frame.
    JavaLost => "java_lost",
    /// A Ruby stack had a frame that is none.
    RubyLost => "ruby_lost",
    /// A structure of CPython was not what it should be: its frames have no names from then on.
    PythonOdd => "python_odd",
    /// V8 said something of its code that cannot be, and is not believed any more.
    NodeOdd => "node_odd",
    /// A piece of V8's code has no name for lack of memory.
    NodeUnnamed => "node_unnamed",
    /// A sample was skipped because the thread was already inside the profiler.
    Reentered => "reentered",
    /// A freed sample was left on the pending list of its thread.
    FreeDeferred => "free_deferred",
    /// The pending list of a thread was full: a record stays although its block is free.
    FreeLost => "free_lost",
    /// A thread got no block of its own and is not sampled.
    ThreadNotTracked => "thread_not_tracked",
    /// The module snapshot had no room for a module.
    ModuleNotListed => "module_not_listed",
    /// A fork ran no handlers, and what the parent had recorded was abandoned.
    ForkAbandoned => "fork_abandoned",
    /// A trigger fired while a dump was being written, and was dropped.
    DumpCoalesced => "dump_coalesced",
    /// A dump could not be written.
    DumpFailed => "dump_failed",
    /// The thread that timer, memory limit and control need could not be started.
    WatcherRefused => "watcher_refused",
}

/// One per [`Counter`], written by any thread, read by the dump. Relaxed throughout: a counter
/// refers to nothing else.
static COUNTS: [AtomicU64; NAMES.len()] = [const { AtomicU64::new(0) }; NAMES.len()];

/// Adds one.
pub fn count(counter: Counter) {
    count_many(counter, 1);
}

/// Adds `number`.
pub fn count_many(counter: Counter, number: u64) {
    if let Some(cell) = COUNTS.get(counter as usize) {
        cell.fetch_add(number, Relaxed);
    }
}

/// The value of one counter.
pub fn counted(counter: Counter) -> u64 {
    COUNTS
        .get(counter as usize)
        .map_or(0, |cell| cell.load(Relaxed))
}

/// All counters with the names that the dump gives them, zeros included.
pub fn counters() -> impl Iterator<Item = (&'static str, u64)> {
    NAMES
        .iter()
        .zip(&COUNTS)
        .map(|(&name, cell)| (name, cell.load(Relaxed)))
}

const PREFIX: &[u8] = b"<malloscope>: ";

/// Device and inode of stderr as the process was started with it; 0 while unknown, and all ones for
/// "no stderr". Written by [`remember_stderr`], before the program runs.
static STDERR: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Remembers which file stderr is: a daemon closes it, and the next file that it opens gets the
/// number. Runs at the start.
pub fn remember_stderr() {
    let (device, inode) = sys::file_identity(libc::STDERR_FILENO).unwrap_or((u64::MAX, u64::MAX));
    for (word, value) in STDERR.iter().zip([device, inode]) {
        word.store(value, Relaxed);
    }
}

fn is_stderr_ours() -> bool {
    let known = STDERR.each_ref().map(|word| word.load(Relaxed));
    known == [0, 0]
        || sys::file_identity(libc::STDERR_FILENO)
            .is_some_and(|(device, inode)| known == [device, inode])
}

/// How many parts a message may have; more are dropped. The prefix and the line's end take two of
/// writev's sixteen.
pub const MESSAGE_PARTS: usize = 14;

/// Writes one line to stderr: the prefix, `parts` one after the other, a newline. Does not change
/// errno.
pub fn message(parts: &[&str]) {
    let mut bytes: [&[u8]; MESSAGE_PARTS] = [b""; MESSAGE_PARTS];
    for (slot, part) in bytes.iter_mut().zip(parts) {
        *slot = part.as_bytes();
    }
    message_bytes(&bytes);
}

/// As [`message`], for text that came from outside and need not be UTF-8.
pub fn message_bytes(parts: &[&[u8]]) {
    let mut line: [&[u8]; MESSAGE_PARTS + 2] = [b""; MESSAGE_PARTS + 2];
    let whole = [PREFIX]
        .into_iter()
        .chain(parts.iter().copied().take(MESSAGE_PARTS))
        .chain([&b"\n"[..]]);
    for (slot, part) in line.iter_mut().zip(whole) {
        *slot = part;
    }
    if is_stderr_ours() {
        sys::write_quietly(libc::STDERR_FILENO, &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_stands_for_itself() {
        let before = counted(Counter::FreeLost);
        count(Counter::FreeLost);
        assert_eq!(counted(Counter::FreeLost), before + 1);
        let named = counters().find(|&(name, _)| name == "free_lost");
        assert_eq!(named.map(|(_, value)| value > before), Some(true));
        assert_eq!(counters().count(), Counter::WatcherRefused as usize + 1);
    }
}
