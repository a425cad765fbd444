// Gives blocks back with their sizes, as C++14 does by default, and asks jemalloc what it still counts.
// A block filed under another size class than it came from shows there.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <new>

extern "C" __attribute__((weak)) int mallctl(const char *, void *, std::size_t *, void *, std::size_t);

static long allocated()
{
	std::uint64_t epoch = 1;
	std::size_t bytes = 0, length = sizeof bytes;
	mallctl("epoch", nullptr, nullptr, &epoch, sizeof epoch);
	mallctl("stats.allocated", &bytes, &length, nullptr, 0);
	return static_cast<long>(bytes);
}

static void churn(std::size_t size)
{
	void *blocks[64];
	for (int round = 0; round < 200; round++) {
		for (void *&block : blocks)
			block = ::operator new(size);
		for (void *block : blocks)
			::operator delete(block, size);
	}
}

int main()
{
	if (!mallctl)
		return 2;
	churn(100);
	long before = allocated();
	for (std::size_t size = 16; size < 40000; size = size * 5 / 4)
		churn(size);
	std::printf("left=%ld\n", allocated() > before ? allocated() - before : 0);
}
