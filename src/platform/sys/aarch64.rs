//! The `svc 0` instruction of aarch64, and the request that valgrind understands. For `sys` alone.
//!
//! Number in x8, arguments in x0 to x5, result in x0; every other register is kept. Source:
//! syscall(2), "Architecture calling conventions".
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
    // that; memory is assumed to change.
    unsafe {
        core::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a as isize => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
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
    // SAFETY: x12 is rotated by 128 bits in all and x10 is combined with itself, so nothing
    // changes; under valgrind the request's result goes to x3.
    unsafe {
        core::arch::asm!(
            "ror x12, x12, #3", "ror x12, x12, #13", "ror x12, x12, #51", "ror x12, x12, #61",
            "orr x10, x10, x10",
            in("x4") request.as_ptr(), inlateout("x3") default => result,
            options(nostack),
        );
    }
    result
}

/// The generic timer's counter, which the kernel lets programs read.
#[inline]
pub(super) fn ticks() -> u64 {
    let ticks: u64;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
    ticks
}
