// Opens plugins one after the other. Each word is the path of a plugin, a colon and a size: the plugin asks for a
// thousand blocks of that size, which stay, and is closed before the next one is opened. `unlink` before a path
// removes a copy of the file after it was opened. Prints where `run` lay each time.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *kept[1 << 16];
static int count;

static const char *copied(const char *path) {
    char command[8192];
    snprintf(command, sizeof command, "cp '%s' unlinked.so", path);
    if (system(command) != 0)
        exit(1);
    return "./unlinked.so";
}

int main(int argc, char **argv) {
    for (int at = 1; at < argc; at++) {
        int unlinked = strcmp(argv[at], "unlink") == 0;
        at += unlinked;
        char *colon = strrchr(argv[at], ':');
        *colon = 0;
        void *library = dlopen(unlinked ? copied(argv[at]) : argv[at], RTLD_NOW);
        if (library == NULL) {
            puts(dlerror());
            return 1;
        }
        if (unlinked)
            unlink("unlinked.so");
        void *(*run)(size_t) = (void *(*)(size_t))dlsym(library, "run");
        for (int block = 0; block < 1000; block++)
            kept[count++] = run(strtoul(colon + 1, NULL, 10));
        printf("run%d=%p\n", at, (void *)run);
        dlclose(library);
    }
    return 0;
}
