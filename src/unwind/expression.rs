//! The value of a DWARF expression in unwind information, for one program counter.
//!
//! The expressions found in practice combine one register, constants, the program counter and at
//! most one load: the stubs of a PLT (`rsp + 8 + ((rip & 15 >= 11) << 3)`), functions that align
//! their stack (`*(rbp - 8)`), hand-written cryptography (`*(rsp + 40) + 8`). They are worked out
//! symbolically; the result is one of the forms of [`Value`], or none. Pure.
//!
//! Source: DWARF 5, 2.5.1; the expression of PLT stubs in `bfd/elfxx-x86.c` of binutils.

use gimli::{EndianSlice, Expression, LittleEndian, Operation};

use crate::unwind::arch;

/// The value of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// The same in every call.
    Constant(i64),
    /// DWARF register `.0` plus `.1`.
    Plus(u16, i64),
    /// The word stored at register `.0` plus `.1`, plus `.2`.
    Load(u16, i64, i64),
}

/// Deepest stack of values; the PLT's expression needs three.
const DEPTH: usize = 4;

struct Stack {
    values: [Value; DEPTH],
    length: usize,
}

/// Works `expression` out for the code at `pc`.
pub fn evaluate(
    expression: Expression<EndianSlice<'_, LittleEndian>>,
    encoding: gimli::Encoding,
    pc: u64,
) -> Option<Value> {
    let mut stack = Stack {
        values: [Value::Constant(0); DEPTH],
        length: 0,
    };
    let mut operations = expression.operations(encoding);
    while let Some(operation) = operations.next().ok()? {
        stack.apply(&operation, pc)?;
    }
    stack.pop()
}

impl Stack {
    fn apply(
        &mut self,
        operation: &Operation<EndianSlice<'_, LittleEndian>>,
        pc: u64,
    ) -> Option<()> {
        let value = match *operation {
            Operation::UnsignedConstant { value } => Value::Constant(value.cast_signed()),
            Operation::SignedConstant { value } => Value::Constant(value),
            Operation::RegisterOffset {
                register, offset, ..
            } if register.0 == arch::RETURN_ADDRESS => {
                Value::Constant(pc.cast_signed().wrapping_add(offset))
            }
            Operation::RegisterOffset {
                register, offset, ..
            } => Value::Plus(register.0, offset),
            Operation::PlusConstant { value } => self.pop()?.plus(value.cast_signed()),
            Operation::Plus => match (self.pop()?, self.pop()?) {
                (Value::Constant(constant), other) | (other, Value::Constant(constant)) => {
                    other.plus(constant)
                }
                _ => return None,
            },
            Operation::And => self.combine(|left, right| left & right)?,
            Operation::Ge => self.combine(|left, right| i64::from(left >= right))?,
            Operation::Shl => self.combine(|left, right| match u32::try_from(right) {
                Ok(bits) => left.checked_shl(bits).unwrap_or(0),
                Err(_) => 0,
            })?,
            Operation::Deref {
                size: 8,
                space: false,
                ..
            } => match self.pop()? {
                Value::Plus(register, offset) => Value::Load(register, offset, 0),
                _ => return None,
            },
            _ => return None,
        };
        self.push(value)
    }

    fn combine(&mut self, with: impl Fn(i64, i64) -> i64) -> Option<Value> {
        match (self.pop()?, self.pop()?) {
            (Value::Constant(right), Value::Constant(left)) => {
                Some(Value::Constant(with(left, right)))
            }
            _ => None,
        }
    }

    fn push(&mut self, value: Value) -> Option<()> {
        *self.values.get_mut(self.length)? = value;
        self.length += 1;
        Some(())
    }

    fn pop(&mut self) -> Option<Value> {
        self.length = self.length.checked_sub(1)?;
        self.values.get(self.length).copied()
    }
}

impl Value {
    fn plus(self, constant: i64) -> Value {
        match self {
            Value::Constant(value) => Value::Constant(value.wrapping_add(constant)),
            Value::Plus(register, offset) => Value::Plus(register, offset.wrapping_add(constant)),
            Value::Load(register, offset, addend) => {
                Value::Load(register, offset, addend.wrapping_add(constant))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(bytes: &[u8], pc: u64) -> Option<Value> {
        let encoding = gimli::Encoding {
            address_size: 8,
            format: gimli::Format::Dwarf32,
            version: 1,
        };
        evaluate(
            Expression(EndianSlice::new(bytes, LittleEndian)),
            encoding,
            pc,
        )
    }

    #[test]
    fn stubs_of_a_plt() {
        // breg7 8; breg16 0; lit15; and; lit11; ge; lit3; shl; plus
        let lazy = [0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22];
        assert_eq!(value(&lazy, 0x1020), Some(Value::Plus(arch::SP, 8)));
        assert_eq!(value(&lazy, 0x102a), Some(Value::Plus(arch::SP, 8)));
        assert_eq!(value(&lazy, 0x102b), Some(Value::Plus(arch::SP, 16)));
        let mut branch_tracking = lazy;
        branch_tracking[6] = 0x3a;
        assert_eq!(
            value(&branch_tracking, 0x102a),
            Some(Value::Plus(arch::SP, 16))
        );
    }

    #[test]
    fn loads() {
        // breg6 -8; deref
        assert_eq!(
            value(&[0x76, 0x78, 0x06], 0),
            Some(Value::Load(arch::BP, -8, 0))
        );
        // breg7 40; deref; plus_uconst 8
        assert_eq!(
            value(&[0x77, 40, 0x06, 0x23, 8], 0),
            Some(Value::Load(arch::SP, 40, 8))
        );
    }

    #[test]
    fn what_is_beyond_these_forms_has_no_value() {
        assert_eq!(value(&[], 0), None);
        assert_eq!(value(&[0x22], 0), None, "plus without operands");
        assert_eq!(
            value(&[0x77, 0, 0x76, 0, 0x22], 0),
            None,
            "sum of two registers"
        );
        assert_eq!(
            value(&[0x77, 0, 0x06, 0x06], 0),
            None,
            "load through a load"
        );
        assert_eq!(value(&[0x31; 9], 0), None, "too deep");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..40), pc: u64) {
            let _ = value(&bytes, pc);
        }
    }
}
