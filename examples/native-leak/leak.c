// A small server's inner loop with one leak of known size, as a real one looks: most of what a request takes is given
// back, a cache of bounded size turns over, and one table only grows, because sessions are added under one key and
// looked for under another.
//
// Prints at its end what it knows to be true, one name=value a line, for a test to compare.
//
//   cc -O2 -g -pthread -o leak leak.c && ./leak [requests] [threads]
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUESTS 400000
#define MAX_THREADS 64
#define CACHE_SLOTS 512
#define LEAK_ONE_IN 10
#define BUCKETS 4096

struct session {
	struct session *next;
	size_t len;
	char data[];
};

static struct session *buckets[BUCKETS];
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t leaked_blocks;
static uint64_t leaked_bytes;
static unsigned long requests_per_thread;

// xorshift64*: every thread has its own sequence, the same in every run.
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

// The leak: a session is filed by its random id, and never found again.
__attribute__((noinline)) static void session_open(uint64_t *rng)
{
	size_t len = 64 + next_random(rng) % 8192;
	struct session *s = malloc(sizeof *s + len);
	if (!s)
		abort();
	s->len = len;
	memset(s->data, 'x', len);
	pthread_mutex_lock(&table_lock);
	struct session **bucket = &buckets[next_random(rng) % BUCKETS];
	s->next = *bucket;
	*bucket = s;
	leaked_blocks++;
	leaked_bytes += sizeof *s + len;
	pthread_mutex_unlock(&table_lock);
}

// Not a leak: each slot's old page is freed when the new one comes.
__attribute__((noinline)) static void cache_fill(char **cache, uint64_t *rng)
{
	size_t slot = next_random(rng) % CACHE_SLOTS;
	size_t len = 512 + next_random(rng) % 4096;
	free(cache[slot]);
	cache[slot] = calloc(1, len);
	if (!cache[slot])
		abort();
}

// Churn: a buffer that grows as the answer is written, and goes at once.
__attribute__((noinline)) static uint64_t render(uint64_t *rng)
{
	size_t len = 0, room = 64, want = 128 + next_random(rng) % 16384;
	char *page = malloc(room);
	while (page && len < want) {
		if (room - len < 64)
			page = realloc(page, room *= 2);
		if (page)
			memset(page + len, 'p', 64);
		len += 64;
	}
	uint64_t sum = page ? (uint64_t)page[len - 1] : 0;
	free(page);
	return sum;
}

static void *worker(void *seed)
{
	uint64_t rng = (uint64_t)(uintptr_t)seed * 0x9e3779b97f4a7c15ULL;
	uint64_t sum = 0;
	char **cache = calloc(CACHE_SLOTS, sizeof *cache);
	for (unsigned long i = 0; cache && i < requests_per_thread; i++) {
		sum += render(&rng);
		if (i % 4 == 0)
			cache_fill(cache, &rng);
		if (i % LEAK_ONE_IN == 0)
			session_open(&rng);
	}
	for (size_t i = 0; cache && i < CACHE_SLOTS; i++)
		free(cache[i]);
	free(cache);
	return (void *)(uintptr_t)sum;
}

int main(int argc, char **argv)
{
	unsigned long requests = argc > 1 ? strtoul(argv[1], NULL, 10) : REQUESTS;
	unsigned long threads = argc > 2 ? strtoul(argv[2], NULL, 10) : 2;
	if (threads < 1 || threads > MAX_THREADS) {
		fprintf(stderr, "leak: between 1 and %d threads\n", MAX_THREADS);
		return 2;
	}
	requests_per_thread = requests / threads;
	pthread_t ids[MAX_THREADS];
	for (unsigned long i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, worker, (void *)(i + 1)))
			abort();
	for (unsigned long i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	printf("requests=%lu\n", requests_per_thread * threads);
	printf("leaked_blocks=%llu\n", (unsigned long long)leaked_blocks);
	printf("leaked_bytes=%llu\n", (unsigned long long)leaked_bytes);
	return 0;
}
