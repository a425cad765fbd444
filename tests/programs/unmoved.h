// The log of unmoved.cpp, in memory of its own: what a call gave, and where that lies. And what makes two
// runs alike: no ASLR, no huge pages.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <malloc.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WEAK __attribute__((weak))
extern "C" WEAK void *mallocx(size_t, int);

enum { PAGE = 4096, BIG = 16 * PAGE };

static char text[12 << 20];
static size_t used;
static int pagemap, with_places;
static uintptr_t heap;

template <class... Arguments>
static void say(const char *format, Arguments... arguments)
{
	used += std::snprintf(text + used, sizeof text - used, format, arguments...);
}

static int in_heap(const char *block)
{
	return (uintptr_t)block >= heap && (uintptr_t)block < (uintptr_t)syscall(SYS_brk, 0);
}

// How many whole pages of the block are in memory or in the swap.
static size_t resident(const char *block, size_t size)
{
	uint64_t entries[512];
	size_t count = 0;
	uintptr_t page = ((uintptr_t)block + PAGE - 1) / PAGE, end = ((uintptr_t)block + size) / PAGE;
	while (page < end) {
		size_t now = end - page < 512 ? end - page : 512;
		if (pread(pagemap, entries, now * 8, page * 8) != (ssize_t)now * 8)
			_exit(3);
		for (size_t i = 0; i < now; i++)
			count += entries[i] >> 62 != 0;
		page += now;
	}
	return count;
}

static void say_place(const char *block)
{
	if (with_places && in_heap(block))
		say(" heap+%zx", (size_t)((uintptr_t)block - heap));
	else if (with_places)
		say(" mapped+%zx", (size_t)((uintptr_t)block % PAGE));
}

// Where jemalloc lets a big block begin within its pages is drawn with the address of the thread as the seed,
// so a page more or less may have been used before; not of blocks that it zeroes, these it gives back first.
static int is_told_resident(int zeroed)
{
	return zeroed || !mallocx;
}

// The rest of a line: what a call gave.
static void gave(char *block, size_t size, int error, int zeroed)
{
	say(" errno=%d", error);
	if (!block)
		return say(" null\n");
	say_place(block);
	say(" usable=%zu", malloc_usable_size(block));
	if (size >= BIG && is_told_resident(zeroed))
		say(" resident=%zu", resident(block, size));
	say("\n");
}

// The number in field `at` of /proc/self/stat, which has no blanks in it before that.
static inline uintptr_t stat_field(int at)
{
	char line[1024] = {};
	int file = open("/proc/self/stat", O_RDONLY);
	if (read(file, line, sizeof line - 1) < 0)
		_exit(3);
	close(file);
	const char *field = std::strrchr(line, ')');
	for (int i = 2; i < at; i++)
		field = std::strchr(field + 1, ' ');
	return std::strtoull(field, nullptr, 10);
}

static void without_randomness(char **argv)
{
	int persona = personality(0xffffffff);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (persona & ADDR_NO_RANDOMIZE)
		return;
	if (personality(persona | ADDR_NO_RANDOMIZE) >= 0)
		execv(argv[0], argv);
	_exit(2);
}

static void begin_log(int places)
{
	with_places = places;
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	heap = stat_field(47);
}

static int end_log()
{
	say("threads: %d\n", (int)stat_field(20));
	for (size_t written = 0; written < used;) {
		ssize_t now = write(1, text + written, used - written);
		if (now <= 0)
			return 3;
		written += now;
	}
	return 0;
}
