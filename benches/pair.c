// Allocates and frees SIZE bytes N times, DEPTH calls deep: the workload of benches/gate.sh.
#include <stdlib.h>

__attribute__((noinline)) static void *deeper(int depth, size_t size) {
    void *block = depth == 0 ? malloc(size) : deeper(depth - 1, size);
    __asm__ volatile("" : : "r"(block) : "memory"); // no tail call, no elision
    return block;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    long pairs = atol(argv[1]);
    for (long i = 0; i < pairs; i++) free(deeper(atoi(argv[2]), atol(argv[3])));
    return 0;
}
