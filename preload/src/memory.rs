//! `memcpy` and its like, hidden: the compiler calls them by these names.
//!
//! libc's own would be six more look-ups by the loader, and two pages of libc's code, in every program that is
//! executed; and they cannot be called before the loader has relocated us. What we copy is small, or cold.
//! Nothing here touches memory beyond what its arguments say. The direction flag is clear when a function is
//! entered, and is so again when it is left (psABI).
#![cfg(target_arch = "x86_64")]

macro_rules! hidden {
    ($name:literal: $($line:literal)+) => {
        core::arch::global_asm!(
            concat!(".section .text.start.", $name, ",\"ax\",@progbits"),
            concat!(".hidden ", $name),
            concat!(".globl ", $name),
            concat!(".type ", $name, ",@function"),
            concat!($name, ":"),
            ".cfi_startproc",
            $($line,)+
            ".cfi_endproc",
            concat!(".size ", $name, ", . - ", $name),
            ".text",
        );
    };
}

hidden!("memcpy":
    "mov rax, rdi"
    "mov rcx, rdx"
    "rep movsb"
    "ret"
);

// From the end where the source is overlaid at its end.
hidden!("memmove":
    "mov rax, rdi"
    "mov rcx, rdi"
    "sub rcx, rsi"
    "cmp rcx, rdx"
    "mov rcx, rdx"
    "jb 2f"
    "rep movsb"
    "ret"
    "2:"
    "lea rdi, [rdi + rcx - 1]"
    "lea rsi, [rsi + rcx - 1]"
    "std"
    "rep movsb"
    "cld"
    "ret"
);

hidden!("memset":
    "mov r8, rdi"
    "movzx eax, sil"
    "mov rcx, rdx"
    "rep stosb"
    "mov rax, r8"
    "ret"
);

// Stacks are compared at each sample: 64 bytes at a time, counted up to the end; what is left of many by the last 64
// once more, else by eight; and the byte that tells.
hidden!("memcmp":
    ".hidden bcmp"
    ".globl bcmp"
    "bcmp:"
    "mov rcx, rdx"
    "sub rcx, 64"
    "jb 4f"
    "add rdi, rcx"
    "add rsi, rcx"
    "neg rcx"
    "2:"
    "movdqu xmm0, [rdi + rcx]"
    "movdqu xmm1, [rsi + rcx]"
    "movdqu xmm2, [rdi + rcx + 16]"
    "movdqu xmm3, [rsi + rcx + 16]"
    "movdqu xmm4, [rdi + rcx + 32]"
    "movdqu xmm5, [rsi + rcx + 32]"
    "movdqu xmm6, [rdi + rcx + 48]"
    "movdqu xmm7, [rsi + rcx + 48]"
    "pcmpeqb xmm0, xmm1"
    "pcmpeqb xmm2, xmm3"
    "pcmpeqb xmm4, xmm5"
    "pcmpeqb xmm6, xmm7"
    "pand xmm0, xmm2"
    "pand xmm4, xmm6"
    "pand xmm0, xmm4"
    "pmovmskb eax, xmm0"
    "cmp eax, 0xffff"
    "jne 3f"
    "add rcx, 64"
    "jle 2b"
    "sub rcx, 64"
    "jz 6f"
    "xor ecx, ecx"
    "jmp 2b"
    "3:"
    "add rdi, rcx"
    "add rsi, rcx"
    "mov edx, 64"
    "4:"
    "cmp rdx, 8"
    "jb 5f"
    "mov rax, qword ptr [rdi]"
    "cmp rax, qword ptr [rsi]"
    "jne 5f"
    "add rdi, 8"
    "add rsi, 8"
    "sub rdx, 8"
    "jmp 4b"
    "5:"
    "test rdx, rdx"
    "jz 6f"
    "movzx eax, byte ptr [rdi]"
    "movzx ecx, byte ptr [rsi]"
    "inc rdi"
    "inc rsi"
    "dec rdx"
    "sub eax, ecx"
    "jz 5b"
    "ret"
    "6:"
    "xor eax, eax"
    "ret"
);

hidden!("strlen":
    "xor eax, eax"
    "2:"
    "cmp byte ptr [rdi + rax], 0"
    "je 3f"
    "inc rax"
    "jmp 2b"
    "3:"
    "ret"
);
