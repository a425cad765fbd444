//! Native stacks: from the registers at a hook to a buffer of return addresses.
//!
//! [`unwind`] runs once per sample, on the thread whose stack it is. [`init`] runs in the
//! constructor, and [`bump_generation`] in the hook of `dlclose`, before and after. On the path of
//! a sample there is no lock that is waited for, no call into libc but `_dl_find_object`, no allocation
//! (except in the arena: the table of rules, and what is new of modules), no panic, and at most 2 KiB of the caller's stack. Memory is read only
//! where `stack_memory` found it readable. So neither wrong unwind information nor garbage in a
//! frame pointer can fault. The worst result is a stack that ends early ([`End`]) or, behind code
//! without unwind information, has a wrong frame.
//!
//! Most frames take the short way: address -> `rule_cache` -> the architecture's `step`. For an
//! address that is not in the cache, `modules` and `eh_frame` work the rule out, once per process
//! and generation.
//!
//! Code of a JIT has no unwind information (if it was registered with `__register_frame`, only
//! libgcc knows it). The walk steps over it by frame pointer, as long as the frame pointer leads up
//! the stack to something that may be a return address. Where the call is followed by the end of its
//! function, as in CPython's perf trampoline, the instructions there say how the frame is left. Go calls
//! C on another stack; the place where it does so is known by its bytes, and the walk goes on in the
//! goroutine.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod arch;
mod debug_frame;
pub mod eh_frame;
pub mod expression;
pub mod foreign;
pub mod goroutine;
pub mod history;
pub mod managed;
pub mod modules;
pub mod row;
pub mod rule;
pub mod rule_cache;
pub mod stack_memory;

pub use arch::Registers;

use arch::Left;
use goroutine::Goroutine;
use managed::Owner;
use rule::{Rule, Step};
use rule_cache::{ADDRESS_BITS, INTERRUPTED, RuleCache};
use stack_memory::{StackBounds, StackMemory};

/// Nothing is ever mapped below this address (vm.mmap_min_addr).
const LOWEST_CODE: u64 = 4096;

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At the outermost frame.
    Complete,
    /// The buffer was full.
    Truncated,
    /// At code that nothing is known about, and the frame pointer led nowhere.
    NoInfo,
    /// The next frame would lie outside the stack, or on a page that cannot be read.
    BadMemory,
    /// At code that a runtime answers for ([`managed`]). The registers are those of that frame,
    /// which is not recorded.
    Managed(Owner, Registers),
}

/// What a thread keeps from one unwind to the next: what is known of its stack. Zeroed memory is a
/// valid value, and a new thread must begin with it.
pub struct ThreadUnwinder {
    stack: StackBounds,
}

impl ThreadUnwinder {
    /// The same as zeroed memory.
    pub const fn new() -> ThreadUnwinder {
        ThreadUnwinder {
            stack: StackBounds::UNKNOWN,
        }
    }
}

impl Default for ThreadUnwinder {
    fn default() -> Self {
        Self::new()
    }
}

/// Prepares the unwinder, in the constructor, on the main thread. Without it no module is known.
pub fn init() {
    stack_memory::record_main_thread();
    modules::init();
}

/// Forgets all rules, because libraries come and go.
pub fn bump_generation() {
    rule_cache::bump_generation();
}

/// A library is about to be closed: for the hook of `dlclose`.
pub fn before_close() {
    history::before_close();
    modules::before_close();
    bump_generation();
}

/// A library was closed.
pub fn after_close() {
    modules::after_close();
    history::after_close();
    bump_generation();
}

/// Makes the unwinder usable in a forked child: for the handler of `pthread_atfork`.
///
/// # Safety
/// The caller is the only thread of its process.
pub unsafe fn after_fork() {
    rule_cache::after_fork();
    // SAFETY: the same contract.
    unsafe {
        modules::after_fork();
        history::after_fork();
        debug_frame::after_fork();
    }
}

