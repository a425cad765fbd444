//! Frames that stand for code without a Java frame: the JVM's own threads, and Java frames that
//! cannot be walked.
//!
//! A thread of the JVM is known by the name that it gives itself. The name is asked for only in
//! samples without a Java frame.

use crate::platform::sys;
use crate::table::frame_table::{FRAMES, Kind};

/// There are Java frames, and they could not be read.
pub const JAVA: &[u8] = b"[java]";
/// Frames are being rebuilt (deoptimization).
pub const DEOPTIMIZATION: &[u8] = b"[deopt]";
/// The rest of a virtual thread's stack is in the heap.
pub const CONTINUATION: &[u8] = b"[continuation]";

/// The pseudo-address of a marker; `None` when there is no room for it.
pub fn frame(name: &[u8]) -> Option<u64> {
    FRAMES.intern(Kind::Java, b"", name, b"", 0)
}

/// What the calling thread does for the JVM, if it is one of the JVM's own.
pub fn of_thread() -> Option<&'static [u8]> {
    let mut name = [0; 16];
    let length = sys::thread_name(&mut name);
    of_name(name.get(..length)?)
}

/// Source: the names that OpenJDK 11 to 25 give, cut to the fifteen bytes that the kernel keeps.
fn of_name(name: &[u8]) -> Option<&'static [u8]> {
    const COMPILERS: [&[u8]; 4] = [b"C1 Compiler", b"C2 Compiler", b"JVMCI", b"Graal"];
    const COLLECTORS: [&[u8]; 12] = [
        b"GC Thread",
        b"G1 ",
        b"ZWorker",
        b"ZDriver",
        b"ZDirector",
        b"ZStat",
        b"ZUncommitter",
        b"ZUnmapper",
        b"Shenandoah",
        b"ParGC",
        b"Concurrent Mark",
        b"RuntimeWorker",
    ];
    let begins = |with: &&[u8]| name.starts_with(with);
    if COMPILERS.iter().any(begins) {
        Some(b"[jit compiler thread]")
    } else if COLLECTORS.iter().any(begins) {
        Some(b"[gc thread]")
    } else if name.starts_with(b"VM Thread") {
        Some(b"[vm thread]")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_known_by_their_names() {
        let text =
            |name: &[u8]| of_name(name).map(|name| String::from_utf8_lossy(name).into_owned());
        assert_eq!(
            text(b"C2 CompilerThre").as_deref(),
            Some("[jit compiler thread]")
        );
        assert_eq!(text(b"GC Thread#3").as_deref(), Some("[gc thread]"));
        assert_eq!(text(b"VM Thread").as_deref(), Some("[vm thread]"));
        assert_eq!(text(b"main"), None);
    }
}
