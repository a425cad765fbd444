//! One step of unwinding as data: a rule packed into 64 bits.
//!
//! `eh_frame` makes rules, `rule_cache` keeps them, the file of the architecture applies them. A
//! rule holds for one exact address, so the part of an expression that depends on the program
//! counter (in the stubs of a PLT) is already worked out. Pure: no unsafe, no state.
//!
//! Everything that is saved on an x86-64 stack is aligned to eight, so most offsets are kept in
//! words. Nearly all frames are plain: the CFA is counted from a register; bp and rbx are saved
//! below it or not at all, and inside the frame where that register is the stack pointer. The hot
//! loop relies on this and checks nothing more. For a frame that saves neither register the lower
//! half is zero.
//! ```text
//! bit 63                                  32 31       16 15        4 3    0
//!    | bytes from base to return address (32) | bx   (16) | bp   (12) | kind |   plain
//!    | CFA offset (24) | bx offset (16) | bp offset (16) | bx  | bp  | kind |   all others
//! bit 63             40 39            24 23             8 7   6 5   4 3    0
//! ```
//! In a plain rule bp and bx are words from the CFA, and 0 means "not saved". In a dereferencing
//! rule the CFA field holds offset (16) and addend (8). In a rule that uses another register it
//! holds offset (20) and number (4). A step that does not fit becomes [`Step::Unknown`], and the
//! stack ends there.

mod step;

pub use step::{Base, Cfa, Saved, Step};

use super::goroutine::Goroutine;

/// By the stack pointer, by bp, by bx: [`Cfa::Plus`], registers saved below the CFA or not at all.
const PLAIN: u64 = 0;
/// The same for frames that are not plain, or whose offsets are too large.
const ODD: u64 = 3;
/// [`Cfa::Load`].
const LOAD: u64 = 6;
const OTHER: u64 = 9;
const FRAME_POINTER: u64 = 10;
const SIGNAL: u64 = 11;
const END: u64 = 12;
const UNKNOWN: u64 = 13;
const GOROUTINE: u64 = 14;
/// In such a rule.
const SAVES_BP: u64 = 1 << 4;

const SAME: u64 = 0;
const AT_CFA: u64 = 1;
const AT_BP: u64 = 2;

const WORD: i64 = 8;
/// Where the parts of a plain rule are.
const PLAIN_BP: u32 = 4;
const PLAIN_BX: u32 = 16;
const PLAIN_OFFSET: u32 = 32;

/// A plain frame, as nearly all are: one of the first three kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    /// The register that the frame is counted from.
    pub base: Base,
    /// How far above it the return address is, in bytes; the CFA is just above that.
    pub return_address: u64,
    /// Where the caller's bp is, in words from the CFA: negative, or 0 if it is still in the
    /// register. If the base is the stack pointer, never below the stack pointer.
    pub bp: i64,
    /// The same for bx.
    pub bx: i64,
}

/// A packed [`Step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule(u64);

impl Rule {
    /// Packs `step`; `Unknown` if an offset does not fit or is not a multiple of eight.
    pub fn pack(step: Step) -> Rule {
        let packed = match step {
            Step::Frame { cfa, bp, bx } => pack_frame(cfa, bp, bx),
            Step::FramePointer => Some(FRAME_POINTER),
            Step::Goroutine(goroutine) => pack_goroutine(goroutine),
            Step::Signal => Some(SIGNAL),
            Step::End => Some(END),
            Step::Unknown => None,
        };
        Rule(packed.unwrap_or(UNKNOWN))
    }

    /// From [`bits`](Rule::bits).
    #[inline(always)]
    pub fn from_bits(bits: u64) -> Rule {
        Rule(bits)
    }

    /// The word itself.
    #[inline(always)]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// How far above the stack pointer the return address is, if the rule says nothing else: for
    /// the hot loop.
    #[inline(always)]
    pub fn bare(self) -> Option<u64> {
        (self.0 as u32 == 0).then_some(self.0 >> PLAIN_OFFSET)
    }

    /// The frame, if it is plain and counted from the stack pointer.
    #[inline(always)]
    pub fn from_sp(self) -> Option<Plain> {
        (self.kind() == PLAIN).then(|| self.plain_from(Base::Sp))
    }

    /// The frame, if it is plain.
    #[inline(always)]
    pub fn plain(self) -> Option<Plain> {
        let base = match self.kind() {
            0 => Base::Sp,
            1 => Base::Bp,
            2 => Base::Bx,
            _ => return None,
        };
        Some(self.plain_from(base))
    }

    #[inline(always)]
    fn plain_from(self, base: Base) -> Plain {
        Plain {
            base,
            return_address: self.0 >> PLAIN_OFFSET,
            bp: i64::from(self.0 as i16 >> PLAIN_BP),
            bx: i64::from(self.0 as i32 >> PLAIN_BX),
        }
    }

