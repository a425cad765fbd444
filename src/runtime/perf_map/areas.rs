//! Executable memory without a file, as `/proc/self/maps` lists it. Pure.

use core::ops::Range;

/// The most areas that are told apart; V8 has some hundred.
const MOST: usize = 512;

/// The areas, by address.
#[derive(Debug)]
pub struct Areas {
    areas: [(u64, u64); MOST],
    length: usize,
}

impl Areas {
    /// None.
    pub const NONE: Areas = Areas {
        areas: [(0, 0); MOST],
        length: 0,
    };

    /// Forgets all.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Adds the next area. Neighbours become one, and so do the last of too many.
    pub fn add(&mut self, area: Range<u64>) {
        let is_full = self.length == MOST;
        let last = self.length.checked_sub(1).and_then(|last| self.areas.get_mut(last));
        if let Some(last) = last.filter(|last| is_full || last.1 == area.start) {
            last.1 = area.end;
        } else if let Some(place) = self.areas.get_mut(self.length) {
            *place = (area.start, area.end);
            self.length += 1;
        }
    }

    /// Is there an area at `pc`?
    pub fn hold(&self, pc: u64) -> bool {
        let areas = self.areas.get(..self.length).unwrap_or_default();
        let at = areas.partition_point(|(_, end)| *end <= pc);
        areas.get(at).is_some_and(|(start, _)| *start <= pc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_and_holes_are_holes() {
        let mut areas = Areas::NONE;
        for area in [0x10..0x20, 0x20..0x30, 0x40..0x50] {
            areas.add(area);
        }
        let held = [0xf, 0x10, 0x2f, 0x30, 0x3f, 0x40, 0x4f, 0x50].map(|pc| areas.hold(pc));
        assert_eq!(held, [false, true, true, false, false, true, true, false]);
        assert_eq!(areas.length, 2);
        areas.clear();
        assert!(!areas.hold(0x10));
    }

    #[test]
    fn too_many_are_still_held() {
        let mut areas = Areas::NONE;
        let area = |n: u64| n * 0x20..n * 0x20 + 0x10;
        (1..1000).for_each(|n| areas.add(area(n)));
        assert!((1..1000).all(|n| areas.hold(area(n).start)));
    }
}
