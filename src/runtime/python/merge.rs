//! One stack of native and of Python frames.
//!
//! Each native frame of the evaluation function gives way to the Python frames that it runs. Before
//! the first of them all native frames stay: they say what the interpreter allocated for. Behind it
//! the interpreter's own frames and those of the C library say nothing, and are left out. Those of
//! other libraries stay: an extension that calls back into Python, the program that embeds it.

use super::code::Code;
use super::frames::{Frames, Odd};
use crate::unwind::End;

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
