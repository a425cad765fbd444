// So many operations, free and malloc of mixed sizes in a table of live blocks, then the resident memory.
// operations [operations [live blocks, of 580 bytes on average]]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SLOTS 1000000

static char *slots[MOST_SLOTS];

static unsigned long next_random(unsigned long *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

int main(int argc, char **argv)
{
	long operations = argc > 1 ? atol(argv[1]) : 1000000;
	unsigned long live = argc > 2 ? atol(argv[2]) : 50000;
	if (!live || live > MOST_SLOTS)
		return 2;
	unsigned long rng = 88172645463325252;
	for (long i = 0; i < operations / 2; i++) {
		unsigned long random = next_random(&rng);
		size_t at = random % live, size = 16 + (random >> 20) % (random >> 50 & 7 ? 400 : 6000);
		free(slots[at]);
		slots[at] = malloc(size);
		slots[at][0] = slots[at][size - 1] = 1;
	}
	char line[200];
	FILE *status = fopen("/proc/self/status", "r");
	while (fgets(line, sizeof line, status))
		if (!strncmp(line, "VmRSS:", 6))
			printf("%ld\n", atol(line + 6));
	return 0;
}
