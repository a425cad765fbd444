// Buffers that grow by realloc, again and again, from 256 bytes to a megabyte, each in steps of its own; half of
// them shrink to 40,000 bytes at last. Prints the range of the code that allocates, then how many there are and
// their bytes. Waits before they begin to grow for as many microseconds as it is told.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BUFFERS 300
#define TRACKED __attribute__((noinline, section("tracked")))

extern char __start_tracked[], __stop_tracked[];

static void *volatile buffers[BUFFERS];
static size_t sizes[BUFFERS];

TRACKED static void resize(size_t at, size_t size)
{
	buffers[at] = realloc(buffers[at], size);
	sizes[at] = size;
}

int main(int count, char **words)
{
	size_t sum = 0;
	for (size_t i = 0; i < BUFFERS; i++)
		resize(i, i % 3 ? 256 : 40000);
	if (count > 1)
		usleep(atoi(words[1]));
	for (size_t i = 0; i < BUFFERS; i++) {
		while (sizes[i] < 1 << 20)
			resize(i, sizes[i] + sizes[i] / (1 + i % 7) + 8);
		if (i % 2)
			resize(i, 40000);
		sum += sizes[i];
	}
	printf("tracked=%p-%p\n%d %zu\n", (void *)__start_tracked, (void *)__stop_tracked, BUFFERS, sum);
	return 0;
}
