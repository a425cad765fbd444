// Something to interrupt: the vdso, PLT stubs, prologues and epilogues, leaf functions that use the red zone, an aligned frame.
#include <stdlib.h>
#include <string.h>
#include <time.h>

__attribute__((noinline)) int leaf(volatile int *p, int n) {
    volatile int below[20];
    for (int i = 0; i < 20; i++)
        below[i] = n + i;
    return below[n % 20] + *p;
}

__attribute__((noinline)) int pushes(int a, int b, int c, int d) {
    volatile int local = a;
    int x = leaf(&local, b & 15), y = leaf(&local, c & 15), z = leaf(&local, d & 15);
    return x * a + y * b + z * c + d;
}

__attribute__((noinline)) int aligned(int n) {
    __attribute__((aligned(64))) volatile int space[16] = {n};
    return pushes(n, space[0], 3, 4) + space[1];
}

static int by_value(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

int run(unsigned seed, int depth, volatile int *stop) {
    struct timespec now;
    int sum = (int)seed, items[8];
    while (!*stop) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        sum += pushes((int)now.tv_nsec, sum, depth, 7) + aligned(sum & 7);
        for (int i = 0; i < 8; i++)
            items[i] = sum ^ i * 77;
        qsort(items, 8, sizeof *items, by_value);
        sum += abs(items[3]) + (int)strlen("plt") + atoi("12");
        memset(items, sum, sizeof items);
    }
    return sum;
}
