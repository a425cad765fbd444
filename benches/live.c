// Frees and allocates again at random among many live blocks: the workload of benches/filter.sh.
//
//   live BLOCKS SIZE MILLIONS [THREADS]
//
// Each thread owns its share of the blocks. Prints the nanoseconds of processor time of a pair, the
// best of eight parts.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static size_t blocks, size, parts = 8, pairs;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void *work(void *out)
{
	char **live = malloc(blocks * sizeof *live);
	uint64_t random = (uintptr_t)live | 1;
	double best = 1e18;
	for (size_t i = 0; i < blocks; i++)
		*(live[i] = malloc(size)) = 1;
	for (size_t part = 0; part < parts; part++) {
		double start = now();
		for (size_t i = 0; i < pairs / parts; i++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			char **one = &live[(random >> 33) % blocks];
			free(*one);
			*(*one = malloc(size)) = 1;
		}
		double pair = (now() - start) / (pairs / parts);
		best = pair < best ? pair : best;
	}
	*(double *)out = best;
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	size_t threads = argc > 4 ? atol(argv[4]) : 1;
	blocks = atol(argv[1]) / threads;
	size = atol(argv[2]);
	pairs = atof(argv[3]) * 1e6 / threads;
	double best[64], sum = 0;
	pthread_t others[64];
	for (size_t i = 1; i < threads; i++)
		pthread_create(&others[i], NULL, work, &best[i]);
	work(&best[0]);
	for (size_t i = 1; i < threads; i++)
		pthread_join(others[i], NULL);
	for (size_t i = 0; i < threads; i++)
		sum += best[i];
	printf("%.2f\n", sum / threads);
	return 0;
}
