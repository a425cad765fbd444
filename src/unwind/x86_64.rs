//! What the unwinder knows of x86-64: its registers, how a rule is applied, the kernel's signal
//! frame, a few machine instructions.
//!
//! The other files of this room use it as `super::arch`. Another architecture puts a file with the
//! same names beside this one. It reads memory through `StackMemory` alone, and code bytes only
//! after asking the kernel.
//!
//! Sources: System V psABI for AMD64 3.4 and 6.2 (frames, DWARF register numbers),
//! `arch/x86/include/uapi/asm/sigcontext.h` of Linux (layout of the signal frame), glibc
//! `sysdeps/unix/sysv/linux/x86_64/ucontext_i.sym`.
#![allow(unsafe_code)]

use core::arch::asm;
use core::ptr::read_volatile;

use crate::platform::sys;
use crate::unwind::End;
use crate::unwind::rule::{Base, Cfa, Plain, Rule, Saved, Step};
use crate::unwind::stack_memory::StackMemory;

/// The registers that a walk starts from and carries along.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// Return address into the caller of the hook.
    pub pc: u64,
    /// rsp after that return.
    pub sp: u64,
    /// rbp.
    pub bp: u64,
    /// rbx.
    pub bx: u64,
}

/// How a frame was left.
pub enum Left {
    /// By a return address that unwind information led to.
    Return,
    /// By a return address that a frame pointer led to: it may be anything.
    Guess,
    /// To code that runs on another stack.
    Switched,
    /// To the code that a signal interrupted; its registers are at this address.
    Interrupted(u64),
}

/// DWARF number of rip, the return address.
pub const RETURN_ADDRESS: u16 = 16;
/// DWARF number of rbp.
pub const BP: u16 = 6;
/// DWARF number of rbx.
pub const BX: u16 = 3;
/// DWARF number of rsp.
pub const SP: u16 = 7;
/// A leaf function may keep data this far below the stack pointer (psABI 3.2.2).
pub const RED_ZONE: usize = 128;
/// The return address is this far from the CFA, in every frame.
pub const RETURN_ADDRESS_AT: i64 = -8;
/// Bytes of one push.
const WORD: u64 = 8;

/// Where the kernel's `ucontext` has the words of the general registers, by DWARF number.
const IN_UCONTEXT: [u64; 16] = [
    144, 136, 152, 128, 112, 104, 120, 160, 40, 48, 56, 64, 72, 80, 88, 96,
];
const PC_IN_UCONTEXT: u64 = 168;

/// `mov $15, %rax; syscall`: what a signal handler returns to. libgcc and gdb know it by these bytes as well.
const SIGRETURN: u128 = 0x05_0f_00_00_00_0f_c0_c7_48;
const SIGRETURN_BYTES: u32 = 9;

/// Address of the thread's control block.
#[inline(always)]
pub fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: the psABI puts the address of the control block at fs:0; reading it changes nothing.
    unsafe {
        asm!("mov {}, fs:0", out(reg) pointer, options(nostack, readonly, preserves_flags));
    }
    pointer
}

impl Registers {
    /// The registers at this very place: for a walk of the caller's own stack outside the hooks.
    #[inline(always)]
    pub fn here() -> Registers {
        let (pc, sp, bp, bx);
        // SAFETY: reads four registers.
        unsafe {
            asm!(
                "lea {pc}, [rip]", "mov {sp}, rsp", "mov {bp}, rbp", "mov {bx}, rbx",
                pc = out(reg) pc, sp = out(reg) sp, bp = out(reg) bp, bx = out(reg) bx,
                options(nomem, nostack, preserves_flags),
            );
        }
        Registers { pc, sp, bp, bx }
    }

    #[inline(always)]
    fn base(&self, base: Base) -> u64 {
        match base {
            Base::Sp => self.sp,
            Base::Bp => self.bp,
            Base::Bx => self.bx,
        }
    }
}

/// Leaves a frame of the common kind: `registers` become those of its caller. Returns `None` and
/// changes nothing if anything is unusual; [`step`] then finds out what.
///
/// # Safety
/// Everything from `registers.sp`, a multiple of eight, to `end`, which is in the lower half of the
/// address space, can be read.
#[inline(always)]
pub unsafe fn plain_step(registers: &mut Registers, rule: Rule, end: u64) -> Option<()> {
    if let Some(offset) = rule.bare() {
        let at = registers.sp.wrapping_add(offset);
        if at >= end {
            return None;
        }
        // SAFETY: aligned, because the offset is. Not below the stack pointer: an address below
        // `end` plus 32 bits cannot overflow. Below `end`.
        registers.pc = unsafe { read_volatile(at as *const u64) };
        registers.sp = at.wrapping_add(WORD);
        return Some(());
    }
    let plain = match rule.from_sp() {
        Some(plain) => plain,
        None => rule.plain()?,
    };
    let at = registers
        .base(plain.base)
        .wrapping_add(plain.return_address);
    if at >= end || plain.base != Base::Sp && !is_in_frame(registers.sp, plain, at) {
        return None;
    }
    // SAFETY: as before. Registers are saved below the CFA and not below the stack pointer: the
    // rule says so, or it was just checked.
    unsafe { restore(registers, plain, at) };
    Some(())
}

