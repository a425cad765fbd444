//! One step of unwinding, in words: what a [`Rule`](super::Rule) packs.

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

/// How the canonical frame address, the stack pointer after the return, is found. Offsets in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cfa {
    /// `base + offset`.
    Plus(Base, i64),
    /// `*(base + offset) + addend`: functions that align their stack, and hand-written code that keeps the old pointer there.
    Load(Base, i64, i64),
    /// DWARF register `.0` plus offset; known only where a signal interrupted the code.
    Other(u8, i64),
}

/// Where the caller's value of a register is. Offsets in bytes.
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
    /// An ordinary frame; the return address stands just below the CFA.
    Frame {
        /// Where the frame ends.
        cfa: Cfa,
        /// The caller's frame pointer.
        bp: Saved,
        /// The caller's rbx.
        bx: Saved,
    },
    /// Code without unwind information: the frame pointer is the only hope.
    FramePointer,
    /// The trampoline a signal handler returns to; the interrupted registers lie on the stack.
    Signal,
    /// The outermost frame.
    End,
    /// There is unwind information, and it says something these rules cannot.
    Unknown,
}
