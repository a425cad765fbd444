// The functions that jemalloc, tcmalloc and mimalloc have beside malloc, asked for as programs do: by weak
// references. Says which are there, uses those, and accounts for what it asked for.
//
// extended [churn]         by itself
// extended WORK [LIBRARY]  in a library, this source with -DLIBRARY: opened, or linked to the program
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEAK __attribute__((weak))
#define TRACKED __attribute__((noinline, section("tracked")))
#define ALIGN(lg) (lg)
#define ZERO 0x40
#define TCACHE(index) (((index) + 2) << 8)
#define NO_TCACHE TCACHE(-1)
#define ARENA(index) (((int)(index) + 1) << 20)

extern char __start_tracked[], __stop_tracked[];

WEAK void *mallocx(size_t, int), *rallocx(void *, size_t, int);
WEAK size_t xallocx(void *, size_t, size_t, int), sallocx(const void *, int);
WEAK void dallocx(void *, int), sdallocx(void *, size_t, int);
WEAK int mallctl(const char *, void *, size_t *, void *, size_t);

WEAK void *tc_malloc(size_t), *tc_malloc_skip_new_handler(size_t), *tc_calloc(size_t, size_t);
WEAK void *tc_realloc(void *, size_t), *tc_memalign(size_t, size_t), *tc_valloc(size_t), *tc_pvalloc(size_t);
WEAK void *tc_new(size_t), *tc_newarray(size_t), *tc_new_nothrow(size_t, const void *);
WEAK void *tc_new_aligned(size_t, size_t);
WEAK void tc_free(void *), tc_cfree(void *), tc_free_sized(void *, size_t), tc_delete(void *);
WEAK void tc_delete_sized(void *, size_t), tc_deletearray_sized(void *, size_t), tc_delete_aligned(void *, size_t);
WEAK int tc_posix_memalign(void **, size_t, size_t);
WEAK size_t tc_malloc_size(void *);

WEAK void *mi_malloc(size_t), *mi_zalloc(size_t), *mi_calloc(size_t, size_t), *mi_mallocn(size_t, size_t);
WEAK void *mi_realloc(void *, size_t), *mi_reallocn(void *, size_t, size_t), *mi_reallocf(void *, size_t);
WEAK void *mi_rezalloc(void *, size_t), *mi_recalloc(void *, size_t, size_t);
WEAK void *mi_malloc_aligned(size_t, size_t), *mi_zalloc_aligned(size_t, size_t);
WEAK void *mi_calloc_aligned(size_t, size_t, size_t), *mi_realloc_aligned(void *, size_t, size_t);
WEAK void *mi_rezalloc_aligned(void *, size_t, size_t), *mi_recalloc_aligned(void *, size_t, size_t, size_t);
WEAK void *mi_new(size_t), *mi_new_n(size_t, size_t), *mi_new_realloc(void *, size_t);
WEAK void *mi_new_reallocn(void *, size_t, size_t), *mi_zalloc_small(size_t);
WEAK char *mi_strdup(const char *), *mi_strndup(const char *, size_t);
WEAK void mi_free(void *), mi_free_size(void *, size_t), mi_free_aligned(void *, size_t);
WEAK void mi_free_size_aligned(void *, size_t, size_t);
WEAK int mi_reallocarr(void *, size_t, size_t);
WEAK size_t mi_usable_size(const void *);

static struct {
	void *block;
	size_t size;
} live[100];
static unsigned kept, calls;
static size_t bytes;
static int churn;

#define EXPECT(truth) expect(truth, __LINE__)
#define ASKED(block, size, alignment) asked(block, size, alignment, __LINE__)

static void expect(int truth, int line)
{
	if (!truth)
		printf("WRONG in line %d\n", line);
}

// Counts a call that asked for `size` bytes and gave `block`.
static void *asked(void *block, size_t size, size_t alignment, int line)
{
	calls++;
	bytes += size;
	expect(block && (uintptr_t)block % alignment == 0, line);
	return block;
}

// A block that lives to the end; in churn none does.
static int keep(void *block, size_t size)
{
	if (churn)
		return 0;
	live[kept].block = block;
	live[kept++].size = size;
	return 1;
}

static int is_zero(const char *block, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (block[i])
			return 0;
	return 1;
}

static unsigned arena_of(void *block)
{
	unsigned arena = ~0u;
	size_t length = sizeof arena;
	mallctl("arenas.lookup", &arena, &length, &block, sizeof block);
	return arena;
}