/// Whether everything that a rule reads is aligned and not below the stack pointer. The CFA is
/// above the return address, so a walk cannot loop.
#[inline(always)]
fn is_in_frame(sp: u64, plain: Plain, at: u64) -> bool {
    let saved = at.wrapping_add_signed((plain.bp.min(plain.bx) + 1) * WORD as i64);
    at.is_multiple_of(WORD) && at >= sp && saved >= sp
}

/// Sets the registers of the caller, whose return address is at `at`.
///
/// # Safety
/// The stack can be read there, and where the rule says that registers are saved.
#[inline(always)]
unsafe fn restore(registers: &mut Registers, plain: Plain, at: u64) {
    let cfa = at.wrapping_add(WORD);
    let word = |offset: i64, now: u64| match offset {
        0 => now,
        // SAFETY: the contract above.
        words => unsafe { read_volatile((cfa as *const u64).wrapping_offset(words as isize)) },
    };
    registers.bp = word(plain.bp, registers.bp);
    registers.bx = word(plain.bx, registers.bx);
    // SAFETY: the contract above.
    registers.pc = unsafe { read_volatile(at as *const u64) };
    registers.sp = cfa;
}

/// Leaves one frame of any kind: `registers` become those of its caller. `context` is the address
/// of the interrupted registers if a signal interrupted this frame, else 0.
pub fn step(
    registers: &mut Registers,
    rule: Rule,
    memory: &mut StackMemory,
    context: u64,
) -> Result<Left, End> {
    match rule.unpack() {
        Step::Frame { cfa, bp, bx } => {
            let cfa = find_cfa(registers, cfa, memory, context)?;
            leave(registers, cfa, (bp, bx), memory)
        }
        Step::FramePointer => follow_frame_pointer(registers, memory),
        Step::Goroutine(goroutine) => goroutine.enter(registers, memory),
        Step::Signal => interrupted(registers, memory),
        Step::End => Err(End::Complete),
        Step::Unknown => Err(End::NoInfo),
    }
}

/// Sets the registers of the caller, given where the frame ends and where the other registers are
/// saved.
fn leave(
    registers: &mut Registers,
    cfa: u64,
    (bp, bx): (Saved, Saved),
    memory: &mut StackMemory,
) -> Result<Left, End> {
    // Strict growth, as in `plain_step`.
    if cfa <= registers.sp {
        return Err(End::BadMemory);
    }
    let mut word = |saved: Saved, now: u64| {
        let at = match saved {
            Saved::Same => return Ok(now),
            Saved::AtCfa(offset) => cfa.wrapping_add_signed(offset),
            Saved::AtBp(offset) => registers.bp.wrapping_add_signed(offset),
        };
        memory.read(at as usize).ok_or(End::BadMemory)
    };
    let caller = Registers {
        pc: word(Saved::AtCfa(RETURN_ADDRESS_AT), 0)?,
        sp: cfa,
        bp: word(bp, registers.bp)?,
        bx: word(bx, registers.bx)?,
    };
    memory.advance(cfa as usize);
    *registers = caller;
    Ok(Left::Return)
}

fn find_cfa(
    registers: &Registers,
    cfa: Cfa,
    memory: &mut StackMemory,
    context: u64,
) -> Result<u64, End> {
    match cfa {
        Cfa::Plus(base, offset) => Ok(registers.base(base).wrapping_add_signed(offset)),
        Cfa::Load(base, offset, addend) => {
            let at = registers.base(base).wrapping_add_signed(offset);
            let value = memory.read(at as usize).ok_or(End::BadMemory)?;
            Ok(value.wrapping_add_signed(addend))
        }
        Cfa::Other(register, offset) => {
            let place = IN_UCONTEXT.get(usize::from(register)).ok_or(End::NoInfo)?;
            if context == 0 {
                return Err(End::NoInfo);
            }
            let value = read_context(context, *place).ok_or(End::BadMemory)?;
            Ok(value.wrapping_add_signed(offset))
        }
    }
}

/// Leaves a frame of code without information. `push %rbp; mov %rsp, %rbp` is assumed, and believed
/// only if it leads up the stack.
fn follow_frame_pointer(registers: &mut Registers, memory: &mut StackMemory) -> Result<Left, End> {
    // The psABI marks the outermost frame in this way (3.4.1).
    if registers.bp == 0 {
        return Err(End::Complete);
    }
    if registers.bp < registers.sp || !memory.reaches(registers.bp as usize) {
        return Err(End::NoInfo);
    }
    let bp = memory.read(registers.bp as usize).ok_or(End::NoInfo)?;
    let above = registers.bp.wrapping_add(8);
    let pc = memory.read(above as usize).ok_or(End::NoInfo)?;
    *registers = Registers {
        pc,
        sp: above.wrapping_add(8),
        bp,
        bx: registers.bx,
    };
    memory.advance(registers.sp as usize);
    Ok(Left::Guess)
}

