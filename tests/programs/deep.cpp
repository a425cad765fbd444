// Deep stacks of many different functions, without frame pointers: plain calls, callbacks of qsort, std::sort and std::function, alloca,
// wide frames, and frames an exception passes through. `hook` is called at the bottom of each.
#include <algorithm>
#include <alloca.h>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

namespace {

struct Run {
    unsigned seed;
    void (*hook)();
    unsigned next() { return seed = seed * 1664525u + 1013904223u, seed >> 8; }
};

thread_local Run *current;
thread_local int sort_depth;

template <int N> int level(Run &run, int depth);
int dispatch(Run &run, int depth);

int compare_down(const void *, const void *) {
    if (sort_depth > 0) {
        int depth = sort_depth;
        sort_depth = 0;
        dispatch(*current, depth);
    }
    return 0;
}

template <int N> __attribute__((noinline)) int by_qsort(Run &run, int depth) {
    int items[2 + N % 5] = {N, 1};
    current = &run;
    sort_depth = depth;
    qsort(items, sizeof items / sizeof *items, sizeof *items, compare_down);
    return items[0] + N;
}

template <int N> __attribute__((noinline)) int by_sort(Run &run, int depth) {
    std::vector<int> items{3, 1, 2, N};
    bool down = true;
    std::sort(items.begin(), items.end(), [&](int a, int b) {
        if (down) {
            down = false;
            dispatch(run, depth);
        }
        return a < b;
    });
    return items[0] + N;
}

template <int N> __attribute__((noinline)) int by_function(Run &run, int depth) {
    std::function<int(int)> call = [&run, depth](int x) { return dispatch(run, depth) + x; };
    return call(N) + N;
}

template <int N> __attribute__((noinline)) int by_alloca(Run &run, int depth) {
    size_t size = 16 + run.next() % 2000;
    char *space = static_cast<char *>(alloca(size));
    memset(space, N, size);
    return dispatch(run, depth) + space[size / 2];
}

template <int N> __attribute__((noinline)) int by_wide_frame(Run &run, int depth) {
    volatile char space[9000 + 64 * N];
    space[N] = N;
    return dispatch(run, depth) + space[N];
}

template <int N> __attribute__((noinline)) int by_exception(Run &run, int depth) {
    try {
        int sum = dispatch(run, depth);
        if (run.next() % 4 == 0)
            throw sum;
        return sum + N;
    } catch (int sum) {
        run.hook();
        return sum - N;
    }
}

template <int N> __attribute__((noinline)) int level(Run &run, int depth) {
    if (depth <= 0) {
        run.hook();
        return N;
    }
    int a = run.next(), b = run.next() % 7, c = a ^ N, d = b * N;
    int sum;
    switch (run.next() % 9) {
    case 0: sum = by_qsort<N>(run, depth - 1); break;
    case 1: sum = by_sort<N>(run, depth - 1); break;
    case 2: sum = by_function<N>(run, depth - 1); break;
    case 3: sum = by_alloca<N>(run, depth - 1); break;
    case 4: sum = by_wide_frame<N>(run, depth - 1); break;
    case 5: sum = by_exception<N>(run, depth - 1); break;
    default: sum = dispatch(run, depth - 1); break;
    }
    return sum + a + b + c + d;
}

template <int N> struct Table {
    static void fill(int (**table)(Run &, int)) {
        table[N] = level<N>;
        Table<N - 1>::fill(table);
    }
};
template <> struct Table<-1> {
    static void fill(int (**)(Run &, int)) {}
};

constexpr int FUNCTIONS = 64;
int (*table[FUNCTIONS])(Run &, int);

__attribute__((noinline)) int dispatch(Run &run, int depth) {
    return table[run.next() % FUNCTIONS](run, depth) + 1;
}

} // namespace

extern "C" int run(unsigned seed, int depth, void (*hook)()) {
    Table<FUNCTIONS - 1>::fill(table);
    Run state{seed, hook};
    return dispatch(state, depth);
}
