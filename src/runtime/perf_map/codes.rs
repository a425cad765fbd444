//! Which generated code is where, as of the last line read: the newest name of an address holds.
//!
//! Used under the lock of `perf_map`. The texts are in the arena and never freed, so that a name
//! can be read after the lock is free again. The memory for all this is bounded.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ops::Range;

use crate::table::arena;
use crate::table::pieces::{self, Pieces};

/// The most bytes that codes and their names may take: some 400,000 functions.
const MOST_BYTES: usize = 32 << 20;

/// Longest name kept.
const LONGEST: usize = 2048;

/// A piece of generated code.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    start: usize,
    end: usize,
    text: *const u8,
    length: u32,
    /// The pseudo-address of its name; 0 until a sample needed it.
    pub frame: u64,
}

// SAFETY: the text never changes, and stays.
unsafe impl Send for Code {}

// SAFETY: numbers and a pointer; zeroed, the text has no bytes.
unsafe impl pieces::Range for Code {
    fn start(&self) -> usize {
        self.start
    }

    fn end(&self) -> usize {
        self.end
    }
}

impl Code {
    /// Its name as the runtime wrote it.
    pub fn text(&self) -> &'static [u8] {
        if self.text.is_null() {
            return &[];
        }
        // SAFETY: `store` wrote that many bytes there, in the arena, for ever.
        unsafe { core::slice::from_raw_parts(self.text, self.length as usize) }
    }

    /// Is it still the code that `other` was?
    pub fn is_same(&self, other: &Code) -> bool {
        self.text == other.text
    }
}

/// The codes by address.
#[derive(Debug)]
pub struct Codes {
    pieces: Pieces<Code>,
    bytes: usize,
}

/// No more names are kept.
#[derive(Debug)]
pub struct Full;

impl Codes {
    /// None.
    pub const EMPTY: Codes = Codes {
        pieces: Pieces::EMPTY,
        bytes: 0,
    };

    /// The code that holds `pc`.
    pub fn find(&mut self, pc: u64) -> Option<&mut Code> {
        self.pieces.find(pc as usize)
    }

    /// There is code of this name now, in place of what was there. A name may come in two parts.
    pub fn put(&mut self, at: Range<u64>, name: [&[u8]; 2]) -> Result<(), Full> {
        let (start, end) = (at.start as usize, at.end as usize);
        let text = || name.into_iter().flatten().take(LONGEST);
        if let Some(known) = self.pieces.find(start)
            && (known.start, known.end) == (start, end)
            && known.text().iter().eq(text())
        {
            return Ok(());
        }
        let length = text().count();
        let bytes = self.bytes + length + size_of::<Code>();
        if bytes > MOST_BYTES {
            return Err(Full);
        }
        let text = store(length, text()).ok_or(Full)?;
        self.bytes = bytes;
        self.clear(start, end)?;
        let code = Code {
            start,
            end,
            text,
            length: length as u32,
            frame: 0,
        };
        self.pieces.put(code).map_err(|_full| Full)
    }

    /// The code at `from` is at `to` now.
    pub fn move_to(&mut self, from: u64, to: Range<u64>) -> Result<(), Full> {
        let Some(&mut code) = self.find(from) else {
            return Ok(());
        };
        let (start, end) = (to.start as usize, to.end as usize);
        self.clear(code.start, code.end)?;
        self.clear(start, end)?;
        let moved = Code { start, end, ..code };
        self.pieces.put(moved).map_err(|_full| Full)
    }

    /// Makes room at `[start, end)`. What older code has on either side stays its own.
    fn clear(&mut self, start: usize, end: usize) -> Result<(), Full> {
        while let Some(old) = self.pieces.take_first(start, end) {
            for (from, to) in [(old.start, start), (end, old.end)] {
                if from < to {
                    let rest = Code {
                        start: from,
                        end: to,
                        ..old
                    };
                    self.pieces.put(rest).map_err(|_full| Full)?;
                }
            }
        }
        Ok(())
    }
}

/// A copy of the text that stays for ever.
fn store<'a>(length: usize, text: impl Iterator<Item = &'a u8>) -> Option<*const u8> {
    let layout = Layout::array::<u8>(length).ok()?;
    let place = arena::alloc(layout)?;
    for (at, byte) in text.take(length).enumerate() {
        // SAFETY: a fresh piece of `length` bytes.
        unsafe { place.add(at).write(*byte) };
    }
    Some(place.as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(codes: &mut Codes, pc: u64) -> String {
        let text = codes.find(pc).map(|code| code.text());
        String::from_utf8_lossy(text.unwrap_or(b"-")).into_owned()
    }

    #[test]
    fn the_newest_name_holds() {
        let mut codes = Codes::EMPTY;
        let put = |codes: &mut Codes, at, name: &str| {
            codes.put(at, [name.as_bytes(), b""]).expect("memory");
        };
        put(&mut codes, 0x1000..0x2000, "old");
        put(&mut codes, 0x1400..0x1500, "new");
        let seen = [0xfff, 0x1000, 0x13ff, 0x1400, 0x14ff, 0x1500, 0x1fff, 0x2000];
        let names = seen.map(|pc| at(&mut codes, pc));
        assert_eq!(names, ["-", "old", "old", "new", "new", "old", "old", "-"]);
        put(&mut codes, 0x800..0x3000, "all");
        assert_eq!((at(&mut codes, 0x800), at(&mut codes, 0x1400)), ("all".into(), "all".into()));
        assert_eq!(at(&mut codes, 0x2fff), "all");
    }

    #[test]
    fn what_is_written_again_keeps_its_frame() {
        let mut codes = Codes::EMPTY;
        codes.put(0x10..0x20, [b"f", b"\tx"]).expect("memory");
        let code = codes.find(0x10).expect("there");
        assert_eq!(code.text(), b"f\tx");
        code.frame = 7;
        codes.put(0x10..0x20, [b"f\t", b"x"]).expect("memory");
        assert_eq!(codes.find(0x1f).expect("there").frame, 7);
        codes.put(0x10..0x20, [b"g", b""]).expect("memory");
        assert_eq!(codes.find(0x1f).expect("there").frame, 0);
    }

    #[test]
    fn code_moves() {
        let mut codes = Codes::EMPTY;
        codes.put(0x10..0x20, [b"f", b""]).expect("memory");
        codes.move_to(0x10, 0x18..0x28).expect("memory");
        let names = [0x10, 0x17, 0x18, 0x27].map(|pc| at(&mut codes, pc));
        assert_eq!(names, ["-", "-", "f", "f"]);
        codes.move_to(0x99, 0x100..0x110).expect("nothing there");
    }

    #[test]
    fn memory_is_bounded() {
        let mut codes = Codes::EMPTY;
        let long = [b'x'; LONGEST];
        let put = |n: u64| codes.put(n * 16 + 16..n * 16 + 32, [&long, b""]);
        assert!((0..20_000).map(put).any(|kept| kept.is_err()));
    }
}
