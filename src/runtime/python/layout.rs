//! Where the fields of CPython's structures are, by version.
//!
//! Until 3.12 the places are known for each minor version; they did not change between its
//! releases. From 3.13 on the interpreter states them (`_Py_DebugOffsets`, at the head of
//! `_PyRuntime`), and they are used only if they make sense.
//!
//! Sources: CPython 3.8 to 3.15: `pystate.h`, `frameobject.h`, `pycore_frame.h`, `code.h`,
//! `unicodeobject.h`, `pycore_runtime.h`, `pycore_debug_offsets.h`.

use crate::runtime::memory::Memory;

/// How a frame says which instruction it is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// 32 bits: the offset of the instruction, in units of so many bytes.
    Index(i32),
    /// A pointer to the instruction. The code begins at this offset of the code object.
    Pointer(u64),
}

/// How lines are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// `co_lnotab`, until 3.9.
    Lnotab,
    /// `co_linetable` of 3.10.
    Linetable,
    /// `co_linetable` since 3.11.
    Locations,
}

/// What ends the frames that one call of the evaluation function runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Each frame has a call of its own (until 3.10).
    Each,
    /// The byte at this offset of a frame: it is the call's first frame (3.11).
    Flag(u64),
    /// The byte at this offset of a frame: from 3 on the frame is not of Python, and stands behind
    /// the call's first frame (since 3.12).
    Owner(u64),
}

/// Offsets of fields; each group is of the structure of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// `PyThreadState`: leads to its current frame.
    pub current: u64,
    /// Where that is a structure between (3.11, 3.12): its own pointer to the frame.
    pub between: Option<u64>,
    /// `PyThreadState.thread_id`; needed where the interpreter keeps one current thread for all.
    pub thread_id: u64,
    /// Frame: the one that called it.
    pub previous: u64,
    /// Frame: its code object.
    pub code: u64,
    /// Frame: its position.
    pub at: u64,
    /// What the position means.
    pub position: Position,
    /// Where runs of frames end.
    pub entry: Entry,
    /// `PyCodeObject.co_filename`.
    pub file: u64,
    /// `PyCodeObject.co_qualname`, or `co_name` where there is no such.
    pub name: u64,
    /// `PyCodeObject.co_firstlineno`.
    pub first_line: u64,
    /// `PyCodeObject`: its table of lines.
    pub table: u64,
    /// What that table is.
    pub lines: Lines,
    /// `PyObject.ob_type`.
    pub kind: u64,
    /// `PyBytesObject.ob_size`, and where its bytes begin.
    pub bytes: [u64; 2],
    /// `PyASCIIObject`: length, state.
    pub text: [u64; 2],
    /// Sizes of `PyASCIIObject` and `PyCompactUnicodeObject`: the characters follow.
    pub sizes: [u64; 2],
}

/// 3.8 and 3.9. The other versions are told by what is different.
const OLDEST: Layout = Layout {
    current: 24,
    between: None,
    thread_id: 176,
    previous: 24,
    code: 32,
    at: 104,
    position: Position::Index(1),
    entry: Entry::Each,
    file: 104,
    name: 112,
    first_line: 40,
    table: 120,
    lines: Lines::Lnotab,
    kind: 8,
    bytes: [16, 32],
    text: [16, 32],
    sizes: [48, 72],
};

const V3_10: Layout = Layout {
    at: 96,
    position: Position::Index(2),
    lines: Lines::Linetable,
    ..OLDEST
};

const V3_11: Layout = Layout {
    current: 56,
    between: Some(8),
    thread_id: 152,
    previous: 48,
    at: 56,
    position: Position::Pointer(184),
    entry: Entry::Flag(68),
    file: 112,
    name: 128,
    first_line: 72,
    table: 136,
    lines: Lines::Locations,
    ..OLDEST
};

const V3_12: Layout = Layout {
    between: Some(0),
    thread_id: 136,
    previous: 8,
    code: 0,
    position: Position::Pointer(192),
    entry: Entry::Owner(70),
    first_line: 68,
    sizes: [40, 56],
    ..V3_11
};

/// The layout of `minor`, until 3.12.
pub fn of_version(minor: u8) -> Option<Layout> {
    match minor {
        8 | 9 => Some(OLDEST),
        10 => Some(V3_10),
        11 => Some(V3_11),
        12 => Some(V3_12),
        _ => None,
    }
}

/// Where `_Py_DebugOffsets` states what; the numbers are offsets in that structure.
struct Stated {
    current: u64,
    thread_id: u64,
    previous: u64,
    code: u64,
    at: u64,
    owner: u64,
    file: u64,
    qualname: u64,
    table: u64,
    first_line: u64,
    adaptive: u64,
    kind: u64,
    bytes: u64,
    text: u64,
}

const STATED_3_13: Stated = Stated {
    current: 184,
    thread_id: 192,
    previous: 232,
    code: 240,
    at: 248,
    owner: 264,
    file: 280,
    qualname: 296,
    table: 304,
    first_line: 312,
    adaptive: 344,
    kind: 360,
    bytes: 520,
    text: 544,
};

