// Compiled twice, with frames of different size at the same addresses of the file.
#ifndef FRAME
#error FRAME is the size of the frame
#endif

__attribute__((noinline)) static int inner(void (*hook)(void)) {
    volatile char space[FRAME];
    space[5] = 1;
    hook();
    return space[5];
}

int run(unsigned seed, int depth, void (*hook)(void)) {
    volatile char space[FRAME + 256];
    space[9] = (char)seed;
    return inner(hook) + space[9] + depth;
}
