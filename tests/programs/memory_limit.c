// Reaches its limit on address space: malloc answers NULL, a realloc that fails leaves its block alone.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

int main(void)
{
	static void *blocks[4096];
	struct rlimit limit = {64 << 20, 64 << 20};
	char *kept = malloc(777777);
	memset(kept, 'k', 777777);
	if (setrlimit(RLIMIT_AS, &limit))
		puts("WRONG: setrlimit");
	int number = 0;
	errno = 0;
	while (number < 4096 && (blocks[number] = malloc(200000)))
		number++;
	printf("full=%d errno=%d\n", number < 4096, errno == ENOMEM);
	if (realloc(kept, 100 << 20) || realloc(kept, PTRDIFF_MAX) || calloc(100, 1 << 20))
		puts("WRONG: more than there is");
	for (int i = 0; i < 1000; i++)
		free(malloc(200000 + i * 100));
	while (number > 0)
		free(blocks[--number]);
	for (int i = 0; i < 777777; i++)
		if (kept[i] != 'k')
			abort();
	for (int i = 0; i < 300; i++)
		free(malloc(30000));
	puts("end");
	return 0;
}
