/* Programs that grow, some of which leak: `shapes NAME [SECONDS]`. Hours are played in seconds: run
 * it with lg_prof_sample:12 or so and a dump each second (prof_timer:1).
 *
 *   leak        keeps one block in a hundred of what it allocates
 *   filling     a cache that fills and then stays as it is
 *   lru         a cache that throws the oldest entry out for each new one
 *   fragmented  frees all but every 64th block: RSS stays, the live heap does not
 *
 * At the end it says what was really live. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static size_t live_bytes;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Rests a little; how many turns of a millisecond are due. By the clock: what a busy machine delays is
 * made up for, or the pace would fall with the machine's, and the growth with it. */
static long turns(void) {
    static double last;
    struct timespec t = {0, 1000000};
    nanosleep(&t, NULL);
    double before = last == 0 ? now() : last;
    long due = (long)((now() - before) * 1000);
    last = before + (double)due / 1000;
    return due;
}

static void *xmalloc(size_t size) {
    void *p = malloc(size);
    if (p == NULL) abort();
    memset(p, 1, size);
    return p;
}

/* The leak: 1 % of the traffic stays behind a pointer that nobody follows. */
struct node { struct node *next; char text[1016]; };
static struct node *forgotten;

static void log_error(void) {
    struct node *node = xmalloc(sizeof *node);
    node->next = forgotten;
    forgotten = node;
    live_bytes += sizeof *node;
}

static void *handle_request(void) { return xmalloc(1024); }

static void leak(double seconds) {
    for (double end = now() + seconds; now() < end;)
        for (long i = 200 * turns(); i > 0; i--) {
            void *request = handle_request();
            if (i % 100 == 0) log_error();
            free(request);
        }
}

/* The cache: keys come at random, so new ones become rare. */
enum { KEYS = 20000 };
static void *entries[KEYS];

static void cache_fill(unsigned key) {
    if (entries[key] == NULL) {
        entries[key] = xmalloc(1024);
        live_bytes += 1024;
    }
}

static void filling(double seconds) {
    double start = now();
    for (double end = start + seconds; now() < end; turns()) {
        /* Three time constants in the first half of the run, whatever its length. */
        static double asked;
        double wanted = KEYS * 6.0 * (now() - start) / seconds;
        for (; asked < wanted; asked++) cache_fill((unsigned)rand() % KEYS);
    }
}

static void lru_put(unsigned at) {
    if (entries[at % 8000] != NULL) free(entries[at % 8000]);
    else live_bytes += 1024;
    entries[at % 8000] = xmalloc(1024);
}

static void lru(double seconds) {
    unsigned at = 0;
    for (double end = now() + seconds; now() < end;)
        for (long i = 5 * turns(); i > 0; i--) lru_put(at++);
}

enum { PIECES = 400000 };
static void *pieces[PIECES];

static void fragment(void) {
    for (int i = 0; i < PIECES; i++) pieces[i] = xmalloc(256);
    for (int i = 0; i < PIECES; i++)
        if (i % 64 != 0) free(pieces[i]);
        else live_bytes += 256;
}

static void fragmented(double seconds) {
    fragment();
    for (double end = now() + seconds; now() < end;)
        for (long i = 200 * turns(); i > 0; i--) free(handle_request());
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "leak";
    double seconds = argc > 2 ? atof(argv[2]) : 20;
    if (strcmp(name, "leak") == 0) leak(seconds);
    else if (strcmp(name, "filling") == 0) filling(seconds);
    else if (strcmp(name, "lru") == 0) lru(seconds);
    else if (strcmp(name, "fragmented") == 0) fragmented(seconds);
    else return 2;
    printf("%s live_bytes=%zu\n", name, live_bytes);
    return 0;
}
