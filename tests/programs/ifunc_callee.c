// A library whose IFUNC resolver allocates: the loader calls it before it has relocated what was
// preloaded. Compile it with -fno-plt, or it calls malloc through a slot that is not bound yet.
#include <malloc.h>
#include <stdlib.h>
#include <stdint.h>
#include <string.h>

#define BLOCKS 18

// The C++ operators, by the names they have for the linker: new and new[]; plain, nothrow, aligned.
void *_Znwm(size_t), *_Znam(size_t), *_ZnwmRKSt9nothrow_t(size_t, void *);
void *_ZnamRKSt9nothrow_t(size_t, void *), *_ZnwmSt11align_val_t(size_t, size_t);
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t, size_t, void *);
void _ZdlPv(void *), _ZdaPvm(void *, size_t), _ZdlPvSt11align_val_t(void *, size_t);

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
	// Of no bytes.
	blocks[5] = malloc(0);
	blocks[6] = calloc(0, 8);
	// To an alignment.
	if (posix_memalign((void **)&blocks[7], 256, 100))
		wrong++;
	blocks[8] = aligned_alloc(64, 64);
	blocks[9] = memalign(4096, 10);
	blocks[10] = valloc(10);
	blocks[11] = pvalloc(10);
	for (int i = 7; i < 12; i++)
		wrong += !blocks[i] || (uintptr_t)blocks[i] % (i < 8 ? 256 : i < 9 ? 64 : 4096) != 0;
	// C++.
	blocks[12] = _Znwm(100);
	blocks[13] = _Znam(0);
	blocks[14] = _ZnwmRKSt9nothrow_t(100, NULL);
	blocks[15] = _ZnamRKSt9nothrow_t(100, NULL);
	blocks[16] = _ZnwmSt11align_val_t(100, 128);
	blocks[17] = _ZnamSt11align_val_tRKSt9nothrow_t(100, 128, NULL);
	for (int i = 5; i < BLOCKS; i++) {
		wrong += !blocks[i];
		blocks[i][0] = 1;
	}
	wrong += ((uintptr_t)blocks[16] | (uintptr_t)blocks[17]) % 128 != 0;
	_ZdlPv(_Znwm(10));
	_ZdaPvm(_Znam(10), 10);
	_ZdlPvSt11align_val_t(_ZnwmSt11align_val_t(10, 64), 64);
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
