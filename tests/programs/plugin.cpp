// What dlstorm.cpp and late_operators.c load and unload: allocates below frames that soon are not there
// any more, and throws through them.
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <vector>

#ifdef OWN_OPERATORS
// Programs may replace the operators, and so may a library; these go when it is closed.
void *operator new(std::size_t size)
{
	void *block = size < std::size_t{1} << 40 ? std::malloc(size) : nullptr;
	if (!block)
		throw std::bad_alloc();
	return block;
}

void operator delete(void *block) noexcept { std::free(block); }
void operator delete(void *block, std::size_t) noexcept { std::free(block); }
#endif

extern "C" void *plugin_allocate(std::size_t size)
{
	std::vector<char> room(size / 2);
	return std::malloc(size + room.size() % 2);
}

extern "C" void plugin_throw(int depth)
{
	std::vector<int> room(depth + 1);
	if (depth == 0)
		throw std::runtime_error("from a library that comes and goes");
	plugin_throw(depth - 1);
}

extern "C" int plugin_catches(std::size_t size)
{
	try {
		char *volatile block = static_cast<char *>(::operator new(size));
		::operator delete(block, size);
		block = new char[size / 2];
		delete[] block;
		return 0;
	} catch (const std::bad_alloc &) {
		return 1;
	}
}
