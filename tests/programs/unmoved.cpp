// Tens of thousands of calls of malloc and its relatives, always the same ones, and what each of them gave:
// where the block lies, what it holds, errno, whether realloc moved it, how many of its pages are resident.
// Nothing here allocates but those calls; the log goes out at the end. Runs without ASLR, in one thread.
//
// unmoved         the log without addresses
// unmoved places  with them: offsets in the brk heap; of a block mapped elsewhere, its offset in its page.
//                 Where mremap puts a mapped block is the kernel's choice among the mappings of a process.
#include "unmoved.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sys/resource.h>

extern "C" {
WEAK void *rallocx(void *, size_t, int);
WEAK size_t xallocx(void *, size_t, size_t, int), sallocx(const void *, int), nallocx(size_t, int);
WEAK void dallocx(void *, int), sdallocx(void *, size_t, int);
WEAK void *mi_malloc(size_t);
}

enum { STEPS = 40000, SLOTS = 500, UNTOUCHED_ERRNO = 77 };
enum { ZERO = 0x40, NO_TCACHE = 1 << 8 };
// Who gives a block back: free, delete, delete[], the aligned ones of both, dallocx.
enum Family { NONE, C, ONE, ARRAY, ONE_ALIGNED, ARRAY_ALIGNED, EXTENDED };

struct Slot {
	Family family;
	char *block;
	size_t size, align;
};

static Slot slots[SLOTS];

static size_t below(size_t bound)
{
	static uint64_t state = 88172645463325252;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % bound;
}

static size_t random_size()
{
	switch (below(24)) {
	case 0: return below(8) ? below(64) : 0;
	case 1: return below(5) ? below(600000) : below(5 << 20);
	case 2: return 100000 + below(80000);
	case 3: case 4: case 5: return below(40000);
	case 6: case 7: case 8: case 9: case 10: return below(5000);
	default: return below(300);
	}
}

// Up to a page anywhere. Beyond it only where glibc takes the block from its heap: within a mapping of its
// own, what is left behind the aligned place depends on where that lies.
static size_t random_align(size_t size)
{
	return (size_t)8 << below(size < 30000 ? 12 : 10);
}

// The program's own use of a block: all of a small one, both ends of a big one.
static void use(Slot &slot)
{
	if (slot.size < PAGE)
		return (void)std::memset(slot.block, 0x5a, slot.size);
	slot.block[0] = slot.block[slot.size - 1] = 0x5a;
}

static void keep(Slot &slot, Family family, void *block, size_t size, size_t align, int zeroed = 0)
{
	int error = errno;
	if (family != EXTENDED && align && (uintptr_t)block % align)
		say(" misaligned");
	gave((char *)block, size, error, zeroed);
	if (!block)
		return;
	slot = {family, (char *)block, size, align};
	use(slot);
}

// A line for the call, and errno as no call sets it.
#define CALL(name, ...) (say(name, __VA_ARGS__), errno = UNTOUCHED_ERRNO)

static void make(Slot &slot, size_t size)
{
	size_t align = random_align(size), pages = (size + PAGE - 1) / PAGE * PAGE;
	void *block = nullptr;
	switch (below(mallocx ? 10 : 11)) {
	case 0: case 1: case 2:
		CALL("malloc(%zu)", size);
		return keep(slot, C, malloc(size), size, 0);
	case 3: case 4:
		CALL("calloc(%zu)", size);
		return keep(slot, C, calloc(size % 7 ? 1 : 7, size % 7 ? size : size / 7), size, 0, 1);
	case 5:
		CALL("posix_memalign(%zu, %zu)", align, size);
		if (int result = posix_memalign(&block, align, size))
			say(" result=%d", result);
		return keep(slot, C, block, size, 0);
	case 6:
		CALL("aligned_alloc(%zu, %zu)", align, size);
		return keep(slot, C, aligned_alloc(align, size), size, 0);
	case 7:
		CALL("memalign(%zu, %zu)", align, size);
		return keep(slot, C, memalign(align, size), size, 0);
	case 8:
		CALL("valloc(%zu)", size);
		return keep(slot, C, valloc(size), size, 0);
	case 9:
		CALL("realloc(null, %zu)", size);
		return keep(slot, C, realloc(nullptr, size), size, 0);
	case 10: // jemalloc has none.
		CALL("pvalloc(%zu)", size);
		return keep(slot, C, pvalloc(size), pages, 0);
	}
}

static void make_by_operator(Slot &slot, size_t size)
{
	std::align_val_t align{random_align(size)};
	int form = below(8);
	CALL("new %d (%zu, %zu)", form, size, (size_t)align);
	switch (form) {
	case 0: return keep(slot, ONE, ::operator new(size), size, 0);
	case 1: return keep(slot, ARRAY, ::operator new[](size), size, 0);
	case 2: return keep(slot, ONE, ::operator new(size, std::nothrow), size, 0);
	case 3: return keep(slot, ARRAY, ::operator new[](size, std::nothrow), size, 0);
	case 4: return keep(slot, ONE_ALIGNED, ::operator new(size, align), size, (size_t)align);
	case 5: return keep(slot, ARRAY_ALIGNED, ::operator new[](size, align), size, (size_t)align);
	case 6: return keep(slot, ONE_ALIGNED, ::operator new(size, align, std::nothrow), size, (size_t)align);
	case 7: return keep(slot, ARRAY_ALIGNED, ::operator new[](size, align, std::nothrow), size, (size_t)align);
	}
}

