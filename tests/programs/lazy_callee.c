// An indirect function whose resolver runs inside the lazy binding of its first call: under _dl_runtime_resolve.
static void (*hook)(void);

void set_hook(void (*h)(void)) { hook = h; }

static int one(int x) { return x + 1; }

static int (*choose(void))(int) {
    if (hook)
        hook();
    return one;
}

int lazily_bound(int x) __attribute__((ifunc("choose")));
