//! The `svc 0` instruction of aarch64. Called by `sys` alone.
//!
//! Number in x8, arguments in x0 to x5, result in x0; every other register is kept. Source:
//! syscall(2), "Architecture calling conventions".
#![allow(unsafe_code)]

/// Enters the kernel: its result, negative for `-errno`.
///
/// # Safety
/// The arguments fulfil what the call named by `number` demands of memory.
#[inline]
pub(super) unsafe fn syscall(number: i64, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let result: isize;
    // SAFETY: the instruction does what the kernel's call does, which the caller vouches for;
    // memory is taken to be changed.
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