static int random_flags(size_t size)
{
	int align = below(2) ? __builtin_ctzll(random_align(size)) : 0;
	return align | (below(3) ? 0 : ZERO) | (below(4) ? 0 : NO_TCACHE);
}

static void make_extended(Slot &slot, size_t size)
{
	int flags = random_flags(size);
	CALL("mallocx(%zu, %#x) of %zu", size, flags, nallocx(size, flags));
	keep(slot, EXTENDED, mallocx(size, flags), size, flags & ~ZERO, flags & ZERO);
}

// A block that was made bigger or smaller, or not at all.
static void moved(Slot &slot, char *now, size_t size, uintptr_t before, int was_in_heap)
{
	int error = errno;
	if (now && with_places && !was_in_heap && !in_heap(now))
		say(" wherever");
	else if (now)
		say(" %s", (uintptr_t)now == before ? "in place" : "moved");
	if (now && size && slot.size && now[0] != 0x5a)
		say(" LOST");
	gave(now, size, error, 0);
	// Of size 0 it is a free in some allocators, and a block in others.
	if (!now && !size)
		slot.family = NONE;
	if (!now)
		return;
	slot.block = now;
	slot.size = size;
	use(slot);
}

static void resize(Slot &slot, size_t size)
{
	uintptr_t before = (uintptr_t)slot.block;
	int was_in_heap = in_heap(slot.block);
	if (slot.family == EXTENDED) {
		int flags = slot.align | (below(3) ? 0 : ZERO);
		CALL("rallocx(%zu, %zu, %#x)", slot.size, size + 1, flags);
		return moved(slot, (char *)rallocx(slot.block, size + 1, flags), size + 1, before, was_in_heap);
	}
	if (below(3)) {
		CALL("realloc(%zu, %zu)", slot.size, size);
		return moved(slot, (char *)realloc(slot.block, size), size, before, was_in_heap);
	}
	CALL("reallocarray(%zu, %zu)", slot.size, size);
	moved(slot, (char *)reallocarray(slot.block, 1, size), size, before, was_in_heap);
}

static void stretch(Slot &slot)
{
	size_t size = slot.size / 2 + 1 + below(slot.size + 100), extra = below(2) ? 0 : below(2 * size);
	int flags = slot.align | (below(3) ? 0 : ZERO);
	CALL("xallocx(%zu, %zu, %zu, %#x)", slot.size, size, extra, flags);
	size_t got = xallocx(slot.block, size, extra, flags);
	say(" gives %zu of %zu,", got, sallocx(slot.block, flags));
	gave(slot.block, got, errno, 0);
}

static void give_back_extended(Slot &slot)
{
	switch (below(3)) {
	case 0: return dallocx(slot.block, slot.align);
	case 1: return sdallocx(slot.block, sallocx(slot.block, 0), slot.align);
	case 2: return free(slot.block);
	}
}

static void give_back(Slot &slot)
{
	std::align_val_t align{slot.align};
	// jemalloc 5.3 files an aligned block of size 0 wrongly when it is told that size.
	int form = slot.size ? below(4) : 0;
	CALL("give back %d: %zu", slot.family, slot.size);
	switch (slot.family * 4 + form) {
	case ONE * 4: ::operator delete(slot.block); break;
	case ONE * 4 + 1: case ONE * 4 + 2: ::operator delete(slot.block, slot.size); break;
	case ONE * 4 + 3: ::operator delete(slot.block, std::nothrow); break;
	case ARRAY * 4: ::operator delete[](slot.block); break;
	case ARRAY * 4 + 1: case ARRAY * 4 + 2: ::operator delete[](slot.block, slot.size); break;
	case ARRAY * 4 + 3: ::operator delete[](slot.block, std::nothrow); break;
	case ONE_ALIGNED * 4: ::operator delete(slot.block, align); break;
	case ONE_ALIGNED * 4 + 1: case ONE_ALIGNED * 4 + 2: ::operator delete(slot.block, slot.size, align); break;
	case ONE_ALIGNED * 4 + 3: ::operator delete(slot.block, align, std::nothrow); break;
	case ARRAY_ALIGNED * 4: ::operator delete[](slot.block, align); break;
	case ARRAY_ALIGNED * 4 + 1: case ARRAY_ALIGNED * 4 + 2: ::operator delete[](slot.block, slot.size, align); break;
	case ARRAY_ALIGNED * 4 + 3: ::operator delete[](slot.block, align, std::nothrow); break;
	default: slot.family == EXTENDED ? give_back_extended(slot) : free(slot.block);
	}
	say(" errno=%d\n", errno);
	slot.family = NONE;
}

