/* Threads map, cut, move and unmap, each its own; addresses are reused by all of them at once.
 * A child of a fork does the same. Says how many bytes are mapped in the end, in parent and child.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, ROUNDS = 400, SLOTS = 16, PAGE = 4096 };

static size_t mapped[THREADS];

static void *work(void *argument)
{
    size_t own = (size_t)argument, total = 0;
    unsigned seed = (unsigned)own * 7919 + 1;
    struct { char *at; size_t size; } slots[SLOTS] = { { 0, 0 } };
    for (int round = 0; round < ROUNDS; round++) {
        int slot = rand_r(&seed) % SLOTS;
        char *at = slots[slot].at;
        size_t size = slots[slot].size;
        switch (at ? rand_r(&seed) % 3 : 3) {
        case 0:
            munmap(at, size);
            slots[slot].at = NULL;
            slots[slot].size = 0;
            total -= size;
            break;
        case 1: {
            size_t wanted = (size_t)(1 + rand_r(&seed) % 64) * PAGE;
            slots[slot].at = mremap(at, size, wanted, MREMAP_MAYMOVE);
            slots[slot].size = wanted;
            total += wanted - size;
            break;
        }
        case 2:
            if (size > PAGE) {
                munmap(at + size - PAGE, PAGE);
                slots[slot].size -= PAGE;
                total -= PAGE;
            }
            break;
        default: {
            size_t wanted = (size_t)(1 + rand_r(&seed) % 64) * PAGE;
            slots[slot].at = mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            slots[slot].size = wanted;
            total += wanted;
        }
        }
    }
    mapped[own] += total;
    return NULL;
}

static void all(void)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static size_t sum(void)
{
    size_t total = 0;
    for (int i = 0; i < THREADS; i++)
        total += mapped[i];
    return total;
}

int main(void)
{
    all();
    fflush(stdout);
    pid_t child = fork();
    all();
    printf("%s=%zu\n", child ? "parent" : "child", sum());
    fflush(stdout);
    if (child) {
        int status;
        waitpid(child, &status, 0);
        printf("status=%d\n", status);
        printf("pid=%d\n", getpid());
    }
    return 0;
}
