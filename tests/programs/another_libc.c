// Calls everything that our hooks stand before. Built for another libc and for 32 bits.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void *work(void *unused) {
    for (int i = 1; i < 2000; i++) {
        char *block = malloc(i);
        block = realloc(block, 2 * i);
        memset(block, i, 2 * i);
        free(block);
        free(calloc(3, i % 999));
    }
    return unused;
}

int main(int count, char **arguments) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, work, 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
    void *aligned = 0;
    printf("aligned=%d\n", posix_memalign(&aligned, 4096, 100) == 0 && ((unsigned long)aligned & 4095) == 0);
    printf("usable=%d\n", malloc_usable_size(aligned) >= 100);
    free(aligned);
    free(aligned_alloc(64, 640));
    char *pages = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pages[5000] = 1;
    printf("unmapped=%d\n", munmap(pages, 8192));
    printf("dlsym=%d\n", dlsym(RTLD_NEXT, "malloc") != 0 && dlsym(RTLD_DEFAULT, "no_such_symbol") == 0);
    char *copy = strdup("a line of text");
    printf("%s\n", copy);
    free(copy);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        work(0);
        puts("child");
        return 0;
    }
    int status = 1;
    waitpid(child, &status, 0);
    printf("status=%d\n", status);
    if (count == 1) {
        fflush(stdout);
        char *again[] = {arguments[0], "again", 0};
        execv(arguments[0], again);
    }
    puts("end");
    return 7;
}