TRACKED static void by_jemalloc(unsigned round)
{
	static unsigned arena, cache;
	size_t length = sizeof arena, size = 100 + round % 3000;
	if (!arena) {
		mallctl("arenas.create", &arena, &length, NULL, 0);
		mallctl("tcache.create", &cache, &length, NULL, 0);
	}
	void *block = ASKED(mallocx(size, 0), size, 16);
	EXPECT(sallocx(block, 0) >= size);
	if (!keep(block, size))
		sdallocx(block, size, 0);

	char *zeroed = ASKED(mallocx(size, ALIGN(8) | ZERO), size, 256);
	EXPECT(is_zero(zeroed, 0, size));
	size_t holds = sallocx(zeroed, 0);
	memset(zeroed, 1, holds);
	zeroed = ASKED(rallocx(zeroed, holds + 6000, ALIGN(8) | ZERO), holds + 6000, 256);
	EXPECT(zeroed[0] == 1 && zeroed[holds - 1] == 1);
	EXPECT(is_zero(zeroed, holds, holds + 6000));
	if (!keep(zeroed, holds + 6000))
		dallocx(zeroed, 0);

	// An arena of the program's own, past the thread's cache, and a cache of its own.
	int flags = ARENA(arena) | NO_TCACHE;
	block = ASKED(mallocx(size, flags), size, 16);
	EXPECT(arena_of(block) == arena);
	block = ASKED(rallocx(block, 2 * size, flags | ALIGN(6)), 2 * size, 64);
	EXPECT(arena_of(block) == arena);
	block = ASKED(rallocx(block, 300000, flags), 300000, 16);
	EXPECT(arena_of(block) == arena);
	if (!keep(block, 300000))
		dallocx(block, flags);
	block = ASKED(mallocx(size, TCACHE((int)cache)), size, 16);
	if (!keep(block, size))
		sdallocx(block, size, TCACHE((int)cache));

	// In place: to less, to more if there is room, never to too much.
	block = ASKED(mallocx(200000, 0), 200000, 16);
	size_t before = sallocx(block, 0), now = 200000;
	size_t got = xallocx(block, 400000, 0, 0);
	EXPECT(got == before || got >= 400000);
	if (got >= 400000)
		ASKED(block, now = 400000, 1);
	EXPECT(xallocx(block, (size_t)1 << 45, 0, 0) == got);
	if (!keep(block, now))
		sdallocx(block, got, 0);
	block = ASKED(mallocx(20, 0), 20, 16);
	got = xallocx(block, 24, 0, 0);
	EXPECT(got >= 24 && got == sallocx(block, 0));
	dallocx(ASKED(block, 24, 16), 0);

	// One family after the other.
	block = ASKED(rallocx(ASKED(malloc(size), size, 16), 3 * size, 0), 3 * size, 16);
	block = ASKED(realloc(block, size), size, 16);
	free(block);
	sdallocx(ASKED(calloc(1, size), size, 16), size, 0);
	if (churn && round % 500 == 499) {
		char name[40];
		snprintf(name, sizeof name, "arena.%u.destroy", arena);
		EXPECT(mallctl(name, NULL, NULL, NULL, 0) == 0);
		mallctl("tcache.destroy", NULL, NULL, &cache, sizeof cache);
		arena = 0;
	}
}

TRACKED static void by_tcmalloc(unsigned round)
{
	size_t size = 100 + round % 3000;
	void *block = ASKED(tc_malloc(size), size, 16);
	EXPECT(tc_malloc_size(block) >= size);
	if (!keep(block, size))
		tc_free_sized(block, size);
	block = ASKED(tc_calloc(2, size), 2 * size, 16);
	EXPECT(is_zero(block, 0, 2 * size));
	block = ASKED(tc_realloc(block, 5 * size), 5 * size, 16);
	if (!keep(block, 5 * size))
		tc_free(block);
	block = ASKED(tc_new(size), size, 16);
	if (!keep(block, size))
		tc_delete_sized(block, size);
	tc_delete(ASKED(tc_new_nothrow(size, NULL), size, 16));
	tc_deletearray_sized(ASKED(tc_newarray(size), size, 16), size);
	tc_delete_aligned(ASKED(tc_new_aligned(size, 128), size, 128), 128);
	tc_cfree(ASKED(tc_malloc_skip_new_handler(size), size, 16));
	tc_free(ASKED(tc_memalign(256, size), size, 256));
	block = NULL;
	EXPECT(tc_posix_memalign(&block, 64, size) == 0);
	tc_free(ASKED(block, size, 64));
	tc_free(ASKED(tc_valloc(size), size, 4096));
	tc_free(ASKED(tc_pvalloc(size), (size + 4095) / 4096 * 4096, 4096));
	block = ASKED(tc_realloc(ASKED(malloc(size), size, 16), 2 * size), 2 * size, 16);
	free(block);
}

