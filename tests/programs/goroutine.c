// Calls C from another stack as Go's asmcgocall does, by the same instructions: the address of the goroutine and the
// distance from the top of its stack are kept on the stack of the thread. What runs on the other stack has frame
// pointers and, as all of Go's code, no unwind information that is loaded.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct goroutine {
    char *low;
    char *high;
};

struct goroutine goroutine;
__thread void *goroutine_of_thread;
static void *kept[1000];
static int count;

// Runs on the thread's stack.
__attribute__((noinline)) void allocate(void) {
    kept[count++] = malloc(1000);
}

// rdi: the stack pointer of the thread, with room above it; rsi: what to call. NEW_GO: as since Go 1.21; NEWER_GO: as since
// Go 1.27, with a frame pointer.
__asm__(".text\n"
        ".type asmcgocall, @function\n"
        "asmcgocall:\n"
#ifdef NEWER_GO
        "push %rbp\n"
        "mov %rsp, %rbp\n"
#endif
        "mov %rsi, %rax\n"
        "mov %rdi, %rcx\n"
        "mov %rsp, %rdx\n"
        "lea goroutine(%rip), %rdi\n"
        "mov %rcx, %rsp\n"
        "sub $0x40, %rsp\n"
        "and $-16, %rsp\n"
#ifdef NEW_GO
        "mov %rdi, 0x8(%rsp)\n"
        "mov 0x8(%rdi), %rdi\n"
        "sub %rdx, %rdi\n"
        "mov %rdi, (%rsp)\n"
        "call landing\n"
        "mov 0x8(%rsp), %rdi\n"
        "mov 0x8(%rdi), %rsi\n"
        "sub (%rsp), %rsi\n"
#else
        "mov %rdi, 0x30(%rsp)\n"
        "mov 0x8(%rdi), %rdi\n"
        "sub %rdx, %rdi\n"
        "mov %rdi, 0x28(%rsp)\n"
        "call *%rax\n"
        "mov 0x30(%rsp), %rdi\n"
        "mov 0x8(%rdi), %rsi\n"
        "sub 0x28(%rsp), %rsi\n"
#endif
        "mov %rdi, %fs:goroutine_of_thread@tpoff\n"
        "mov %rsi, %rsp\n"
#ifdef NEWER_GO
        "mov %eax, 0x20(%rsp)\n"
        "pop %rbp\n"
#endif
        "ret\n"
        ".size asmcgocall, . - asmcgocall\n"
        "landing:\n"
        "sub $8, %rsp\n"
        "call *%rax\n"
        "add $8, %rsp\n"
        "ret\n"
        // What a goroutine runs: with a frame pointer, and below it the call.
        ".globl decode\n"
        ".type decode, @function\n"
        "decode:\n"
        "push %rbp\n"
        "mov %rsp, %rbp\n"
        "sub $0x20, %rsp\n"
        "call asmcgocall\n"
        "add $0x20, %rsp\n"
        "pop %rbp\n"
        "ret\n"
        ".globl decode_end\n"
        "decode_end:\n"
        ".size decode, . - decode\n"
        // The end of all goroutines: nop; call goexit1.
        ".globl goexit\n"
        ".type goexit, @function\n"
        "goexit:\n"
        "nop\n"
        "call goexit1\n"
        "ud2\n"
        ".size goexit, . - goexit\n"
        "goexit1:\n"
        "mov saved(%rip), %rsp\n"
        "pop %rbp\n"
        "ret\n"
        // rdi: top of the goroutine's stack.
        ".globl go\n"
        ".type go, @function\n"
        "go:\n"
        "push %rbp\n"
        "mov %rsp, saved(%rip)\n"
        "lea goexit(%rip), %rax\n"
        "inc %rax\n"
        "mov %rax, -8(%rdi)\n"
        "lea -8(%rdi), %rsp\n"
        "mov %rsp, %rbp\n"
        "sub $16, %rbp\n"
        "mov saved(%rip), %rdi\n"
        "sub $4096, %rdi\n"
        "lea allocate(%rip), %rsi\n"
        "jmp decode\n"
        ".size go, . - go\n"
        ".local saved\n"
        ".comm saved, 8, 8\n");

void go(char *top);
void decode(void);
extern char decode_end[];

int main(void) {
    size_t size = 64 << 10;
    goroutine.low = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    goroutine.high = goroutine.low + size;
    for (int call = 0; call < 1000; call++)
        go(goroutine.high);
    printf("decode=%p\nend=%p\n", (void *)decode, (void *)decode_end);
    return 0;
}
