//! One step of unwinding, in words: what a [`Rule`](super::Rule) packs.

use crate::unwind::goroutine::Goroutine;

/// The registers that are followed from frame to frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Stack pointer.
    Sp,
    /// Frame pointer (rbp).
    Bp,
    /// rbx: `_dl_runtime_resolve` finds its caller by it.
    Bx,
}

/// How to find the canonical frame address: the stack pointer after the return. Offsets are in
/// bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cfa {
    /// `base + offset`.
    Plus(Base, i64),
    /// `*(base + offset) + addend`: functions that align their stack, and hand-written code that
    /// keeps the old stack pointer there.
    Load(Base, i64, i64),
    /// DWARF register `.0` plus offset; known only where a signal interrupted the code.
    Other(u8, i64),
}

/// Where the caller's value of a register is. Offsets are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Still in the register.
    Same,
    /// At `CFA + offset`.
    AtCfa(i64),
    /// At `bp + offset`: functions that align their stack.
    AtBp(i64),
}

/// A rule taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An ordinary frame; the return address is just below the CFA.
    Frame {
        /// Where the frame ends.
        cfa: Cfa,
        /// The caller's frame pointer.
        bp: Saved,
        /// The caller's rbx.
        bx: Saved,
    },
    /// Code without unwind information: only the frame pointer can help.
    FramePointer,
    /// Code that called C on another stack, as Go does.
    Goroutine(Goroutine),
    /// The trampoline that a signal handler returns to; the interrupted registers are on the stack.
    Signal,
    /// The outermost frame.
    End,
    /// There is unwind information, but these rules cannot express it.
    Unknown,
}
