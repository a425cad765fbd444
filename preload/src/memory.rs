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

// Eight bytes at a time while they are the same, then the byte that tells.
hidden!("memcmp":
    "2:"
    "cmp rdx, 8"
    "jb 3f"
    "mov rax, qword ptr [rdi]"
    "cmp rax, qword ptr [rsi]"
    "jne 3f"
    "add rdi, 8"
    "add rsi, 8"
    "sub rdx, 8"
    "jmp 2b"
    "3:"
    "test rdx, rdx"
    "jz 4f"
    "movzx eax, byte ptr [rdi]"
    "movzx ecx, byte ptr [rsi]"
    "inc rdi"
    "inc rsi"
    "dec rdx"
    "sub eax, ecx"
    "jz 3b"
    "ret"
    "4:"
    "xor eax, eax"
    "ret"
);

hidden!("bcmp":
    "jmp memcmp"
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
