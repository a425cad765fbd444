//! Names for what samples left as addresses of generated code: its runtime wrote the name down only
//! later, or never did.
//!
//! Each stack passes through here on its way into the dump. Where no stack ever led through
//! generated code, that is one question a dump.

use super::writer::{Profile, Result};
use crate::platform::scratch::Scratch;
use crate::runtime::perf_map;
use crate::table::fork_gate;
use crate::table::stack_table::MAX_FRAMES;

/// Names frames while a dump is written.
pub struct Late {
    /// Room for a stack; `None`: there is nothing to name.
    room: Option<Scratch>,
}

impl Late {
    /// Reads what maps have by now.
    pub fn begin(now_ms: u64) -> Late {
        let is_needed = perf_map::prepare(now_ms, &|| fork_gate::TABLES.enter());
        let room = || Scratch::map(MAX_FRAMES * size_of::<u64>());
        Late {
            room: is_needed.then(room).flatten(),
        }
    }

    /// The frames with names where there are any. Several frames in a row without a name are one.
    pub fn named<'a>(&'a mut self, frames: &'a [u64]) -> &'a [u64] {
        let Some(room) = &mut self.room else {
            return frames;
        };
        let is_native = |pc: &u64| perf_map::late_is_native(*pc);
        if frames.iter().skip(1).all(is_native) {
            return frames;
        }
        let Some(_inside) = fork_gate::TABLES.enter() else {
            return frames;
        };
        let places = room.words();
        let mut length = 0;
        let mut last = perf_map::Late::Native;
        for (at, pc) in frames.iter().enumerate() {
            let late = match at {
                0 => perf_map::Late::Native,
                _ => perf_map::late(*pc),
            };
            let is_again = matches!(late, perf_map::Late::Nameless(_)) && late == last;
            last = late;
            let frame = match late {
                perf_map::Late::Native => *pc,
                perf_map::Late::Named(frame) | perf_map::Late::Nameless(frame) => frame,
            };
            if let Some(place) = places.get_mut(length).filter(|_| !is_again) {
                *place = frame;
                length += 1;
            }
        }
        places.get(..length).unwrap_or(frames)
    }

    /// Says what would name the code that has no name.
    pub fn advise(&self, out: &mut Profile<'_, '_>) -> Result {
        match self.room.as_ref().and_then(|_| perf_map::advice()) {
            Some(advice) => out.fact("hint", advice.as_bytes()),
            None => Ok(()),
        }
    }
}
