// Keeps a known amount at three depths.
#include <stdlib.h>
void *volatile sink;
__attribute__((noinline)) static void keep(size_t n) { sink = malloc(n); }
__attribute__((noinline)) static void deep(int depth) {
    if (depth == 0) { keep(100000); return; }
    deep(depth - 1);
    sink = 0;
}
int main(void) {
    for (int i = 0; i < 100; i++) keep(5000);
    for (int i = 0; i < 20; i++) deep(6);
    for (int i = 0; i < 50; i++) sink = realloc(calloc(10, 1000), 40000);
    return 0;
}
