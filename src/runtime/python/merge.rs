//! One stack of native and of Python frames.
//!
//! Each native frame of the evaluation function gives way to the Python frames that it runs. Before
//! the first of them all native frames stay: they say what the interpreter allocated for. Behind it
//! the interpreter's own frames and those of the C library say nothing, and are left out. Those of
//! other libraries stay: an extension that calls back into Python, the program that embeds it.

use core::ops::Range;

use super::frames::{Frames, Odd};
use crate::unwind::End;

/// Frames of the interpreter that are kept where it cannot be seen which of them runs Python code.
const INNERMOST: usize = 3;

/// Where the frames go.
pub struct Out<'a> {
    /// Room for all.
    pub frames: &'a mut [u64],
    /// How many there are.
    pub length: usize,
}

impl Out<'_> {
    /// Adds a frame. False when there is no room for it.
    pub fn put(&mut self, frame: u64) -> bool {
        let slot = self.frames.get_mut(self.length);
        let has_room = slot.is_some();
        if let Some(slot) = slot {
            *slot = frame;
            self.length += 1;
        }
        has_room
    }
}

/// Code that is left out or replaced.
pub struct Code {
    /// The function that runs Python code.
    pub evaluation: Range<u64>,
    /// The libraries whose frames say nothing behind the first Python frame.
    pub glue: [Range<u64>; 2],
}

impl Code {
    fn is_evaluation(&self, return_address: u64) -> bool {
        self.evaluation.contains(&return_address.wrapping_sub(1))
    }

    fn is_glue(&self, return_address: u64) -> bool {
        let mut glue = self.glue.iter();
        glue.any(|range| range.contains(&return_address.wrapping_sub(1)))
    }

    /// Without the frame in which the process or the thread begins. Where no call of the evaluation
    /// function is seen (3.14 may be built so that each instruction is a function of its own), also without
    /// the interpreter's frames that lead there.
    fn without_outermost<'a>(&self, native: &'a [u64], end: End, calls: usize) -> &'a [u64] {
        let all = match native {
            [inner @ .., _] if end == End::Complete => inner,
            all => all,
        };
        if calls != 0 {
            return all;
        }
        let foreign = all.iter().rposition(|pc| !self.is_glue(*pc));
        let length = foreign.map_or(0, |last| last + 1).max(INNERMOST);
        all.get(..length).unwrap_or(all)
    }
}

/// Merges `native`, whose walk ended with `end`, and the Python frames into `out`. Returns why the
/// result ends.
pub fn merge(
    code: &Code,
    native: &[u64],
    end: End,
    python: &mut Frames<'_>,
    out: &mut Out<'_>,
) -> Result<End, Odd> {
    let calls = native.iter().filter(|pc| code.is_evaluation(**pc)).count();
    let native = code.without_outermost(native, end, calls);
    let mut met = 0;
    let mut has_room = true;
    for &pc in native {
        if code.is_evaluation(pc) {
            met += 1;
            // Whatever is left belongs to the last call that is known.
            has_room = match met == calls {
                true => python.rest(&mut |frame| out.put(frame))?,
                false => python.run(&mut |frame| out.put(frame))?,
            };
        } else if met == 0 || !code.is_glue(pc) {
            has_room = out.put(pc);
        }
        if !has_room {
            return Ok(End::Truncated);
        }
    }
    if calls == 0 {
        has_room = python.rest(&mut |frame| out.put(frame))?;
    }
    Ok(match end {
        _ if !has_room => End::Truncated,
        // The outermost frames of Python are there, whatever the native walk missed.
        End::Truncated | End::NoInfo | End::BadMemory => End::Complete,
        end => end,
    })
}