/// 3.14 has three fields more for interpreters, two for frames, one for code, and sets.
const STATED_3_14: Stated = Stated {
    current: 208,
    thread_id: 216,
    previous: 256,
    code: 264,
    at: 272,
    owner: 288,
    file: 320,
    qualname: 336,
    table: 344,
    first_line: 352,
    adaptive: 384,
    kind: 408,
    bytes: 600,
    text: 624,
};

/// 3.15 has seven fields more for threads, what an exception is, two fields for types, and heap types.
const STATED_3_15: Stated = Stated {
    current: 208,
    thread_id: 240,
    previous: 320,
    code: 328,
    at: 336,
    owner: 352,
    file: 384,
    qualname: 400,
    table: 408,
    first_line: 416,
    adaptive: 448,
    kind: 472,
    bytes: 696,
    text: 720,
};

/// What `_Py_DebugOffsets` begins with.
const COOKIE: u64 = u64::from_le_bytes(*b"xdebugpy");

/// Where it states whether it was built to run without its lock.
pub const FREE_THREADED: u64 = 16;

/// No field of these structures is farther from their heads.
const FARTHEST: u64 = 4096;

/// The layout that an interpreter of version `minor` states at `runtime`; `None` if what is stated
/// does not make sense.
pub fn stated(memory: &mut Memory, runtime: u64, minor: u8) -> Option<Layout> {
    let places = match minor {
        13 => STATED_3_13,
        14 => STATED_3_14,
        15 => STATED_3_15,
        _ => return None,
    };
    let [cookie, version] = [0, 8].map(|at| memory.word(runtime.wrapping_add(at)));
    if cookie? != COOKIE || version? >> 16 != 0x300 | u64::from(minor) {
        return None;
    }
    let mut read = |at: u64| {
        let offset = memory.word(runtime.wrapping_add(at))?;
        (offset < FARTHEST).then_some(offset)
    };
    let ascii = read(places.text + 16)?;
    let layout = Layout {
        current: read(places.current)?,
        between: None,
        thread_id: read(places.thread_id)?,
        previous: read(places.previous)?,
        code: read(places.code)?,
        at: read(places.at)?,
        position: Position::Pointer(read(places.adaptive)?),
        entry: Entry::Owner(read(places.owner)?),
        file: read(places.file)?,
        name: read(places.qualname)?,
        first_line: read(places.first_line)?,
        table: read(places.table)?,
        lines: Lines::Locations,
        kind: read(places.kind)?,
        bytes: [read(places.bytes)?, read(places.bytes + 8)?],
        // The state, then the length.
        text: [read(places.text + 8)?, read(places.text)?],
        sizes: [ascii, ascii + 16],
    };
    is_sensible(&layout).then_some(layout)
}

/// Words are at multiples of eight, and a string's fields are in the order that they always had.
fn is_sensible(layout: &Layout) -> bool {
    let words = [
        layout.current,
        layout.thread_id,
        layout.previous,
        layout.code,
        layout.at,
        layout.file,
        layout.name,
        layout.table,
        layout.kind,
    ];
    let [length, state] = layout.text;
    let [size, contents] = layout.bytes;
    words.iter().all(|word| word.is_multiple_of(8))
        && layout.first_line.is_multiple_of(4)
        && layout.kind < length
        && length < state
        && state < layout.sizes[0]
        && layout.kind < size
        && size < contents
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What 3.13.0 states, as it was compiled.
    fn of_3_13() -> Vec<u64> {
        let mut words = vec![0; 73];
        words[0] = COOKIE;
        words[1] = 0x030d_00f0;
        for (at, offset) in [
            (184, 72),
            (192, 152),
            (232, 8),
            (240, 0),
            (248, 56),
            (264, 70),
            (280, 112),
            (288, 120),
            (296, 128),
            (304, 136),
            (312, 68),
            (344, 200),
            (360, 8),
            (520, 16),
            (528, 32),
            (544, 32),
            (552, 16),
            (560, 40),
        ] {
            words[at / 8] = offset;
        }
        words
    }

    #[test]
    fn what_3_13_states_is_believed() {
        let words = of_3_13();
        let runtime = words.as_ptr() as u64;
        let layout = stated(&mut Memory::new(), runtime, 13).expect("a layout");
        let wanted = Layout {
            current: 72,
            between: None,
            thread_id: 152,
            position: Position::Pointer(200),
            ..V3_12
        };
        assert_eq!(layout, wanted);
        assert_eq!(
            stated(&mut Memory::new(), runtime, 14),
            None,
            "it is another version"
        );
    }

    #[test]
    fn nonsense_is_not_believed() {
        for (at, wrong) in [(0, 7), (1, 0x030c_00f0), (23, 73), (30, 4096), (69, 40)] {
            let mut words = of_3_13();
            words[at] = wrong;
            let layout = stated(&mut Memory::new(), words.as_ptr() as u64, 13);
            assert_eq!(layout, None, "word {at}");
        }
    }

    #[test]
    fn old_and_new_versions_have_no_table() {
        assert!((8..=12).all(|minor| of_version(minor).is_some()));
        assert!([7, 13, 15].map(of_version).iter().all(Option::is_none));
    }
}
