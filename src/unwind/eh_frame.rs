//! From an address to its rule, by the `.eh_frame` of the module that holds it.
//!
//! The cold half of the unwinder: `unwind` comes here for an address the cache does not know, about half a microsecond each. The sorted
//! table of `.eh_frame_hdr` is searched here, gimli parses the entry it names and runs its instructions. No lock, no allocation; gimli's
//! working space lives in the thread's block ([`Context`]), as it is too large for the stack of a program we are a guest of.
//!
//! Damaged tables lead to `None`, "no information": everything is read through slices that end with the segment.
//!
//! Sources: LSB core 5.0, 10.6 (`.eh_frame`, `.eh_frame_hdr`); DWARF 5, 6.4.
#![allow(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use core::mem::MaybeUninit;

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameOffset, EndianSlice, FrameDescriptionEntry,
    LittleEndian, Register, RegisterRule, UnwindContext, UnwindContextStorage, UnwindExpression,
    UnwindSection, UnwindTableRow,
};

use crate::unwind::arch;
use crate::unwind::expression::{self, Value};
use crate::unwind::modules::Tables;
use crate::unwind::rule::{Base, Cfa, Rule, Saved, Step};

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// Sizes of gimli's working space.
struct Storage;

impl UnwindContextStorage<usize> for Storage {
    type Rules = [(Register, RegisterRule<usize>); arch::DWARF_REGISTERS];
    /// The row under construction, the initial one, and two remembered.
    type Stack = [UnwindTableRow<usize, Self>; 4];
}

/// gimli's working space. All zero: not yet set up.
pub struct Context {
    is_ready: bool,
    space: MaybeUninit<UnwindContext<usize, Storage>>,
}

impl Context {
    /// Not yet set up.
    pub const fn new() -> Context {
        Context {
            is_ready: false,
            space: MaybeUninit::uninit(),
        }
    }

    fn space(&mut self) -> &mut UnwindContext<usize, Storage> {
        if !self.is_ready {
            self.space.write(UnwindContext::new_in());
            self.is_ready = true;
        }
        // SAFETY: written above, or when the flag was set.
        unsafe { self.space.assume_init_mut() }
    }
}

/// The rule for the code at `pc` by the tables of its module; `None` if they do not speak of it.
pub fn find_rule(context: &mut Context, tables: &Tables<'_>, pc: u64) -> Option<Rule> {
    let entry = search(tables, pc)?;
    let section = EhFrame::from(EndianSlice::new(tables.eh_frame, LittleEndian));
    let bases = BaseAddresses::default().set_eh_frame(tables.eh_frame_address);
    let offset = usize::try_from(entry.checked_sub(tables.eh_frame_address)?).ok()?;
    let fde = section
        .fde_from_offset(&bases, EhFrameOffset(offset), EhFrame::cie_from_offset)
        .ok()?;
    if !fde.contains(pc) {
        return None;
    }
    if fde.is_signal_trampoline() {
        return Some(Rule::pack(Step::Signal));
    }
    let row = fde.unwind_info_for_address(&section, &bases, context.space(), pc);
    let translation = Translation {
        section: &section,
        fde: &fde,
        pc,
    };
    // An entry that cannot be carried out is an answer as well: guessing by the frame pointer would be worse.
    let step = row.ok().and_then(|row| translation.step(row));
    Some(Rule::pack(step.unwrap_or(Step::Unknown)))
}

/// Binary search in `.eh_frame_hdr` for the entry with the highest start not above `pc`; the answer is the entry's address.
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

/// One row of unwind information on its way to become a step.
struct Translation<'a> {
    section: &'a EhFrame<Bytes<'a>>,
    fde: &'a FrameDescriptionEntry<Bytes<'a>>,
    pc: u64,
}

impl Translation<'_> {
    fn step(&self, row: &UnwindTableRow<usize, Storage>) -> Option<Step> {
        match row.register(Register(arch::RETURN_ADDRESS)) {
            Some(RegisterRule::Undefined) => return Some(Step::End),
            Some(RegisterRule::Offset(arch::RETURN_ADDRESS_AT)) => {}
            _ => return None,
        }
        let cfa = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => Value::Plus(register.0, *offset),
            CfaRule::Expression(expression) => self.evaluate(expression)?,
        };
        let cfa = as_cfa(cfa)?;
        let bp = self.saved(row.register(Register(arch::BP)), cfa)?;
        // rbx only serves to find the frame above the dynamic linker's trampoline, which saves it in the plain way.
        let bx = self
            .saved(row.register(Register(arch::BX)), cfa)
            .unwrap_or(Saved::Same);
        Some(Step::Frame { cfa, bp, bx })
    }

    fn saved(&self, rule: Option<RegisterRule<usize>>, cfa: Cfa) -> Option<Saved> {
        match rule {
            None | Some(RegisterRule::Undefined | RegisterRule::SameValue) => Some(Saved::Same),
            Some(RegisterRule::Offset(offset)) => Some(Saved::AtCfa(offset)),
            Some(RegisterRule::Expression(place)) => match (self.evaluate(&place)?, cfa) {
                (Value::Plus(arch::BP, offset), _) => Some(Saved::AtBp(offset)),
                (Value::Plus(arch::SP, offset), Cfa::Plus(Base::Sp, end)) => {
                    Some(Saved::AtCfa(offset.wrapping_sub(end)))
                }
                _ => None,
            },
            _ => None,
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
