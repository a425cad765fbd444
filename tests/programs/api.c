// Every entry point of the C allocator, at the edges of its contract. Prints what it sees, addresses
// and usable sizes aside, so that a run with a profiler can be compared with one without.
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define ROUNDS 40
#define SEEN(what, call)                         \
	do {                                     \
		const void *block_ = (call);     \
		seen(what, block_, errno);       \
	} while (0)

// Volatile, so that the compiler does not see what is coming.
static volatile size_t too_much = (size_t)PTRDIFF_MAX + 1;
static volatile size_t most = SIZE_MAX;
static volatile size_t root = (size_t)1 << 32;

static const size_t sizes[] = {0,    1,    16,    24,    25,     100,     1000,           4000,
			       4096, 5000, 65536, 70000, 131072, 1 << 20, (1 << 20) + 13, 5 << 20};
static const size_t alignments[] = {8, 16, 32, 64, 512, 4096, 8192, 65536, 1 << 20};
#define EACH(i, array) size_t i = 0; i < sizeof array / sizeof *array; i++

static void seen(const char *what, const void *pointer, int error)
{
	printf("%s: %s %s\n", what, pointer ? "block" : "NULL", strerrorname_np(error));
	errno = 0;
}

static void fail(const char *what, size_t size)
{
	printf("WRONG: %s %zu\n", what, size);
}

static void fill(void *block, size_t size)
{
	memset(block, (int)(size * 7 + 1), size);
}

static int holds(const unsigned char *block, size_t size, size_t filled_as)
{
	for (size_t i = 0; i < size; i++)
		if (block[i] != (unsigned char)(filled_as * 7 + 1))
			return 0;
	return 1;
}

// A block that was handed out: whole, as aligned and as large as asked, errno as it was.
static void check(const char *what, void *block, size_t size, size_t alignment)
{
	if (!block || errno != E2BIG || (uintptr_t)block % alignment || malloc_usable_size(block) < size)
		fail(what, size);
	if (block)
		fill(block, size);
	errno = E2BIG;
	free(block);
	if (errno != E2BIG)
		fail("errno after free", size);
}

static void ordinary(size_t size)
{
	errno = E2BIG;
	check("malloc", malloc(size), size, 16);
	unsigned char *zeroed = calloc(1, size);
	for (size_t i = 0; zeroed && i < size; i++)
		if (zeroed[i])
			fail("calloc's zeroes", size);
	check("calloc", zeroed, size, 16);
	check("realloc(NULL)", realloc(NULL, size), size, 16);
	check("reallocarray(NULL)", reallocarray(NULL, size, 1), size, 16);
	check("valloc", valloc(size), size, 4096);
	check("pvalloc", pvalloc(size), (size + 4095) / 4096 * 4096, 4096);
	for (EACH(i, alignments)) {
		void *block = NULL;
		check("memalign", memalign(alignments[i], size), size, alignments[i]);
		check("aligned_alloc", aligned_alloc(alignments[i], size), size, alignments[i]);
		if (posix_memalign(&block, alignments[i], size))
			fail("posix_memalign's result", size);
		check("posix_memalign", block, size, alignments[i]);
	}
}

// Every way a block may change its size keeps what fits.
static void resized(size_t from, size_t to)
{
	size_t kept = from < to ? from : to;
	unsigned char *block = to % 3 ? malloc(from) : memalign(4096, from);
	fill(block, from);
	errno = E2BIG;
	unsigned char *moved = to % 2 ? realloc(block, to) : reallocarray(block, 1, to);
	if (to == 0) {
		if (moved || errno != E2BIG)
			fail("realloc to 0", from);
		return;
	}
	if (!moved || !holds(moved, kept, from))
		fail("realloc's contents", from);
	check("realloc", moved, to, 16);
}

static void refused(void)
{
	void *volatile kept = malloc(3 << 20);
	void *untouched = kept;
	fill(kept, 3 << 20);
	errno = 0;
	SEEN("malloc of too much", malloc(too_much));
	SEEN("malloc of SIZE_MAX", malloc(most));
	SEEN("calloc of too much", calloc(too_much, 1));
	SEEN("calloc overflow", calloc(most / 2, 3));
	SEEN("calloc overflow to 0", calloc(root, root));
	SEEN("realloc of too much", realloc(kept, too_much));
	SEEN("reallocarray overflow", reallocarray(kept, most / 2, 3));
	SEEN("reallocarray overflow of NULL", reallocarray(NULL, root, root));
	SEEN("memalign of too much", memalign(64, too_much));
	SEEN("memalign to too much", memalign(too_much + 1, 8));
	SEEN("aligned_alloc of too much", aligned_alloc(64, too_much));
	SEEN("valloc of too much", valloc(most - 4095));
	SEEN("pvalloc of too much", pvalloc(most));
	for (size_t alignment = 0; alignment < 72; alignment++) {
		errno = E2BIG;
		int result = posix_memalign(&untouched, alignment, 64);
		printf("posix_memalign(%zu): %d %s %s\n", alignment, result,
		       untouched == kept ? "untouched" : "set", strerrorname_np(errno));
		if (untouched != kept)
			free(untouched);
		untouched = kept;
	}
	int result = posix_memalign(&untouched, 64, too_much);
	printf("posix_memalign of too much: %d %d\n", result, untouched == kept);
	errno = 0;
	void *odd = memalign(48, 100);
	SEEN("memalign to 48", odd);
	free(odd);
	odd = aligned_alloc(3, 100);
	SEEN("aligned_alloc to 3", odd);
	free(odd);
	printf("kept: %d\n", holds(kept, 3 << 20, 3 << 20));
	free(kept);
}

// The system refuses: the old block stays whole, and may still be freed or resized.
static void out_of_memory(void)
{
	struct rlimit before, limit;
	size_t size = 300000;
	unsigned char *block = malloc(size);
	fill(block, size);
	getrlimit(RLIMIT_AS, &before);
	limit = before;
	limit.rlim_cur = (rlim_t)2 << 30;
	setrlimit(RLIMIT_AS, &limit);
	errno = 0;
	SEEN("realloc beyond the limit", realloc(block, (size_t)3 << 30));
	SEEN("malloc beyond the limit", malloc((size_t)3 << 30));
	SEEN("calloc beyond the limit", calloc(3, (size_t)1 << 30));
	SEEN("memalign beyond the limit", memalign(4096, (size_t)3 << 30));
	setrlimit(RLIMIT_AS, &before);
	printf("kept: %d\n", holds(block, size, size));
	block = realloc(block, 2 * size);
	printf("grown: %d\n", holds(block, size, size));
	free(block);
}

int main(void)
{
	errno = E2BIG;
	free(NULL);
	printf("free(NULL): %s, usable size of NULL: %zu\n", strerrorname_np(errno),
	       malloc_usable_size(NULL));
	errno = 0;
	SEEN("realloc(NULL, 0)", realloc(NULL, 0));
	SEEN("realloc(block, 0)", realloc(malloc(10), 0));
	for (int round = 0; round < ROUNDS; round++)
		for (EACH(i, sizes)) {
			ordinary(sizes[i]);
			for (EACH(k, sizes))
				if (sizes[i] < 70000 || sizes[k] < 70000 || round == 0)
					resized(sizes[i], sizes[k]);
		}
	refused();
	out_of_memory();
	puts("end");
	return 0;
}
