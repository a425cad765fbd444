//! From an address to its rule, by the `.eh_frame` of the module that holds it.
//!
//! The cold half of the unwinder, for an address that the cache does not know: about half a
//! microsecond each. The sorted table of `.eh_frame_hdr` is searched here, gimli parses the entry
//! that it names, and `row` executes the entry's instructions. No lock, no allocation.
//!
//! Damaged tables lead to `None`, "no information": everything is read through slices that end with
//! the segment.
//!
//! Sources: LSB core 5.0, 10.6 (`.eh_frame`, `.eh_frame_hdr`); DWARF 5, 6.4.

use gimli::{
    BaseAddresses, EhFrame, EhFrameOffset, EndianSlice, FrameDescriptionEntry, LittleEndian,
    UnwindExpression, UnwindSection,
};

use crate::unwind::arch;
use crate::unwind::expression::{self, Value};
use crate::unwind::modules::Tables;
use crate::unwind::row::{self, Column, Row};
use crate::unwind::rule::{Base, Cfa, Rule, Saved, Step};

pub(super) type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// The rule for the code at `pc` by the tables of its module; `None` if they do not cover it.
pub fn find_rule(tables: &Tables<'_>, pc: u64) -> Option<Rule> {
    let entry = search(tables, pc)?;
    let section = EhFrame::from(EndianSlice::new(tables.eh_frame, LittleEndian));
    let bases = BaseAddresses::default().set_eh_frame(tables.eh_frame_address);
    let offset = usize::try_from(entry.checked_sub(tables.eh_frame_address)?).ok()?;
    let parsed = parse(&section, &bases, offset);
    let fde = parsed.as_ref()?;
    if !fde.contains(pc) {
        return None;
    }
    if fde.is_signal_trampoline() {
        return Some(Rule::pack(Step::Signal));
    }
    Some(rule_of(&section, &bases, fde, pc))
}

/// What an entry says of `pc`. One that cannot be executed is an answer as well: a guess by the frame
/// pointer would be worse.
pub(super) fn rule_of<'a, S: UnwindSection<Bytes<'a>>>(
    section: &S,
    bases: &BaseAddresses,
    fde: &FrameDescriptionEntry<Bytes<'a>>,
    pc: u64,
) -> Rule {
    let translation = Translation { section, fde, pc };
    let row = Row::at(pc, fde, section, bases);
    let step = row.and_then(|row| translation.step(&row));
    Rule::pack(step.unwrap_or(Step::Unknown))
}

/// The entry at `offset`. Not inlined, so that what gimli needs is off the stack when the
/// instructions are executed.
#[inline(never)]
fn parse<'a>(
    section: &EhFrame<Bytes<'a>>,
    bases: &BaseAddresses,
    offset: usize,
) -> Option<FrameDescriptionEntry<Bytes<'a>>> {
    let entry = section.fde_from_offset(bases, EhFrameOffset(offset), EhFrame::cie_from_offset);
    entry.ok()
}

/// Binary search in `.eh_frame_hdr` for the entry with the highest start not above `pc`; returns
/// the entry's address.
fn search(tables: &Tables<'_>, pc: u64) -> Option<u64> {
    let header = tables.header_address();
    let absolute = |word: &[u8; 4]| {
        let offset = i64::from(i32::from_le_bytes(*word));
        header.wrapping_add_signed(offset)
    };
    let above = tables
        .rows
        .partition_point(|[start, _]| absolute(start) <= pc);
    let [_, entry] = tables.rows.get(above.checked_sub(1)?)?;
    Some(absolute(entry))
}

/// One row of unwind information while it is translated into a step.
struct Translation<'t, 'a, S> {
    section: &'t S,
    fde: &'t FrameDescriptionEntry<Bytes<'a>>,
    pc: u64,
}

impl<'a, S: UnwindSection<Bytes<'a>>> Translation<'_, 'a, S> {
    #[inline(never)]
    fn step(&self, row: &Row) -> Option<Step> {
        match row.pc {
            Column::Undefined => return Some(Step::End),
            Column::AtCfa(arch::RETURN_ADDRESS_AT) => {}
            _ => return None,
        }
        let cfa = match row.cfa {
            row::Cfa::Plus(register, offset) => Value::Plus(register, offset),
            row::Cfa::Value(expression) => self.evaluate(&expression)?,
        };
        let cfa = as_cfa(cfa)?;
        let bp = self.saved(row.bp, cfa)?;
        // rbx only serves to find the frame above the dynamic linker's trampoline, which saves it
        // in the plain way.
        let bx = self.saved(row.bx, cfa).unwrap_or(Saved::Same);
        Some(Step::Frame { cfa, bp, bx })
    }

    fn saved(&self, column: Column, cfa: Cfa) -> Option<Saved> {
        match column {
            Column::Same | Column::Undefined => Some(Saved::Same),
            Column::AtCfa(offset) => Some(Saved::AtCfa(offset)),
            Column::At(place) => match (self.evaluate(&place)?, cfa) {
                (Value::Plus(arch::BP, offset), _) => Some(Saved::AtBp(offset)),
                (Value::Plus(arch::SP, offset), Cfa::Plus(Base::Sp, end)) => {
                    Some(Saved::AtCfa(offset.wrapping_sub(end)))
                }
                _ => None,
            },
            Column::Elsewhere => None,
        }
    }

    fn evaluate(&self, expression: &UnwindExpression<usize>) -> Option<Value> {
        let bytes = expression.get(self.section).ok()?;
        expression::evaluate(bytes, self.fde.cie().encoding(), self.pc)
    }
}

fn as_cfa(value: Value) -> Option<Cfa> {
    let base = |register| match register {
        arch::SP => Some(Base::Sp),
        arch::BP => Some(Base::Bp),
        arch::BX => Some(Base::Bx),
        _ => None,
    };
    match value {
        Value::Constant(_) => None,
        Value::Plus(register, offset) => match base(register) {
            Some(base) => Some(Cfa::Plus(base, offset)),
            None => Some(Cfa::Other(u8::try_from(register).ok()?, offset)),
        },
        Value::Load(register, offset, addend) => Some(Cfa::Load(base(register)?, offset, addend)),
    }
}
