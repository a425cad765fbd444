//! The `syscall` instruction of x86-64, and the request that valgrind understands. For `sys` alone.
//!
//! Number in rax, arguments in rdi, rsi, rdx, r10, r8, r9, result in rax; rcx and r11 are lost,
//! every other register and the flags' direction bit are kept. Source: System V ABI, AMD64
//! supplement, A.2.1.
#![allow(unsafe_code)]

/// Enters the kernel: its result, negative for `-errno`.
///
/// # Safety
/// The arguments satisfy what the call named by `number` requires of memory.
#[inline]
pub(super) unsafe fn syscall(number: i64, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let result: isize;
    // SAFETY: the instruction does what the kernel's call does, and the caller is responsible for
    // that. Clobbers are declared as A.2.1 lists them, and memory is assumed to change (no
    // `nomem`).
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Asks valgrind a question; on a real processor `default` comes back. Source: valgrind.h, whose
/// sequence of instructions is a public interface ("Client Request mechanism").
///
/// # Safety
/// `request` points to the request's number and its five arguments, which satisfy what it requires.
pub(super) unsafe fn valgrind_request(request: &[usize; 6], default: usize) -> usize {
    let result: usize;
    // SAFETY: rdi is rotated by 128 bits in all and rbx is exchanged with itself, so only the flags
    // change; under valgrind the request's result goes to rdx.
    unsafe {
        core::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") request.as_ptr(), inlateout("rdx") default => result, inlateout("rdi") 0_usize => _,
            options(nostack),
        );
    }
    result
}

/// The time stamp counter. A program that forbids itself this instruction (PR_SET_TSC) forbids itself the vdso's
/// clock with it.
#[inline]
pub(super) fn ticks() -> u64 {
    // SAFETY: every x86-64 has the instruction.
    unsafe { core::arch::x86_64::_rdtsc() }
}
