// The namesake.
#include <cstdlib>

extern void *volatile sink;

static __attribute__((noinline)) void namesake() {
    for (int i = 0; i < 16; i++) sink = malloc(70000);
    sink = nullptr;
}

void other_file() {
    namesake();
    sink = nullptr;
}
