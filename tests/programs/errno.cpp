// errno over every entry point, on many blocks each so that some are sampled: prints who changed it.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <new>

static const int rounds = 400;
static const size_t most = 70000;

template <class Make, class Release>
static void watch(const char *what, Make make, Release release)
{
	int made = 0, released = 0;
	for (int i = 0; i < rounds; i++) {
		size_t size = 4096 + i * 7919u % most / 4096 * 4096;
		errno = E2BIG;
		void *block = make(size);
		made += errno != E2BIG;
		if (!block)
			std::printf("WRONG: no block from %s\n", what);
		std::memset(block, i, size);
		errno = ERANGE;
		if (malloc_usable_size(block) < size)
			std::printf("WRONG: size from %s\n", what);
		release(block, size);
		released += errno != ERANGE;
	}
	std::printf("%s: %s %s\n", what, made ? "set" : "kept", released ? "set" : "kept");
}

static void give_back(void *block, size_t)
{
	std::free(block);
}

static void *posix_aligned(size_t size)
{
	void *block = nullptr;
	return posix_memalign(&block, 64, size) ? nullptr : block;
}

int main()
{
	std::align_val_t wide{64};
	watch("malloc", [](size_t n) { return malloc(n); }, give_back);
	watch("calloc", [](size_t n) { return calloc(2, n); }, give_back);
	watch("realloc", [](size_t n) { return realloc(malloc(n / 3), n); }, give_back);
	watch("reallocarray", [](size_t n) { return reallocarray(malloc(9), n, 2); }, give_back);
	watch("shrink", [](size_t n) { return realloc(malloc(n * 3), n); }, give_back);
	watch("posix_memalign", posix_aligned, give_back);
	watch("aligned_alloc", [](size_t n) { return aligned_alloc(4096, n); }, give_back);
	watch("memalign", [](size_t n) { return memalign(32, n); }, give_back);
	watch("valloc", [](size_t n) { return valloc(n); }, give_back);
	watch("new", [](size_t n) { return operator new(n); },
	      [](void *p, size_t) { operator delete(p); });
	watch("new sized", [](size_t n) { return operator new(n); },
	      [](void *p, size_t n) { operator delete(p, n); });
	watch("new[]", [](size_t n) { return operator new[](n); },
	      [](void *p, size_t n) { operator delete[](p, n); });
	watch("new nothrow", [](size_t n) { return operator new(n, std::nothrow); },
	      [](void *p, size_t) { operator delete(p, std::nothrow); });
	watch("new aligned", [=](size_t n) { return operator new(n, wide); },
	      [=](void *p, size_t n) { operator delete(p, n, wide); });
	watch("new[] aligned", [=](size_t n) { return operator new[](n, wide); },
	      [=](void *p, size_t) { operator delete[](p, wide); });
	std::puts("end");
}
