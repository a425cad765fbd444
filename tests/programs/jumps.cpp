// Leaves operator new through a new-handler: by an exception, by longjmp, and by the bad_alloc of the
// library. What is allocated afterwards must still be sampled.
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <thread>

namespace {

struct Thrown {
};
std::jmp_buf home;
void *volatile kept;

[[noreturn]] void throw_own()
{
	kept = std::malloc(100000);
	std::free(kept);
	throw Thrown{};
}

[[noreturn]] void jump() { std::longjmp(home, 1); }

const std::size_t too_much = PTRDIFF_MAX / 2;

int leave(int way)
{
	volatile int left = 0;
	std::set_new_handler(way == 0 ? throw_own : way == 1 ? jump : nullptr);
	if (setjmp(home))
		return 1;
	try {
		if (way % 2)
			kept = ::operator new(too_much);
		else
			kept = ::operator new[](too_much, std::align_val_t(64));
	} catch (Thrown &) {
		left = 1;
	} catch (std::bad_alloc &) {
		left = way == 2;
	}
	return left;
}

void leave_often()
{
	for (int i = 0; i < 3000; i++) {
		void *volatile block = std::malloc(3000);
		if (!leave(i % 3))
			std::puts("WRONG: it came back");
		std::free(block);
	}
	std::set_new_handler(nullptr);
	kept = ::operator new(3000000);
}

} // namespace

int main()
{
	leave_often();
	std::thread(leave_often).join();
	std::puts("end");
}
