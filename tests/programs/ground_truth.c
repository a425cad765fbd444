// Threads that allocate, resize and free each other's blocks, with forks in between, and an account of
// what lives. Every process writes its account to account.<pid> when it is quiet: the range of the code
// that allocates first, then a line for each live block.
//
// ground_truth [threads [largest size]]; the default is made for seconds.
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 3000
#define LOCKS 64
#define MOST_THREADS 64
#define STEPS 30000
#define CHILDREN 3
#define TRACKED __attribute__((noinline, section("tracked")))

extern char __start_tracked[], __stop_tracked[];

static struct slot {
	void *block;
	size_t size;
	int used;
} slots[SLOTS];
static int threads_at_once = 4;
static size_t largest = 300000;
static pthread_mutex_t locks[LOCKS];
// Readers change slots; the writer forks, so that no child inherits half a change.
static pthread_rwlock_t quiet = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL >> 16;
}

static size_t random_size(uint64_t *rng)
{
	uint64_t kind = next_random(rng) % 100;
	size_t limit = kind < 3 ? 1 : kind < 80 ? 300 : kind < 98 ? 9000 : largest;
	return next_random(rng) % limit;
}

TRACKED static void *allocate(unsigned kind, size_t size)
{
	void *block = NULL;
	switch (kind % 8) {
	case 0: return calloc(1, size);
	case 1: return realloc(NULL, size);
	case 2: return memalign(64, size);
	case 3: return aligned_alloc(4096, size);
	case 4: return posix_memalign(&block, 32, size) ? NULL : block;
	case 5: return reallocarray(NULL, size, 1);
	case 6: return valloc(size);
	default: return malloc(size);
	}
}

TRACKED static void *resize(void *block, size_t size)
{
	void *moved = realloc(block, size);
	return moved;
}

static void step(struct slot *slot, uint64_t *rng)
{
	unsigned kind = next_random(rng);
	size_t size = random_size(rng);
	if (!slot->used) {
		*slot = (struct slot){allocate(kind, size), size, 1};
	} else if (kind % 3 == 0) {
		if (kind % 2 && resize(slot->block, PTRDIFF_MAX - size))
			abort();
		*slot = (struct slot){resize(slot->block, size + 1), size + 1, 1};
	} else {
		free(slot->block);
		*slot = (struct slot){0};
	}
	if (slot->used && !slot->block)
		abort();
}

static void *work(void *seed)
{
	uint64_t rng = (uintptr_t)seed * 0x9e3779b97f4a7c15ULL + 1;
	for (int i = 0; i < STEPS; i++) {
		size_t at = next_random(&rng) % SLOTS;
		pthread_rwlock_rdlock(&quiet);
		pthread_mutex_lock(&locks[at % LOCKS]);
		step(&slots[at], &rng);
		pthread_mutex_unlock(&locks[at % LOCKS]);
		pthread_rwlock_unlock(&quiet);
	}
	return NULL;
}

// Threads end and others take their places, and their thread's memory.
static void work_in_threads(int rounds, uintptr_t seed)
{
	pthread_t threads[MOST_THREADS];
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < threads_at_once; i++)
			pthread_create(&threads[i], NULL, work, (void *)(seed + round * threads_at_once + i));
		for (int i = 0; i < threads_at_once; i++)
			pthread_join(threads[i], NULL);
	}
}

static void write_account(void)
{
	char name[32];
	snprintf(name, sizeof name, "account.%d", getpid());
	FILE *file = fopen(name, "w");
	fprintf(file, "tracked=%p-%p\n", (void *)__start_tracked, (void *)__stop_tracked);
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].used)
			fprintf(file, "%p %zu\n", slots[i].block, slots[i].size);
	fclose(file);
}

static void *fork_meanwhile(void *unused)
{
	(void)unused;
	for (int i = 0; i < CHILDREN; i++) {
		usleep(20000);
		pthread_rwlock_wrlock(&quiet);
		pid_t child = fork();
		if (child == 0) {
			// The copy still counts the threads that waited for it.
			quiet = (pthread_rwlock_t)PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
			work((void *)(uintptr_t)(100 + i));
			work_in_threads(1, 200 + 10 * i);
			write_account();
			exit(0);
		}
		pthread_rwlock_unlock(&quiet);
		int status = -1;
		if (child < 0 || waitpid(child, &status, 0) < 0 || status)
			abort();
	}
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc > 1 && atoi(argv[1]) > 0 && atoi(argv[1]) <= MOST_THREADS)
		threads_at_once = atoi(argv[1]);
	if (argc > 2)
		largest = strtoul(argv[2], NULL, 0);
	for (int i = 0; i < LOCKS; i++)
		pthread_mutex_init(&locks[i], NULL);
	pthread_t forker;
	pthread_create(&forker, NULL, fork_meanwhile, NULL);
	work_in_threads(3, 1);
	pthread_join(forker, NULL);
	write_account();
	return 0;
}
