// A library whose IFUNC resolver allocates: the loader calls it before it has relocated what was
// preloaded. Compile it with -fno-plt, or it calls malloc through a slot that is not bound yet.
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 5

static char *blocks[BLOCKS];
static int wrong;

static int one(void)
{
	return 1;
}

static int (*resolve(void))(void)
{
	free(NULL);
	free(malloc(10));
	blocks[0] = malloc(100);
	memcpy(blocks[0], "grown", 6);
	blocks[0] = realloc(blocks[0], 5000);
	blocks[1] = calloc(3, 50);
	blocks[2] = malloc(20000);
	blocks[3] = realloc(NULL, 30);
	blocks[4] = reallocarray(NULL, 10, 10);
	for (int i = 0; i < 150; i++)
		wrong += blocks[1][i] != 0;
	wrong += malloc_usable_size(blocks[2]) < 20000;
	return one;
}

__attribute__((ifunc("resolve"))) static int choose(void);

int chosen(void)
{
	return choose() - wrong;
}

char *early_block(int i)
{
	return i < BLOCKS ? blocks[i] : NULL;
}