/// Forgets what lay in the arena: for a child of a fork that ran no handlers.
///
/// # Safety
/// As `arena::abandon`, which is called with it.
pub unsafe fn abandon() {
    // SAFETY: the same contract, which says that there is only one thread.
    unsafe {
        rule_cache::abandon();
        history::abandon();
        debug_frame::abandon();
        modules::after_fork();
    }
}

/// Walks the stack of the calling thread from `registers` up and fills `out` with return addresses,
/// of which the first is `registers.pc`. Where a signal interrupted the code, the address is that
/// of the interrupted instruction. Returns how many there are, and why the walk ended.
#[inline]
pub fn unwind(state: &mut ThreadUnwinder, registers: Registers, out: &mut [u64]) -> (usize, End) {
    let Some(rules) = rule_cache::get() else {
        return (0, End::NoInfo);
    };
    let mut walk = Walk {
        memory: state.stack.memory(registers.sp as usize, 0),
        state,
        rules,
        registers,
        out,
        length: 0,
    };
    let end = walk.run();
    (walk.length, end)
}

/// Frames of a deep stack that are passed over, at most.
const DEEPEST: usize = 1 << 14;

/// Walks a stack that is deeper than `out` to its other end. The first half of `out` gets the leaves,
/// the second half the outermost frames. False where that end is not found: then the second half has
/// nothing to say.
#[cold]
pub fn both_ends(state: &mut ThreadUnwinder, registers: Registers, out: &mut [u64]) -> bool {
    let Some(rules) = rule_cache::get() else {
        return false;
    };
    let half = out.len() / 2;
    let mut walk = Walk {
        memory: state.stack.memory(registers.sp as usize, 0),
        state,
        rules,
        registers,
        out,
        length: 0,
    };
    let mut left = DEEPEST;
    while walk.run() == End::Truncated {
        walk.length = half;
        match left.checked_sub(walk.out.len() - half) {
            Some(less) if less < left => left = less,
            _ => return false,
        }
    }
    let last = walk.length - half.min(walk.length);
    if let Some(outer) = walk.out.get_mut(half..) {
        // What the last round wrote belongs behind what is left of the round before it.
        outer.rotate_left(last.min(outer.len()));
    }
    true
}

/// A walk in progress.
struct Walk<'a> {
    state: &'a mut ThreadUnwinder,
    rules: RuleCache,
    registers: Registers,
    memory: StackMemory,
    out: &'a mut [u64],
    length: usize,
}

