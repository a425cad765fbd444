// Allocates, resizes and frees blocks of many sizes; some stay.
#include <stdio.h>
#include <stdlib.h>

#define TRACKED __attribute__((noinline, section("tracked")))

extern char __start_tracked[], __stop_tracked[];

TRACKED static void work(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		void *kept = malloc(100 + i * 37 % 3000);
		void *gone = calloc(1, 50 + i * 91 % 5000);
		kept = realloc(kept, 200 + i * 53 % 6000);
		free(gone);
		if (i % 3)
			free(kept);
		__asm__ volatile("" : : "r"(kept) : "memory");
	}
}

int main(int argc, char **argv)
{
	work(argc > 1 ? atoi(argv[1]) : 100);
	printf("tracked=%p-%p\n", (void *)__start_tracked, (void *)__stop_tracked);
	return 0;
}
