// Allocates in a ring of live blocks until so many MiB have passed through malloc, then grows once to a
// peak and shrinks again. Says so, and exits with status 7, so that a test sees both come through.
#include <stdio.h>
#include <stdlib.h>

#define RING 64
#define BLOCK 16384

static char *ring[RING];
static char *peak[512];

int main(int argc, char **argv)
{
	size_t mebibytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 40;
	for (size_t i = 0; i < mebibytes * 64; i++) {
		free(ring[i % RING]);
		ring[i % RING] = malloc(BLOCK);
		ring[i % RING][0] = 1;
	}
	for (int i = 0; i < 512; i++)
		peak[i] = malloc(BLOCK);
	for (int i = 0; i < 512; i++)
		free(peak[i]);
	puts("done");
	return 7;
}
