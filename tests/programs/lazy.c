// Calls a function of another library through a PLT slot that is still unbound.
void set_hook(void (*)(void));
int lazily_bound(int);

__attribute__((noinline)) static int middle(int x, int y) { return lazily_bound(x) * y + lazily_bound(y); }

int run(unsigned seed, int depth, void (*hook)(void)) {
    set_hook(hook);
    return middle((int)seed, depth) + 1;
}
