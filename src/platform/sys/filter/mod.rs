//! What a seccomp filter would do to our calls, found out before it is in force.
//!
//! A filter is a program of the kernel's classic BPF: at most 4096 instructions without loops. It
//! computes the fate of a call from its number and arguments. Here it is run once for each call of
//! ours. A branch on something unknown (usually an argument) is followed both ways, and the worst
//! of all results counts. A run that takes too long, or is not understood, counts as a kill. So
//! filters that only forbid what we never do (execve, ptrace, modules) do not stop us.
//!
#![allow(unsafe_code)]

mod calls;
mod run;

use crate::platform::sys::{self, readable};
use calls::{NEEDED, WISHED};
use run::{Fate, Instruction, State, Step, Ways};

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

/// A program's filter.
pub struct Filter<'a>(&'a [Instruction]);

impl<'a> Filter<'a> {
    /// The filter that `program`, a pointer to a `struct sock_fprog`, leads to. `None` where the
    /// kernel will refuse it: programs pass null to find out whether filters exist at all.
    ///
    /// # Safety
    /// No thread changes the filter while it is read: the program is about to pass it to the
    /// kernel.
    pub unsafe fn at(program: usize) -> Option<Filter<'a>> {
        const MOST: usize = 4096;
        let last = program.checked_add(size_of::<Program>() - 1)?;
        if !program.is_multiple_of(align_of::<Program>()) || !readable(program) || !readable(last) {
            return None;
        }
        // SAFETY: aligned, found readable just now, and every bit pattern is one.
        let program = unsafe { &*(program as *const Program) };
        let length = usize::from(program.length);
        let first = program.instructions as usize;
        let end = first.checked_add(length * size_of::<Instruction>())?;
        let mut pages = (first..end).step_by(sys::PAGE).chain([end.checked_sub(1)?]);
        let is_one = (1..=MOST).contains(&length)
            && program.instructions.is_aligned()
            && pages.all(readable);
        // SAFETY: aligned, all its pages were found readable, and every bit pattern is one.
        is_one.then(|| Filter(unsafe { core::slice::from_raw_parts(program.instructions, length) }))
    }

    /// Can we continue as before under this filter?
    pub fn admits_us(&self) -> bool {
        NEEDED.iter().all(|call| self.fate(*call) == Fate::Admitted)
            && WISHED.iter().all(|call| self.fate(*call) != Fate::Harmful)
    }

    /// May a thread end under it?
    pub fn admits_an_end(&self) -> bool {
        self.fate(libc::SYS_exit) == Fate::Admitted
    }

    /// The worst possible fate of a call.
    fn fate(&self, call: i64) -> Fate {
        const LONGEST: usize = 1 << 14;
        let mut ways = Ways::new();
        let mut worst = Fate::Admitted;
        for _ in 0..LONGEST {
            let Some(mut at) = ways.pop() else {
                return worst;
            };
            let step = self
                .0
                .get(at.next)
                .map_or(Step::End(Fate::Harmful), |instruction| {
                    at.run(*instruction, call)
                });
            let is_kept = match step {
                Step::End(fate) => {
                    worst = worst.max(fate);
                    true
                }
                Step::On => ways.push(at),
                Step::Fork(other) => ways.push(at) && ways.push(State { next: other, ..at }),
            };
            if !is_kept || worst == Fate::Harmful {
                break;
            }
        }
        Fate::Harmful
    }
}

#[cfg(test)]
mod tests;