    /// The whole rule.
    pub fn unpack(self) -> Step {
        if let Some(plain) = self.plain() {
            return plain.unpack();
        }
        let cfa = match self.kind() {
            kind @ ODD..LOAD => Cfa::Plus(base(kind), self.cfa_offset()),
            kind @ LOAD..OTHER => {
                let addend = ((self.0 << 16) as i64 >> 56) << 3;
                Cfa::Load(base(kind), (self.0 as i64 >> 48) << 3, addend)
            }
            OTHER => Cfa::Other((self.0 >> 40 & 15) as u8, (self.0 as i64 >> 44) << 3),
            FRAME_POINTER => return Step::FramePointer,
            GOROUTINE => {
                return Step::Goroutine(Goroutine {
                    at: self.bp_offset(),
                    depth_at: self.bx_offset(),
                    saves_bp: self.0 & SAVES_BP != 0,
                });
            }
            SIGNAL => return Step::Signal,
            END => return Step::End,
            _ => return Step::Unknown,
        };
        Step::Frame {
            cfa,
            bp: saved(self.0 >> 4, self.bp_offset()),
            bx: saved(self.0 >> 6, self.bx_offset()),
        }
    }

    #[inline(always)]
    fn kind(self) -> u64 {
        self.0 & 15
    }

    #[inline(always)]
    fn cfa_offset(self) -> i64 {
        (self.0 as i64 >> 40) << 3
    }

    #[inline(always)]
    fn bp_offset(self) -> i64 {
        i64::from((self.0 >> 8) as i16) << 3
    }

    #[inline(always)]
    fn bx_offset(self) -> i64 {
        i64::from((self.0 >> 24) as i16) << 3
    }
}

impl Plain {
    fn unpack(self) -> Step {
        let offset = self.return_address as i64 & !(WORD - 1);
        let saved = |words| match words {
            0 => Saved::Same,
            words => Saved::AtCfa(words * WORD),
        };
        Step::Frame {
            cfa: Cfa::Plus(self.base, offset + WORD),
            bp: saved(self.bp),
            bx: saved(self.bx),
        }
    }
}

fn base(kind: u64) -> Base {
    match kind % 3 {
        0 => Base::Sp,
        1 => Base::Bp,
        _ => Base::Bx,
    }
}

fn saved(how: u64, offset: i64) -> Saved {
    match how & 3 {
        SAME => Saved::Same,
        AT_CFA => Saved::AtCfa(offset),
        _ => Saved::AtBp(offset),
    }
}

fn pack_frame(cfa: Cfa, bp: Saved, bx: Saved) -> Option<u64> {
    if let Some(plain) = pack_plain(cfa, bp, bx) {
        return Some(plain);
    }
    let (bp_how, bp_offset) = pack_saved(bp)?;
    let (bx_how, bx_offset) = pack_saved(bx)?;
    let (kind, cfa) = match cfa {
        Cfa::Plus(base, offset) => (ODD + base as u64, words(offset, 24)?),
        Cfa::Load(base, offset, addend) => (
            LOAD + base as u64,
            words(offset, 16)? << 8 | words(addend, 8)?,
        ),
        Cfa::Other(register @ 0..16, offset) => {
            (OTHER, words(offset, 20)? << 4 | u64::from(register))
        }
        Cfa::Other(..) => return None,
    };
    Some(kind | bp_how << 4 | bx_how << 6 | bp_offset << 8 | bx_offset << 24 | cfa << 40)
}

fn pack_plain(cfa: Cfa, bp: Saved, bx: Saved) -> Option<u64> {
    let Cfa::Plus(base, size) = cfa else {
        return None;
    };
    let saved = |saved, bits: u32| match saved {
        Saved::Same => Some(0),
        Saved::AtCfa(offset) if offset < 0 && (base != Base::Sp || offset >= -size) => {
            words(offset, bits)
        }
        _ => None,
    };
    let offset = u32::try_from(size.checked_sub(WORD)?).ok()?;
    let is_whole = u64::from(offset).is_multiple_of(WORD as u64);
    let bp = saved(bp, PLAIN_BX - PLAIN_BP)? << PLAIN_BP;
    let bx = saved(bx, PLAIN_OFFSET - PLAIN_BX)? << PLAIN_BX;
    is_whole.then_some(PLAIN | base as u64 | bp | bx | u64::from(offset) << PLAIN_OFFSET)
}

/// Both offsets are where other rules have those of bp and bx.
fn pack_goroutine(goroutine: Goroutine) -> Option<u64> {
    let saves_bp = if goroutine.saves_bp { SAVES_BP } else { 0 };
    Some(
        GOROUTINE | saves_bp | words(goroutine.at, 16)? << 8 | words(goroutine.depth_at, 16)? << 24,
    )
}

fn pack_saved(saved: Saved) -> Option<(u64, u64)> {
    Some(match saved {
        Saved::Same => (SAME, 0),
        Saved::AtCfa(offset) => (AT_CFA, words(offset, 16)?),
        Saved::AtBp(offset) => (AT_BP, words(offset, 16)?),
    })
}

/// `offset` in words, as a two's complement number of `bits` bits.
fn words(offset: i64, bits: u32) -> Option<u64> {
    let words = offset >> 3;
    let fits = offset & 7 == 0 && words >> (bits - 1) == words >> 63;
    fits.then_some(words as u64 & ((1 << bits) - 1))
}

#[cfg(test)]
mod tests;
