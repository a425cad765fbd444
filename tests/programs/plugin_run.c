// A plugin that gives what it is asked for: built several times under different names, with and without unwind
// information.
#include <stdlib.h>

int NAME;

__attribute__((noinline)) static void *take(size_t size) {
    void *block = malloc(size);
    NAME++;
    __asm__ volatile("" : : "r"(block) : "memory");
    return block;
}

void *run(size_t size) {
    void *block = take(size);
    NAME++;
    __asm__ volatile("" : : "r"(block) : "memory");
    return block;
}
