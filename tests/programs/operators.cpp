// Every form of operator new and delete. With an argument it keeps ten blocks of each form and prints
// their addresses and sizes; without, it prints what the forms do when they cannot serve.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

using std::align_val_t;
using std::nothrow;

static const std::align_val_t WIDE{256};

// One call site each, so that every form has stacks of its own.
static void *forms(int form, std::size_t size)
{
	switch (form) {
	case 0: return ::operator new(size);
	case 1: return ::operator new[](size);
	case 2: return ::operator new(size, nothrow);
	case 3: return ::operator new[](size, nothrow);
	case 4: return ::operator new(size, WIDE);
	case 5: return ::operator new[](size, WIDE);
	case 6: return ::operator new(size, WIDE, nothrow);
	case 7: return ::operator new[](size, WIDE, nothrow);
	default: return nullptr;
	}
}

static void remove(int form, void *block, std::size_t size)
{
	switch (form) {
	case 0: return ::operator delete(block);
	case 1: return ::operator delete[](block);
	case 2: return ::operator delete(block, nothrow);
	case 3: return ::operator delete[](block, size);
	case 4: return ::operator delete(block, size, WIDE);
	case 5: return ::operator delete[](block, WIDE);
	case 6: return ::operator delete(block, WIDE, nothrow);
	case 7: return ::operator delete[](block, size, WIDE);
	case 8: return ::operator delete(block, size);
	case 9: return ::operator delete[](block, nothrow);
	case 10: return ::operator delete[](block, WIDE, nothrow);
	case 11: return ::operator delete[](block, size, WIDE);
	case 12: return ::operator delete(block, WIDE);
	}
}

// The forms of delete that fit a form of new.
static const int deletes[8][4] = {{0, 8, 2, 0},   {1, 3, 9, 1},   {2, 0, 8, 2},    {3, 9, 1, 3},
				  {4, 6, 12, 12}, {5, 7, 10, 11}, {6, 12, 4, 6}, {7, 11, 5, 10}};

static int handled;

static void handler()
{
	if (++handled % 3 == 0)
		std::set_new_handler(nullptr);
}

__attribute__((noinline)) static void keep()
{
	for (int form = 0; form < 8; form++)
		for (int i = 0; i < 10; i++) {
			std::size_t size = 1000 * (form + 1) + i;
			std::printf("block=%p %zu\n", forms(form, size), size);
		}
}

static void churn()
{
	for (int i = 0; i < 20000; i++)
		for (int form = 0; form < 8; form++) {
			std::size_t size = i % 50 == 0 ? 600000 + i : i % 5000;
			void *block = forms(form, size);
			if (!block || (form >= 4 && reinterpret_cast<std::uintptr_t>(block) % 256))
				std::printf("WRONG: form %d of %zu\n", form, size);
			remove(deletes[form][i % 4], block, size);
		}
}

static void fail(volatile std::size_t much)
{
	for (int form = 0; form < 8; form++) {
		handled = 0;
		std::set_new_handler(handler);
		try {
			std::printf("form %d: %p", form, forms(form, much));
		} catch (const std::bad_alloc &) {
			std::printf("form %d: bad_alloc", form);
		}
		std::printf(", handler called %d times\n", handled);
	}
	try {
		char *array = new char[much];
		std::printf("%p\n", static_cast<void *>(array));
	} catch (const std::bad_alloc &) {
		std::puts("new[]: bad_alloc");
	}
}

int main(int argc, char **)
{
	std::setbuf(stdout, nullptr);
	::operator delete(nullptr);
	::operator delete[](nullptr, std::size_t{8});
	if (argc > 1) {
		keep();
		return 0;
	}
	churn();
	fail(SIZE_MAX / 2);
	std::puts("end");
}