/// The stack pointer is at the kernel's `ucontext` when a handler has returned to the trampoline.
fn interrupted(registers: &mut Registers, memory: &mut StackMemory) -> Result<Left, End> {
    let context = registers.sp;
    let mut word = |place: u64| {
        let at = context.wrapping_add(place);
        memory.read(at as usize).ok_or(End::BadMemory)
    };
    let [_, _, _, bx_at, _, _, bp_at, sp_at, ..] = IN_UCONTEXT;
    *registers = Registers {
        pc: word(PC_IN_UCONTEXT)?,
        sp: word(sp_at)?,
        bp: word(bp_at)?,
        bx: word(bx_at)?,
    };
    Ok(Left::Interrupted(context))
}

fn read_context(context: u64, place: u64) -> Option<u64> {
    read_elsewhere(context.wrapping_add(place))
}

/// A word that need not lie on the stack of the walk: `StackMemory` cannot read it. Of a signal frame or
/// of a goroutine.
pub fn read_elsewhere(at: u64) -> Option<u64> {
    let at = at as usize;
    if !at.is_multiple_of(8) || !sys::readable(at) {
        return None;
    }
    // SAFETY: aligned, and just found readable. A signal frame is in use as long as its handler has not
    // returned, a goroutine while it waits for this very call.
    Some(unsafe { read_volatile(at as *const u64) })
}

/// Sixteen bytes of code, if they can be read.
pub fn code(at: u64) -> Option<u128> {
    let at = at as usize;
    if !sys::readable(at) || !sys::readable(at.wrapping_add(8)) {
        return None;
    }
    let bytes = core::array::from_fn(|index| {
        // SAFETY: both halves were just found readable. Read byte by byte and volatile, because
        // garbage may name any place, this stack included.
        unsafe { read_volatile((at + index) as *const u8) }
    });
    Some(u128::from_le_bytes(bytes))
}

/// Whether there is memory at `pc` at all.
pub fn is_code(pc: u64) -> bool {
    sys::readable(pc as usize)
}

/// Whether a signal handler returns to `pc`, judged by its instructions: some C libraries and
/// runtimes have no unwind information there.
pub fn is_signal_return(pc: u64) -> bool {
    code(pc).is_some_and(|bytes| bytes & ((1 << (SIGRETURN_BYTES * 8)) - 1) == SIGRETURN)
}

/// How a frame is left whose function ends right behind the call: some of `add $n, %rsp`, `pop`, `leave`,
/// then `ret`. Such is all of CPython's perf trampoline, of which there is a copy for each function
/// (Python/asm_trampoline.S, 3.12 to 3.14), and what Go calls C by since 1.22.
pub fn epilogue(pc: u64) -> Option<Step> {
    let bytes = code(pc)?.to_le_bytes();
    let mut rest = bytes.as_slice();
    let (mut size, mut saved) = (0, [None; 2]);
    loop {
        rest = match rest {
            [0xc3, ..] => break,
            [0x48, 0x83, 0xc4, bytes @ 0..=0x7f, rest @ ..] if bytes % 8 == 0 => {
                size += i64::from(*bytes);
                rest
            }
            [0x41, 0x58..=0x5f, rest @ ..] => {
                size += WORD as i64;
                rest
            }
            [pop @ (0x58..=0x5b | 0x5d..=0x5f), rest @ ..] => {
                let [bp, bx] = &mut saved;
                match pop {
                    0x5d => *bp = Some(size),
                    0x5b => *bx = Some(size),
                    _ => {}
                }
                size += WORD as i64;
                rest
            }
            _ => return None,
        };
    }
    let cfa = size + WORD as i64;
    let [bp, bx] = saved.map(|at| at.map_or(Saved::Same, |at| Saved::AtCfa(at - cfa)));
    let cfa = Cfa::Plus(Base::Sp, cfa);
    Some(Step::Frame { cfa, bp, bx })
}

/// Whether a call instruction ends at `pc`, so that it may be a return address.
pub fn follows_call(pc: u64) -> bool {
    let Some(bytes) = code(pc.wrapping_sub(16)) else {
        return false;
    };
    let byte = |before: u32| (bytes >> (128 - before * 8)) as u8;
    // call *reg or *mem: ff with 2 in the middle field of the next byte; 2 to 7 bytes long by its operand.
    let indirect = |length: u32| byte(length) == 0xff && byte(length - 1) >> 3 & 7 == 2;
    byte(5) == 0xe8 || (2..=7).any(indirect)
}
