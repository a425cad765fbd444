//! Which managed frames the stacks of a dump refer to, and the lines that name them.
//!
//! Each stack that is written is noted, of whatever kind its samples are, and the names come after
//! the stacks.

use profile_format::escape::Text;
use profile_format::heap_v2::ManagedFrame;

use super::writer::{Profile, Result};
use crate::platform::scratch::Scratch;
use crate::runtime::ruby::ids;
use crate::table::frame_table::{FRAMES, Frame, Kind, number_of};

/// How many frames may get a name while the dump is written.
const MORE: usize = 1 << 16;

/// A bit for each managed frame.
pub struct Referred(Option<Scratch>);

impl Referred {
    /// No frame noted yet. Where there is no memory for the bits all frames are named.
    pub fn new() -> Referred {
        Referred(Scratch::map((FRAMES.len() as usize + MORE) / 8))
    }

    /// Notes the managed frames of a stack.
    pub fn note(&mut self, frames: &[u64]) {
        let Some(bits) = &mut self.0 else {
            return;
        };
        for number in frames.iter().filter_map(|frame| number_of(*frame)) {
            if let Some(byte) = bits.bytes().get_mut(number as usize / 8) {
                *byte |= 1 << (number % 8);
            }
        }
    }

    fn holds(&mut self, address: u64) -> bool {
        let Some(bits) = &mut self.0 else {
            return true;
        };
        number_of(address).is_some_and(|number| {
            let byte = bits.bytes().get(number as usize / 8);
            byte.is_some_and(|byte| byte >> (number % 8) & 1 != 0)
        })
    }

    /// Names all frames that were noted.
    pub fn write(&mut self, out: &mut Profile<'_, '_>) -> Result {
        let mut result = Ok(());
        FRAMES.for_each(&mut |address, frame| {
            if result.is_ok() && self.holds(address) {
                result = out.frame(&line(address, &frame));
            }
        });
        result
    }
}

fn line<'a>(address: u64, frame: &Frame<'a>) -> ManagedFrame<'a> {
    ManagedFrame {
        address,
        kind: Text::plain(frame.kind.name().as_bytes()),
        class: Text::plain(frame.class),
        name: Text::plain(match frame.kind {
            Kind::Ruby => ids::name(frame.name),
            _ => frame.name,
        }),
        file: Text::plain(frame.file),
        line: u64::from(frame.line),
    }
}