static void step()
{
	Slot &slot = slots[below(SLOTS)];
	size_t size = random_size();
	int resizable = slot.family == C || slot.family == EXTENDED;
	if (slot.family == EXTENDED && below(4) == 0)
		stretch(slot);
	else if (resizable && below(3) == 0)
		resize(slot, below(3) ? slot.size / 2 + below(slot.size + 1) : size);
	else if (slot.family != NONE)
		give_back(slot);
	else if (mallocx && below(4) == 0)
		make_extended(slot, size + 1);
	else if (below(2))
		make_by_operator(slot, size);
	else
		make(slot, size);
}

// What no allocator can serve; the block that was to grow stays.
static void too_much(volatile size_t much)
{
	size_t size = much;
	Slot none = {}, held = {};
	CALL("malloc(%zu)", (size_t)100);
	keep(held, C, malloc(100), 100, 0);
	CALL("malloc(%zu)", size);
	keep(none, C, malloc(size), size, 0);
	CALL("calloc(%zu)", size);
	keep(none, C, calloc(1, size), size, 0);
	CALL("calloc(16, %zu)", size);
	keep(none, C, calloc(16, size), size, 0);
	CALL("realloc(100, %zu)", size);
	moved(held, (char *)realloc(held.block, size), size, 0, 0);
	CALL("reallocarray(100, 32, %zu)", size);
	moved(held, (char *)reallocarray(held.block, 32, size), size, 0, 0);
	void *block = nullptr;
	CALL("posix_memalign(64, %zu)", size);
	say(" result=%d", posix_memalign(&block, 64, size));
	keep(none, C, block, size, 0);
	CALL("posix_memalign(24, %zu)", (size_t)100);
	say(" result=%d", posix_memalign(&block, 24, 100));
	keep(none, C, block, 100, 0);
	CALL("aligned_alloc(4096, %zu)", size);
	keep(none, C, aligned_alloc(4096, size), size, 0);
	CALL("memalign(32, %zu)", size);
	keep(none, C, memalign(32, size), size, 0);
	if (mallocx) {
		CALL("mallocx(%zu)", size);
		keep(none, EXTENDED, mallocx(size, 0), size, 0);
		CALL("rallocx(100, %zu)", size);
		moved(held, (char *)rallocx(held.block, size, 0), size, 0, 0);
	}
	give_back(held);
}

static int handled;
static rlimit plenty;

static void find_memory()
{
	handled++;
	setrlimit(RLIMIT_AS, &plenty);
}

static void give_up()
{
	handled++;
	throw std::bad_alloc();
}

static void step_back()
{
	if (++handled == 3)
		std::set_new_handler(nullptr);
}

static void *new_of(int form, size_t size)
{
	const std::align_val_t align{64};
	switch (form) {
	case 0: return ::operator new(size);
	case 1: return ::operator new[](size);
	case 2: return ::operator new(size, align);
	case 3: return ::operator new[](size, align);
	case 4: return ::operator new(size, std::nothrow);
	case 5: return ::operator new[](size, std::nothrow);
	case 6: return ::operator new(size, align, std::nothrow);
	default: return ::operator new[](size, align, std::nothrow);
	}
}

// First its handler finds memory, then there is none to be found.
static void short_of_memory(int form)
{
	static const Family families[] = {ONE, ARRAY, ONE_ALIGNED, ARRAY_ALIGNED};
	size_t size = (size_t)60 << 20;
	rlimit nothing = {0, plenty.rlim_max};
	Slot slot = {};
	handled = 0;
	std::set_new_handler(find_memory);
	setrlimit(RLIMIT_AS, &nothing);
	CALL("new short %d (%zu)", form, size);
	char *block = (char *)new_of(form, size);
	setrlimit(RLIMIT_AS, &plenty);
	say(" handler called %d times", handled);
	keep(slot, families[form < 4 ? form : form % 2 + (form > 5 ? 2 : 0)], block, size, 64);
	give_back(slot);
	handled = 0;
	std::set_new_handler(form < 4 ? give_up : step_back);
	CALL("new too much %d", form);
	try {
		block = (char *)new_of(form, (size_t)1 << 60);
		say(block ? " block" : " null");
	} catch (const std::bad_alloc &) {
		say(" bad_alloc");
	}
	say(" handler called %d times errno=%d\n", handled, errno);
	std::set_new_handler(nullptr);
}

__attribute__((noinline)) static void touch_the_stack()
{
	volatile char room[256 << 10];
	for (size_t i = 0; i < sizeof room; i += PAGE)
		room[i] = 1;
}

int main(int, char **argv)
{
	without_randomness(argv);
	begin_log(argv[1] && !std::strcmp(argv[1], "places"));
	getrlimit(RLIMIT_AS, &plenty);
	touch_the_stack();
	for (int i = 0; i < STEPS; i++) {
		step();
		if (i % 1000 == 500)
			too_much(i % 2000 < 1000 ? SIZE_MAX / 2 + i : ((size_t)1 << 60) + i);
		// Towards the end: where no memory is to be had for samples either, there are none from then on.
		// mimalloc 2.0 aborts where operator new is to throw.
		if (i > STEPS - 2000 && i % 100 == 50)
			short_of_memory(mi_malloc ? 4 + i / 100 % 4 : i / 100 % 8);
	}
	return end_log();
}
