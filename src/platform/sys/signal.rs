//! The signal mask of the calling thread, by the kernel's own calls.
//!
//! Sets are the kernel's: bit n-1 is signal n. Source: rt_sigprocmask(2), rt_sigpending(2),
//! rt_sigtimedwait(2).
#![allow(unsafe_code)]

use super::{SIGSET_BYTES, as_arg, syscall};

/// A set of signals as the kernel has it on a 64-bit machine: bit n-1 is signal n.
pub type SignalSet = u64;

/// 32 and 33, which glibc needs to reach every thread (setuid, cancellation). The library blocks
/// them only for the time that it takes to start a thread.
pub const GLIBC: SignalSet = 0b11 << 31;

/// Sets the mask; returns the old one.
pub fn set_signal_mask(set: u64) -> u64 {
    let mut before = 0u64;
    let (new, old) = (&raw const set as usize, &raw mut before as usize);
    // SAFETY: the kernel reads one set and writes the other; both are ours and of its size.
    unsafe {
        syscall(
            libc::SYS_rt_sigprocmask,
            [as_arg(libc::SIG_SETMASK), new, old, SIGSET_BYTES, 0, 0],
        )
    };
    before
}

/// Signals that wait for this thread or its process.
pub fn pending_signals() -> u64 {
    let mut pending = 0u64;
    // SAFETY: the kernel writes a set of its size.
    unsafe {
        syscall(
            libc::SYS_rt_sigpending,
            [&raw mut pending as usize, SIGSET_BYTES, 0, 0, 0, 0],
        )
    };
    pending
}

/// Removes one blocked, pending signal of `set`; returns at once when there is none.
pub fn consume_signal(set: u64) {
    let at_once = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel reads the set and the timeout. The info pointer is null, so it writes
    // nothing.
    unsafe {
        syscall(
            libc::SYS_rt_sigtimedwait,
            [
                &raw const set as usize,
                0,
                &raw const at_once as usize,
                SIGSET_BYTES,
                0,
                0,
            ],
        )
    };
}

/// The kernel's `struct sigaction` of x86-64.
#[cfg(target_arch = "x86_64")]
#[repr(C)]
struct Action {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

#[cfg(target_arch = "x86_64")]
impl Action {
    /// The kernel's own action.
    const DEFAULT: Action = Action {
        handler: libc::SIG_DFL,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
}

/// Makes `handler` the handler of `signal`, if the signal still has its default action. While the
/// handler runs all signals are blocked except glibc's own, and calls that it interrupts continue
/// where they can.
#[cfg(target_arch = "x86_64")]
pub fn handle_if_default(signal: i32, handler: extern "C" fn(i32)) -> bool {
    const SA_RESTORER: u64 = 0x0400_0000;
    if handler_of(signal) != Some(libc::SIG_DFL) {
        return false;
    }
    let flags = (libc::SA_RESTART | libc::SA_ONSTACK) as u32;
    let own = Action {
        handler: handler as usize,
        flags: u64::from(flags) | SA_RESTORER,
        restorer: restorer as *const () as usize,
        mask: !GLIBC,
    };
    let mut before = Action::DEFAULT;
    let old = &raw mut before as usize;
    // SAFETY: the kernel reads an action of ours and writes another; handler and restorer are code
    // of this library, which is never unloaded.
    let set = unsafe { action(signal, &raw const own as usize, old) } == 0;
    if set && before.handler != libc::SIG_DFL {
        // Another thread was faster: its handler is restored.
        // SAFETY: the kernel reads what it has written itself.
        unsafe { action(signal, old, 0) };
        return false;
    }
    set
}

/// Sends `signal` to this process. Where `handler` is still in place the signal acts as if the
/// handler had never existed. Also in a sandbox: the program ends in any case.
#[cfg(target_arch = "x86_64")]
pub fn raise_without(signal: i32, handler: extern "C" fn(i32)) {
    stop_handling(signal, handler);
    // SAFETY: no memory is involved; the effect of the signal is what its sender wanted.
    unsafe {
        let pid = super::pass_on(libc::SYS_getpid, [0; 6]) as usize;
        super::pass_on(libc::SYS_kill, [pid, as_arg(signal), 0, 0, 0, 0]);
    }
}

/// Restores the default action of `signal`, if `handler` is still in place.
#[cfg(target_arch = "x86_64")]
pub fn stop_handling(signal: i32, handler: extern "C" fn(i32)) {
    if handler_of(signal) == Some(handler as usize) {
        let default = Action::DEFAULT;
        // SAFETY: the kernel reads an action of ours.
        unsafe { action(signal, &raw const default as usize, 0) };
    }
}

/// The handler of `signal`: a function, or one of the kernel's two numbers for none.
#[cfg(target_arch = "x86_64")]
pub fn handler_of(signal: i32) -> Option<usize> {
    let mut now = Action::DEFAULT;
    // SAFETY: the kernel writes an action of ours.
    let known = unsafe { action(signal, 0, &raw mut now as usize) };
    (known == 0).then_some(now.handler)
}

/// # Safety
/// `new` and `old` are null or an [`Action`] each.
#[cfg(target_arch = "x86_64")]
unsafe fn action(signal: i32, new: usize, old: usize) -> isize {
    // SAFETY: as promised by the caller. The call is made also in a sandbox: the caller has a
    // handler that must not stay.
    unsafe {
        super::pass_on(
            libc::SYS_rt_sigaction,
            [as_arg(signal), new, old, SIGSET_BYTES, 0, 0],
        )
    }
}

/// Where handlers return to: the exact bytes by which debuggers recognise such a frame.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn restorer() {
    core::arch::naked_asm!("mov rax, {sigreturn}", "syscall", sigreturn = const libc::SYS_rt_sigreturn)
}
