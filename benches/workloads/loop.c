// Two threads that do nothing but malloc and free: blocks of mixed sizes, each thread with a ring of live ones.
//
//   loop [blocks of each thread]
#include <pthread.h>
#include <stdint.h>
#include "hold.h"

#define THREADS 2
#define SLOTS 4096
#define BLOCKS 18000000

struct worker {
	pthread_t id;
	uint64_t rng;
	char *ring[SLOTS];
	size_t sizes[SLOTS];
};

static unsigned long blocks = BLOCKS;
static struct worker workers[THREADS];

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

// Of 64 blocks one is up to 16 KiB, seven up to 2 KiB, the others up to 256 bytes.
static size_t mixed_size(uint64_t random)
{
	size_t kind = random % 64, part = random >> 32;
	return 1 + part % (kind == 0 ? 16384 : kind < 8 ? 2048 : 256);
}

static void *churn(void *of)
{
	struct worker *w = of;
	for (unsigned long i = 0; i < blocks; i++) {
		size_t slot = i % SLOTS, size = mixed_size(next_random(&w->rng));
		free(w->ring[slot]);
		w->ring[slot] = malloc(size);
		if (!w->ring[slot])
			abort();
		w->ring[slot][0] = 1;
		w->sizes[slot] = size;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		blocks = strtoul(argv[1], NULL, 10);
	for (int i = 0; i < THREADS; i++) {
		workers[i].rng = i + 1;
		if (pthread_create(&workers[i].id, NULL, churn, &workers[i]))
			abort();
	}
	size_t live = 0;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].id, NULL);
		for (int slot = 0; slot < SLOTS; slot++)
			live += workers[i].sizes[slot];
	}
	hold(live);
	return 0;
}
