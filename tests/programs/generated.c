// Code made at run time that allocates, and the map of its names in /tmp/perf-PID.map. The first argument
// says what is wrong with the map; each kind of block has a size of its own, so that its stack is known.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile kept;
static size_t size;
static char *codes;
static char path[64];

__attribute__((noinline)) void keep(void) {
    kept = malloc(size);
}

// push %rbp; mov %rsp, %rbp; mov $keep, %rax; call *%rax; pop %rbp; ret
static void put_code(int at) {
    unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xd0, 0x5d, 0xc3};
    uint64_t target = (uint64_t)keep;
    memcpy(code + 6, &target, 8);
    memcpy(codes + at * 64, code, sizeof code);
}

// sub $8, %rsp; call *%rcx; add $8, %rsp; ret: CPython's trampoline, which gets what it calls in rcx.
static void put_trampoline(int at) {
    unsigned char code[] = {0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3};
    memcpy(codes + at * 64, code, sizeof code);
}

static void run(int at, size_t bytes) {
    size = bytes;
    ((void (*)(void))(codes + at * 64))();
}

static void run_trampoline(int at, size_t bytes) {
    size = bytes;
    ((void (*)(int, int, int, void (*)(void)))(codes + at * 64))(0, 0, 0, keep);
}

static void append(const char *text) {
    int map = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (map < 0 || write(map, text, strlen(text)) < 0) {
        perror(path);
        exit(1);
    }
    close(map);
}

static void name(int at, const char *prefix, const char *text) {
    char line[512];
    snprintf(line, sizeof line, "%s%lx %s%x %s\n", prefix, (unsigned long)(codes + at * 64), prefix, 64, text);
    append(line);
}

static void plain(void) {
    put_code(0);
    run(0, 1000); // Nobody has named it yet: when the dump is written it is known.
    name(0, "", "JS:~first /srv/my app.js:10:5");
    run(0, 2000);
    name(0, "0x", "second name, with blanks");
    run(0, 3000);
    put_code(1);
    run(1, 4000); // Nobody ever names it.
    put_trampoline(2);
    name(2, "", "py::Cart.add:/srv/shop.py");
    run_trampoline(2, 5000);
    char torn[64];
    snprintf(torn, sizeof torn, "%lx 40 to", (unsigned long)(codes + 64 * 3));
    append(torn);
    put_code(3);
    run(3, 6000);
    append("rn\n");
    run(3, 7000);
}

// The child has a map of its own, and the code that it got from its parent has its names there.
static void forked(void) {
    put_code(0);
    name(0, "", "of the parent");
    run(0, 1000);
    pid_t child = fork();
    if (child == 0) {
        snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
        put_code(1);
        name(1, "", "of the child");
        run(0, 2000);
        run(1, 3000);
        printf("child=%d\n", getpid());
        fflush(stdout);
        exit(0);
    }
    waitpid(child, 0, 0);
}

static void large(long megabytes) {
    FILE *map = fopen(path, "w");
    for (long at = 0; ftell(map) < megabytes << 20; at++)
        fprintf(map, "%lx 10 a function with a name of some length, as they are, number %ld\n", 0x10000 + at * 16, at);
    fclose(map);
    put_code(0);
    name(0, "", "the last");
    run(0, 1000);
}

int main(int count, char **words) {
    const char *what = count > 1 ? words[1] : "plain";
    printf("pid=%d\n", getpid());
    fflush(stdout);
    snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
    codes = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!strcmp(what, "plain"))
        plain();
    if (!strcmp(what, "forked"))
        forked();
    if (!strcmp(what, "large"))
        large(atol(words[2]));
    if (!strcmp(what, "link") || !strcmp(what, "pipe") || !strcmp(what, "stale") || !strcmp(what, "none")) {
        char real[64] = "map";
        put_code(0);
        if (!strcmp(what, "link")) {
            char *named = strdup(path);
            strcpy(path, real);
            name(0, "", "behind a link");
            if (symlink("map", named))
                return 1;
        } else if (!strcmp(what, "pipe")) {
            if (mkfifo(path, 0600))
                return 1;
        } else if (!strcmp(what, "stale")) {
            name(0, "", "of a dead process");
            struct timespec past[2] = {{1000000000, 0}, {1000000000, 0}};
            utimensat(AT_FDCWD, path, past, 0);
        }
        run(0, 1000);
        if (!strcmp(what, "stale")) {
            put_code(1);
            name(1, "", "of this process");
            run(1, 2000);
        }
    }
    puts("ended=1");
    return 0;
}
