/* Services that keep what they are sent: `services NAME [SECONDS]`.
 *
 *   bursts      twelve times in the run four megabytes at once, and nothing of it is ever freed
 *   mapped      four megabytes a second by mmap, which malloc never sees
 *   workers     two children that keep 256 KB a second each
 *   failing     keeps two megabytes a second, and ends with exit code 1
 *   killed      the same, and is killed
 *
 * At the end it says what was really live. */
#define _DEFAULT_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static size_t live_bytes;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *xmalloc(size_t size) {
    void *p = malloc(size);
    if (p == NULL) abort();
    memset(p, 1, size);
    return p;
}

struct message { struct message *next; char text[1016]; };
static struct message *unread;

static void receive(void) {
    struct message *message = xmalloc(sizeof *message);
    message->next = unread;
    unread = message;
    live_bytes += sizeof *message;
}

static void map_page(void) {
    char *area = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) abort();
    *area = 1;
    live_bytes += 4096;
}

/* Calls `each` so many times a second, by the clock: what a busy machine delays is made up for. Requests come
 * and go meanwhile. */
static void serve(double seconds, double per_second, void (*each)(void)) {
    double start = now(), passed;
    long done = 0;
    while ((passed = now() - start) < seconds) {
        for (; done < passed * per_second; done++) each();
        for (int i = 0; i < 200; i++) free(xmalloc(1024));
        usleep(1000);
    }
}

static void burst(void) {
    for (int i = 0; i < 4000; i++) receive();
}

static void workers(double seconds) {
    for (int worker = 0; worker < 2; worker++) {
        if (fork() != 0) continue;
        serve(seconds, 256, receive);
        exit(0);
    }
    while (wait(NULL) > 0) continue;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "bursts";
    double seconds = argc > 2 ? atof(argv[2]) : 20;
    if (strcmp(name, "bursts") == 0) serve(seconds, 12 / seconds, burst);
    else if (strcmp(name, "mapped") == 0) serve(seconds, 1000, map_page);
    else if (strcmp(name, "workers") == 0) workers(seconds);
    else if (strcmp(name, "failing") == 0 || strcmp(name, "killed") == 0) serve(seconds, 2000, receive);
    else return 2;
    printf("%s live_bytes=%zu\n", name, live_bytes);
    fflush(stdout);
    if (strcmp(name, "killed") == 0) kill(getpid(), SIGKILL);
    return strcmp(name, "failing") == 0;
}
