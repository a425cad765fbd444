// Functions that align their own stack: gcc keeps the old stack pointer in a slot below rbp and says CFA = *(rbp - n), and the saved
// registers relative to rbp. With and without alloca, and with every callee-saved register in use.
#include <alloca.h>
#include <string.h>

typedef void hook(void);

__attribute__((noinline)) int plain(hook *h, int n) {
    __attribute__((aligned(64))) volatile char space[64] = {0};
    space[n & 63] = 1;
    h();
    return space[1];
}

__attribute__((noinline)) int with_alloca(hook *h, int n) {
    __attribute__((aligned(64))) volatile char space[128] = {0};
    char *more = alloca(n * 13 + 1);
    memset(more, n, n * 13 + 1);
    space[n & 127] = more[n];
    int sum = plain(h, n + 1);
    return sum + space[3] + more[1];
}

__attribute__((noinline)) int with_registers(hook *h, int n, long *out) {
    __attribute__((aligned(256))) volatile long space[32] = {0};
    long a = out[0], b = out[1], c = out[2], d = out[3], e = out[4];
    char *more = alloca(n + 1);
    more[n] = 1;
    space[n & 31] = with_alloca(h, n);
    out[0] = b + space[0], out[1] = c * a, out[2] = d ^ b, out[3] = e - c, out[4] = a + d + more[n];
    return (int)(a + b + c + d + e + space[1]);
}

// Uses rbx and rbp across the call, so that a wrong restoration shows in the frames above.
__attribute__((noinline)) int caller(hook *h, int n, long *out) {
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += with_registers(h, i, out) + i * sum;
    return sum;
}

int run(unsigned seed, int depth, hook *h) {
    long out[5] = {seed, 2, 3, 4, 5};
    return caller(h, depth, out) + (int)out[2];
}
