// Allocates at a pace: quiet (a little between long work), loud (nothing else), or heap (as quiet, and keeps 10 MB in 100,000 blocks first).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void work(double length) {
    double end = seconds(CLOCK_PROCESS_CPUTIME_ID) + length;
    while (seconds(CLOCK_PROCESS_CPUTIME_ID) < end) {
    }
}

// As a call of its own, so that the compiler keeps it.
__attribute__((noinline)) static void *block(size_t size) { return malloc(size); }

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "quiet";
    if (!strcmp(how, "heap")) {
        // Blocks are kept in a chain through their first word.
        void **last = NULL;
        for (int i = 0; i < 100000; i++) {
            void **next = block(100);
            *next = last;
            last = next;
        }
    }
    int loud = !strcmp(how, "loud");
    double end = seconds(CLOCK_PROCESS_CPUTIME_ID) + (argc > 2 ? atof(argv[2]) : 3);
    while (seconds(CLOCK_PROCESS_CPUTIME_ID) < end) {
        for (int i = 0; i < (loud ? 20000 : 4); i++) free(block(loud ? 60000 : 1000));
        if (!loud) work(0.001);
    }
    return 0;
}
