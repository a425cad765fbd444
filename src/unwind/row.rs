//! The row of unwind information that holds for one address: call frame instructions, executed up
//! to that address.
//!
//! gimli decodes the instructions. Its own table is not used: a row of it has room for every
//! register that exists, and two copies of it need more stack than we may take. A row here has the
//! four columns that a walk needs; what the instructions say of other registers is skipped. Pure,
//! in a few hundred bytes of stack.
//!
//! Source: DWARF 5, 6.4.2; `execute_cfa_program` in `unwind-dw2.c` of libgcc, where `restore_state`
//! restores the CFA as well.

use gimli::{
    BaseAddresses, CallFrameInstruction, CallFrameInstructionIter, EndianSlice,
    FrameDescriptionEntry, LittleEndian, Register, UnwindExpression, UnwindSection,
};

use crate::unwind::arch;

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// What a column of the row says. The CFA is a register and an offset, or the value of an
/// expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cfa {
    /// DWARF register `.0` plus `.1`.
    Plus(u16, i64),
    /// The value of the expression.
    Value(UnwindExpression<usize>),
}

/// Where the caller's value of a register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Not mentioned, or said to be unchanged.
    Same,
    /// It is lost. For the return address this means that there is no caller.
    Undefined,
    /// At the CFA plus this.
    AtCfa(i64),
    /// At the address that the expression gives.
    At(UnwindExpression<usize>),
    /// In some way that no walk needs.
    Elsewhere,
}

/// A row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The canonical frame address.
    pub cfa: Cfa,
    /// Return address.
    pub pc: Column,
    /// Frame pointer.
    pub bp: Column,
    /// rbx.
    pub bx: Column,
}

/// Rows that may be remembered at a time; compilers need one.
const REMEMBERED: usize = 2;

/// A program while it is executed.
struct Machine {
    row: Row,
    /// The row of the CIE, from which single columns are restored.
    initial: Row,
    remembered: [Row; REMEMBERED],
    depth: usize,
    /// Where the row begins to hold.
    location: u64,
    code_factor: u64,
    data_factor: i64,
}

impl Row {
    /// The row of `fde` that holds at `pc`.
    #[inline(never)]
    pub fn at<'a>(
        pc: u64,
        fde: &FrameDescriptionEntry<Bytes<'a>>,
        section: &impl UnwindSection<Bytes<'a>>,
        bases: &BaseAddresses,
    ) -> Option<Row> {
        let nothing = Row {
            cfa: Cfa::Plus(arch::SP, 0),
            pc: Column::Same,
            bp: Column::Same,
            bx: Column::Same,
        };
        let mut machine = Machine {
            row: nothing,
            initial: nothing,
            remembered: [nothing; REMEMBERED],
            depth: 0,
            location: fde.initial_address(),
            code_factor: fde.cie().code_alignment_factor(),
            data_factor: fde.cie().data_alignment_factor(),
        };
        machine.run(fde.cie().instructions(section, bases), u64::MAX)?;
        machine.initial = machine.row;
        machine.location = fde.initial_address();
        machine.run(fde.instructions(section, bases), pc)?;
        Some(machine.row)
    }

    fn column(&mut self, register: Register) -> Option<&mut Column> {
        match register.0 {
            arch::RETURN_ADDRESS => Some(&mut self.pc),
            arch::BP => Some(&mut self.bp),
            arch::BX => Some(&mut self.bx),
            _ => None,
        }
    }
}

impl Machine {
    /// Executes instructions until the row of `pc` is complete.
    fn run(&mut self, mut program: CallFrameInstructionIter<'_, Bytes<'_>>, pc: u64) -> Option<()> {
        while let Some(instruction) = program.next().ok()? {
            match instruction {
                CallFrameInstruction::AdvanceLoc { delta } => {
                    let bytes = u64::from(delta).wrapping_mul(self.code_factor);
                    self.location = self.location.wrapping_add(bytes);
                }
                CallFrameInstruction::SetLoc { address } => self.location = address,
                CallFrameInstruction::RememberState => {
                    *self.remembered.get_mut(self.depth)? = self.row;
                    self.depth += 1;
                }
                CallFrameInstruction::RestoreState => {
                    self.depth = self.depth.checked_sub(1)?;
                    self.row = *self.remembered.get(self.depth)?;
                }
                other => self.change_row(&other)?,
            }
            if self.location > pc {
                break;
            }
        }
        Some(())
    }

    fn change_row(&mut self, instruction: &CallFrameInstruction<usize>) -> Option<()> {
        use CallFrameInstruction::*;
        let factored = |offset: i64| offset.wrapping_mul(self.data_factor);
        match *instruction {
            DefCfa { register, offset } => {
                self.row.cfa = Cfa::Plus(register.0, offset.cast_signed());
            }
            DefCfaSf {
                register,
                factored_offset,
            } => self.row.cfa = Cfa::Plus(register.0, factored(factored_offset)),
            DefCfaRegister { register } => match &mut self.row.cfa {
                Cfa::Plus(base, _) => *base = register.0,
                Cfa::Value(_) => return None,
            },
            DefCfaOffset { offset } => self.row.cfa = self.moved_cfa(offset.cast_signed())?,
            DefCfaOffsetSf { factored_offset } => {
                self.row.cfa = self.moved_cfa(factored(factored_offset))?;
            }
            DefCfaExpression { expression } => self.row.cfa = Cfa::Value(expression),
            Restore { register } => {
                let initial = self.initial.column(register).map(|column| *column);
                self.set(register, initial.unwrap_or(Column::Same));
            }
            Undefined { register } => self.set(register, Column::Undefined),
            SameValue { register } => self.set(register, Column::Same),
            Offset {
                register,
                factored_offset,
            } => {
                let offset = factored(factored_offset.cast_signed());
                self.set(register, Column::AtCfa(offset));
            }
            OffsetExtendedSf {
                register,
                factored_offset,
            } => {
                let offset = factored(factored_offset);
                self.set(register, Column::AtCfa(offset));
            }
            Expression {
                register,
                expression,
            } => self.set(register, Column::At(expression)),
            ValOffset { register, .. }
            | ValOffsetSf { register, .. }
            | ValExpression { register, .. }
            | Register {
                dest_register: register,
                ..
            } => self.set(register, Column::Elsewhere),
            _ => {}
        }
        Some(())
    }

    fn moved_cfa(&self, offset: i64) -> Option<Cfa> {
        match self.row.cfa {
            Cfa::Plus(base, _) => Some(Cfa::Plus(base, offset)),
            Cfa::Value(_) => None,
        }
    }

    fn set(&mut self, register: Register, to: Column) {
        if let Some(column) = self.row.column(register) {
            *column = to;
        }
    }
}
