// Leaks known amounts in ways that are hard to name: inlined callers, templates, overloads,
// recursion, a static namesake in the other file. See README.md for how the files here were made.
#include <cstdlib>

void *volatile sink;
void other_file();

static inline __attribute__((always_inline)) void *inlined_leak(std::size_t n) {
    return malloc(n);
}

namespace shop {
template <typename T, int N>
struct Basket {
    __attribute__((noinline)) void fill() {
        for (int i = 0; i < 64; i++) sink = inlined_leak(sizeof(T) * N);
    }
};
__attribute__((noinline)) void buy(int n) {
    for (int i = 0; i < n; i++) sink = new char[20000];
    sink = nullptr;
}
__attribute__((noinline)) void buy(double n) {
    for (int i = 0; i < n; i++) sink = calloc(1, 30000);
    sink = nullptr;
}
}

static __attribute__((noinline)) void namesake() {
    for (int i = 0; i < 64; i++) {
        sink = malloc(50000);
        if (i % 2) free(sink);
    }
    sink = nullptr;
}

__attribute__((noinline)) int recurse(int depth) {
    if (depth == 0) {
        sink = malloc(1 << 20);
        return 1;
    }
    int below = recurse(depth - 1);
    sink = nullptr;
    return below + 1;
}

int main(int argc, char **) {
    shop::Basket<double, 5000>().fill();
    shop::buy(argc > 1 ? 20 : 100);
    shop::buy(50.0);
    namesake();
    other_file();
    return recurse(5) == 6 ? 0 : 1;
}
