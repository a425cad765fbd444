//! Go's `asmcgocall` on x86-64, which calls C on the thread's stack: from there to the goroutine that called.
//!
//! The place is known by its instructions, and those alone say how its frame is left. What Go writes into
//! `.debug_frame` for it does not hold there, because the stack pointer is that of another stack.
//!
//! Source: `runtime/asm_amd64.s` of Go 1.19 to 1.27. Since 1.27 the function saves the frame pointer before it notes the
//! stack pointer.

use super::arch::{Left, Registers, code, read_elsewhere};
use super::stack_memory::StackMemory;
use crate::unwind::End;

/// Bytes of a word.
const WORD: u64 = 8;

/// A frame that called C from a goroutine. Offsets in bytes from the stack pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goroutine {
    /// Where the address of the goroutine is.
    pub at: i64,
    /// Where the distance of its stack pointer from the top of its stack is: that stack may be moved.
    pub depth_at: i64,
    /// Whether the caller's frame pointer lies at that stack pointer, below the return address.
    pub saves_bp: bool,
}

impl Goroutine {
    /// What stands behind the call of C: `mov at(%rsp), %rdi; mov 8(%rdi), %rsi; sub depth_at(%rsp), %rsi`.
    pub fn behind_call(pc: u64) -> Option<Goroutine> {
        let bytes = code(pc)?.to_le_bytes();
        let (at, rest) = match bytes.as_slice() {
            [0x48, 0x8b, 0x7c, 0x24, offset @ 0..=0x7f, rest @ ..] => (*offset, rest),
            _ => return None,
        };
        let depth_at = match rest.strip_prefix(&[0x48, 0x8b, 0x77, 0x08])? {
            [0x48, 0x2b, 0x74, 0x24, offset @ 0..=0x7f, ..] => *offset,
            [0x48, 0x2b, 0x34, 0x24, ..] => 0,
            _ => return None,
        };
        Some(Goroutine {
            at: i64::from(at),
            depth_at: i64::from(depth_at),
            saves_bp: ends_with_pop(pc),
        })
    }

    /// Goes on in the goroutine.
    pub fn enter(self, registers: &mut Registers, memory: &mut StackMemory) -> Result<Left, End> {
        /// `g.stack.hi`.
        const TOP: u64 = 8;
        let mut word = |offset: i64| {
            let at = registers.sp.wrapping_add_signed(offset);
            memory.read(at as usize).ok_or(End::BadMemory)
        };
        let (goroutine, depth) = (word(self.at)?, word(self.depth_at)?);
        let elsewhere = |at| read_elsewhere(at).ok_or(End::BadMemory);
        let mut sp = elsewhere(goroutine.wrapping_add(TOP))?.wrapping_sub(depth);
        if self.saves_bp {
            registers.bp = elsewhere(sp)?;
            sp = sp.wrapping_add(WORD);
        }
        registers.pc = elsewhere(sp)?;
        registers.sp = sp.wrapping_add(WORD);
        Ok(Left::Switched)
    }
}

/// Whether the function takes rbp from the stack once it is back on the goroutine's: `mov %rsi, %rsp`, then
/// `mov %eax, result(%rsp)`, then `pop %rbp`.
fn ends_with_pop(pc: u64) -> bool {
    /// Bytes up to `mov %rsi, %rsp` at least, and to look for it in.
    const BEFORE: u64 = 13;
    const AREA: usize = 32;
    let [Some(low), Some(high)] = [code(pc + BEFORE), code(pc + BEFORE + 16)] else {
        return false;
    };
    let mut bytes = [0; AREA];
    let (first, second) = bytes.split_at_mut(AREA / 2);
    first.copy_from_slice(&low.to_le_bytes());
    second.copy_from_slice(&high.to_le_bytes());
    let behind_switch = bytes
        .windows(8)
        .find_map(|window| window.strip_prefix(&[0x48, 0x89, 0xf4]));
    matches!(
        behind_switch,
        Some([0x89, 0x44, 0x24, _, 0x5d] | [0x5d, ..])
    )
}

/// Whether a goroutine ends when its function returns to `pc`: Go puts the second instruction of `goexit`
/// there, `nop; call`.
pub fn ends_at(pc: u64) -> bool {
    /// `nop`, and the first byte of the call.
    const NOP_CALL: u128 = 0xe8_90;
    code(pc.wrapping_sub(1)).is_some_and(|bytes| bytes & 0xffff == NOP_CALL)
}
