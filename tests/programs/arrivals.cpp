// A library that stands behind ours, before the allocator: notes every call that arrives, with sizes and
// alignments, in the file "arrivals", and passes it on. The file is mapped, so that what comes at the very
// end is in it too; nothing here allocates.
//
// Built with -DOPERATORS for an allocator that has operator new itself: others have it of libstdc++, which
// calls malloc; with -DEXTENDED for jemalloc.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <dlfcn.h>
#include <fcntl.h>
#include <new>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const size_t ROOM = 8 << 20;
static char *notes;
static size_t used;
// Calls that the allocator makes of itself do not arrive; one thread, so one number.
static int inside;

static char *file()
{
	long descriptor = syscall(SYS_open, "arrivals", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (syscall(SYS_ftruncate, descriptor, ROOM) != 0)
		_exit(4);
	char *mapped = (char *)syscall(SYS_mmap, 0, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
	syscall(SYS_close, descriptor);
	return mapped;
}

static void put(size_t number)
{
	char digits[24];
	int count = 0;
	do
		digits[count++] = '0' + number % 10;
	while (number /= 10);
	notes[used++] = ' ';
	while (count)
		notes[used++] = digits[--count];
}

template <class... Numbers>
static void note(const char *name, Numbers... numbers)
{
	if (!notes)
		notes = file();
	if (used + 200 > ROOM)
		_exit(4);
	while (*name)
		notes[used++] = *name++;
	(put((size_t)numbers), ...);
	notes[used++] = '\n';
}

template <class Function>
static Function next(Function, const char *symbol)
{
	void *found = dlsym(RTLD_NEXT, symbol);
	if (!found)
		_exit(5);
	return (Function)found;
}

struct Inside {
	int outer = inside++;
	~Inside() { inside--; }
};

// A function that gives a block: noted when it gave one, for one that failed allocated nothing.
#define GIVES(name, symbol, parameters, arguments, ...) \
	void *name parameters \
	{ \
		static const auto real = next((void *(*)parameters) nullptr, #symbol); \
		Inside now; \
		void *block = real arguments; \
		if (!now.outer && block) \
			note(__VA_ARGS__); \
		return block; \
	}

#define TAKES(name, symbol, parameters, arguments, ...) \
	void name parameters \
	{ \
		static const auto real = next((void (*)parameters) nullptr, #symbol); \
		Inside now; \
		if (!now.outer) \
			note(__VA_ARGS__); \
		real arguments; \
	}

extern "C" {
GIVES(malloc, malloc, (size_t size), (size), "malloc", size)
GIVES(calloc, calloc, (size_t number, size_t size), (number, size), "calloc", number, size)
GIVES(realloc, realloc, (void *old, size_t size), (old, size), old ? "realloc" : "realloc of null", size)
GIVES(aligned_alloc, aligned_alloc, (size_t align, size_t size), (align, size), "aligned_alloc", align, size)
GIVES(memalign, memalign, (size_t align, size_t size), (align, size), "memalign", align, size)
GIVES(valloc, valloc, (size_t size), (size), "valloc", size)
TAKES(free, free, (void *block), (block), block ? "free" : "free of null")

int posix_memalign(void **place, size_t align, size_t size)
{
	static const auto real = next((int (*)(void **, size_t, size_t)) nullptr, "posix_memalign");
	Inside now;
	int result = real(place, align, size);
	if (!now.outer && !result)
		note("posix_memalign", align, size);
	return result;
}

#ifdef EXTENDED
GIVES(mallocx, mallocx, (size_t size, int flags), (size, flags), "mallocx", size, flags)
GIVES(rallocx, rallocx, (void *old, size_t size, int flags), (old, size, flags), "rallocx", size, flags)
TAKES(dallocx, dallocx, (void *block, int flags), (block, flags), "dallocx", flags)
TAKES(sdallocx, sdallocx, (void *block, size_t size, int flags), (block, size, flags), "sdallocx", size, flags)

size_t xallocx(void *block, size_t size, size_t extra, int flags)
{
	static const auto real = next((size_t (*)(void *, size_t, size_t, int)) nullptr, "xallocx");
	Inside now;
	if (!now.outer)
		note("xallocx", size, extra, flags);
	return real(block, size, extra, flags);
}

size_t sallocx(const void *block, int flags)
{
	static const auto real = next((size_t (*)(const void *, int)) nullptr, "sallocx");
	return real(block, flags);
}

size_t nallocx(size_t size, int flags)
{
	static const auto real = next((size_t (*)(size_t, int)) nullptr, "nallocx");
	return real(size, flags);
}

int mallctl(const char *name, void *old, size_t *length, void *fresh, size_t fresh_length)
{
	static const auto real = next((int (*)(const char *, void *, size_t *, void *, size_t)) nullptr, "mallctl");
	return real(name, old, length, fresh, fresh_length);
}
#endif
}

#ifdef OPERATORS
using std::align_val_t;
using std::nothrow_t;
#define TAG const nothrow_t &tag

GIVES(operator new, _Znwm, (size_t size), (size), "new", size)
GIVES(operator new[], _Znam, (size_t size), (size), "new", size)
GIVES(operator new, _ZnwmRKSt9nothrow_t, (size_t size, TAG) noexcept, (size, tag), "new", size)
GIVES(operator new[], _ZnamRKSt9nothrow_t, (size_t size, TAG) noexcept, (size, tag), "new", size)
GIVES(operator new, _ZnwmSt11align_val_t, (size_t size, align_val_t align), (size, align), "new", size, align)
GIVES(operator new[], _ZnamSt11align_val_t, (size_t size, align_val_t align), (size, align), "new", size, align)
GIVES(operator new, _ZnwmSt11align_val_tRKSt9nothrow_t, (size_t size, align_val_t align, TAG) noexcept,
      (size, align, tag), "new", size, align)
GIVES(operator new[], _ZnamSt11align_val_tRKSt9nothrow_t, (size_t size, align_val_t align, TAG) noexcept,
      (size, align, tag), "new", size, align)

#define DELETES(form, letter) \
	TAKES(operator form, _Zd##letter##Pv, (void *block) noexcept, (block), #form) \
	TAKES(operator form, _Zd##letter##Pvm, (void *block, size_t size) noexcept, (block, size), #form " sized", size) \
	TAKES(operator form, _Zd##letter##PvRKSt9nothrow_t, (void *block, TAG) noexcept, (block, tag), #form " nothrow") \
	TAKES(operator form, _Zd##letter##PvSt11align_val_t, (void *block, align_val_t align) noexcept, \
	      (block, align), #form " aligned", align) \
	TAKES(operator form, _Zd##letter##PvmSt11align_val_t, (void *block, size_t size, align_val_t align) noexcept, \
	      (block, size, align), #form " sized aligned", size, align) \
	TAKES(operator form, _Zd##letter##PvSt11align_val_tRKSt9nothrow_t, \
	      (void *block, align_val_t align, TAG) noexcept, (block, align, tag), #form " aligned nothrow", align)

DELETES(delete, l)
DELETES(delete[], a)
#endif