impl Walk<'_> {
    fn run(&mut self) -> End {
        loop {
            self.plain_frames();
            let left = self.frame(0).and_then(|left| self.arrive(left));
            if let Err(end) = left {
                return end;
            }
        }
    }

    /// The short way, as long as it leads: frames whose rule is known and plain, on memory that is
    /// known. The first other frame is left to `frame`.
    #[inline(always)]
    fn plain_frames(&mut self) {
        let end = self.memory.end() as u64;
        let rules = self.rules;
        let mut registers = self.registers;
        // Below the end of known memory, so that no offset leads past the end of the address space.
        if registers.sp >= end || !registers.sp.is_multiple_of(8) {
            return;
        }
        let mut room = self
            .out
            .get_mut(self.length..)
            .unwrap_or_default()
            .iter_mut();
        while room.len() != 0 {
            let pc = registers.pc;
            let Some(rule) = rules.find(pc) else {
                break;
            };
            // SAFETY: `StackMemory::end` promises it for the stack pointer of the walk, which only
            // grows in this loop, by multiples of eight.
            if unsafe { arch::plain_step(&mut registers, rule, end) }.is_none() {
                break;
            }
            if let Some(slot) = room.next() {
                *slot = pc;
            }
        }
        let left = room.len();
        self.registers = registers;
        self.length = self.out.len() - left;
    }

    /// Records the frame that the registers describe, and leaves it. `context`: address of the
    /// interrupted registers if a signal interrupted this very frame.
    #[inline(never)]
    fn frame(&mut self, context: u64) -> Result<Left, End> {
        let pc = self.registers.pc;
        let Some(slot) = self.out.get_mut(self.length) else {
            return Err(End::Truncated);
        };
        *slot = pc;
        self.length += 1;
        let mark = if context == 0 { 0 } else { INTERRUPTED };
        let rule = match self.rules.find(pc ^ mark) {
            Some(rule) => rule,
            None => self.work_out(pc ^ mark, pc, context != 0)?,
        };
        arch::step(&mut self.registers, rule, &mut self.memory, context)
    }

    /// Continues after a step that was not made in the short way.
    fn arrive(&mut self, mut left: Left) -> Result<(), End> {
        loop {
            left = match left {
                Left::Return => return Ok(()),
                Left::Guess => return self.check_guess(),
                Left::Switched => {
                    let sp = self.registers.sp as usize;
                    self.memory = self.state.stack.memory(sp, 0);
                    return Ok(());
                }
                Left::Interrupted(context) => {
                    let sp = self.registers.sp as usize;
                    self.memory = self.state.stack.memory(sp, arch::RED_ZONE);
                    self.frame(context)?
                }
            }
        }
    }

    /// A frame pointer led here. The frame is accepted if the address was met before in another
    /// way, if it is code outside all modules (of a JIT again), or if it follows a call.
    fn check_guess(&self) -> Result<(), End> {
        let pc = self.registers.pc;
        let is_known = self.rules.find(pc).is_some();
        if pc == 0 {
            return Err(End::Complete);
        }
        let is_address = (LOWEST_CODE..1 << ADDRESS_BITS).contains(&pc);
        let is_plausible = || match modules::find(pc - 1) {
            Some(_) => arch::follows_call(pc) || arch::is_signal_return(pc),
            None => arch::is_code(pc - 1),
        };
        if is_known || is_address && is_plausible() {
            Ok(())
        } else if is_address && goroutine::ends_at(pc) {
            Err(End::Complete)
        } else {
            Err(End::NoInfo)
        }
    }

    /// The rule for an address that the cache does not have (`place` is its key there). Where there
    /// can be no code, the frame is removed again, unless it is the first.
    #[cold]
    #[inline(never)]
    fn work_out(&mut self, place: u64, pc: u64, is_interrupted: bool) -> Result<Rule, End> {
        if let Some(owner) = managed::owner(pc) {
            self.length -= 1;
            return Err(End::Managed(owner, self.registers));
        }
        let is_address = (LOWEST_CODE..1 << ADDRESS_BITS).contains(&pc);
        // A call may be the last instruction of its function: look up the call, not what follows
        // it.
        let lookup = if is_interrupted {
            pc
        } else {
            pc.wrapping_sub(1)
        };
        let module = modules::find(lookup).filter(|_| is_address);
        if module.is_none() && !(is_address && arch::is_code(lookup)) {
            if self.length > 1 {
                self.length -= 1;
            }
            return Err(if pc == 0 { End::Complete } else { End::NoInfo });
        }
        if module.is_none() {
            foreign::note(pc);
        }
        let is_met = module.is_none() || history::meet(lookup);
        let goroutine = || Goroutine::behind_call(pc).filter(|_| !is_interrupted);
        let rule = module
            .and_then(|module| module.tables())
            .and_then(|tables| eh_frame::find_rule(&tables, lookup))
            .or_else(|| Some(Rule::pack(Step::Goroutine(goroutine()?))))
            .or_else(|| debug_frame::find_rule(&module?, lookup))
            .unwrap_or_else(|| without_information(pc, module.is_some() && !is_interrupted));
        if is_met {
            self.rules.insert(place, rule);
        }
        Ok(rule)
    }
}

/// The rule for code that no table describes. In a module a return address follows a call. One that
/// does not was put on the stack by hand, as makecontext(3) and similar functions do at the bottom
/// of a fiber's stack.
fn without_information(pc: u64, is_return_into_module: bool) -> Rule {
    Rule::pack(if arch::is_signal_return(pc) {
        Step::Signal
    } else if let Some(step) = arch::epilogue(pc) {
        step
    } else if is_return_into_module && !arch::follows_call(pc) {
        Step::End
    } else {
        Step::FramePointer
    })
}
