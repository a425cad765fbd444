// A ring of 20 blocks of 5 to 25 MB, as frames of a decoder: the oldest is freed, the new one is written and read once.
//
//   ring [frames]
#include <stdint.h>
#include <string.h>
#include "hold.h"

#define SLOTS 20
#define FRAMES 400
#define LEAST 5000000
#define MORE 20000000

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

int main(int argc, char **argv)
{
	unsigned long frames = argc > 1 ? strtoul(argv[1], NULL, 10) : FRAMES;
	char *ring[SLOTS] = { 0 };
	size_t sizes[SLOTS] = { 0 };
	uint64_t rng = 1, sum = 0;
	for (unsigned long i = 0; i < frames; i++) {
		size_t slot = i % SLOTS, size = LEAST + next_random(&rng) % MORE;
		free(ring[slot]);
		ring[slot] = malloc(size);
		if (!ring[slot])
			abort();
		memset(ring[slot], (int)i, size);
		for (size_t at = 0; at < size; at += 64)
			sum += (unsigned char)ring[slot][at];
		sizes[slot] = size;
	}
	size_t live = 0;
	for (size_t slot = 0; slot < SLOTS; slot++)
		live += sizes[slot];
	hold(live);
	return sum == 1;
}
