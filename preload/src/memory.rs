//! `memcpy` and similar functions, as hidden symbols: the compiler calls them by these names.
//!
//! libc's own functions would cost every program six more symbol look-ups by the loader, and two
//! pages of libc's code. Also, they cannot be called before the loader has relocated us. Our copies
//! are small or rare. The functions here touch no memory beyond what their arguments describe. The
//! direction flag is clear when a function begins, and is clear again when it returns (psABI).
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

// Copies from the end if the destination begins inside the source.
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

// Stacks are compared at each sample. The index counts up to zero, which is the end. The comparison
// takes 64 bytes at a time, then 16 at a time, and at last the final 16 bytes once more. Inputs of
// less than 64 bytes are compared by eight, and so is a block with a difference. The last step is
// by bytes.
hidden!("memcmp":
    ".hidden bcmp"
    ".globl bcmp"
    "bcmp:"
    "mov ecx, 64"
    "sub rcx, rdx"
    "ja 6f"
    "add rdi, rdx"
    "add rsi, rdx"
    "2:"
    "movdqu xmm0, [rdi + rcx - 64]"
    "movdqu xmm1, [rsi + rcx - 64]"
    "movdqu xmm2, [rdi + rcx - 48]"
    "movdqu xmm3, [rsi + rcx - 48]"
    "movdqu xmm4, [rdi + rcx - 32]"
    "movdqu xmm5, [rsi + rcx - 32]"
    "movdqu xmm6, [rdi + rcx - 16]"
    "movdqu xmm7, [rsi + rcx - 16]"
    "pcmpeqb xmm0, xmm1"
    "pcmpeqb xmm2, xmm3"
    "pcmpeqb xmm4, xmm5"
    "pcmpeqb xmm6, xmm7"
    "pand xmm0, xmm2"
    "pand xmm4, xmm6"
    "pand xmm0, xmm4"
    "pmovmskb eax, xmm0"
    "mov edx, 64"
    "cmp eax, 0xffff"
    "jne 5f"
    "add rcx, rdx"
    "jle 2b"
    "sub rcx, rdx"
    "jz 8f"
    "mov edx, 16"
    "add rcx, rdx"
    "jg 4f"
    "3:"
    "movdqu xmm0, [rdi + rcx - 16]"
    "movdqu xmm1, [rsi + rcx - 16]"
    "pcmpeqb xmm0, xmm1"
    "pmovmskb eax, xmm0"
    "cmp eax, 0xffff"
    "jne 5f"
    "add rcx, rdx"
    "jle 3b"
    "cmp rcx, rdx"
    "je 8f"
    "4:"
    "xor ecx, ecx"
    "jmp 3b"
    // The block ends at rcx and is rdx bytes long.
    "5:"
    "sub rcx, rdx"
    "add rdi, rcx"
    "add rsi, rcx"
    "6:"
    "cmp rdx, 8"
    "jb 7f"
    "mov rax, qword ptr [rdi]"
    "cmp rax, qword ptr [rsi]"
    "jne 7f"
    "add rdi, 8"
    "add rsi, 8"
    "sub rdx, 8"
    "jmp 6b"
    "7:"
    "test rdx, rdx"
    "jz 8f"
    "movzx eax, byte ptr [rdi]"
    "movzx ecx, byte ptr [rsi]"
    "inc rdi"
    "inc rsi"
    "dec rdx"
    "sub eax, ecx"
    "jz 7b"
    "ret"
    "8:"
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
