//! Stacks that are not whole: what stands where frames are missing, and both ends of a deep recursion.
//!
//! A stack whose walk ended early would look as if nobody had called its last frame. So a frame of the
//! kind `cut` goes behind it, whose name is the reason. Where a stack of native code is deeper than
//! `prof_bt_max`, it is walked again, to its other end: half of the room is for the leaves, half for the
//! callers that all recursions have in common.

use crate::diag::{self, Counter};
use crate::table::frame_table::{FRAMES, Kind, number_of};
use crate::unwind::{self, End, Registers, ThreadUnwinder, history};

/// Where `prof_bt_max` left frames out.
const TRUNCATED: &[u8] = b"[truncated: prof_bt_max]";

/// Where a page of the stack cannot be read.
const UNREADABLE: &[u8] = b"[stack memory cannot be read]";

/// Where code is met of which nothing is known.
const NO_INFORMATION: &[u8] = b"[no unwind information]";

/// The same, in a module.
const NO_INFORMATION_IN: &[u8] = b"[no unwind information in ";

/// Longest name of a module.
const LONGEST: usize = 96;

/// Marks where the stack `frames`, of a hook and `depth` frames, is not whole, and its addresses in
/// modules that lie where others were. Returns the new depth. Inside the gate: names are interned.
#[cold]
#[inline(never)]
pub(super) fn finish(
    unwinder: &mut ThreadUnwinder,
    registers: Registers,
    frames: &mut [u64],
    (depth, end): (usize, End),
) -> usize {
    let depth = match end {
        End::Complete | End::Managed(..) => depth,
        End::Truncated => {
            diag::count(Counter::UnwindTruncated);
            shorten(unwinder, registers, frames, depth)
        }
        End::NoInfo => {
            diag::count(Counter::UnwindNoInfo);
            let code = frames.get(depth).copied().unwrap_or(0);
            push(frames, depth, no_information(code))
        }
        End::BadMemory => {
            diag::count(Counter::UnwindBadMemory);
            push(frames, depth, mark(UNREADABLE))
        }
    };
    if history::is_layered() {
        history::mark(frames.get_mut(1..=depth).unwrap_or_default());
    }
    depth
}

fn mark(name: &[u8]) -> Option<u64> {
    FRAMES.intern(Kind::Cut, b"", name, b"", 0)
}

/// Puts a frame behind the last one, or in its place where there is no room.
fn push(frames: &mut [u64], depth: usize, frame: Option<u64>) -> usize {
    let Some(frame) = frame else {
        return depth;
    };
    let at = (depth + 1).min(frames.len().saturating_sub(1)).max(1);
    match frames.get_mut(at) {
        Some(place) => {
            *place = frame;
            at
        }
        None => depth,
    }
}

fn shorten(
    unwinder: &mut ThreadUnwinder,
    registers: Registers,
    frames: &mut [u64],
    depth: usize,
) -> usize {
    let Some(mark) = mark(TRUNCATED) else {
        return depth;
    };
    let whole = frames.get_mut(1..=depth).unwrap_or_default();
    if whole.iter().any(|frame| number_of(*frame).is_some()) {
        return push(frames, depth, Some(mark));
    }
    let half = whole.len() / 2;
    if !unwind::both_ends(unwinder, registers, whole) {
        return push(frames, half, Some(mark));
    }
    if let Some(place) = whole.get_mut(half) {
        *place = mark;
    }
    depth
}

/// The mark behind code of which nothing is known, with the name of its module.
fn no_information(code: u64) -> Option<u64> {
    let Some(module) = history::module_at(code.wrapping_sub(1)) else {
        return mark(NO_INFORMATION);
    };
    let path = match module.path() {
        b"" => b"the program",
        path => path,
    };
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let mut text = [0; NO_INFORMATION_IN.len() + LONGEST + 1];
    let mut length = 0;
    let name = name.get(..LONGEST).unwrap_or(name);
    let bytes = [NO_INFORMATION_IN, name, b"]"].into_iter().flatten();
    for (place, byte) in text.iter_mut().zip(bytes) {
        *place = *byte;
        length += 1;
    }
    mark(text.get(..length)?)
}