TRACKED static void by_mimalloc(unsigned round)
{
	size_t size = 100 + round % 3000;
	void *block = ASKED(mi_malloc(size), size, 16);
	EXPECT(mi_usable_size(block) >= size);
	if (!keep(block, size))
		mi_free_size(block, size);
	// Of a block that was resized to zeroes once mimalloc 2.0 itself leaves dirt behind the next time.
	char *zeroed = ASKED(mi_zalloc(size), size, 16);
	EXPECT(is_zero(zeroed, 0, size));
	zeroed = ASKED(mi_rezalloc(zeroed, 3 * size), 3 * size, 16);
	EXPECT(is_zero(zeroed, 0, 3 * size));
	memset(zeroed, 1, 3 * size);
	mi_free(zeroed);
	zeroed = ASKED(mi_zalloc(size), size, 16);
	zeroed = ASKED(mi_recalloc(zeroed, 2, 4 * size), 8 * size, 16);
	EXPECT(is_zero(zeroed, 0, 8 * size));
	memset(zeroed, 1, 8 * size);
	if (!keep(zeroed, 8 * size))
		mi_free(zeroed);
	block = ASKED(mi_mallocn(3, size), 3 * size, 16);
	block = ASKED(mi_reallocn(block, 5, size), 5 * size, 16);
	block = ASKED(mi_reallocf(block, size), size, 16);
	EXPECT(mi_reallocarr(&block, 2, size) == 0);
	ASKED(block, 2 * size, 16);
	if (!keep(block, 2 * size))
		mi_free(block);
	block = ASKED(mi_malloc_aligned(size, 64), size, 64);
	block = ASKED(mi_realloc_aligned(block, 4 * size, 64), 4 * size, 64);
	mi_free_size_aligned(block, 4 * size, 64);
	zeroed = ASKED(mi_zalloc_aligned(size, 128), size, 128);
	zeroed = ASKED(mi_rezalloc_aligned(zeroed, 3 * size, 128), 3 * size, 128);
	memset(zeroed, 1, 3 * size);
	mi_free_aligned(zeroed, 128);
	zeroed = ASKED(mi_zalloc_aligned(size, 128), size, 128);
	EXPECT(is_zero(zeroed, 0, size));
	zeroed = ASKED(mi_recalloc_aligned(zeroed, 4, size, 128), 4 * size, 128);
	mi_free_aligned(zeroed, 128);
	mi_free(ASKED(mi_calloc_aligned(2, size, 32), 2 * size, 32));
	mi_free(ASKED(mi_calloc(2, size), 2 * size, 16));
	mi_free(ASKED(mi_zalloc_small(90), 90, 16));
	mi_free(ASKED(mi_strdup("four"), 5, 1));
	mi_free(ASKED(mi_strndup("four", 2), 3, 1));
	block = ASKED(mi_new(size), size, 16);
	block = ASKED(mi_new_realloc(block, 2 * size), 2 * size, 16);
	block = ASKED(mi_new_reallocn(block, 3, size), 3 * size, 16);
	if (!keep(block, 3 * size))
		mi_free(block);
	mi_free(ASKED(mi_new_n(2, size), 2 * size, 16));
	block = ASKED(mi_realloc(ASKED(malloc(size), size, 16), 2 * size), 2 * size, 16);
	free(block);
}

// What jemalloc counts as taken: blocks that went back under a wrong size would show there.
static long allocated(void)
{
	uint64_t epoch = 1;
	size_t taken = 0, length = sizeof taken;
	if (mallctl) {
		mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
		mallctl("stats.allocated", &taken, &length, NULL, 0);
	}
	return taken;
}

#ifdef LIBRARY
int library_work(int rounds)
#else
WEAK int library_work(int);

static int work(int rounds)
#endif
{
	printf("weak=%d%d%d\n", mallocx && sdallocx, tc_malloc && tc_free, mi_malloc && mi_free);
	printf("same=%d\n", mallocx == dlsym(RTLD_DEFAULT, "mallocx") && dallocx == dlsym(RTLD_DEFAULT, "dallocx") &&
		tc_new == dlsym(RTLD_DEFAULT, "tc_new") && mi_zalloc == dlsym(RTLD_DEFAULT, "mi_zalloc"));
	fflush(stdout);
	churn = rounds > 1;
	long before = 0;
	for (int round = 0; round < rounds; round++) {
		if (round == rounds / 4)
			before = allocated();
		if (mallocx)
			by_jemalloc(round);
		if (tc_malloc)
			by_tcmalloc(round);
		if (mi_malloc)
			by_mimalloc(round);
	}
	printf("tracked=%p-%p\n", (void *)__start_tracked, (void *)__stop_tracked);
	long after = allocated();
	printf("left=%ld\n", after > before ? after - before : 0);
	printf("calls=%u\nbytes=%zu\n", calls, bytes);
	for (unsigned i = 0; i < kept; i++)
		printf("live %p %zu\n", live[i].block, live[i].size);
	return 0;
}

#ifndef LIBRARY
int main(int argc, char **argv)
{
	int (*chosen)(int) = work;
	int rounds = argc > 1 && !strcmp(argv[1], "churn") ? 5000 : 1;
	if (argc > 1 && !strcmp(argv[1], "linked"))
		chosen = library_work;
	if (argc > 2)
		*(void **)&chosen = dlsym(dlopen(argv[2], RTLD_NOW), "library_work");
	return chosen(rounds);
}
#endif
