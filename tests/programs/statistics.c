// Leaks blocks of mixed sizes, each size from two threads, beside churn of the same sizes that is freed.
// Prints the range of the code that leaks, and what it leaked: size, number of blocks.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define TRACKED __attribute__((noinline, section("tracked")))

extern char __start_tracked[], __stop_tracked[];

static const struct {
	size_t size, blocks;
} leaks[] = {{16, 400000}, {100, 100000}, {1000, 20000}, {10000, 3000}, {100000, 400}, {3000000, 10}};

static void *volatile kept;

TRACKED static void leak(size_t size)
{
	kept = malloc(size);
}

__attribute__((noinline)) static void churn(size_t size)
{
	void *volatile own = malloc(size);
	free(own);
}

static void *half(void *unused)
{
	for (size_t i = 0; i < sizeof leaks / sizeof *leaks; i++)
		for (size_t k = 0; k < leaks[i].blocks / 2; k++) {
			leak(leaks[i].size);
			churn(leaks[i].size);
		}
	return unused;
}

int main(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, half, NULL);
	half(NULL);
	pthread_join(thread, NULL);
	printf("tracked=%p-%p\n", (void *)__start_tracked, (void *)__stop_tracked);
	for (size_t i = 0; i < sizeof leaks / sizeof *leaks; i++)
		printf("%zu %zu\n", leaks[i].size, leaks[i].blocks);
	return 0;
}
